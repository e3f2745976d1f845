"""What frames are expected to be: exact integers, as a second reader has them, on every device."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edgecodec.runtime import drawing, motion
from edgecodec.runtime.drawing import Drawing, drawn
from edgecodec.runtime.motion import expected_levels
from edgecodec.runtime.motion_tables import MOST_INTERPOLATED, MotionTables
from edgecodec.runtime.picture import Picture, windows_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from .motion_samples import (
    cosine_arrays,
    cosine_tables,
    fixed_arrays,
    motion_arrays,
    random_arrays,
    some_levels,
    some_vectors,
)
from .prior_samples import Arrays, from_digest

CHANNELS = 3
TAPS = (
    (0, 0, 64, 0, 0, 0),
    (1, -5, 52, 20, -5, 1),
    (2, -10, 40, 40, -10, 2),
    (1, -5, 20, 52, -5, 1),
)
Integers = NDArray[np.int64]

relaxed = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 6), st.integers(1, 7))
component = st.integers(-127, 127)


def reference_drawn(levels: NDArray[np.int16], arrays: Arrays) -> tuple[Integers, Integers]:
    """Luma [16 h, 16 w] and chroma [2, 8 h, 8 w], cell by cell, in integers."""
    channels, rows, columns = levels.shape
    shift = int(arrays["config"][2])
    weights, bias = arrays["draw"].astype(np.int64), arrays["draw_bias"].astype(np.int64)
    luma = np.zeros((16 * rows, 16 * columns), np.int64)
    chroma = np.zeros((2, 8 * rows, 8 * columns), np.int64)
    for row, column in np.ndindex(rows, columns):
        seen = []
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                near = min(max(row + down, 0), rows - 1), min(max(column + across, 0), columns - 1)
                seen += [int(levels[channel, *near]) for channel in range(channels)]
        sums = (weights * seen).sum(axis=1) + bias + (1 << shift - 1)
        samples = (sums >> shift).clip(-256, 255)
        luma[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = samples[:256].reshape(
            16, 16
        )
        chroma[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = samples[256:].reshape(
            2, 8, 8
        )
    return luma, chroma


def reference_square(plane: Integers, top: int, left: int, side: int) -> Integers:
    """Samples [side, side] of a plane from a place on that is in quarters of a sample."""
    at = np.arange(side)
    total = np.zeros((side, side), np.int64)
    for i, down in enumerate(TAPS[top % 4]):
        for j, across in enumerate(TAPS[left % 4]):
            rows = (top // 4 + at + i - 2).clip(0, len(plane) - 1)
            columns = (left // 4 + at + j - 2).clip(0, len(plane[0]) - 1)
            total += down * across * plane[rows][:, columns]
    return (total + 2048) >> 12


def reference_window(
    luma: Integers, chroma: Integers, cell: tuple[int, int], vector: tuple[int, int]
) -> Integers:
    """What a cell sees [1536]; vectors are in half samples of luma, quarters of chroma."""
    places = [(64 * at - 32 + 2 * move) for at, move in zip(cell, vector, strict=True)]
    parts = [reference_square(luma, places[0], places[1], 32)]
    places = [(32 * at - 16 + move) for at, move in zip(cell, vector, strict=True)]
    parts += [reference_square(plane, places[0], places[1], 16) for plane in chroma]
    return np.concatenate([part.ravel() for part in parts])


def reference_expected(
    levels: NDArray[np.int16], vectors: NDArray[np.int16], arrays: Arrays
) -> Integers:
    """The levels [channels, h, w], cell by cell, in integers."""
    shift = int(arrays["config"][3])
    weights, bias = arrays["see"].astype(np.int64), arrays["see_bias"].astype(np.int64)
    picture = reference_drawn(levels, arrays)
    made = levels.astype(np.int64)
    for row, column in np.ndindex(*levels.shape[1:]):
        down, across = (int(each) for each in vectors[:, row, column])
        if down or across:
            window = reference_window(*picture, (row, column), (down, across))
            sums = (weights * window).sum(axis=1) + bias + (1 << shift - 1)
            made[:, row, column] = sums >> shift
    made[0] = made[0].clip(-508, 508)
    made[1:] = made[1:].clip(-127, 127)
    return made


def some_picture(seed: int, cells: tuple[int, int]) -> Picture:
    """Samples of any size that there may be, many of them the largest."""
    random = np.random.default_rng(seed)
    rows, columns = cells
    sides = ((16 * rows, 16 * columns), (2, 8 * rows, 8 * columns))
    luma, chroma = (random.integers(-400, 400, side).clip(-256, 255) for side in sides)
    return Picture(luma.astype(np.float32), chroma.astype(np.float32))


@relaxed
@given(seeds, cells_of)
def test_a_picture_is_drawn_as_the_second_reader_draws_it(
    seed: int, cells: tuple[int, int]
) -> None:
    arrays = random_arrays(seed, CHANNELS)
    levels = some_levels(seed, CHANNELS, cells)
    picture = drawn(levels, MotionTables.from_arrays(arrays))
    luma, chroma = reference_drawn(levels, arrays)
    np.testing.assert_array_equal(picture.luma, luma)
    np.testing.assert_array_equal(picture.chroma, chroma)
    assert picture.luma.dtype == picture.chroma.dtype == np.float32


@relaxed
@given(seeds, cells_of)
def test_levels_are_expected_as_the_second_reader_has_them(
    seed: int, cells: tuple[int, int]
) -> None:
    arrays = random_arrays(seed, CHANNELS)
    levels, vectors = some_levels(seed, CHANNELS, cells), some_vectors(seed, cells)
    before = levels.copy(), vectors.copy()
    found = expected_levels(levels, vectors, MotionTables.from_arrays(arrays))
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, reference_expected(levels, vectors, arrays))
    np.testing.assert_array_equal(levels, before[0])
    np.testing.assert_array_equal(vectors, before[1])


def test_the_samples_reach_what_is_clipped_and_what_is_not() -> None:
    """What the two tests above compare is neither all clipped nor all inside."""
    arrays = random_arrays(1, CHANNELS)
    levels, vectors = some_levels(1, CHANNELS, (8, 9)), some_vectors(1, (8, 9))
    luma, chroma = reference_drawn(levels, arrays)
    for plane in (luma, chroma):
        assert (plane.min(), plane.max()) == (-256, 255)
        assert 0.01 < np.mean((plane == -256) | (plane == 255)) < 0.5
    found = reference_expected(levels, vectors, arrays)[1:]
    assert (found.min(), found.max()) == (-127, 127)
    assert np.mean(np.abs(found) == 127) < 0.5


@relaxed
@given(seeds, cells_of, st.data())
def test_windows_are_those_of_the_second_reader(
    seed: int, cells: tuple[int, int], data: st.DataObject
) -> None:
    picture = some_picture(seed, cells)
    whole = picture.luma.astype(np.int64), picture.chroma.astype(np.int64)
    cell = data.draw(st.integers(0, cells[0] - 1)), data.draw(st.integers(0, cells[1] - 1))
    vector = data.draw(component), data.draw(component)
    found = windows_of(picture, np.array([cell]), np.array([vector]))
    np.testing.assert_array_equal(found[0], reference_window(*whole, cell, vector))


def test_all_sixteen_phases_are_those_of_the_second_reader() -> None:
    picture = some_picture(5, (4, 5))
    whole = picture.luma.astype(np.int64), picture.chroma.astype(np.int64)
    vectors = np.array([(down, across) for down in range(-4, 4) for across in range(-3, 5)])
    cells = np.array([(number % 4, number % 5) for number in range(len(vectors))])
    found = windows_of(picture, cells, vectors)
    assert found.shape == (64, 1536)
    for window, cell, vector in zip(found, cells.tolist(), vectors.tolist(), strict=True):
        np.testing.assert_array_equal(window, reference_window(*whole, cell, vector))


@pytest.mark.parametrize("side", [8, 16, 32])
def test_squares_of_any_size_are_those_of_the_second_reader(side: int) -> None:
    """Of each plane at all sixteen phases, partly outside of the picture."""
    picture = some_picture(6, (3, 4))
    for number, plane in enumerate((picture.luma, *picture.chroma)):
        bottom, right = plane.shape
        places = np.array([(-40, -7), (0, 0), (9, right - 3), (bottom, 5), (bottom + 9, right)])
        for phase in np.ndindex(4, 4):
            found = picture.squares(number, places, side, phase)
            assert found.shape == (5, side, side)
            for square, (top, left) in zip(found, (4 * places + phase).tolist(), strict=True):
                wanted = reference_square(plane.astype(np.int64), top, left, side)
                np.testing.assert_array_equal(square, wanted)


def test_nothing_between_samples_is_larger_than_tables_allow_for() -> None:
    """Samples whose signs are those of the taps."""
    signs = np.where(np.array(TAPS[2]) < 0, -1, 1)
    around = np.outer(signs, signs)
    for largest, wanted in ((around * 255.5 - 0.5, 674), (-around * 255.5 - 0.5, -675)):
        luma = np.zeros((32, 32), np.float32)
        luma[10:16, 10:16] = largest
        picture = Picture(luma, np.zeros((2, 16, 16), np.float32))
        seen = windows_of(picture, np.array([[0, 0]]), np.array([[1, 1]]))
        assert seen.flat[np.abs(seen).argmax()] == wanted
        assert abs(wanted) <= MOST_INTERPOLATED


def test_a_ramp_moves_by_its_slope() -> None:
    """Luma by half a sample, chroma by a quarter, down and across."""
    rows, columns = np.indices((80, 80))
    luma = (2 * columns + 4 * rows - 240).astype(np.float32)
    rows, columns = np.indices((40, 40))
    chroma = np.stack([4 * columns - 80, 4 * rows - 80]).astype(np.float32)
    picture, middle = Picture(luma, chroma), np.array([[2, 2]])
    still = windows_of(picture, middle, np.array([[0, 0]]))
    np.testing.assert_array_equal(still[0, :1024].reshape(32, 32), luma[24:56, 24:56])
    np.testing.assert_array_equal(still[0, 1024:].reshape(2, 16, 16), chroma[:, 12:28, 12:28])
    for down, across in np.ndindex(9, 9):
        moved = windows_of(picture, middle, np.array([[down - 4, across - 4]])) - still
        assert set(moved[0, :1024].tolist()) == {2 * (down - 4) + across - 4}
        assert set(moved[0, 1024:1280].tolist()) == {across - 4}
        assert set(moved[0, 1280:].tolist()) == {down - 4}


def test_vectors_far_outside_see_the_side() -> None:
    tables = cosine_tables()
    levels = np.zeros((8, 3, 4), np.int16)
    levels[0] = 10 * np.arange(12).reshape(3, 4)
    for row, down in ((0, -127), (2, 127)):
        for column, across in ((0, -127), (3, 127)):
            vectors = np.zeros((2, 3, 4), np.int16)
            vectors[:, row, column] = down, across
            found = expected_levels(levels, vectors, tables)
            np.testing.assert_array_equal(found, levels)
    # One cell of four by four samples has nothing but sides.
    levels = some_levels(1, 8, (1, 1), 10)
    levels[1:] = 0
    for down in (-127, -1, 0, 126):
        for across in (-126, 127):
            vectors = np.array([down, across], np.int16).reshape(2, 1, 1)
            found = expected_levels(levels, vectors, tables)
            assert np.abs(found.astype(int) - levels).max() <= 1


@pytest.mark.parametrize("cells", [(1, 1), (4, 5)])
def test_without_motion_levels_are_as_before(cells: tuple[int, int]) -> None:
    levels = some_levels(2, CHANNELS, cells)
    tables = MotionTables.from_arrays(random_arrays(1, CHANNELS))
    found = expected_levels(levels, np.zeros((2, *cells), np.int16), tables)
    np.testing.assert_array_equal(found, levels)


@relaxed
@given(seeds, cells_of)
def test_cells_that_have_not_moved_keep_their_levels(seed: int, cells: tuple[int, int]) -> None:
    levels, vectors = some_levels(seed, CHANNELS, cells), some_vectors(seed, cells, moved=0.3)
    tables = MotionTables.from_arrays(random_arrays(seed, CHANNELS))
    found = expected_levels(levels, vectors, tables)
    still = ~vectors.any(axis=0)
    np.testing.assert_array_equal(found[:, still], levels[:, still])


def test_every_cell_is_on_its_own() -> None:
    """What a cell is expected to be rests on its own vector, and on no others' windows."""
    levels, vectors = some_levels(3, CHANNELS, (5, 6)), some_vectors(3, (5, 6), moved=1)
    tables = MotionTables.from_arrays(random_arrays(3, CHANNELS))
    found = expected_levels(levels, vectors, tables)
    for row, column in np.ndindex(5, 6):
        alone = np.zeros_like(vectors)
        alone[:, row, column] = vectors[:, row, column]
        here = expected_levels(levels, alone, tables)[:, row, column]
        np.testing.assert_array_equal(found[:, row, column], here)


