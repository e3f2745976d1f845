"""The levels of a frame's latents, which frames after it are predicted from.

A network takes a brightness as two channels, fours and what is left of them. A *level* of a frame
has it as one number; all levels are integers, a quarter of a latent's real unit each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .latents import LATENT_ZERO, STEPS_Q16

LARGEST_LEVEL = 127
LARGEST_BRIGHTNESS = 4 * LARGEST_LEVEL
_PARTS = 4
# Of `STEPS_Q16`.
_ONE = 1 << 16

Levels = NDArray[np.int16]
Latent = NDArray[np.uint8]


def levels_of(latent: Latent) -> Levels:
    """The levels [C, h, w] of what a network takes of a frame, [1, C + 1, h, w], `clipped`."""
    signed = latent[0].astype(np.int32) - LATENT_ZERO
    brightness = _PARTS * signed[:1] + signed[1:2]
    return clipped(np.concatenate([brightness, signed[2:]]))


def latent_of(levels: Levels, quality: int) -> Latent:
    """What a network takes [1, C + 1, h, w] of levels [C, h, w], at a quality of 0 to 63.

    The fours of a brightness b are those of the symbol that is nearest to b / 4, as of I-frames,
    which networks were trained on: where nothing has changed, a network is given almost always
    what it was given for the I-frame.
    """
    step = STEPS_Q16[quality]
    brightness = levels[:1].astype(np.int64)
    # A symbol s stands for brightnesses of 4 s - 2 to 4 s + 1 steps.
    symbol = (2 * _ONE * brightness + 5 * step) // (8 * step)
    fours = np.sign(symbol) * ((np.abs(symbol) * step + _ONE // 2) >> 16)
    fours = fours.clip(-LARGEST_LEVEL, LARGEST_LEVEL)
    parts = np.concatenate([fours, brightness - _PARTS * fours, levels[1:]])
    whole: Latent = (parts + LATENT_ZERO).clip(0, 255).astype(np.uint8)
    return whole[None]


def clipped(levels: NDArray[np.int32]) -> Levels:
    """Levels [C, ...] within what networks can take: a brightness in four times the range."""
    made = levels.clip(-LARGEST_LEVEL, LARGEST_LEVEL)
    made[0] = levels[0].clip(-LARGEST_BRIGHTNESS, LARGEST_BRIGHTNESS)
    whole: Levels = made.astype(np.int16)
    return whole


def symbol_levels(symbols: NDArray[np.int16], quality: int) -> NDArray[np.int32]:
    """Symbols as differences of levels: sign(s) * ((|s| * step + 2**15) >> 16)."""
    sizes = (np.abs(symbols).astype(np.int64) * STEPS_Q16[quality] + (1 << 15)) >> 16
    signed: NDArray[np.int32] = (np.sign(symbols) * sizes).astype(np.int32)
    return signed


def nearest_symbols(levels: Levels, quality: int) -> NDArray[np.int16]:
    """Levels in quantiser's steps, the nearest of -127 to 127, halves away from zero."""
    step = STEPS_Q16[quality]
    # The largest level leaves more than four bits of these.
    sizes = ((np.abs(levels).astype(np.int32) << 17) + step) // (2 * step)
    signed: NDArray[np.int16] = (np.sign(levels) * sizes.clip(max=LARGEST_LEVEL)).astype(np.int16)
    return signed
