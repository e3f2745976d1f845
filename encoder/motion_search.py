"""Motion vectors of a frame's cells: where each is found in the frame before.

Candidates come from an exhaustive search at a quarter of the width and height; the best are then
refined at full size. A dense optical flow (OpenCV's DIS, presets fast and medium) was tried in
place of that search, with the same refinement. On a road, a cartoon and a film its vectors cost 23
to 93 % more, in error and bits together, than the best there are; those of the search 0.2 to 3 %.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Luma = NDArray[np.float32]
Vectors = NDArray[np.intp]
"""[cells, 2] half luma samples: down, across. Cells are in raster order."""
Cells = NDArray[np.intp]
Costs = NDArray[np.float32]

_CELL = 16
_MARGIN = 4
_WINDOW = _CELL + 2 * _MARGIN
_LIMIT = 127
# How far outside of the plane a cell may be found: further out there is nothing but the edge.
_OUTSIDE = 24
_BORDER = _OUTSIDE + 2 * _MARGIN

_TAPS = np.array([1, -5, 20, 20, -5, 1], np.float32) / 32
_WHOLE = np.ones(1, np.float32)

_COMPONENT_BITS = 2 * np.log2(1 + np.arange(2 * _LIMIT + 1)).astype(np.float32)
_NOT_ZERO_BITS = 2.0
_NOT_EXPECTED_BITS = 2.0

# Of two noisy frames of one still picture, half samples of the first resemble the second more than
# its whole ones do: to interpolate is to smooth. That, and luck, brings the error down by less than
# this share; up to this mean squared difference it may be all that a vector is good for.
_CHANCE = 0.25
_NOISE = 32.0

_SHRINK = 4
_REACH = _LIMIT // (2 * _SHRINK) + 1
_COMMON = 2
_RING = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1) if down or across]
_FIRST_STEPS, _LATER_STEPS = (4, 2, 1), (1,)
_FIRST_ROUNDS, _LATER_ROUNDS = 3, 2
_PASSES = 2
# Windows at a time: they stay in a core's cache.
_PORTION = 256


def find_vectors(
    reference: NDArray[np.float32], source: NDArray[np.float32], price: float
) -> NDArray[np.int16]:
    """Vectors [2, h, w] in half luma samples, each -127 to 127, down and across, of 16x16 cells.

    `reference` (the frame before, as a player has it) and `source` (the frame to be coded) are luma
    planes [16 h, 16 w] in grey levels of 8 bits. The source's cell at rows 16 i and columns 16 j
    looks like the reference at rows 16 i + down / 2 and columns 16 j + across / 2. Half samples are
    interpolated with six taps as in H.264; outside of the plane the edge repeats, and no cell is
    looked for more than 24 samples outside.

    What is brought down for each cell is the squared error of the cell and 4 samples around, plus
    `price` times an estimate of its vector's bits given its neighbours' vectors. Where a picture
    stands still, noise alone does not move it: small errors at zero count for a quarter less.

    Raises ValueError for planes of other sizes and for a price below 0.
    """
    if reference.ndim != 2 or reference.shape != source.shape:
        raise ValueError(f"planes of {reference.shape} and {source.shape}: must be alike")
    if not source.size or any(side % _CELL for side in source.shape):
        raise ValueError(f"planes of {source.shape}: sides must be multiples of {_CELL}")
    if not price >= 0:
        raise ValueError(f"price is {price}: must be 0 or more")
    windows = _Windows(reference, source)
    search = _Search(windows, price)
    search.start(_coarse_vectors(reference, source, price))
    for _ in range(_PASSES):
        search.agree()
    return search.vectors.T.reshape(2, *windows.shape).astype(np.int16)


class _Windows:
    """The source's cells with 4 samples around, and what they are compared with."""

    def __init__(self, reference: Luma, source: Luma) -> None:
        height, width = source.shape
        self.shape = height // _CELL, width // _CELL
        size = (_WINDOW, _WINDOW)
        padded = np.pad(source, _MARGIN, mode="edge")
        self._source = sliding_window_view(padded, size)[::_CELL, ::_CELL]
        self._reference = sliding_window_view(_half_sample_planes(reference), size, axis=(1, 2))
        self._places = np.stack(np.divmod(np.arange(self.shape[0] * self.shape[1]), self.shape[1]))
        corners = _CELL * self._places.T
        last = np.array([height, width]) - _CELL
        self._lowest = np.maximum(-_LIMIT, -2 * (corners + _OUTSIDE))
        self._highest = np.minimum(_LIMIT, 2 * (last + _OUTSIDE - corners))
        self._corners = corners + _BORDER - _MARGIN

    def allowed(self, cells: Cells, vectors: Vectors) -> Vectors:
        """The nearest vectors that lead not too far outside of the plane."""
        return vectors.clip(self._lowest[cells], self._highest[cells])

    def errors(self, cells: Cells, vectors: Vectors) -> Costs:
        """Squared errors [n] of windows: `cells` [n] may name a cell more than once."""
        made = np.empty(len(cells), np.float32)
        phase = 2 * (vectors[:, 0] & 1) + (vectors[:, 1] & 1)
        row, column = (self._corners[cells] + (vectors >> 1)).T
        below, right = self._places[:, cells]
        for start in range(0, len(cells), _PORTION):
            part = slice(start, start + _PORTION)
            difference = self._reference[phase[part], row[part], column[part]]
            difference -= self._source[below[part], right[part]]
            flat = difference.reshape(len(difference), -1)
            made[part] = np.einsum("ni,ni->n", flat, flat)
        return made


