"""Scene filters in plain integers, cell by cell and sample by sample.

Written from what the modules say of the format, not from how they do it; slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edgecodec.runtime.frames import Planes
from edgecodec.runtime.scene_filter import PlaneFilter, SceneFilter

Rows = list[list[int]]

ACTIVITY_FROM = (32, 64, 128, 224, 384, 640, 1152)
MOTION_FROM = (96, 256)
NEAR = 16
STEADY = (12, 40)
# Where, from a sample of Y, the two ends of each direction's second difference are.
ACROSS, DOWN = ((0, -1), (0, 1)), ((-1, 0), (1, 0))
FALLING, RISING = ((-1, -1), (1, 1)), ((-1, 1), (1, -1))
PAIRS = [
    [
        (row, column)
        for row in range(reach + 1)
        for column in range(-reach, reach + 1)
        if row + abs(column) <= reach and (row or column > 0)
    ]
    for reach in (3, 2, 2)
]
"""Of Y, U and V, one neighbour of each pair."""
CROSS = ((-1, 0), (1, 0), (0, -1), (0, 1))
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


class Frames(NamedTuple):
    """A plane between those of the frames before and after."""

    prev: Rows
    cur: Rows
    next: Rows


class Cell(NamedTuple):
    """A cell's class and how filters are turned there."""

    number: int
    turn: int


def at(plane: Rows, row: int, column: int) -> int:
    """The sample, or the nearest to it inside."""
    rows, columns = len(plane), len(plane[0])
    return plane[min(max(row, 0), rows - 1)][min(max(column, 0), columns - 1)]


def clip(value: int, limit: int) -> int:
    return max(-limit, min(limit, value))


def cell_at(luma: Frames, row: int, column: int) -> Cell:
    """The cell in that row and column of cells."""
    window = [
        (y, x)
        for y in range(4 * row - 2, 4 * row + 6)
        for x in range(4 * column - 2, 4 * column + 6)
        if y % 2 == x % 2
    ]
    sums = []
    for (up, left), (below, right) in (ACROSS, DOWN, FALLING, RISING):
        bends = (
            at(luma.cur, y + up, x + left)
            + at(luma.cur, y + below, x + right)
            - 2 * at(luma.cur, y, x)
            for y, x in window
        )
        sums.append(sum(map(abs, bends)))
    across, down, falling, rising = sums
    change = sum(
        abs(at(other, y, x) - at(luma.cur, y, x))
        for other in (luma.prev, luma.next)
        for y, x in window
    )
    straight, slanted = sorted((across, down)), sorted((falling, rising))
    # most / least is larger along the diagonals.
    is_slanted = slanted[1] * straight[0] > straight[1] * slanted[0]
    least, most = slanted if is_slanted else straight
    if most <= 2 * least:
        direction = 0
    else:
        direction = (2 if 2 * most > 9 * least else 1) + (2 if is_slanted else 0)
    activity = sum(across + down >= each for each in ACTIVITY_FROM)
    motion = sum(change >= each for each in MOTION_FROM)
    turn = 2 * (rising > falling) if is_slanted else int(down > across)
    return Cell((direction * 3 + motion) * 8 + activity, turn)


def cells(luma: Frames) -> list[list[Cell]]:
    """Every cell of a picture."""
    height, width = len(luma.cur), len(luma.cur[0])
    return [
        [cell_at(luma, row, column) for column in range(-(-width // 4))]
        for row in range(-(-height // 4))
    ]


def tap_values(frames: Frames, plane: int, row: int, column: int, turn: int) -> list[int]:
    """What the coefficients of a plane's filter are for, at a sample."""
    own = at(frames.cur, row, column)

    def to(down: int, right: int) -> int:
        return at(frames.cur, row + down, column + right) - own

    plain, clipped = [], []
    for down, right in PAIRS[plane]:
        down, right = ((down, right), (right, down), (down, -right))[turn]
        steps = to(down, right), to(-down, -right)
        plain.append(sum(steps))
        clipped.append(sum(clip(step, NEAR) for step in steps))

    def change(y: int, x: int, limit: int) -> int:
        here = at(frames.cur, y, x)
        return sum(clip(at(other, y, x) - here, limit) for other in (frames.prev, frames.next))

    in_time = []
    for limit in STEADY:
        for places in (((0, 0),), CROSS, CORNERS):
            changes = (change(row + down, column + right, limit) for down, right in places)
            in_time.append(sum(changes))
    return [*plain, *clipped, *in_time]


def filtered_plane(frames: Frames, plane: int, own: PlaneFilter, of: Sequence[list[Cell]]) -> Rows:
    """A plane filtered."""
    side = 4 if plane == 0 else 2
    coefficients = own.coefficients.tolist()
    half = (1 << own.shift) // 2
    made = [list(row) for row in frames.cur]
    for row, samples in enumerate(made):
        for column, sample in enumerate(samples):
            cell = of[row // side][column // side]
            weights = coefficients[own.filters[cell.number]]
            values = tap_values(frames, plane, row, column, cell.turn)
            total = sum(w * value for w, value in zip(weights, values, strict=True))
            samples[column] = max(0, min(1023, sample + ((total + half) >> own.shift)))
    return made


def frames_of(around: Sequence[Planes], plane: int) -> Frames:
    """That plane of the frame before, the frame and the frame after."""
    prev, cur, after = (planes[plane].tolist() for planes in around)
    return Frames(prev, cur, after)


def slowly_filtered(around: Sequence[Planes], scene: SceneFilter) -> list[Rows]:
    """Y, U and V of the frame in the middle of three."""
    of = cells(frames_of(around, 0))
    made = []
    for number, own in enumerate(scene.planes):
        frames = frames_of(around, number)
        made.append(frames.cur if own is None else filtered_plane(frames, number, own, of))
    return made