@pytest.mark.parametrize("block", [1, 7, 100_000])
def test_blocks_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    cells = (17, 20)
    levels, vectors = some_levels(4, CHANNELS, cells), some_vectors(4, cells, moved=0.9)
    tables = MotionTables.from_arrays(random_arrays(4, CHANNELS))
    wanted = expected_levels(levels, vectors, tables)
    monkeypatch.setattr(motion, "_BLOCK", block)
    monkeypatch.setattr(drawing, "_BLOCK", block)
    np.testing.assert_array_equal(expected_levels(levels, vectors, tables), wanted)


def test_a_picture_that_is_drawn_already_is_not_drawn_again() -> None:
    levels, vectors = some_levels(4, CHANNELS, (5, 6)), some_vectors(4, (5, 6))
    tables = MotionTables.from_arrays(random_arrays(4, CHANNELS))
    picture, other = drawn(levels, tables), drawn(levels[:, ::-1], tables)
    wanted = expected_levels(levels, vectors, tables)
    np.testing.assert_array_equal(expected_levels(levels, vectors, tables, picture), wanted)
    assert (expected_levels(levels, vectors, tables, other) != wanted).any()


class Watched(Drawing):
    """Counts the cells that are drawn."""

    count = 0

    def _draw(self, cells: NDArray[np.intp]) -> None:
        self.count += len(cells)
        super()._draw(cells)


