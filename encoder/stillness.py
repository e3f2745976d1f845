"""Whether hardly anything moves in a scene: a screen on which somebody types, slides, a still.

What changes there is new, and not found anywhere in the frame before. Motion is of no use for it,
and to continue frames by the symbols that were there costs a third less.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..runtime.frames import Planes
from .scene import Scene

_BLOCK = 16
_STILL = 0.9


def stands_still(scene: Scene) -> bool:
    """Whether nine of ten 16x16 blocks of luma are exactly as in the frame before, in the mean of
    the frames that differ from it at all. Noise of a camera is enough that they are not."""
    shares = [_unchanged(before, after) for before, after in pairwise(scene.frames)]
    moving = [share for share in shares if share < 1]
    return not moving or float(np.mean(moving)) > _STILL


def _unchanged(before: Planes, after: Planes) -> float:
    """The share of blocks that are the same, those at the sides that are not whole left out."""
    rows, columns = (side // _BLOCK * _BLOCK for side in after[0].shape)
    differs = before[0][:rows, :columns] != after[0][:rows, :columns]
    if not differs.size:
        return 1.0
    blocks = differs.reshape(rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK)
    return 1.0 - float(blocks.any(axis=(1, 3)).mean())