def _half_sample_planes(plane: Luma) -> Luma:
    """The plane with borders [4, rows, columns]: whole, half a sample across, down, both."""
    padded = np.pad(plane, _BORDER, mode="edge")
    planes = np.empty((4, *padded.shape), np.float32)
    planes[0] = padded
    for number in range(1, 4):
        down, across = (_TAPS if number & bit else _WHOLE for bit in (2, 1))
        # The third of six taps is the sample's own.
        anchor = (2 if len(across) > 1 else 0, 2 if len(down) > 1 else 0)
        planes[number] = cv2.sepFilter2D(
            padded, -1, across, down, anchor=anchor, borderType=cv2.BORDER_REPLICATE
        )
    return planes


def _coarse_vectors(reference: Luma, source: Luma, price: float) -> Vectors:
    """The best of the vectors of whole four samples, searched at a quarter of the size."""
    height, width = (side // _SHRINK for side in source.shape)
    old, new = (
        np.pad(
            cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA), border, mode="edge"
        )
        for plane, border in ((reference, _REACH + 1), (source, 1))
    )
    side = _WINDOW // _SHRINK
    every = (slice(0, height, _CELL // _SHRINK), slice(0, width, _CELL // _SHRINK))
    bits = 2 * np.log2(1 + 2 * _SHRINK * np.abs(np.arange(-_REACH, _REACH + 1)))
    shape = (source.shape[0] // _CELL, source.shape[1] // _CELL)
    least = np.full(shape, np.inf, np.float32)
    best = np.zeros((*shape, 2), np.intp)
    difference = np.empty_like(new)
    for down in range(2 * _REACH + 1):
        for across in range(2 * _REACH + 1):
            moved = old[down : down + height + 2, across : across + width + 2]
            np.subtract(moved, new, out=difference)
            np.multiply(difference, difference, out=difference)
            sums = cv2.boxFilter(difference, -1, (side, side), anchor=(0, 0), normalize=False)
            cost = sums[every] * np.float32(_SHRINK**2)
            cost += np.float32(price * (bits[down] + bits[across]))
            better = cost < least
            least[better] = cost[better]
            best[better] = down, across
    return (best.reshape(-1, 2) - _REACH) * 2 * _SHRINK


class _Search:
    """The best vectors found so far. Zero is the first, so whatever is no better loses to it."""

    def __init__(self, windows: _Windows, price: float) -> None:
        rows, columns = windows.shape
        self._windows, self._price = windows, np.float32(price)
        self._all: Cells = np.arange(rows * columns)
        self.vectors: Vectors = np.zeros((rows * columns, 2), np.intp)
        self._still = windows.errors(self._all, self.vectors)
        self._still -= np.float32(_CHANCE) * self._still.clip(max=np.float32(_NOISE * _WINDOW**2))
        self._errors = self._still.copy()
        self._expect(np.zeros_like(self.vectors))

    def start(self, found: Vectors) -> None:
        """Chooses among candidates [cells, 2] and refines what is chosen."""
        self._offer(self._all, found)
        for neighbours in _neighbours(found, self._windows.shape):
            self._offer(self._all, neighbours)
        for vector in _most_common(found):
            self._offer(self._all, np.broadcast_to(vector, found.shape))
        self._refine(_FIRST_STEPS, _FIRST_ROUNDS)

    def agree(self) -> None:
        """Chooses again, with the bits that the neighbours' vectors make of each."""
        neighbours = _neighbours(self.vectors, self._windows.shape)
        self._expect(_medians(neighbours))
        for candidates in (np.zeros_like(self.vectors), self._expected, *neighbours):
            self._offer(self._all, candidates)
        self._refine(_LATER_STEPS, _LATER_ROUNDS)

    def _expect(self, expected: Vectors) -> None:
        self._expected = expected
        self._costs = self._errors + self._spent(self._all, self.vectors)

    def _spent(self, cells: Cells, vectors: Vectors) -> Costs:
        return self._price * _bits(vectors, self._expected[cells])

    def _refine(self, steps: tuple[int, ...], rounds: int) -> None:
        """Follows what is better around, as long as anything is."""
        for step in steps:
            cells = self._all
            for _ in range(rounds):
                before = self.vectors[cells]
                for offset in _RING:
                    self._offer(cells, before + step * np.array(offset))
                cells = cells[(self.vectors[cells] != before).any(axis=1)]

    def _offer(self, cells: Cells, vectors: Vectors) -> None:
        """Takes those of the vectors [n, 2] of `cells` [n] that are better than what they have."""
        vectors = self._windows.allowed(cells, vectors)
        spent = self._spent(cells, vectors)
        # No error can make up for too many bits.
        may_win = (spent < self._costs[cells]) & (vectors != self.vectors[cells]).any(axis=1)
        cells, vectors, spent = cells[may_win], vectors[may_win], spent[may_win]
        moving = vectors.any(axis=1)
        errors = self._still[cells]
        errors[moving] = self._windows.errors(cells[moving], vectors[moving])
        costs = errors + spent
        wins = costs < self._costs[cells]
        cells = cells[wins]
        self.vectors[cells] = vectors[wins]
        self._errors[cells] = errors[wins]
        self._costs[cells] = costs[wins]


def _bits(vectors: Vectors, expected: Vectors) -> Costs:
    """About what vectors [n, 2] take to code where others are expected, in bits."""
    off = np.abs(vectors - expected)
    bits: Costs = _COMPONENT_BITS[off].sum(axis=1)
    bits += np.float32(_NOT_ZERO_BITS) * vectors.any(axis=1)
    bits += np.float32(_NOT_EXPECTED_BITS) * off.any(axis=1)
    return bits


def _neighbours(vectors: Vectors, shape: tuple[int, int]) -> list[Vectors]:
    """Of each cell the vectors above, below, left and right; at an edge those opposite to it."""
    grid = np.pad(vectors.reshape(*shape, 2), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    inner = slice(1, -1)
    sides = (grid[:-2, inner], grid[2:, inner], grid[inner, :-2], grid[inner, 2:])
    return [side.reshape(-1, 2) for side in sides]


def _medians(neighbours: list[Vectors]) -> Vectors:
    """Of each component the middle one of the four; of the two in the middle the smaller."""
    _, low, high, _ = np.sort(np.stack(neighbours), axis=0)
    medians: Vectors = np.where(np.abs(low) <= np.abs(high), low, high)
    return medians


def _most_common(vectors: Vectors) -> Vectors:
    """The few that most cells have, zero left out: a pan's, or those of large objects."""
    found, counts = np.unique(vectors[vectors.any(axis=1)], axis=0, return_counts=True)
    return found[np.argsort(-counts, kind="stable")[:_COMMON]]
