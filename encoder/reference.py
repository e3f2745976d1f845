"""A frame that others are predicted from, as the encoder has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..runtime.motion_tables import MotionTables
from ..runtime.moved_frames import Shown
from .whole_picture import WholePicture, whole_picture


@dataclass(frozen=True, eq=False)
class Reference:
    """What a player has of a frame, and what `tables` draw of it."""

    shown: Shown
    tables: MotionTables

    @cached_property
    def picture(self) -> WholePicture:
        """What is drawn of its levels."""
        return whole_picture(self.shown.levels, self.tables)

    @property
    def luma(self) -> NDArray[np.float32]:
        """Its luma [16 h, 16 w] in grey levels."""
        made: NDArray[np.float32] = (self.picture.luma / 2 + 128).astype(np.float32)
        return made
