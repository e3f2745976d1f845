"""What scene filters look at: the values of their taps at each sample of a frame.

All is integers of 16 bits, for which NumPy's loops are three times as quick as for float32. Samples
have ten bits; those outside of a plane are the nearest inside.

Filters of chroma also see luma, as VVC's cross-component filter does (H.266, 8.8.5.7), each other's
plane, and what `guided_chroma` expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .frames import Plane, Planes
from .guided_chroma import SIDE, Lines, guided, lines
from .sample_depth import RESIDUAL_ZERO
from .scene_filter import FINE, Offset, kinds_of, pairs_of, taps_of

Samples = NDArray[np.int16]

CELL = 4
"""Samples of luma along each side of a cell; chroma has half as many."""
TURNS = 3
"""A filter is used as it is, transposed (1), or with left and right exchanged (2)."""
MARGIN = 3
"""Samples around a plane."""
NEAR = 16
"""Pairs are clipped to so many quarters of a grey level."""
STEADY = (12, 40)
"""And changes from frame to frame to these."""


@dataclass(eq=False)
class Looked:
    """A frame as filters look at it, of whole cells: samples of Y, U and V, and `under`, the sum of
    the two samples of luma where each of chroma lies; all with a margin."""

    planes: tuple[Samples, Samples, Samples]
    under: Samples
    cells: tuple[int, int]
    _lines: tuple[tuple[Lines, ...], ...] | None = None

    @property
    def lines(self) -> tuple[tuple[Lines, ...], ...]:
        """Of U and of V, what they are over luma; found when filters first ask for it."""
        # Not a cached_property: until Python 3.12 frames of all threads would wait for each other.
        if self._lines is None:
            inside = slice(MARGIN, -MARGIN)
            chroma = [plane[inside, inside] for plane in self.planes[1:]]
            self._lines = lines(chroma, self.under[inside, inside])
        return self._lines


@dataclass(frozen=True, eq=False)
class Around:
    """A frame between its neighbours. The first stands in for the one before it, the last for the
    one after."""

    prev: Looked
    cur: Looked
    next: Looked
    added: tuple[Samples, Samples, Samples] | None = None
    """What a network adds to the frame, as `look_at_residual` gives it; None for nothing."""


def look(planes: Planes) -> Looked:
    """A frame, uint16 of ten bits at the video's size, made ready."""
    height, width = planes[0].shape
    cells = -(-height // CELL), -(-width // CELL)
    y, u, v = (_padded(plane, cells, side_of(number)) for number, plane in enumerate(planes))
    lower = np.minimum(np.arange(1, height + 1, 2), height - 1)
    under = planes[0][::2, ::2] + planes[0][lower, ::2]
    return Looked((y, u, v), _padded(under, cells, side_of(1)), cells)


def look_at_residual(residual: Planes, cells: tuple[int, int]) -> tuple[Samples, Samples, Samples]:
    """What a network adds to Y, U and V, uint8 where `RESIDUAL_ZERO` is nothing, made ready."""
    y, u, v = (_padded(plane, cells, side_of(number)) for number, plane in enumerate(residual))
    for plane in (y, u, v):
        plane -= RESIDUAL_ZERO
    return y, u, v


def _padded(plane: Plane, cells: tuple[int, int], side: int) -> Samples:
    missing = (side * count - size for count, size in zip(cells, plane.shape, strict=True))
    margins = [(MARGIN, MARGIN + more) for more in missing]
    padded: Samples = np.pad(plane.astype(np.int16), margins, mode="edge")
    return padded


def side_of(number: int) -> int:
    """Samples of plane `number` along each side of a cell."""
    return CELL if number == 0 else SIDE


def turned(number: int) -> list[list[int]]:
    """For each turn, the coefficient that each tap of plane `number` has in a cell so turned."""
    pairs = pairs_of(number)
    kinds = kinds_of(number)
    made = []
    for turn in range(TURNS):
        places = [pairs.index(_turned(each, turn)) for each in pairs]
        taps = list(range(taps_of(number)))
        for kind in (kinds.pairs, kinds.clipped, kinds.under):
            taps[kind] = [kind.start + place for place in places[: kind.stop - kind.start]]
        made.append(taps)
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
    """Values [rows, columns] of the `wanted` taps of plane `number` in a strip of rows of cells;
    those that are zeros where no network adds anything are then left out."""
    side, kinds = side_of(number), kinds_of(number)
    area = _Area(
        MARGIN + side * strip.start,
        side * (strip.stop - strip.start),
        side * around.cur.cells[1],
    )
    plane = around.cur.planes[number]
    yield from _pairs(number, plane, area, wanted, kinds.pairs.start, kinds.clipped.start)
    others = around.prev.planes[number], around.next.planes[number]
    yield from _in_time(plane, others, area, wanted, kinds.times.start)
    if number:
        yield from _pairs(number, around.cur.under, area, wanted, kinds.under.start, None)
        yield from _beside(number, around, area, wanted, kinds.beside.start)
        chroma, under = area.of(plane), area.of(around.cur.under)
        for place, tap in enumerate(range(kinds.guided.start, kinds.guided.stop)):
            if wanted[tap]:
                yield tap, guided(chroma, under, around.cur.lines[number - 1][place], strip)
    if around.added is not None:
        yield from _mended(around.added[number], area, wanted, kinds.mended.start)


@dataclass(frozen=True)
class _Area:
    """The rows of a padded plane from `top` on, and its columns without their margin."""

    top: int
    rows: int
    columns: int

    def of(self, plane: Samples, down: int = 0, right: int = 0) -> Samples:
        """The samples so far from those of the area."""
        top, left = self.top + down, MARGIN + right
        return plane[top : top + self.rows, left : left + self.columns]


def _pairs(
    number: int,
    plane: Samples,
    area: _Area,
    wanted: Sequence[bool],
    plain: int,
    clipped: int | None,
) -> Iterator[tuple[int, Samples]]:
    """Pairs of a plane's samples: the taps from `plain` on, and clipped those from `clipped` on."""
    for place, (down, right) in enumerate(pairs_of(number)):
        is_plain = wanted[plain + place]
        is_clipped = clipped is not None and wanted[clipped + place]
        if not (is_plain or is_clipped):
            continue
        # From each sample to its neighbour; a sample's opposite neighbour is where it is one.
        left = max(right, 0)
        here = slice(area.top - down, area.top + area.rows)
        across = slice(MARGIN - left, MARGIN + area.columns + max(-right, 0))
        there = slice(here.start + down, here.stop + down)
        beside = slice(across.start + right, across.stop + right)
        steps = plane[there, beside] - plane[here, across]
        one = steps[down:, left : left + area.columns]
        other = steps[: area.rows, left - right : left - right + area.columns]
        if is_plain:
            yield plain + place, one - other
        if clipped is not None and is_clipped:
            np.clip(steps, -NEAR, NEAR, out=steps)
            yield clipped + place, one - other


def _in_time(
    plane: Samples,
    others: tuple[Samples, Samples],
    area: _Area,
    wanted: Sequence[bool],
    first: int,
) -> Iterator[tuple[int, Samples]]:
    """Taps from `first` on: what differs in the frames before and after."""
    if not any(wanted[first : first + 3 * len(STEADY)]):
        return
    wider = (
        slice(area.top - 1, area.top + area.rows + 1),
        slice(MARGIN - 1, MARGIN + area.columns + 1),
    )
    before, after = (other[wider] - plane[wider] for other in others)
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


def _beside(
    number: int, around: Around, area: _Area, wanted: Sequence[bool], first: int
) -> Iterator[tuple[int, Samples]]:
    """Taps of chroma from `first` on: single samples of luma, the other chroma plane, and what
    differs in the luma of the frames before and after."""
    if not any(wanted[first : kinds_of(number).beside.stop]):
        return
    luma, under = around.cur.planes[0], area.of(around.cur.under)
    # Rows and columns of chroma are every second of luma, from the same margin on.
    top, rows, columns = 2 * (area.top - MARGIN) + MARGIN, 2 * area.rows, 2 * area.columns
    for place, (down, right) in enumerate(FINE):
        if wanted[first + place]:
            upper, left = top + down, MARGIN + right
            yield (
                first + place,
                2 * luma[upper : upper + rows : 2, left : left + columns : 2] - under,
            )
    tap = first + len(FINE)
    if wanted[tap]:
        other = around.cur.planes[3 - number]
        yield tap, _nearest(other, area) - 4 * area.of(other)
    if not any(wanted[tap + 1 : tap + 1 + len(STEADY)]):
        return
    steps = [area.of(each.under) - under for each in (around.prev, around.next)]
    for place, limit in enumerate(STEADY, tap + 1):
        if wanted[place]:
            # Sums of two samples differ twice as much.
            before, after = (np.clip(step, -2 * limit, 2 * limit) for step in steps)
            yield place, before + after


def _mended(
    added: Samples, area: _Area, wanted: Sequence[bool], first: int
) -> Iterator[tuple[int, Samples]]:
    """Taps from `first` on: what a network adds to a sample, and to the 4 nearest."""
    if wanted[first]:
        yield first, area.of(added)
    if wanted[first + 1]:
        yield first + 1, _nearest(added, area)


def _nearest(plane: Samples, area: _Area) -> Samples:
    """The sum of the 4 nearest samples."""
    above, below = area.of(plane, -1), area.of(plane, 1)
    total: Samples = above + below
    total += area.of(plane, 0, -1)
    total += area.of(plane, 0, 1)
    return total
