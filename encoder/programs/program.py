"""What a scene is fitted to: holds, fades, pans and zooms of pictures that are yet to be coded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...runtime.frames import Plane, Planes
from ...runtime.procedural import Segment

Real = NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """A still before it is coded: Y [height, width], U and V half of that, rounded up.

    Samples are real numbers in the video's own scale of levels, perhaps beyond its range.
    """

    planes: tuple[Real, Real, Real] = field(repr=False)

    @property
    def width(self) -> int:
        """Luma samples."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Luma samples."""
        return int(self.planes[0].shape[0])

    def rounded(self, bit_depth: int, to_depth: int) -> Planes:
        """As samples of `to_depth` bits, of a video of `bit_depth`."""
        top = (1 << to_depth) - 1

        def whole(plane: Real) -> Plane:
            levels: Real = np.rint(plane * float(1 << to_depth - bit_depth)).clip(0, top)
            return levels.astype(np.uint8) if to_depth == 8 else levels.astype(np.uint16)

        y, u, v = self.planes
        return whole(y), whole(u), whole(v)


@dataclass(frozen=True)
class Program:
    """Pictures, and segments that make the scene's frames of them by their numbers."""

    pictures: tuple[Picture, ...]
    segments: tuple[Segment, ...]
