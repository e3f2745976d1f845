"""A picture whose planes are interpolated whole, for a search that looks at most places of it.

A player sees each cell at one place and interpolates that. The encoder tries dozens of vectors a
cell: to interpolate a plane once for all of them takes a fraction of the time, and gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..runtime.drawing import drawn
from ..runtime.frame_levels import Levels
from ..runtime.motion_tables import MotionTables
from ..runtime.picture import BORDER, TAPS, TAPS_BEFORE, TAPS_ONE, Cells, Picture, Samples


@dataclass(frozen=True, eq=False)
class WholePicture(Picture):
    """As `Picture`. What is interpolated is kept in 16 bits: 71 MB of a frame of 1080p."""

    _planes: dict[tuple[int, tuple[int, int]], NDArray[np.int16]] = field(
        default_factory=dict, repr=False
    )

    def squares(self, plane: int, places: Cells, side: int, phase: tuple[int, int]) -> Samples:
        """See `Picture.squares`."""
        if (plane, phase) not in self._planes:
            self._planes[plane, phase] = _interpolated(self.bordered[plane], phase)
        rows, columns = (places + BORDER).T
        kept = sliding_window_view(self._planes[plane, phase], (side, side))[rows, columns]
        seen: Samples = kept.astype(np.float32)
        return seen


def whole_picture(levels: Levels, tables: MotionTables) -> WholePicture:
    """What is `drawn` of levels [C, h, w]."""
    picture = drawn(levels, tables)
    return WholePicture(picture.luma, picture.chroma)


def _interpolated(plane: Samples, phase: tuple[int, int]) -> NDArray[np.int16]:
    """A bordered plane, of which nothing is right in the last samples at its sides."""
    if phase == (0, 0):
        return plane.astype(np.int16)
    # All sums are whole numbers below 2^24: exact, whatever their order.
    down, across = (np.array(TAPS[each], np.float32) for each in phase)
    made = cv2.sepFilter2D(plane, -1, across, down, anchor=(TAPS_BEFORE, TAPS_BEFORE))
    return np.floor(made / TAPS_ONE + np.float32(0.5)).astype(np.int16)
