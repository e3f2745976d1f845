"""Scene filters at work: the classes of cells, and what filters add to samples.

Classes follow VVC's adaptive loop filter (H.266, 8.8.5.3): Laplacians in four directions over
windows of 8x8 samples, here with the change from frame to frame beside them. All is integers, those
of sums over taps below 2**24, which float32 holds: a frame has the same samples on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .av_planes import frozen
from .filter_taps import (
    CELL,
    MARGIN,
    Around,
    Samples,
    side_of,
    tap_values,
    turned,
)
from .frames import Plane, Planes
from .scene_filter import ACTIVITIES, MOTIONS, PlaneFilter, SceneFilter

Numbers = NDArray[np.int64]

_TOP = 1023
# Of sums over the 32 samples of a window.
_ACTIVITY_FROM = (32, 64, 128, 224, 384, 640, 1152)
_MOTION_FROM = (96, 256)
_STRIP_CELLS = 16
_MOST_16_BITS = 32767


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


def _window_sums(around: Around, strip: slice) -> list[NDArray[np.int32]]:
    """Over the 8x8 window around each cell, of its samples in rows and columns that are both even
    or both odd: Laplacians across, down, along the falling and the rising diagonal, and the
    change to the frames before and after."""
    rows, columns = (2 * count + 2 for count in (strip.stop - strip.start, around.cur.cells[1]))
    inside = slice(CELL * strip.start, CELL * strip.stop + 2 * MARGIN)
    phases, *others = (
        _phases(each.planes[0][inside]) for each in (around.cur, around.prev, around.next)
    )
    made: list[Samples] = [np.zeros((rows, columns), np.int16) for _ in range(5)]
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


def _windows(sums: Samples) -> NDArray[np.int32]:
    rows = sums[0::2] + sums[1::2].astype(np.int32)
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
    # Where cells are turned, a tap has the coefficient of another.
    most = np.abs(table.astype(np.int16)).max(axis=0).tolist()
    wanted = [each > 0 for each in most]
    # A coefficient lies there as often as a cell is wide, so one look-up gives a row of it.
    wide = table.T.astype(np.int16)[:, :, None].repeat(side, axis=2)
    weights = wide.view(f"u{2 * side}")[:, :, 0]
    used = np.array(own.filters)[cells.classes] + count * cells.turns
    made = np.empty((side * rows_of_cells, side * around.cur.cells[1]), np.uint16)
    inside = slice(MARGIN, MARGIN + made.shape[1])
    for strip in _strips(around):
        rows = slice(side * strip.start, side * strip.stop)
        sums = _Sums(rows.stop - rows.start, made.shape[1], side)
        for tap, values in tap_values(number, around, strip, wanted):
            sums.add(values, weights[tap].take(used[strip]).view(np.int16), most[tap])
        total = sums.rounded(own.shift)
        total += around.cur.planes[number][MARGIN + rows.start : MARGIN + rows.stop, inside]
        made[rows] = np.clip(total, 0, _TOP, out=total)
    return made[:height, :width]


class _Sums:
    """Of values times weights, cell by cell: in 16 bits as long as these hold them."""

    def __init__(self, rows: int, columns: int, side: int) -> None:
        self._shape = rows // side, side, columns
        self._total = np.zeros(self._shape, np.float32)
        self._small, self._product = np.zeros((2, *self._shape), np.int16)
        self._wide = np.empty(self._shape, np.float32)
        self._most = 0

    def add(self, values: Samples, weights: NDArray[np.int16], most: int) -> None:
        """Values [rows, columns] times the weights [rows of cells, columns], none of which is more
        than `most`, nor less than that below zero."""
        most *= max(int(values.max()), -int(values.min()))
        by_cell, across = values.reshape(self._shape), weights[:, None]
        if most > _MOST_16_BITS:
            self._wide[:] = by_cell
            self._wide *= across.astype(np.float32)
            self._total += self._wide
            return
        if self._most + most > _MOST_16_BITS:
            self._total += self._small
            np.multiply(by_cell, across, out=self._small)
            self._most = most
            return
        np.multiply(by_cell, across, out=self._product)
        self._small += self._product
        self._most += most

    def rounded(self, shift: int) -> NDArray[np.float32]:
        """All of them in units of 2**`shift`, to the nearest, halves up: [rows, columns]."""
        self._total += self._small
        self._total += (1 << shift) // 2
        self._total *= np.float32(2.0**-shift)
        np.floor(self._total, out=self._total)
        return self._total.reshape(-1, self._shape[2])
