"""Pictures that frames in latents are predicted from, and what cells see in them at their vectors.

What lies between samples is interpolated in whole numbers, so every device sees the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .motion_tables import WINDOW_SAMPLES

Samples = NDArray[np.float32]
Cells = NDArray[np.intp]

# Parts of a sample's distance that vectors may fall between samples: quarters in chroma.
PHASES = 4
# Taps at 0 to 3 quarters, times 64, from two samples before to three after.
TAPS = (
    (0, 0, 64, 0, 0, 0),
    (1, -5, 52, 20, -5, 1),
    (2, -10, 40, 40, -10, 2),
    (1, -5, 20, 52, -5, 1),
)
TAPS_BEFORE, TAPS_AFTER = 2, 3
TAPS_ONE = 64 * 64
# Vectors of 127 half samples and windows 8 samples around cells, with what is interpolated.
BORDER = 80


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

    def showing(self, cells: Cells) -> Picture:
        """See `motion.Shows`."""
        return self

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


def windows_of(picture: Picture, cells: Cells, vectors: Cells) -> Samples:
    """What cells [n, 2] (row, column) see at their vectors [n, 2]: [n, 1536], 32x32 samples of luma
    from 8 above and left of the cell on, and 16x16 of each chroma plane."""
    phases = (vectors % PHASES) @ (PHASES, 1)
    made = np.empty((len(cells), WINDOW_SAMPLES), np.float32)
    for phase in np.unique(phases):
        chosen = phases == phase
        made[chosen] = _windows(picture, cells[chosen], vectors[chosen], divmod(int(phase), PHASES))
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
