"""A scene's filter: what Wiener filters, fitted to the scene by the encoder, add to a base.

Each plane has up to 64 filters and says which of them each of 120 classes of cells uses. Cells are
4x4 samples of luma and the 2x2 of chroma that lie there; what they look like in the decoded base
decides their class and how a filter is turned (`filtering`). A filter has a coefficient for each of
its plane's taps: pairs of opposite neighbours, the same pairs clipped, what differs in the frames
before and after, in chroma what luma and the other chroma plane show there, and what a network adds
to the frame. The form is that of VVC's adaptive loop filters (H.266, 8.8.5), whose classes it
refines by motion and whose two kinds of pairs, clipped and not, each have coefficients.

    filter = planes | for each: shift, filters, tables | words of the range coder
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError
from .fields import Cursor, pack_unsigned
from .guided_chroma import REACHES
from .range_coder import RunDecoder, encode_runs, fit_table
from .scale_tables import MAX_SYMBOL, TABLES

Coefficients = NDArray[np.int8]
Offset = tuple[int, int]

DIRECTIONS, MOTIONS, ACTIVITIES = 5, 3, 8
CLASSES = DIRECTIONS * MOTIONS * ACTIVITIES
"""A class is (direction * MOTIONS + motion) * ACTIVITIES + activity."""
TIMES = 6
"""Taps that look at the frames before and after."""
FINE: tuple[Offset, ...] = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, -1), (1, 1), (2, 0))
"""Samples of luma that filters of chroma see one by one, (rows down, columns right) of the upper
one of the two where a sample of chroma lies."""
MENDED = 2
"""Taps that look at what a network adds to the plane: at the sample, and at the 4 nearest."""
MAX_FILTERS = 64
MAX_SHIFT = 12
_PLANES = 3
# Beside those samples: the other chroma plane, and luma in time.
_OTHERS = 3


def _pairs(reach: int) -> tuple[Offset, ...]:
    """One neighbour of each pair within a diamond, (rows down, columns right)."""
    around = range(-reach, reach + 1)
    return tuple(
        (row, column)
        for row in around
        for column in around
        if abs(row) + abs(column) <= reach and (row > 0 or (row == 0 and column > 0))
    )


LUMA_PAIRS, CHROMA_PAIRS = _pairs(3), _pairs(2)
"""Of a diamond 7 samples wide and one of 5."""


def pairs_of(plane: int) -> tuple[Offset, ...]:
    """The pairs that filters of Y (0), U (1) or V (2) look at, in the order of their taps."""
    return LUMA_PAIRS if plane == 0 else CHROMA_PAIRS


class Kinds(NamedTuple):
    """Which taps of a plane are of which kind. Luma has none of `under`, `beside` and `guided`."""

    pairs: slice
    clipped: slice
    times: slice
    under: slice
    """Pairs of luma, where chroma's samples lie."""
    beside: slice
    """Luma sample by sample and in time, and the other chroma plane."""
    guided: slice
    """Chroma as luma around it tells."""
    mended: slice
    """What a network adds."""


def kinds_of(plane: int) -> Kinds:
    """The kinds of taps of a plane, in the order of the taps."""
    pairs = len(pairs_of(plane))
    sizes = [
        pairs,
        pairs,
        TIMES,
        *((0, 0, 0) if plane == 0 else (pairs, len(FINE) + _OTHERS, len(REACHES))),
        MENDED,
    ]
    ends = np.cumsum(sizes).tolist()
    return Kinds(*(slice(end - size, end) for end, size in zip(ends, sizes, strict=True)))


def taps_of(plane: int) -> int:
    """How many coefficients a filter of a plane has."""
    taps: int = kinds_of(plane).mended.stop
    return taps


def runs_of(plane: int) -> tuple[slice, ...]:
    """The kinds of taps that a plane has: those whose coefficients share a table and a run."""
    return tuple(kind for kind in kinds_of(plane) if kind.start < kind.stop)


@dataclass(frozen=True, eq=False)
class PlaneFilter:
    """The filters of a plane.

    `coefficients` int8 [filters, taps], -127 to 127 in parts of 2**`shift`. `filters` names one of
    them for each of the `CLASSES`.
    """

    shift: int
    coefficients: Coefficients
    filters: tuple[int, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlaneFilter) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[object, ...]:
        shape = self.coefficients.shape
        return self.shift, shape, self.coefficients.tobytes(), self.filters


