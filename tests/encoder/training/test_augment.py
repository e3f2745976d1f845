"""Mirrors and colours of packed frames are those of the pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from edgecodec.encoder.training.augment import mirrored, recolored
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.packing import pack, unpack


class Dice:
    """Stands in for a generator: the numbers that it is given, in turn."""

    def __init__(self, rolls: Sequence[float]) -> None:
        self._rolls = list(rolls)

    def random(self, count: int | None = None) -> object:
        if count is None:
            return self._rolls.pop(0)
        return np.array([self._rolls.pop(0) for _ in range(count)])

    def uniform(self, low: float, high: float) -> float:
        return low + self._rolls.pop(0) * (high - low)


PICTURE = PictureFormat(32, 16)


def picture(low: int = 0, high: int = 256) -> Planes:
    random = np.random.default_rng(2)
    shapes = ((16, 32), (8, 16), (8, 16))
    y, u, v = (random.integers(low, high, shape).astype(np.uint8) for shape in shapes)
    return y, u, v


def packed(planes: Planes, block: int) -> torch.Tensor:
    return torch.from_numpy(pack(planes, block)).float() / 255.0


def planes_of(x: torch.Tensor) -> Planes:
    return unpack((x * 255.0).round().to(torch.uint8).numpy(), PICTURE)


@pytest.mark.parametrize("block", [4, 8])
@pytest.mark.parametrize(
    ("rolls", "steps"),
    [((0.9, 0.9), (1, 1)), ((0.1, 0.9), (1, -1)), ((0.9, 0.1), (-1, 1)), ((0.1, 0.1), (-1, -1))],
)
def test_a_mirrored_tensor_is_the_mirrored_picture(
    block: int, rolls: tuple[float, float], steps: tuple[int, int]
) -> None:
    planes = picture()
    made = planes_of(mirrored(packed(planes, block), Dice(rolls)))  # type: ignore[arg-type]
    for got, given in zip(made, planes, strict=True):
        assert np.array_equal(got, given[:: steps[0], :: steps[1]])


@pytest.mark.parametrize("block", [4, 8])
def test_recolouring_exchanges_inverts_and_shifts_whole_planes(block: int) -> None:
    planes = picture(60, 200)
    # Exchange U and V; invert Y and move it down all the way; V up all the way; U as it is.
    rolls = (0.1, 0.1, 0.0, 0.9, 1.0, 0.9, 0.5)
    y, u, v = planes_of(recolored(packed(planes, block), Dice(rolls)))  # type: ignore[arg-type]
    inverted = 255 - planes[0].astype(int)
    assert np.array_equal(y, inverted - inverted.min())
    assert np.array_equal(u, planes[2].astype(int) + 255 - planes[2].max())
    moved = v.astype(int) - planes[1]
    assert moved.min() == moved.max()


def test_real_dice_keep_shape_and_range_and_move_frames_of_a_sample_alike() -> None:
    random = np.random.default_rng(4)
    frames = torch.cat([packed(picture(), 4)] * 3)
    seen = set()
    for _ in range(20):
        x = mirrored(recolored(frames, random), random)
        assert x.shape == frames.shape
        assert 0.0 <= float(x.min()) <= float(x.max()) <= 1.0
        assert torch.equal(x[0], x[2])
        assert torch.allclose(x * 255, (x * 255).round(), atol=1e-3)
        seen.add(float(x.sum()))
    assert len(seen) > 5
