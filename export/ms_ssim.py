"""MS-SSIM of packed frames' luma."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_msssim import ms_ssim

from ..runtime.frames import PictureFormat
from ..runtime.packing import unpack

# Five scales with a window of 11: halved four times, a side must still be longer than the window.
_LEAST_SIDE = 161


def luma_ms_ssim(frame: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float | None:
    """MS-SSIM, 0 to 1, of the luma of two packed frames [1, C, h, w] (C = 24 or 96).

    Wang, Simoncelli and Bovik 2003, with its five weights; None for pictures with a side of less
    than 161 luma samples, which five scales do not fit.
    """
    one, other = (_luma(packed) for packed in (frame, reference))
    if min(one.shape) < _LEAST_SIDE:
        return None
    tensors = (torch.from_numpy(plane.astype(np.float32))[None, None] for plane in (one, other))
    with torch.inference_mode():
        return float(ms_ssim(*tensors, data_range=255))


def _luma(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    block = round((packed.shape[1] * 2 / 3) ** 0.5)
    rows, columns = packed.shape[2:]
    return unpack(packed, PictureFormat(columns * block, rows * block))[0].astype(np.uint8)
