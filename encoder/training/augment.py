"""Symmetries of video, as they look on packed frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint8]
"""Frames [K, C, P, P] uint8 of one scene: 4 C / 6 channels are Y, C / 6 each U and V."""


@dataclass(frozen=True)
class Mirroring:
    """A scene with its rows, its columns, or both in reverse order."""

    rows: bool
    columns: bool

    @classmethod
    def drawn(cls, random: np.random.Generator) -> Mirroring:
        """Each with even odds."""
        rows, columns = random.random(2) < 0.5
        return cls(bool(rows), bool(columns))

    def of(self, frames: Packed) -> Packed:
        """Frames [K, C, P, P] so changed."""
        made = np.empty_like(frames)
        for plane in range(3):
            target, source = (_cells(_plane(each, plane)) for each in (made, frames))
            # Samples within a cell change their places as the cells do.
            if self.rows:
                source = source[:, ::-1, :, ::-1]
            if self.columns:
                source = source[:, :, ::-1, :, ::-1]
            target[:] = source
        return made


def _plane(frames: Packed, plane: int) -> Packed:
    """The channels of Y, U or V, as a view."""
    sixth = frames.shape[1] // 6
    start, end = ((0, 4), (4, 5), (5, 6))[plane]
    return frames[:, start * sixth : end * sixth]


def _cells(plane: Packed) -> Packed:
    """[K, rows of a cell, columns of a cell, P, P], as a view."""
    count, channels, *size = plane.shape
    side = round(channels**0.5)
    return plane.reshape(count, side, side, *size)
