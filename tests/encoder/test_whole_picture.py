"""Planes that are interpolated whole give exactly what players interpolate piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.whole_picture import WholePicture, whole_picture
from edgecodec.runtime.drawing import drawn
from edgecodec.runtime.motion import expected_levels, seen_levels
from edgecodec.runtime.picture import Picture, windows_of
from edgecodec.runtime.vectors import MAX_VECTOR
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ..runtime.motion_samples import cosine_tables, some_levels, some_vectors

CHANNELS = 8
TABLES = cosine_tables(CHANNELS)
LUMA, CHROMA = 0, (1, 2)
# Of luma: cells are 16 samples, windows begin 8 before them, vectors are half samples. Of chroma
# all are half of that.
CELLS, SIDES, PARTS = {LUMA: 16, 1: 8, 2: 8}, {LUMA: 32, 1: 16, 2: 16}, {LUMA: 2, 1: 4, 2: 4}
REACHED = np.arange(-MAX_VECTOR, MAX_VECTOR + 1)
DARKEST, BRIGHTEST = -256, 255
Samples = NDArray[np.float32]

relaxed = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 4), st.integers(1, 5))
phases = st.tuples(st.integers(0, 3), st.integers(0, 3))


def both(luma: NDArray[np.integer], chroma: NDArray[np.integer]) -> tuple[WholePicture, Picture]:
    planes = luma.astype(np.float32), chroma.astype(np.float32)
    return WholePicture(*planes), Picture(*planes)


def some_pictures(seed: int, cells: tuple[int, int]) -> tuple[WholePicture, Picture]:
    """Samples of any size that there may be, many of them the smallest and the largest."""
    random = np.random.default_rng(seed)
    rows, columns = cells
    sides = ((16 * rows, 16 * columns), (2, 8 * rows, 8 * columns))
    most = random.integers(1, 1000)
    luma, chroma = (random.integers(-most, most, side) for side in sides)
    return both(luma.clip(DARKEST, BRIGHTEST), chroma.clip(DARKEST, BRIGHTEST))


def corners(plane: int, cells: tuple[int, int]) -> NDArray[np.intp]:
    """All places [n, 2] of a plane where a window may begin, wherever vectors lead."""
    side = CELLS[plane]
    rows, columns = (
        np.unique((side * np.arange(count) - side // 2)[:, None] + REACHED // PARTS[plane])
        for count in cells
    )
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)


def same(one: Samples, other: Samples) -> bool:
    return one.dtype == other.dtype == np.float32 and np.array_equal(one, other)


@relaxed
@given(seeds, cells_of, st.integers(0, 2), phases)
def test_squares_are_those_that_players_see_in_every_plane_and_phase(
    seed: int, cells: tuple[int, int], plane: int, phase: tuple[int, int]
) -> None:
    whole, pieces = some_pictures(seed, cells)
    places = corners(plane, cells)
    chosen = np.random.default_rng(seed).choice(len(places), 60)
    # At the sides and in the corners too, as far out as vectors lead.
    ends = [[low, high] for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True)]
    outermost = np.array([(row, column) for row in ends[0] for column in ends[1]])
    places = np.concatenate((places[chosen], outermost))
    found = whole.squares(plane, places, SIDES[plane], phase)
    assert found.shape == (len(places), SIDES[plane], SIDES[plane])
    assert same(found, pieces.squares(plane, places, SIDES[plane], phase))


@pytest.mark.parametrize("plane", [LUMA, *CHROMA], ids=["Y", "U", "V"])
def test_every_sample_that_vectors_reach_is_the_same(plane: int) -> None:
    """One by one, in all phases: the border ends right behind them."""
    whole, pieces = some_pictures(4, (1, 2))
    places = corners(plane, (1, 2))
    ends = zip(places.min(axis=0), places.max(axis=0) + SIDES[plane], strict=True)
    samples = [np.arange(first, last) for first, last in ends]
    places = np.stack(np.meshgrid(*samples, indexing="ij"), axis=-1).reshape(-1, 2)
    for phase in np.ndindex(4, 4):
        at = phase[0], phase[1]
        assert same(whole.squares(plane, places, 1, at), pieces.squares(plane, places, 1, at))


@pytest.mark.parametrize("across", [-127, -126, -125, -1, 0, 1, 2, 126, 127])
def test_windows_are_the_same_for_every_vector(across: int) -> None:
    """Of every component, with some of the other."""
    whole, pieces = some_pictures(5, (2, 3))
    cells = np.argwhere(np.ones((2, 3), bool)).repeat(len(REACHED), 0)
    vectors = np.stack((np.tile(REACHED, 6), np.full(6 * len(REACHED), across)), axis=1)
    for each in (vectors, vectors[:, ::-1]):
        assert same(windows_of(whole, cells, each), windows_of(pieces, cells, each))


def test_the_steepest_pictures_are_exact_as_well() -> None:
    """Samples that fit the signs of the taps, and so give the largest sums there are."""
    signs = np.sign((1, -5, 52, 20, -5, 1))
    for turn in (1, -1):
        pattern = np.where(turn * np.outer(signs, signs) > 0, BRIGHTEST, DARKEST)
        tiled = np.tile(pattern, (6, 6))[:32, :32]
        whole, pieces = both(tiled, np.stack([tiled[:16, :16], tiled[1:17, 2:18]]))
        largest = 0.0
        for plane in (LUMA, *CHROMA):
            places = corners(plane, (2, 2))[:: 7 if plane == LUMA else 3]
            for phase in np.ndindex(4, 4):
                at = (phase[0], phase[1])
                found = whole.squares(plane, places, SIDES[plane], at)
                assert same(found, pieces.squares(plane, places, SIDES[plane], at))
                largest = max(largest, float(np.abs(found).max()))
        # Beyond what samples are: nothing is clipped on the way.
        assert largest > 1.5 * BRIGHTEST


@relaxed
@given(seeds, cells_of)
def test_what_is_asked_before_changes_nothing(seed: int, cells: tuple[int, int]) -> None:
    whole, pieces = some_pictures(seed, cells)
    random = np.random.default_rng(seed)
    kept = [each.copy() for each in (whole.luma, whole.chroma, *whole.bordered)]
    for _ in range(8):
        plane = int(random.integers(3))
        phase = int(random.integers(4)), int(random.integers(4))
        places = random.permutation(corners(plane, cells))[:5]
        found = whole.squares(plane, places, SIDES[plane], phase)
        assert same(found, pieces.squares(plane, places, SIDES[plane], phase))
        # Whoever gets squares may do with them what they want.
        found[...] = 1000
    for each, before in zip((whole.luma, whole.chroma, *whole.bordered), kept, strict=True):
        np.testing.assert_array_equal(each, before)


@relaxed
@given(seeds, cells_of)
def test_frames_are_expected_as_by_players(seed: int, cells: tuple[int, int]) -> None:
    levels, vectors = some_levels(seed, CHANNELS, cells), some_vectors(seed, cells)
    whole, pieces = whole_picture(levels, TABLES), drawn(levels, TABLES)
    assert same(whole.luma, pieces.luma)
    assert same(whole.chroma, pieces.chroma)
    np.testing.assert_array_equal(
        expected_levels(levels, vectors, TABLES, whole), expected_levels(levels, vectors, TABLES)
    )
    # Cells as often, and in what order, as they are tried.
    random = np.random.default_rng(seed)
    tried = random.integers(0, cells, (40, 2))
    there = random.integers(-MAX_VECTOR, MAX_VECTOR + 1, (40, 2))
    seen = [seen_levels(each, tried, there, TABLES) for each in (whole, pieces)]
    np.testing.assert_array_equal(*seen)
