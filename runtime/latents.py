"""From entropy-coded symbols to the uint8 latents that networks take: integers only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LATENT_ZERO = 128
"""The uint8 level of a latent of zero."""

LATENT_LEVELS_PER_UNIT = 4
"""A latent's real value is (level - 128) / 4."""

# Quantiser steps of the 64 qualities in levels, times 2**16: 8 * 16 ** (-q / 63) real units.
# Written out, because a power of floats need not round alike on every machine.
STEPS_Q16 = (
    2097152, 2006859, 1920454, 1837769, 1758644, 1682925, 1610467, 1541128,
    1474775, 1411279, 1350516, 1292370, 1236727, 1183479, 1132525, 1083764,
    1037102, 992450, 949720, 908830, 869700, 832255, 796423, 762133,
    729319, 697918, 667869, 639114, 611597, 585265, 560066, 535953,
    512877, 490795, 469664, 449443, 430092, 411574, 393854, 376897,
    360669, 345141, 330281, 316061, 302453, 289430, 276969, 265044,
    253633, 242713, 232263, 222262, 212693, 203535, 194772, 186386,
    178361, 170682, 163333, 156301, 149572, 143132, 136969, 131072,
)  # fmt: skip


def step_size(quality: int) -> float:
    """Quantiser step in real latent units at `quality`: 8 at 0 (coarsest) to 0.5 at 63."""
    return STEPS_Q16[quality] / (1 << 16) / LATENT_LEVELS_PER_UNIT


def dequantize(symbols: NDArray[np.int8], quality: int) -> NDArray[np.uint8]:
    """Symbols [C, h, w] in -127..127 as latents [1, C, h, w] uint8, zero at level 128.

    level = 128 + sign(s) * floor(|s| * step + 1/2), clipped to 0..255.
    """
    step = STEPS_Q16[quality]
    magnitude = (np.arange(129, dtype=np.int64) * step + (1 << 15)) >> 16
    symbol = np.arange(-128, 128)
    table = np.clip(LATENT_ZERO + np.sign(symbol) * magnitude[np.abs(symbol)], 0, 255)
    levels: NDArray[np.uint8] = table.astype(np.uint8)[symbols.astype(np.int16) + 128]
    return levels[None]
