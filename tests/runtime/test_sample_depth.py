"""Depths and residuals, level by level."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.runtime.sample_depth import to_8_bit, with_residual
from numpy.typing import NDArray

Levels = NDArray[np.int64]


def every_pair(top: int) -> tuple[Levels, Levels]:
    """Every sample with every residual: more rows than a strip has."""
    samples, residuals = np.meshgrid(np.arange(top), np.arange(256), indexing="ij")
    return np.tile(samples, (1, 5)), np.tile(residuals, (1, 5))


def summed(ten_bits: Levels, residual: Levels, bits: int) -> Levels:
    """The format's sum, in whole numbers."""
    total = np.clip(ten_bits + residual - 128, 0, 1023)
    return total if bits == 10 else np.minimum(255, (total + 2) >> 2)


def test_every_level_of_ten_bits_is_rounded_to_the_nearest() -> None:
    levels = np.tile(np.arange(1024), (300, 1))
    made = to_8_bit(levels.astype(np.uint16))
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, np.minimum((levels + 2) >> 2, 255))


@pytest.mark.parametrize("bits", [8, 10])
def test_every_residual_is_added_to_every_level_of_ten_bits(bits: int) -> None:
    levels, residual = every_pair(1024)
    made = with_residual(levels.astype(np.uint16), residual.astype(np.uint8), bits)
    assert made.dtype == (np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_array_equal(made, summed(levels, residual, bits))


def test_every_residual_is_added_to_every_level_of_eight_bits() -> None:
    levels, residual = every_pair(256)
    made = with_residual(levels.astype(np.uint8), residual.astype(np.uint8), 8)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, summed(4 * levels, residual, 8))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300_000), (3, 150_000), (700, 401), (5, 0)])
def test_planes_of_any_shape_are_done_to_their_last_row(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    levels, residual = random.integers(0, 1024, shape), random.integers(0, 256, shape)
    deep, change = levels.astype(np.uint16), residual.astype(np.uint8)
    np.testing.assert_array_equal(with_residual(deep, change, 8), summed(levels, residual, 8))
    np.testing.assert_array_equal(to_8_bit(deep), np.minimum((levels + 2) >> 2, 255))


def test_neither_rows_with_padding_nor_what_is_given_matter() -> None:
    random = np.random.default_rng(0)
    wide = random.integers(0, 1024, (40, 100)).astype(np.uint16)
    residual = random.integers(0, 256, (40, 100)).astype(np.uint8)
    kept = wide.copy(), residual.copy()
    wide.flags.writeable = residual.flags.writeable = False
    made = with_residual(wide[:, :64], residual[:, :64], 10)
    np.testing.assert_array_equal(made, with_residual(wide[:, :64].copy(), residual[:, :64], 10))
    assert not np.shares_memory(made, wide)
    np.testing.assert_array_equal((wide, residual), kept)
