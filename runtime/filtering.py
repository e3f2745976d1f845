"""Scene filters at work: the classes of cells, and what filters add to samples.

Classes follow VVC's adaptive loop filter (H.266, 8.8.5.3): Laplacians in four directions over
windows of 8x8 samples, here with the change from frame to frame beside them. As the values of taps
(`filter_taps`), all is exact in float32: a frame has the same samples on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .av_planes import frozen
from .filter_taps import CELL, MARGIN, Around, Samples, side_of, tap_values, turned
from .frames import Plane, Planes
from .scene_filter import ACTIVITIES, MOTIONS, PlaneFilter, SceneFilter

Numbers = NDArray[np.int64]

_TOP = 1023
# Of sums over the 32 samples of a window.
_ACTIVITY_FROM = (32, 64, 128, 224, 384, 640, 1152)
_MOTION_FROM = (96, 256)
_STRIP_CELLS = 16


@dataclass(frozen=True, eq=False)
class Cells:
    """Of each cell [h, w] its class and how filters are turned there."""

    classes: Numbers
    turns: Numbers


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
    inside = slice(CELL * strip.start, CELL * strip.stop + 2 * MARGIN)
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
    side, rows_of_cells = side_of(number), around.cur.cells[0]
    count = len(own.coefficients)
    table = np.concatenate([own.coefficients[:, each] for each in turned(number)])
    table = table.astype(np.float32)
    used = np.array(own.filters)[cells.classes] + count * cells.turns
    # Where cells are turned, a tap has the coefficient of another.
    wanted = [bool(each.any()) for each in table.T]
    made = np.empty((side * rows_of_cells, side * around.cur.cells[1]), np.uint16)
    inside = slice(MARGIN, MARGIN + made.shape[1])
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
        total += around.cur.planes[number][MARGIN + rows.start : MARGIN + rows.stop, inside]
        made[rows] = np.clip(total, 0, _TOP, out=total)
    return made[:height, :width]
