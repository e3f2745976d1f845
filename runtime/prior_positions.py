"""The order in which a prior codes a latent's cells: coarse grid first, then the cells between.

Every cell but those of the coarsest grid has its neighbours decoded when its turn comes, on both
sides of it. That is what makes symbols predictable.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT_STRIDE = 16
ROOT_LEVEL = 4
LEVELS = ROOT_LEVEL + 1
NEIGHBOURS = 4
DIAGONAL, CROSS = 0, 1
_DIAGONAL_OFFSETS = ((-1, -1), (1, 1), (-1, 1), (1, -1))
_CROSS_OFFSETS = ((0, -1), (0, 1), (-1, 0), (1, 0))

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Step:
    """Cells of a latent of h x w that are coded together.

    `kind` is `DIAGONAL` or `CROSS`, `level` 4 (the roots, which have no neighbours) to 0. `cells`
    [n] are flat positions in raster order, `neighbours` [4, n] those of the cells that each is
    predicted from, h * w where there is none.
    """

    kind: int
    level: int
    cells: Indices
    neighbours: Indices

    @property
    def is_root(self) -> bool:
        """Whether these are the cells without neighbours."""
        return self.level == ROOT_LEVEL


@lru_cache(maxsize=8)
def coding_steps(height: int, width: int) -> tuple[Step, ...]:
    """The steps of a latent of `height` x `width` cells in coding order, without empty ones.

    Together they have each cell once.
    """
    steps = [_roots(height, width)]
    for level in range(ROOT_LEVEL - 1, -1, -1):
        reach = 1 << level
        odd_rows, odd_columns = _grid(height, width, reach)
        steps.append(_step(DIAGONAL, level, odd_rows & odd_columns, (height, width)))
        steps.append(_step(CROSS, level, odd_rows ^ odd_columns, (height, width)))
    return tuple(step for step in steps if step.cells.size)


def _roots(height: int, width: int) -> Step:
    rows = np.arange(0, height, ROOT_STRIDE)
    columns = np.arange(0, width, ROOT_STRIDE)
    cells = (rows[:, None] * width + columns).ravel()
    neighbours = np.full((NEIGHBOURS, cells.size), height * width)
    return Step(DIAGONAL, ROOT_LEVEL, _frozen(cells), _frozen(neighbours))


def _grid(height: int, width: int, reach: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the cells that are multiples of `reach` are odd ones, down and across."""
    rows, columns = np.indices((-(-height // reach), -(-width // reach)), sparse=True)
    shape = np.broadcast_shapes(rows.shape, columns.shape)
    return np.broadcast_to(rows % 2 == 1, shape), np.broadcast_to(columns % 2 == 1, shape)


def _step(kind: int, level: int, chosen: NDArray[np.bool_], shape: tuple[int, int]) -> Step:
    height, width = shape
    reach = 1 << level
    rows, columns = (each * reach for each in np.nonzero(chosen))
    neighbours = np.empty((NEIGHBOURS, rows.size), np.intp)
    offsets = _DIAGONAL_OFFSETS if kind == DIAGONAL else _CROSS_OFFSETS
    for found, (down, across) in zip(neighbours, offsets, strict=True):
        row = _mirrored(rows, down * reach, height)
        column = _mirrored(columns, across * reach, width)
        missing = (row < 0) | (row >= height) | (column < 0) | (column >= width)
        found[:] = np.where(missing, height * width, row * width + column)
    return Step(kind, level, _frozen(rows * width + columns), _frozen(neighbours))


def _mirrored(places: Indices, offset: int, length: int) -> Indices:
    """Each place and the offset, or less the offset where that is outside."""
    moved = places + offset
    outside = (moved < 0) | (moved >= length)
    return np.where(outside, places - offset, moved)


def _frozen(indices: NDArray[np.integer[Any]]) -> Indices:
    result = np.ascontiguousarray(indices, dtype=np.intp)
    result.flags.writeable = False
    return result