def test_what_one_frame_has_drawn_is_there_for_the_next() -> None:
    levels = some_levels(4, CHANNELS, (9, 11))
    tables = MotionTables.from_arrays(random_arrays(4, CHANNELS))
    frame, alone = Watched(levels, tables), []
    for seed in range(4):
        vectors = some_vectors(seed, (9, 11), 40, 0.1)
        wanted = expected_levels(levels, vectors, tables)
        own = Watched(levels, tables)
        for each in (frame, own):
            found = expected_levels(levels, vectors, tables, each)
            np.testing.assert_array_equal(found, wanted)
        # No more than that frame looks at.
        assert 0 < own.count < 99
        alone.append(own.count)
        drawn_before = frame.count
        np.testing.assert_array_equal(expected_levels(levels, vectors, tables, frame), wanted)
        assert frame.count == drawn_before
    assert max(alone) < frame.count <= min(99, sum(alone) - 1)


@relaxed
@given(seeds, cells_of, st.data())
def test_cells_that_are_shown_are_drawn_and_others_are_grey_at_first(
    seed: int, cells: tuple[int, int], data: st.DataObject
) -> None:
    arrays, levels = random_arrays(seed, CHANNELS), some_levels(seed, CHANNELS, cells)
    frame = Drawing(levels, MotionTables.from_arrays(arrays))
    luma, chroma = reference_drawn(levels, arrays)
    every = np.argwhere(np.ones(cells, bool))
    seen = np.zeros(cells, bool)
    for _ in range(2):
        some = data.draw(st.lists(st.integers(0, len(every) - 1), min_size=1, max_size=9))
        picture = frame.showing(every[some])
        seen[tuple(every[some].T)] = True
        of_luma, of_chroma = (seen.repeat(side, 0).repeat(side, 1) for side in (16, 8))
        np.testing.assert_array_equal(picture.luma, luma * of_luma)
        np.testing.assert_array_equal(picture.chroma, chroma * of_chroma)


