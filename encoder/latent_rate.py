"""What a frame's symbols cost, for a search that moves latents by gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..runtime.prior import Prior
from ..runtime.prior_coding import coding_tables, prior_bits
from .analysis import spread_brightness
from .latent_symbols import nearest
from .training.rate import bits, laplace_bits, noisy_bits


class Coding(Protocol):
    """How the symbols [1, C, h, w] of a frame are coded that has none of its kind before it."""

    def bits(self, symbols: Tensor) -> float:
        """Of whole symbols."""

    def noisy_bits(self, symbols: Tensor, moved: Tensor) -> Tensor:
        """The same [1], with gradients for `moved`, whose nearest are `symbols`."""

    def nearest(self, levels: Tensor) -> Tensor:
        """The nearest symbols that can be sent."""

    def latents(self, symbols: Tensor) -> Tensor:
        """What the decoder takes [1, L, h, w], in quantiser's steps."""


class ScaleCoding:
    """With explicit scales of groups of 4x4 cells; sides are padded to whole ones."""

    def bits(self, symbols: Tensor) -> float:
        """See `Coding.bits`."""
        return float(bits(_grouped(symbols)))

    def noisy_bits(self, symbols: Tensor, moved: Tensor) -> Tensor:
        """See `Coding.noisy_bits`."""
        return noisy_bits(_grouped(symbols), _grouped(moved))

    def nearest(self, levels: Tensor) -> Tensor:
        """See `Coding.nearest`."""
        return nearest(levels, None)

    def latents(self, symbols: Tensor) -> Tensor:
        """See `Coding.latents`."""
        return symbols


@dataclass(frozen=True)
class PriorCoding:
    """With a prior, at a quality index. What a symbol does to its neighbours' tables has no part in
    the gradients."""

    prior: Prior
    quality: int

    def bits(self, symbols: Tensor) -> float:
        """See `Coding.bits`."""
        return prior_bits(_integers(symbols), self.quality, self.prior, None)

    def noisy_bits(self, symbols: Tensor, moved: Tensor) -> Tensor:
        """See `Coding.noisy_bits`."""
        sent = _integers(symbols)
        tables, numbers = (
            torch.from_numpy(each).to(moved)[None]
            for each in coding_tables(sent, self.quality, self.prior, None)
        )
        centres = symbols.detach() - numbers
        return laplace_bits(moved - centres, tables).sum(dim=(1, 2, 3))

    def nearest(self, levels: Tensor) -> Tensor:
        """See `Coding.nearest`."""
        return nearest(levels, self.prior)

    def latents(self, symbols: Tensor) -> Tensor:
        """See `Coding.latents`."""
        return spread_brightness(symbols) if self.prior.whole else symbols


def coding_of(prior: Prior | None, quality: int) -> Coding:
    """How a frame at that quality index is coded with a prior, or without one."""
    return ScaleCoding() if prior is None else PriorCoding(prior, quality)


def _integers(symbols: Tensor) -> NDArray[np.int16]:
    integers: NDArray[np.int16] = symbols[0].detach().cpu().numpy().astype(np.int16)
    return integers


def _grouped(symbols: Tensor) -> Tensor:
    """Padded with zeros to whole groups of 4x4 cells."""
    rows, columns = (-side % 4 for side in symbols.shape[2:])
    return torch.nn.functional.pad(symbols, (0, columns, 0, rows))
