"""Mirrored packed frames are those of mirrored pictures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from edgecodec.encoder.training.augment import Mirroring
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.packing import pack, unpack

PICTURE = PictureFormat(32, 32)
TURNS = list(itertools.product([False, True], repeat=2))


def picture(low: int = 0, high: int = 256, seed: int = 2) -> Planes:
    random = np.random.default_rng(seed)
    shapes = ((32, 32), (16, 16), (16, 16))
    y, u, v = (random.integers(low, high, shape).astype(np.uint8) for shape in shapes)
    return y, u, v


@pytest.mark.parametrize("block", [2, 4, 8])
@pytest.mark.parametrize(("rows", "columns"), TURNS)
def test_a_mirrored_tensor_is_the_mirrored_picture(block: int, rows: bool, columns: bool) -> None:
    planes = picture()
    made = unpack(Mirroring(rows, columns).of(pack(planes, block)), PICTURE)
    for got, given in zip(made, planes, strict=True):
        expected = given[:: -1 if rows else 1, :: -1 if columns else 1]
        assert np.array_equal(got, expected)


def test_what_is_drawn_is_each_of_the_four_and_nothing_else() -> None:
    random = np.random.default_rng(4)
    frame = pack(picture(), 4)
    seen = {Mirroring.drawn(random).of(frame).tobytes() for _ in range(40)}
    assert len(seen) == 4
    assert frame.tobytes() in seen
