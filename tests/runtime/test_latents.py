"""Dequantisation: integers only, so that it is the same everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edgecodec.runtime.latents import STEPS_Q16, dequantize, step_size

EVERY_SYMBOL = np.arange(-127, 128).astype(np.int8)


def test_steps_are_powers_of_sixteen() -> None:
    assert len(STEPS_Q16) == 64
    for quality in range(64):
        assert step_size(quality) == pytest.approx(8 * 16 ** (-quality / 63), rel=1e-4)
    assert (step_size(0), step_size(63)) == (8.0, 0.5)


@pytest.mark.parametrize("quality", range(64))
def test_every_symbol_dequantises_by_the_documented_formula(quality: int) -> None:
    symbols = np.broadcast_to(EVERY_SYMBOL, (64, 1, 255))
    levels = dequantize(symbols, quality)
    assert levels.shape == (1, 64, 1, 255)
    assert levels.dtype == np.uint8
    # Python's own integers: 128 + sign(s) * floor(|s| * step + 1/2), the step in 1/65536 levels.
    expected = [
        min(
            255, max(0, 128 + int(math.copysign((abs(s) * STEPS_Q16[quality] + 32768) // 65536, s)))
        )
        for s in EVERY_SYMBOL.tolist()
    ]
    assert levels[0, 0, 0].tolist() == expected
    assert (levels == levels[0, 0, 0]).all()
    assert np.all(np.diff(levels[0, 0, 0].astype(int)) >= 0)


def test_dequantising_keeps_every_symbol_where_it_was() -> None:
    symbols = np.random.default_rng(1).integers(-127, 128, (64, 3, 5)).astype(np.int8)
    levels = dequantize(symbols, 40)
    by_symbol = dict(
        zip(EVERY_SYMBOL.tolist(), dequantize(EVERY_SYMBOL[None, None], 40)[0, 0, 0], strict=True)
    )
    assert levels.shape == (1, 64, 3, 5)
    assert all(
        by_symbol[int(s)] == level for s, level in zip(symbols.flat, levels.flat, strict=True)
    )


def test_zero_is_the_middle_level_at_every_quality() -> None:
    nothing = np.zeros((64, 2, 2), np.int8)
    assert all((dequantize(nothing, quality) == 128).all() for quality in range(64))
