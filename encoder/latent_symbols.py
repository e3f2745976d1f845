"""From an analysis network's latents to the symbols that are sent, and to what a network takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..runtime.latents import dequantize
from ..runtime.prior import Prior
from ..runtime.prior_coding import network_symbols
from ..runtime.scale_tables import MAX_SYMBOL

# A network takes a brightness as fours and what is left of them, each a symbol.
_MOST_BRIGHTNESS = 4 * MAX_SYMBOL
BRIGHTNESS_RANGE = 2 * MAX_SYMBOL
"""From a frame's least whole brightness to its most, in steps."""


def nearest(levels: Tensor, prior: Prior | None) -> Tensor:
    """The symbols [..., C, h, w] nearest to one frame's latents in quantiser's steps.

    With a prior of whole brightness that is channel 0, from its least in the frame to 254 above.
    """
    symbols = levels.round().clamp(-MAX_SYMBOL, MAX_SYMBOL)
    if prior is None or not prior.whole:
        return symbols
    brightness = levels[..., :1, :, :].round().clamp(-_MOST_BRIGHTNESS, _MOST_BRIGHTNESS)
    brightness = brightness.clamp(max=float(brightness.detach().min()) + BRIGHTNESS_RANGE)
    return torch.cat((brightness, symbols[..., 1:, :, :]), dim=-3)


def finest_quality(levels_at: Callable[[int], Tensor], quality: int, prior: Prior | None) -> int:
    """The finest quality, of those up to `quality`, at which a frame's brightness has no more
    steps than can be sent.

    `levels_at` gives its latents [..., C, h, w] in steps of a quality.
    """
    if prior is None or not prior.whole:
        return quality
    for each in range(quality, 0, -1):
        brightness = levels_at(each)[..., 0, :, :].round()
        if float(brightness.max() - brightness.min()) <= BRIGHTNESS_RANGE:
            return each
    return 0


def integer_symbols(levels: Tensor, prior: Prior | None) -> NDArray[np.int16]:
    """`nearest` to latents [C, h, w], as they are sent."""
    made: NDArray[np.int16] = nearest(levels, prior).cpu().numpy().astype(np.int16)
    return made


def device_latent(
    symbols: NDArray[np.int16], quality: int, prior: Prior | None
) -> NDArray[np.uint8]:
    """What a network takes for symbols [C, h, w]: [1, L, h, w], L being C or, with a whole
    brightness, C + 1."""
    if prior is None:
        return dequantize(symbols.astype(np.int8), quality)
    return dequantize(network_symbols(symbols, prior), quality)
