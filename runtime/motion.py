"""What a frame's levels are expected to be, from those of the frame before and a motion vector for
each cell.

The levels before are drawn, linearly; a cell that has moved sees the window that its vector points
to, and gives the levels of that. A cell that has not moved keeps its levels. All is integers (see
`motion_tables`), so that every device expects the same, and the pictures that networks draw have no
part in it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .drawing import Drawing
from .frame_levels import Levels, clipped
from .motion_tables import MotionTables
from .picture import PHASES, TAPS_AFTER, TAPS_BEFORE, Cells, Picture, windows_of

Vectors = NDArray[np.int16]

# Cells at once: what they need stays in a processor's cache.
_BLOCK = 256
_MOST_COVERED = 4


class Shows(Protocol):
    """What can show a frame: all of it, or what is asked for."""

    def showing(self, cells: Cells) -> Picture:
        """A picture in which `cells` [n, 2] (row, column) are drawn; others may be left grey."""


def expected_levels(
    levels: Levels, vectors: Vectors, tables: MotionTables, frame: Shows | None = None
) -> Levels:
    """The levels [C, h, w] that a frame is expected to have after one with `levels`.

    `vectors` [2, h, w] int16 are -127 to 127, down and across, in half luma samples: a cell looks
    like what is there in the frame before. `frame` shows the levels, where it is not
    drawn for this alone.
    """
    moved = np.argwhere(vectors.any(axis=0))
    if not len(moved):
        return levels
    there = vectors[:, moved[:, 0], moved[:, 1]].T.astype(np.intp)
    covered = _covered(moved, there, levels.shape[1:])
    picture = (frame or Drawing(levels, tables)).showing(covered)
    made = levels.astype(np.int32)
    made[:, moved[:, 0], moved[:, 1]] = seen_levels(picture, moved, there, tables).T
    return clipped(made)


def seen_levels(
    picture: Picture, cells: Cells, vectors: Cells, tables: MotionTables
) -> NDArray[np.int32]:
    """The levels [n, C], not clipped, that cells [n, 2] (row, column) see at their vectors [n, 2]
    in a picture."""
    made = np.empty((len(cells), tables.channels), np.int32)
    # In the order of their phases, so that blocks have few of them.
    order = np.argsort((vectors % PHASES) @ (PHASES, 1), kind="stable")
    for start in range(0, len(order), _BLOCK):
        part = order[start : start + _BLOCK]
        seen = windows_of(picture, cells[part], vectors[part])
        made[part] = np.floor(seen @ tables.see + tables.see_bias)
    return made


def _covered(cells: Cells, vectors: Cells, shape: tuple[int, ...]) -> Cells:
    """The cells [m, 2] of a frame of `shape` that have samples which cells [n, 2] see."""
    # With what is interpolated, a window has 21 samples of chroma along each axis: in luma they are
    # 42, or one more where a vector falls between those, in three or four cells.
    corners = 16 * cells - 8 + vectors // 2
    first = (corners - 2 * TAPS_BEFORE - 1) // 16
    last = (corners + 32 + 2 * TAPS_AFTER) // 16
    needed = np.zeros(shape, bool)
    for down in range(_MOST_COVERED):
        for across in range(_MOST_COVERED):
            there = np.minimum(first + np.array((down, across)), last)
            rows, columns = there.clip(0, np.array(shape) - 1).T
            needed[rows, columns] = True
    return np.argwhere(needed)