def test_levels_of_any_layout_in_memory_give_the_same() -> None:
    levels, vectors = some_levels(5, CHANNELS, (6, 7)), some_vectors(5, (6, 7))
    tables = MotionTables.from_arrays(random_arrays(5, CHANNELS))
    found = expected_levels(np.asfortranarray(levels), np.asfortranarray(vectors), tables)
    np.testing.assert_array_equal(found, expected_levels(levels, vectors, tables))


THREADS = """
import hashlib
from edgecodec.runtime.motion import expected_levels
from edgecodec.runtime.motion_tables import MotionTables
from tests.runtime.motion_samples import random_arrays, some_levels, some_vectors
tables = MotionTables.from_arrays(random_arrays(6, 8))
cells = (34, 60)
found = expected_levels(some_levels(6, 8, cells), some_vectors(6, cells), tables)
print(hashlib.sha256(found.tobytes()).hexdigest())
"""


def test_any_number_of_threads_gives_the_same() -> None:
    found = set()
    for threads in ("1", "3"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        done = subprocess.run(
            [sys.executable, "-c", THREADS],
            env=os.environ | dict.fromkeys(names, threads),
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_sum_at_the_edge_of_what_is_exact_is_exact(sign: int) -> None:
    """Levels whose signs are those of the weights: one less in 2**24 is another sample."""
    arrays = random_arrays(7, CHANNELS)
    weights = arrays["draw"][100].astype(int)
    signs = np.where(weights < 0, -1, 1).reshape(3, 3, CHANNELS).transpose(2, 0, 1)
    levels = (sign * signs * np.array([508, 127, 127])[:, None, None]).astype(np.int16)
    seen = levels.transpose(1, 2, 0).ravel().astype(int)
    wanted = 254 if sign > 0 else -255
    arrays["config"][2] = 16
    for less in (0, 1):
        arrays["draw_bias"][100] = (wanted << 16) - 2**15 - int(weights @ seen) - less
        picture = drawn(levels, MotionTables.from_arrays(arrays))
        assert picture.luma[16 + 6, 16 + 4] == wanted - less


def test_installed_tables_are_exact() -> None:
    """With levels as large as there may be, too."""
    paths = sorted((Path(motion.__file__).parent / "motions").glob("*.npz"))
    assert paths
    for path in paths:
        with np.load(path) as file:
            arrays = dict(file)
        tables, cells = MotionTables.from_arrays(arrays), (4, 5)
        levels, vectors = some_levels(1, tables.channels, cells), some_vectors(1, cells)
        largest = np.where(levels > 0, 127, -127).astype(np.int16)
        largest[0] *= 4
        for each in (levels, largest, levels // 8):
            found = expected_levels(each, vectors, tables)
            np.testing.assert_array_equal(found, reference_expected(each, vectors, arrays))


@relaxed
@given(st.integers(-7, 7), st.integers(-7, 7), seeds)
def test_a_window_seen_at_whole_samples_is_the_picture_there(
    down: int, across: int, seed: int
) -> None:
    """Of luma at even vectors, of chroma at multiples of four."""
    picture = some_picture(seed, (5, 5))
    found = windows_of(picture, np.array([[2, 2]]), 4 * np.array([[down, across]]))[0]
    top, left = 24 + 2 * down, 24 + 2 * across
    np.testing.assert_array_equal(
        found[:1024].reshape(32, 32), picture.luma[top : top + 32, left : left + 32]
    )
    top, left = 12 + down, 12 + across
    np.testing.assert_array_equal(
        found[1024:].reshape(2, 16, 16), picture.chroma[:, top : top + 16, left : left + 16]
    )


@pytest.mark.parametrize(("down", "across"), [(1, 0), (0, 1), (-1, 0), (0, -1), (2, -3), (3, 3)])
def test_a_pan_by_whole_cells_predicts_the_neighbours_levels(down: int, across: int) -> None:
    """32 half samples are a cell; vectors say where in the frame before a cell was."""
    levels = some_levels(8, 20, (9, 10), 9)
    vectors = np.empty((2, 9, 10), np.int16)
    vectors[0], vectors[1] = 32 * down, 32 * across
    found = expected_levels(levels, vectors, cosine_tables(20))
    for row, column in np.ndindex(9, 10):
        there = row + down, column + across
        if 0 <= there[0] < 9 and 0 <= there[1] < 10:
            moved = found[:, row, column].astype(int) - levels[:, *there]
            assert np.abs(moved).max() <= 1


def test_a_pan_by_half_a_cell_is_between_its_neighbours() -> None:
    levels = np.zeros((3, 4, 12), np.int16)
    levels[0] = 40 * (np.arange(12) - 6)
    levels[2] = 10 * np.arange(12) - 60
    vectors = np.zeros((2, 4, 12), np.int16)
    vectors[1] = 16
    found = expected_levels(levels, vectors, cosine_tables(3)).astype(int)
    moved = found[:, :, 2:-2] - levels[:, :, 2:-2]
    assert np.abs(moved[0] - 20).max() <= 1
    assert np.abs(moved[1]).max() == 0
    assert np.abs(moved[2] - 5).max() <= 1


def test_a_cell_sees_no_more_than_its_window() -> None:
    """32 samples across: half a cell on each side of itself."""
    arrays = motion_arrays((14, 8), cosine_arrays(3)["draw"], np.ones((3, 1536), int))
    tables = MotionTables.from_arrays(arrays)
    vectors = np.zeros((2, 7, 7), np.int16)
    vectors[0, 3, 3] = 32
    seen = []
    for row, column in np.ndindex(7, 7):
        levels = np.zeros((3, 7, 7), np.int16)
        levels[:, row, column] = 100
        if expected_levels(levels, vectors, tables)[0, 3, 3] != 0:
            seen.append((row, column))
    assert seen == [(row, column) for row in (3, 4, 5) for column in (2, 3, 4)]


GOLDEN = "d2f9e284d5d8462e3c2d7f1eae0e4f51cf166a851f57af3e17190df18ed1fe75"


def test_what_this_version_expects_stays_as_it_is() -> None:
    tables = MotionTables.from_arrays(fixed_arrays(5))
    assert tables.motion_id == "aa0a472f73bea511"
    levels = from_digest("levels", (5, 12, 14), 127).astype(np.int16)
    levels[0] *= 4
    vectors = from_digest("vectors", (2, 12, 14), 127)
    vectors[:, from_digest("still", (12, 14), 2) == 0] = 0
    found = expected_levels(levels, vectors.astype(np.int16), tables)
    np.testing.assert_array_equal(
        found, reference_expected(levels, vectors.astype(np.int16), fixed_arrays(5))
    )
    assert hashlib.sha256(found.astype("<i2").tobytes()).hexdigest() == GOLDEN
