"""Frames by the means of their blocks: what is left of them without noise and fine detail."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...runtime.frames import PictureFormat, Planes

BLOCK = 8
Means = NDArray[np.float32]


def block_means(planes: Planes, picture: PictureFormat) -> Means:
    """Means of 8x8 luma samples, and of the 4x4 of each chroma plane there: [3, blocks].

    They are in levels of 8 bits whatever the video's depth is.
    """
    size = (-(-picture.width // BLOCK), -(-picture.height // BLOCK))
    scale = np.float32(1 / (1 << picture.bit_depth - 8))
    means = [
        cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() * scale
        for plane in planes
    ]
    return np.stack(means)
