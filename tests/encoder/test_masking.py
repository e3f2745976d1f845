"""Errors show on flat ground and hide in what is busy."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.masking import error_weights


def half_busy(seed: int = 0) -> np.ndarray:
    """Noise on the right, and nothing on the left."""
    plane = np.full((128, 256), 120, np.uint8)
    plane[:, 128:] = np.random.default_rng(seed).integers(40, 200, (128, 128))
    return plane


def test_flat_cells_count_more_than_busy_ones() -> None:
    weights = error_weights(half_busy())
    assert weights.shape == (8, 16)
    assert weights.dtype == np.float32
    assert weights[:, :6].min() > 1.5 * weights[:, 10:].max()


def test_weights_are_about_one_in_the_mean_and_within_limits() -> None:
    weights = error_weights(half_busy())
    assert np.log(weights).mean() == pytest.approx(0, abs=0.2)
    assert weights.min() >= 0.25
    assert weights.max() <= 4
    flat = error_weights(np.full((48, 32), 7, np.uint8))
    assert flat == pytest.approx(np.ones((3, 2)))


def test_a_single_cell_is_a_picture_too() -> None:
    assert error_weights(np.arange(256, dtype=np.uint8).reshape(16, 16)) == pytest.approx(1)
