"""A frame that others are predicted from, drawn cell by cell as they look at it."""

from __future__ import annotations

import numpy as np

from .frame_levels import Levels
from .motion_tables import CELL_SAMPLES, CELLS_SEEN, LARGEST_SAMPLE, MotionTables
from .picture import Cells, Picture

# Cells at once: what they need stays in a processor's cache.
_BLOCK = 256


class Drawing:
    """The picture of levels [C, h, w], of which up to now nothing is drawn.

    Several frames are predicted from the same one, each from other parts of it: what is drawn for
    one of them stays for the next. It takes 3 bytes for each sample of luma.
    """

    def __init__(self, levels: Levels, tables: MotionTables) -> None:
        _, rows, columns = levels.shape
        self._levels, self._tables = levels, tables
        self._is_drawn = np.zeros((rows, columns), bool)
        self._luma = np.zeros((rows, 16, columns, 16), np.int16)
        self._chroma = np.zeros((2, rows, 8, columns, 8), np.int16)

    def showing(self, cells: Cells) -> Picture:
        """A picture in which `cells` [n, 2] (row, column) are drawn; others may be left grey."""
        missing = cells[~self._is_drawn[cells[:, 0], cells[:, 1]]]
        if len(missing):
            self._draw(missing)
            self._is_drawn[missing[:, 0], missing[:, 1]] = True
        rows, columns = self._is_drawn.shape
        return Picture(
            self._luma.reshape(16 * rows, 16 * columns).astype(np.float32),
            self._chroma.reshape(2, 8 * rows, 8 * columns).astype(np.float32),
        )

    def _draw(self, cells: Cells) -> None:
        # Channels without levels add nothing, and at low rates most have none.
        busy = np.flatnonzero(self._levels.any(axis=(1, 2)))
        draw = self._tables.draw.reshape(CELLS_SEEN, -1, CELL_SAMPLES)
        weights = draw[:, busy].reshape(-1, CELL_SAMPLES)
        # Cells beyond the sides are as those at them.
        around = np.pad(self._levels[busy], ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = np.ascontiguousarray(around.transpose(1, 2, 0), np.float32)
        places = np.argwhere(np.ones((3, 3), bool))
        for start in range(0, len(cells), _BLOCK):
            part = cells[start : start + _BLOCK]
            there = part[:, None] + places
            seen = around[there[..., 0], there[..., 1]].reshape(len(part), -1)
            made = np.floor(seen @ weights + self._tables.draw_bias)
            made = made.clip(-LARGEST_SAMPLE - 1, LARGEST_SAMPLE)
            row, column = part.T
            self._luma[row, :, column] = made[:, :256].reshape(-1, 16, 16)
            for plane, samples in zip(self._chroma, (made[:, 256:320], made[:, 320:]), strict=True):
                plane[row, :, column] = samples.reshape(-1, 8, 8)


def drawn(levels: Levels, tables: MotionTables) -> Picture:
    """The whole picture of levels [C, h, w]."""
    every = np.argwhere(np.ones(levels.shape[1:], bool))
    return Drawing(levels, tables).showing(every)
