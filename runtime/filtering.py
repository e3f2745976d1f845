"""Scene filters at work: the classes of cells, the values of taps, and what is added to samples.

All is integers below 2**24, held in float32, whose sums are then exact in whatever order they are
taken: a frame has the same samples on every device. Samples have ten bits; those outside of the
picture are the nearest inside.

Classes follow VVC's adaptive loop filter (H.266, 8.8.5.3): Laplacians in four directions over
windows of 8x8 samples, here with the change from frame to frame beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .av_planes import frozen
from .frames import Plane, Planes
from .scene_filter import (
    ACTIVITIES,
    MOTIONS,
    Offset,
    PlaneFilter,
    SceneFilter,
    pairs_of,
    taps_of,
)

Samples = NDArray[np.float32]
Numbers = NDArray[np.int64]

CELL = 4
"""Samples of luma along each side of a cell; chroma has half as many."""
TURNS = 3
"""A filter is used as it is, transposed (1), or with left and right exchanged (2)."""
NEAR = 16
"""Pairs are clipped to so many quarters of a grey level."""
STEADY = (12, 40)
"""And changes from frame to frame to these."""
_MARGIN = 3
_TOP = 1023
# Of sums over the 32 samples of a window.
_ACTIVITY_FROM = (32, 64, 128, 224, 384, 640, 1152)
_MOTION_FROM = (96, 256)
_STRIP_CELLS = 16


@dataclass(frozen=True, eq=False)
class Looked:
    """A frame as filters look at it: samples of Y, U and V with a margin, of whole cells."""

    planes: tuple[Samples, Samples, Samples]
    cells: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Around:
    """A frame between its neighbours. The first stands in for the one before it, the last for the
    one after."""

    prev: Looked
    cur: Looked
    next: Looked


@dataclass(frozen=True, eq=False)
class Cells:
    """Of each cell [h, w] its class and how filters are turned there."""

    classes: Numbers
    turns: Numbers


def look(planes: Planes) -> Looked:
    """A frame, uint16 of ten bits at the video's size, made ready."""
    height, width = planes[0].shape
    cells = -(-height // CELL), -(-width // CELL)
    y, u, v = (_padded(plane, cells, _side(number)) for number, plane in enumerate(planes))
    return Looked((y, u, v), cells)


def _padded(plane: Plane, cells: tuple[int, int], side: int) -> Samples:
    missing = (side * count - size for count, size in zip(cells, plane.shape, strict=True))
    margins = [(_MARGIN, _MARGIN + more) for more in missing]
    padded: Samples = np.pad(plane.astype(np.float32), margins, mode="edge")
    return padded


def _side(number: int) -> int:
    return CELL if number == 0 else CELL // 2


def classify(around: Around) -> Cells:
    """Classes and turns of a frame's cells."""
    strips = [_classified(around, strip) for strip in _strips(around)]
    classes, turns = (np.concatenate(each) for each in zip(*strips, strict=True))
    return Cells(classes, turns)


def _strips(around: Around) -> list[slice]:
    """Rows of cells, so many at a time as stay in a core's cache."""
    rows = around.cur.cells[0]
    return [slice(at, min(at + _STRIP_CELLS, rows)) for at in range(0, rows, _STRIP_CELLS)]


def _classified(around: Around, strip: slice) -> tuple[Numbers, Numbers]:
    """Classes and turns of a strip of rows of cells."""
    sums = _window_sums(around, strip)
    across, down, falling, rising, change = (each.astype(np.int64) for each in sums)
    straight, straight_least = np.maximum(across, down), np.minimum(across, down)
    slanted, slanted_least = np.maximum(falling, rising), np.minimum(falling, rising)
    is_slanted = slanted * straight_least > straight * slanted_least
    most = np.where(is_slanted, slanted, straight)
    least = np.where(is_slanted, slanted_least, straight_least)
    strength = (most > 2 * least).astype(np.int64) + (2 * most > 9 * least)
    direction = strength + 2 * (is_slanted & (strength > 0))
    activity = np.searchsorted(_ACTIVITY_FROM, across + down, side="right")
    motion = np.searchsorted(_MOTION_FROM, change, side="right")
    turns = np.where(is_slanted, 2 * (rising > falling), down > across)
    return (direction * MOTIONS + motion) * ACTIVITIES + activity, turns


def _window_sums(around: Around, strip: slice) -> list[Samples]:
    """Over the 8x8 window around each cell, of its samples in rows and columns that are both even
    or both odd: Laplacians across, down, along the falling and the rising diagonal, and the
    change to the frames before and after."""
    rows, columns = (2 * count + 2 for count in (strip.stop - strip.start, around.cur.cells[1]))
    inside = slice(CELL * strip.start, CELL * strip.stop + 2 * _MARGIN)
    phases, *others = (
        _phases(each.planes[0][inside]) for each in (around.cur, around.prev, around.next)
    )
    made: list[Samples] = [np.zeros((rows, columns), np.float32) for _ in range(5)]
    for odd in (0, 1):
        # The first even row and column lie one beyond the first odd ones, so a sample's neighbours
        # are at its own place and the one after, and the next odd sample's likewise.
        own = slice(odd, rows + odd), slice(odd, columns + odd)
        centre = phases[1 - odd][1 - odd][own]
        beside, above = phases[1 - odd][odd], phases[odd][1 - odd]
        corner = phases[odd][odd]
        ends = (
            (beside[own[0], :columns], beside[own[0], 1 : columns + 1]),
            (above[:rows, own[1]], above[1 : rows + 1, own[1]]),
            (corner[:rows, :columns], corner[1 : rows + 1, 1 : columns + 1]),
            (corner[:rows, 1 : columns + 1], corner[1 : rows + 1, :columns]),
        )
        for total, (one, other) in zip(made, ends, strict=False):
            bend = one + other
            bend -= centre
            bend -= centre
            total += np.abs(bend, out=bend)
        for other_phases in others:
            step = other_phases[1 - odd][1 - odd][own] - centre
            made[4] += np.abs(step, out=step)
    return [_windows(each) for each in made]


def _phases(plane: Samples) -> list[list[Samples]]:
    """The samples in odd (0) and even (1) rows, and of those in odd and even columns."""
    return [[np.ascontiguousarray(plane[r::2, c::2]) for c in (0, 1)] for r in (0, 1)]


def _windows(sums: Samples) -> Samples:
    rows = sums[0::2] + sums[1::2]
    rows = rows[:-1] + rows[1:]
    columns = rows[:, 0::2] + rows[:, 1::2]
    return columns[:, :-1] + columns[:, 1:]


def turned(number: int) -> list[list[int]]:
    """For each turn, the coefficient that each tap of plane `number` has in a cell so turned."""
    pairs = pairs_of(number)
    count = len(pairs)
    made = []
    for turn in range(TURNS):
        places = [pairs.index(_turned(each, turn)) for each in pairs]
        rest = range(2 * count, taps_of(number))
        made.append([*places, *(count + place for place in places), *rest])
    return made


def _turned(offset: Offset, turn: int) -> Offset:
    row, column = offset
    if turn == 1:
        row, column = column, row
    elif turn == 2:
        column = -column
    return (row, column) if row > 0 or (row == 0 and column > 0) else (-row, -column)


def tap_values(
    number: int, around: Around, strip: slice, wanted: Sequence[bool]
) -> Iterator[tuple[int, Samples]]:
    """Values [rows, columns] of the `wanted` taps of plane `number` in a strip of rows of cells."""
    plane = around.cur.planes[number]
    side, pairs = _side(number), pairs_of(number)
    top, rows = side * strip.start, side * (strip.stop - strip.start)
    columns = side * around.cur.cells[1]
    for tap, (down, right) in enumerate(pairs):
        clipped = tap + len(pairs)
        if not (wanted[tap] or wanted[clipped]):
            continue
        # From each sample to its neighbour; a sample's opposite neighbour is where it is one.
        left = max(right, 0)
        here = slice(_MARGIN + top - down, _MARGIN + top + rows)
        across = slice(_MARGIN - left, _MARGIN + columns + max(-right, 0))
        there = slice(here.start + down, here.stop + down)
        beside = slice(across.start + right, across.stop + right)
        steps = plane[there, beside] - plane[here, across]
        one = steps[down:, left : left + columns]
        other = steps[:rows, left - right : left - right + columns]
        if wanted[tap]:
            yield tap, one - other
        if wanted[clipped]:
            np.clip(steps, -NEAR, NEAR, out=steps)
            yield clipped, one - other
    first = 2 * len(pairs)
    if not any(wanted[first:]):
        return
    area = (
        slice(_MARGIN + top - 1, _MARGIN + top + rows + 1),
        slice(_MARGIN - 1, _MARGIN + columns + 1),
    )
    before, after = (each.planes[number][area] - plane[area] for each in (around.prev, around.next))
    for place, limit in enumerate(STEADY):
        tap = first + 3 * place
        if not any(wanted[tap : tap + 3]):
            continue
        change = np.clip(before, -limit, limit)
        change += np.clip(after, -limit, limit)
        yield tap, change[1:-1, 1:-1]
        yield tap + 1, _around(change, (0, 1), (2, 1), (1, 0), (1, 2))
        yield tap + 2, _around(change, (0, 0), (0, 2), (2, 0), (2, 2))


def _around(change: Samples, *places: Offset) -> Samples:
    rows, columns = change.shape[0] - 2, change.shape[1] - 2
    parts = [change[row : row + rows, column : column + columns] for row, column in places]
    total: Samples = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return total


def filtered(planes: Planes, scene: SceneFilter, around: Around) -> Planes:
    """`planes`, the frame in the middle of `around`, filtered: read-only, uint16 of ten bits."""
    cells = classify(around)
    y, u, v = (
        plane if own is None else _filtered(number, plane.shape, own, around, cells)
        for number, (plane, own) in enumerate(zip(planes, scene.planes, strict=True))
    )
    return frozen((y, u, v))


def _filtered(
    number: int, shape: tuple[int, ...], own: PlaneFilter, around: Around, cells: Cells
) -> Plane:
    height, width = shape
    side, rows_of_cells = _side(number), around.cur.cells[0]
    count = len(own.coefficients)
    table = np.concatenate([own.coefficients[:, each] for each in turned(number)])
    table = table.astype(np.float32)
    used = np.array(own.filters)[cells.classes] + count * cells.turns
    # Where cells are turned, a tap has the coefficient of another.
    wanted = [bool(each.any()) for each in table.T]
    made = np.empty((side * rows_of_cells, side * around.cur.cells[1]), np.uint16)
    inside = slice(_MARGIN, _MARGIN + made.shape[1])
    for strip in _strips(around):
        rows = slice(side * strip.start, side * strip.stop)
        total = np.full((rows.stop - rows.start, made.shape[1]), (1 << own.shift) // 2, np.float32)
        by_cell = total.reshape(-1, side, made.shape[1])
        product = np.empty_like(by_cell)
        for tap, values in tap_values(number, around, strip, wanted):
            weights = table[:, tap][used[strip]].repeat(side, axis=1)
            np.multiply(values.reshape(by_cell.shape), weights[:, None], out=product)
            by_cell += product
        total *= np.float32(2.0**-own.shift)
        np.floor(total, out=total)
        total += around.cur.planes[number][_MARGIN + rows.start : _MARGIN + rows.stop, inside]
        made[rows] = np.clip(total, 0, _TOP, out=total)
    return made[:height, :width]
