"""A picture whose planes are interpolated whole, for a search that looks at most places of it.

A player sees each cell at one place and interpolates that. The encoder tries dozens of vectors a
cell: to interpolate a plane once for all of them takes a fraction of the time, and gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..runtime.frame_levels import Levels
from ..runtime.motion import BORDER, TAPS, TAPS_BEFORE, TAPS_ONE, Cells, Picture, Samples, drawn
from ..runtime.motion_tables import MotionTables


@dataclass(frozen=True, eq=False)
class WholePicture(Picture):
    """As `Picture`."""

    _planes: dict[tuple[int, tuple[int, int]], Samples] = field(default_factory=dict, repr=False)

    def squares(self, plane: int, places: Cells, side: int, phase: tuple[int, int]) -> Samples:
        """See `Picture.squares`."""
        if (plane, phase) not in self._planes:
            self._planes[plane, phase] = _interpolated(self.bordered[plane], phase)
        rows, columns = (places + BORDER).T
        seen: Samples = sliding_window_view(self._planes[plane, phase], (side, side))[rows, columns]
        return seen


def whole_picture(levels: Levels, tables: MotionTables) -> WholePicture:
    """What is `drawn` of levels [C, h, w]."""
    picture = drawn(levels, tables)
    return WholePicture(picture.luma, picture.chroma)


def _interpolated(plane: Samples, phase: tuple[int, int]) -> Samples:
    """A bordered plane, of which nothing is right in the last samples at its sides."""
    if phase == (0, 0):
        return plane
    # All sums are whole numbers below 2^24: exact, whatever their order.
    down, across = (np.array(TAPS[each], np.float32) for each in phase)
    made = cv2.sepFilter2D(plane, -1, across, down, anchor=(TAPS_BEFORE, TAPS_BEFORE))
    whole: Samples = np.floor(made / TAPS_ONE + np.float32(0.5))
    return whole
