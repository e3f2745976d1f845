"""Detail of a frame that costs least together with what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..runtime.detail import detail_samples, encode_detail, step, transform, with_detail
from ..runtime.packing import Packed
from ..runtime.prior import Prior
from ..runtime.prior_coding import prior_bits
from .symbol_choice import Levels, Symbols, Weights, choose_symbols

PRICE_OF_A_BIT = 0.12
"""In squared quantiser's steps."""


@dataclass(frozen=True, eq=False)
class Detail:
    """A frame's detail as it is sent: `symbols` [96, h, w] int16 of a quality of 0 to 63, what
    their prior sees as the frame before, and whether the frame keeps what it may of others'."""

    quality: int
    symbols: Symbols
    seen: Symbols
    keeps: bool = True

    @property
    def samples(self) -> NDArray[np.int16]:
        """What the symbols add to a packed frame, [96, h, w] in grey levels."""
        return detail_samples(self.symbols, self.quality)

    def bits(self, prior: Prior) -> float:
        """About how many bits `packet` takes."""
        return prior_bits(self.symbols, self.quality, prior, self.seen)

    def packet(self, prior: Prior) -> bytes:
        """Its bytes."""
        return encode_detail(self.symbols, self.quality, prior, self.seen, keeps=self.keeps)


def frame_detail(
    source: Packed,
    shown: Packed,
    seen: Symbols,
    detail_quality: int,
    prior: Prior,
    weights: Weights | None = None,
) -> Detail:
    """What `shown` [1, 96, h, w] lacks of `source`, both packed by blocks of 8, as far as it is
    worth its bits: all symbols may be 0.

    `seen` is as of `runtime.detail.seen_before`, `weights` [h, w] are what squared errors count in
    each block, 1 if None.
    """
    levels = missing(source, shown, detail_quality)
    symbols = choose_symbols(
        levels, detail_quality, prior, seen, price=PRICE_OF_A_BIT, weights=weights
    )
    return Detail(detail_quality, symbols, seen)


def with_own_detail(
    source: Packed, shown: Packed, seen: Symbols, detail_quality: int, prior: Prior
) -> tuple[Packed, Detail | None]:
    """`shown` with the detail that it is worth, and that detail; None for none. The rest is as for
    `frame_detail`."""
    detail = frame_detail(source, shown, seen, detail_quality, prior)
    if not detail.symbols.any():
        return shown, None
    return with_detail(shown, detail.samples), detail


def missing(source: Packed, shown: Packed, detail_quality: int) -> Levels:
    """What `shown` lacks of `source`, both [1, 96, h, w], as coefficients in steps [96, h, w]."""
    samples = source[0].astype(np.float32) - shown[0]
    flat = samples.reshape(len(samples), -1).T @ _analysis()
    coefficients = np.ascontiguousarray(flat.T).reshape(samples.shape)
    levels: Levels = (coefficients / step(detail_quality)).astype(np.float32)
    return levels


@cache
def _analysis() -> NDArray[np.float32]:
    """[96 samples, 96 coefficients]: the inverse of `transform`, which is not quite orthogonal."""
    return np.linalg.inv(transform().astype(np.float64)).astype(np.float32)
