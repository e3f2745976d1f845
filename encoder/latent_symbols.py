"""From an analysis network's latents to the symbols that are sent, and to what a network takes."""

from __future__ import annotations

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
# From a frame's least to its most.
_BRIGHTNESS_RANGE = 2 * MAX_SYMBOL


def nearest(levels: Tensor, prior: Prior | None) -> Tensor:
    """The symbols [..., C, h, w] nearest to one frame's latents in quantiser's steps.

    With a prior of whole brightness that is channel 0, from its least in the frame to 254 above.
    """
    symbols = levels.round().clamp(-MAX_SYMBOL, MAX_SYMBOL)
    if prior is None or not prior.whole:
        return symbols
    brightness = levels[..., :1, :, :].round().clamp(-_MOST_BRIGHTNESS, _MOST_BRIGHTNESS)
    brightness = brightness.clamp(max=float(brightness.detach().min()) + _BRIGHTNESS_RANGE)
    return torch.cat((brightness, symbols[..., 1:, :, :]), dim=-3)


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
