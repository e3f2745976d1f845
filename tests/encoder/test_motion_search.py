"""Vectors of moving cells: exactly what moved, and nothing where only noise did."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from edgecodec.encoder.motion_search import find_vectors
from numpy.typing import NDArray

Luma = NDArray[np.float32]
PRICE = 40.0
# Texture around the planes, so that what moves into them is known.
AROUND = 72


def texture(height: int, width: int, seed: int = 0) -> Luma:
    """Smooth noise with AROUND samples on each side, in whole grey levels."""
    random = np.random.default_rng(seed)
    size = (height + 2 * AROUND, width + 2 * AROUND)
    made = cv2.GaussianBlur(random.normal(size=size), (0, 0), 2.0)
    return np.rint(128 + 30 * made / made.std()).clip(0, 255).astype(np.float32)


def half_along(plane: Luma, axis: int) -> Luma:
    """Samples half way to the next along an axis, by H.264's six taps."""
    taps = (1, -5, 20, 20, -5, 1)
    return sum(
        tap * np.roll(plane, 2 - place, axis) for place, tap in enumerate(taps)
    ) / np.float32(32)


def middle(wide: Luma, down: int = 0, across: int = 0) -> Luma:
    """What is within the AROUND samples, read `down` and `across` half samples further on."""
    for axis, steps in enumerate((down, across)):
        if steps % 2:
            wide = half_along(wide, axis)
        wide = np.roll(wide, -(steps // 2), axis)
    return np.ascontiguousarray(wide[AROUND:-AROUND, AROUND:-AROUND])


def inner(vectors: NDArray[np.int16], down: int, across: int) -> NDArray[np.int16]:
    """Vectors of cells whose windows were within the reference."""
    _, rows, columns = vectors.shape
    # What is cut off: one cell, and as many as the vector is long.
    above, left = (1 + max(0, -step + 31) // 32 for step in (down, across))
    below, right = (1 + max(0, step + 31) // 32 for step in (down, across))
    return vectors[:, above : rows - below, left : columns - right]


@pytest.mark.parametrize(
    ("down", "across"),
    [
        (2, -4),
        (-14, 22),
        (0, 80),
        (0, -80),
        (-66, 6),
        (126, -126),
        (1, 0),
        (0, -1),
        (-3, 5),
        (9, 14),
        (16, -27),
        (127, 127),
        (-127, 0),
    ],
)
def test_what_moved_is_found_exactly(down: int, across: int) -> None:
    wide = texture(192, 224)
    vectors = find_vectors(middle(wide), middle(wide, down, across), PRICE)
    assert vectors.dtype == np.int16
    assert vectors.shape == (2, 12, 14)
    found = inner(vectors, down, across)
    assert found.size
    assert (found == np.array([down, across])[:, None, None]).all()


def test_the_reference_may_be_lossy() -> None:
    wide = texture(128, 160)
    noise = np.random.default_rng(1).normal(size=(128, 160)).astype(np.float32)
    vectors = find_vectors(middle(wide) + 2 * noise, middle(wide, -7, 18), PRICE)
    assert (inner(vectors, -7, 18) == np.array([-7, 18])[:, None, None]).all()


def test_two_halves_move_on_their_own() -> None:
    one, other = texture(128, 256, seed=2), texture(128, 256, seed=3)
    reference = np.hstack([middle(one)[:, :128], middle(other)[:, 128:]])
    source = np.hstack([middle(one, 10, 4)[:, :128], middle(other, -5, 24)[:, 128:]])
    vectors = find_vectors(reference, source, PRICE)
    assert (vectors[:, 1:-2, 1:6] == np.array([10, 4])[:, None, None]).all()
    assert (vectors[:, 1:-1, 9:-2] == np.array([-5, 24])[:, None, None]).all()


def test_a_small_object_moves_over_a_still_picture() -> None:
    still, moving = middle(texture(160, 256, seed=4)), middle(texture(160, 256, seed=5))
    reference, source = still.copy(), still.copy()
    reference[48:96, 32:80] = moving[48:96, 32:80]
    source[48:96, 80:128] = moving[48:96, 32:80]
    vectors = find_vectors(reference, source, PRICE)
    found = vectors[:, 3:6, 5:8] - np.array([0, -96])[:, None, None]
    assert not found[:, 1, 1].any()
    # Around it, windows see the still picture too.
    assert np.abs(found).max() <= 2
    assert not vectors[:, :, 9:].any()
    assert not vectors[:, 7:].any()


@pytest.mark.parametrize("contrast", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("noise", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("both", [False, True])
def test_noise_does_not_move_what_is_still(contrast: float, noise: float, both: bool) -> None:
    still = 128 + contrast * (middle(texture(160, 192)) - 128)
    random = np.random.default_rng(6)
    reference, source = (
        (still + strength * random.normal(size=still.shape)).astype(np.float32)
        for strength in (noise * both, noise)
    )
    assert not find_vectors(reference, source, PRICE).any()


@pytest.mark.parametrize("price", [0.0, PRICE])
def test_the_same_picture_is_still(price: float) -> None:
    repeated = np.tile(np.eye(8, dtype=np.float32) * 200, (8, 10))
    for plane in (middle(texture(64, 80)), repeated, np.zeros((16, 16), np.float32)):
        assert not find_vectors(plane, plane, price).any()


def test_a_dear_bit_keeps_all_still() -> None:
    wide = texture(64, 96)
    assert not find_vectors(middle(wide), middle(wide, 6, 6), 1e9).any()


@pytest.mark.parametrize("shape", [(16, 16), (16, 128), (128, 16), (32, 48)])
def test_small_planes_have_vectors(shape: tuple[int, int]) -> None:
    wide = texture(*shape)
    vectors = find_vectors(middle(wide), middle(wide, 2, 2), 0.0)
    assert vectors.shape == (2, shape[0] // 16, shape[1] // 16)
    assert np.abs(vectors).max() <= 127


def test_no_cell_is_looked_for_far_outside() -> None:
    random = np.random.default_rng(7)
    reference, source = (
        random.uniform(0, 255, (96, 160)).astype(np.float32).cumsum(axis=1) % 256 for _ in range(2)
    )
    vectors = find_vectors(reference, source, 0.0).astype(int)
    assert vectors.any()
    rows, columns = (16 * each for each in np.indices((6, 10)))
    for place, vector, side in ((rows, vectors[0], 96), (columns, vectors[1], 160)):
        assert (2 * place + vector >= -48).all()
        assert (2 * place + vector <= 2 * (side - 16) + 48).all()


def test_the_same_planes_give_the_same_vectors() -> None:
    random = np.random.default_rng(8)
    wide = texture(128, 192)
    noise = random.normal(size=(2, 128, 192)).astype(np.float32)
    reference, source = middle(wide) + 9 * noise[0], middle(wide, 3, 40) + 9 * noise[1]
    before = reference.copy(), source.copy()
    first = find_vectors(reference, source, 5.0)
    assert np.array_equal(reference, before[0])
    assert np.array_equal(source, before[1])
    assert np.array_equal(first, find_vectors(reference, source, 5.0))


@pytest.mark.parametrize(
    ("reference", "source"),
    [
        ((32, 40), (32, 40)),
        ((24, 32), (24, 32)),
        ((32, 32), (32, 48)),
        ((0, 16), (0, 16)),
        ((16,), (16,)),
        ((1, 16, 16), (1, 16, 16)),
    ],
)
def test_other_shapes_are_refused(reference: tuple[int, ...], source: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="planes of"):
        find_vectors(np.zeros(reference, np.float32), np.zeros(source, np.float32), PRICE)


@pytest.mark.parametrize("price", [-1.0, float("nan")])
def test_other_prices_are_refused(price: float) -> None:
    plane = np.zeros((16, 16), np.float32)
    with pytest.raises(ValueError, match="price"):
        find_vectors(plane, plane, price)
