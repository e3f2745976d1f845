"""What a frame's levels are expected to be, from those of the frame before and a motion vector for
each cell.

The levels before are drawn, linearly; a cell that has moved sees the window that its vector points
to, and gives the levels of that. A cell that has not moved keeps its levels. All is integers (see
`motion_tables`), so that every device expects the same, and the pictures that networks draw have no
part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .frame_levels import Levels, clipped
from .motion_tables import CELL_SAMPLES, CELLS_SEEN, LARGEST_SAMPLE, WINDOW_SAMPLES, MotionTables

Samples = NDArray[np.float32]
Vectors = NDArray[np.int16]
Cells = NDArray[np.intp]

# Parts of a sample's distance that vectors may fall between samples: quarters in chroma.
_PHASES = 4
# Taps at 0 to 3 quarters, times 64, from two samples before to three after.
TAPS = (
    (0, 0, 64, 0, 0, 0),
    (1, -5, 52, 20, -5, 1),
    (2, -10, 40, 40, -10, 2),
    (1, -5, 20, 52, -5, 1),
)
TAPS_BEFORE, TAPS_AFTER = 2, 3
TAPS_ONE = 64 * 64
# Cells at once: what they need stays in a processor's cache.
_BLOCK = 256
# Vectors of 127 half samples and windows 8 samples around cells, with what is interpolated.
BORDER = 80
_MOST_COVERED = 4


@dataclass(frozen=True)
class Picture:
    """A frame drawn from its levels, in half grey levels from the middle grey, whole numbers:
    `luma` [16 h, 16 w], `chroma` [2, 8 h, 8 w] float32."""

    luma: Samples
    chroma: Samples

    @cached_property
    def bordered(self) -> tuple[Samples, Samples, Samples]:
        """Luma and both chroma planes, with as many samples beyond the sides as vectors reach, all
        as those at the sides."""
        u, v = self.chroma
        return (
            np.pad(self.luma, BORDER, mode="edge"),
            np.pad(u, BORDER, mode="edge"),
            np.pad(v, BORDER, mode="edge"),
        )

    def squares(self, plane: int, places: Cells, side: int, phase: tuple[int, int]) -> Samples:
        """Squares [n, side, side] of a plane (Y, U or V) from places [n, 2] on, quarters of a
        sample further by `phase`."""
        width = side + TAPS_BEFORE + TAPS_AFTER
        rows, columns = (places + (BORDER - TAPS_BEFORE)).T
        seen: Samples = sliding_window_view(self.bordered[plane], (width, width))[rows, columns]
        if phase == (0, 0):
            return seen[:, TAPS_BEFORE:-TAPS_AFTER, TAPS_BEFORE:-TAPS_AFTER]
        down, across = (_interpolation(each, side) for each in phase)
        between: Samples = np.floor((down.T @ seen @ across) / TAPS_ONE + np.float32(0.5))
        return between


def drawn(levels: Levels, tables: MotionTables, wanted: Cells | None = None) -> Picture:
    """The picture of levels [C, h, w]. Cells beyond the sides are as those at them.

    Where `wanted` [n, 2] (row, column) are given, no other cells are drawn, but left grey.
    """
    _, rows, columns = levels.shape
    cells = np.argwhere(np.ones((rows, columns), bool)) if wanted is None else wanted
    # Channels without levels add nothing, and at low rates most have none.
    busy = np.flatnonzero(levels.any(axis=(1, 2)))
    weights = tables.draw.reshape(CELLS_SEEN, tables.channels, CELL_SAMPLES)[:, busy]
    weights = weights.reshape(-1, CELL_SAMPLES)
    around = np.pad(levels[busy], ((0, 0), (1, 1), (1, 1)), mode="edge").astype(np.float32)
    around = np.ascontiguousarray(around.transpose(1, 2, 0))
    places = np.argwhere(np.ones((3, 3), bool))
    samples = np.zeros((rows, columns, CELL_SAMPLES), np.float32)
    for start in range(0, len(cells), _BLOCK):
        part = cells[start : start + _BLOCK]
        there = part[:, None] + places
        seen = around[there[..., 0], there[..., 1]].reshape(len(part), -1)
        made = np.floor(seen @ weights + tables.draw_bias)
        samples[part[:, 0], part[:, 1]] = made.clip(-LARGEST_SAMPLE - 1, LARGEST_SAMPLE)
    luma = samples[..., :256].reshape(rows, columns, 16, 16)
    chroma = samples[..., 256:].reshape(rows, columns, 2, 8, 8)
    return Picture(
        luma.transpose(0, 2, 1, 3).reshape(16 * rows, 16 * columns),
        chroma.transpose(2, 0, 3, 1, 4).reshape(2, 8 * rows, 8 * columns),
    )


def expected_levels(
    levels: Levels, vectors: Vectors, tables: MotionTables, picture: Picture | None = None
) -> Levels:
    """The levels [C, h, w] that a frame is expected to have after one with `levels`.

    `vectors` [2, h, w] int16 are -127 to 127, down and across, in half luma samples: a cell looks
    like what is there in the frame before. `picture` is what is `drawn` of the levels, if that has
    been done already.
    """
    moved = np.argwhere(vectors.any(axis=0))
    if not len(moved):
        return levels
    there = vectors[:, moved[:, 0], moved[:, 1]].T.astype(np.intp)
    if picture is None:
        picture = drawn(levels, tables, _covered(moved, there, levels.shape[1:]))
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
    order = np.argsort((vectors % _PHASES) @ (_PHASES, 1), kind="stable")
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


def windows_of(picture: Picture, cells: Cells, vectors: Cells) -> Samples:
    """What cells [n, 2] (row, column) see at their vectors [n, 2]: [n, 1536], 32x32 samples of luma
    from 8 above and left of the cell on, and 16x16 of each chroma plane."""
    phases = (vectors % _PHASES) @ (_PHASES, 1)
    made = np.empty((len(cells), WINDOW_SAMPLES), np.float32)
    for phase in np.unique(phases):
        chosen = phases == phase
        made[chosen] = _windows(
            picture, cells[chosen], vectors[chosen], divmod(int(phase), _PHASES)
        )
    return made


def _windows(picture: Picture, cells: Cells, vectors: Cells, phase: tuple[int, int]) -> Samples:
    """What cells [n, 2] see at their vectors [n, 2], all of one phase: [n, 1536]."""
    # A half luma sample is a quarter of a chroma sample: two luma phases for four of chroma.
    luma_phase = 2 * (phase[0] % 2), 2 * (phase[1] % 2)
    seen = [picture.squares(0, 16 * cells - 8 + vectors // 2, 32, luma_phase)]
    seen += [picture.squares(n, 8 * cells - 4 + vectors // 4, 16, phase) for n in (1, 2)]
    return np.concatenate([each.reshape(len(cells), -1) for each in seen], axis=1)


def _interpolation(phase: int, side: int) -> Samples:
    """A matrix [side + 5, side] by which `side` samples are made, in 64ths."""
    made = np.zeros((side + TAPS_BEFORE + TAPS_AFTER, side), np.float32)
    for at in range(side):
        made[at : at + len(TAPS[phase]), at] = TAPS[phase]
    return made