@dataclass(frozen=True)
class SceneFilter:
    """For Y, U and V what changes it, None for nothing; at least one plane has something."""

    planes: tuple[PlaneFilter | None, PlaneFilter | None, PlaneFilter | None]


def pack_scene_filter(scene: SceneFilter) -> bytes:
    """A filter in bytes. ValueError for what `parse_scene_filter` would not take."""
    present = sum(1 << number for number, plane in enumerate(scene.planes) if plane is not None)
    parts = [bytes([present])]
    runs: list[tuple[int, NDArray[np.int8]]] = []
    for number, plane in enumerate(scene.planes):
        if plane is None:
            continue
        symbols = _symbols(number, plane)
        tables = [fit_table(each) for each in symbols]
        parts += (pack_unsigned(plane.shift), pack_unsigned(len(plane.coefficients)), bytes(tables))
        runs += [(table, each) for table, each in zip(tables, symbols, strict=True) if table]
    packed = b"".join((*parts, encode_runs(runs)))
    if parse_scene_filter(packed, "filter") != scene:
        raise ValueError("this scene's filter has values that the format cannot hold")
    return packed


def parse_scene_filter(data: bytes | memoryview, what: str) -> SceneFilter:
    """What `pack_scene_filter` wrote. BitstreamError if it is damaged."""
    where = f"{what}, scene filter"
    cursor = Cursor(data, where)
    present = cursor.take(1)[0]
    if not 0 < present < 1 << _PLANES:
        raise cursor.fail(f"planes {present:#x}: 1 to 7 are wanted")
    heads: dict[int, tuple[int, int, bytes]] = {}
    for number in range(_PLANES):
        if not present >> number & 1:
            continue
        shift, count = cursor.unsigned(MAX_SHIFT + 1), cursor.unsigned(MAX_FILTERS + 1)
        tables = cursor.take(len(runs_of(number)) + 1)
        if not count:
            raise cursor.fail("a plane without filters")
        if max(tables) >= TABLES:
            raise cursor.fail(f"tables {list(tables)}: 0 to {TABLES - 1} are wanted")
        heads[number] = shift, count, tables
    decoder = RunDecoder(cursor.take(cursor.remaining), f"{where}: coefficients")
    planes = [_decoded(number, heads.get(number), decoder, where) for number in range(_PLANES)]
    return SceneFilter((planes[0], planes[1], planes[2]))


def _decoded(
    number: int, head: tuple[int, int, bytes] | None, decoder: RunDecoder, what: str
) -> PlaneFilter | None:
    if head is None:
        return None
    shift, count, tables = head

    def run(table: int, size: int) -> NDArray[np.int8]:
        return decoder.decode(table, size) if table else np.zeros(size, np.int8)

    coefficients = np.empty((count, taps_of(number)), np.int8)
    for kind, table in zip(runs_of(number), tables, strict=False):
        part = coefficients[:, kind]
        part[:] = run(table, part.size).reshape(part.shape)
    filters = np.cumsum(run(tables[-1], CLASSES), dtype=np.int64)
    if filters.min() < 0 or filters.max() >= count:
        raise BitstreamError(f"{what}: a class uses a filter that is not there, of {count}")
    return PlaneFilter(shift, coefficients, tuple(filters.tolist()))


def _symbols(number: int, plane: PlaneFilter) -> list[NDArray[np.int8]]:
    """Coefficients, kind by kind, and of each class how far its filter's number is from that of
    the class before."""
    if plane.coefficients.shape[1:] != (taps_of(number),) or len(plane.filters) != CLASSES:
        raise ValueError(
            f"plane {number}: {plane.coefficients.shape} coefficients and {len(plane.filters)} "
            f"classes, [filters, {taps_of(number)}] and {CLASSES} are wanted"
        )
    if (plane.coefficients < -MAX_SYMBOL).any():
        raise ValueError(f"plane {number}: coefficients below -{MAX_SYMBOL}")
    steps = np.diff(np.array(plane.filters, np.int64), prepend=0)
    if np.abs(steps).max() > MAX_SYMBOL:
        raise ValueError(f"plane {number}: filters {plane.filters} are too far apart")
    kinds = [plane.coefficients[:, kind] for kind in runs_of(number)]
    return [*kinds, steps.astype(np.int8)]
