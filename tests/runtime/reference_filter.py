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
FINE = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, -1), (1, 1), (2, 0))
"""Where chroma looks at luma, from the upper of two samples."""
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


def under(luma: Rows) -> Rows:
    """Of each two rows and columns of luma, the sum of the left column's two samples."""
    return [
        [at(luma, row, column) + at(luma, row + 1, column) for column in range(0, len(luma[0]), 2)]
        for row in range(0, len(luma), 2)
    ]


def pair_steps(samples: Rows, plane: int, row: int, column: int, turn: int) -> list[list[int]]:
    """From a sample to both neighbours of each pair."""
    own = at(samples, row, column)
    found = []
    for down, right in PAIRS[plane]:
        down, right = ((down, right), (right, down), (down, -right))[turn]
        ends = (down, right), (-down, -right)
        found.append([at(samples, row + y, column + x) - own for y, x in ends])
    return found


def line_of(chroma: Rows, luma: Rows, row: int, column: int, reach: int) -> tuple[int, int]:
    """Slope and start, in parts of 64, of chroma over luma around a cell."""
    height, width = -(-len(chroma) // 2), -(-len(chroma[0]) // 2)
    count = own = guide = product = square = 0
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            weight = (1 if abs(down) == reach else 2) * (1 if abs(right) == reach else 2)
            y = min(max(row + down, 0), height - 1)
            x = min(max(column + right, 0), width - 1)
            for place in ((0, 0), (0, 1), (1, 0), (1, 1)):
                c = at(chroma, 2 * y + place[0], 2 * x + place[1])
                g = at(luma, 2 * y + place[0], 2 * x + place[1])
                count += weight
                own += weight * c
                guide += weight * g
                product += weight * c * g
                square += weight * g * g
    spread = count * square - guide**2 + 64 * count**2
    slope = clip((64 * (count * product - own * guide) + spread // 2) // spread, 256)
    return slope, (64 * own - slope * guide + count // 2) // count


def tap_values(
    planes: Sequence[Frames], added: Sequence[Rows], plane: int, row: int, column: int, turn: int
) -> list[int]:
    """What the coefficients of a plane's filter are for, at a sample; `added` is what a network
    adds, 128 for nothing."""
    frames, luma = planes[plane], planes[0]
    pairs = pair_steps(frames.cur, plane, row, column, turn)
    plain = [sum(steps) for steps in pairs]
    clipped = [sum(clip(step, NEAR) for step in steps) for steps in pairs]

    def change(y: int, x: int, limit: int) -> int:
        here = at(frames.cur, y, x)
        return sum(clip(at(other, y, x) - here, limit) for other in (frames.prev, frames.next))

    in_time = []
    for limit in STEADY:
        for places in (((0, 0),), CROSS, CORNERS):
            changes = (change(row + down, column + right, limit) for down, right in places)
            in_time.append(sum(changes))
    residual = added[plane]
    around = sum(at(residual, row + down, column + right) - 128 for down, right in CROSS)
    mended = [residual[row][column] - 128, around]
    if plane == 0:
        return [*plain, *clipped, *in_time, *mended]

    below = Frames(*map(under, luma))
    own = at(below.cur, row, column)
    in_luma = [sum(steps) for steps in pair_steps(below.cur, plane, row, column, turn)]
    fine = [2 * at(luma.cur, 2 * row + down, 2 * column + right) - own for down, right in FINE]
    other = planes[3 - plane].cur
    bend = sum(at(other, row + y, column + x) - at(other, row, column) for y, x in CROSS)
    luma_in_time = [
        sum(clip(at(each, row, column) - own, 2 * limit) for each in (below.prev, below.next))
        for limit in STEADY
    ]
    guided = []
    for reach in (1, 4):
        slope, start = line_of(frames.cur, below.cur, row // 2, column // 2, reach)
        said = (slope * own + start + 16) // 32
        guided.append(clip(said - 2 * at(frames.cur, row, column), 2046))
    return [*plain, *clipped, *in_time, *in_luma, *fine, bend, *luma_in_time, *guided, *mended]


def filtered_plane(
    planes: Sequence[Frames],
    added: Sequence[Rows],
    plane: int,
    own: PlaneFilter,
    of: Sequence[list[Cell]],
) -> Rows:
    """A plane filtered."""
    side = 4 if plane == 0 else 2
    coefficients = own.coefficients.tolist()
    half = (1 << own.shift) // 2
    made = [list(row) for row in planes[plane].cur]
    for row, samples in enumerate(made):
        for column, sample in enumerate(samples):
            cell = of[row // side][column // side]
            weights = coefficients[own.filters[cell.number]]
            values = tap_values(planes, added, plane, row, column, cell.turn)
            total = sum(w * value for w, value in zip(weights, values, strict=True))
            samples[column] = max(0, min(1023, sample + ((total + half) >> own.shift)))
    return made


def frames_of(around: Sequence[Planes], plane: int) -> Frames:
    """That plane of the frame before, the frame and the frame after."""
    prev, cur, after = (planes[plane].tolist() for planes in around)
    return Frames(prev, cur, after)


def slowly_filtered(
    around: Sequence[Planes], scene: SceneFilter, added: Planes | None = None
) -> list[Rows]:
    """Y, U and V of the frame in the middle of three, to which a network adds something or not."""
    planes = [frames_of(around, number) for number in range(3)]
    nothing = [[[128] * len(plane.cur[0])] * len(plane.cur) for plane in planes]
    residual = nothing if added is None else [plane.tolist() for plane in added]
    of = cells(planes[0])
    return [
        planes[number].cur if own is None else filtered_plane(planes, residual, number, own, of)
        for number, own in enumerate(scene.planes)
    ]
