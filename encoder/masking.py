"""Where errors show: how much each cell of a picture counts for its MS-SSIM.

To small errors e, a window of SSIM loses about e^2 / (2 v + c), v being the variance of the
luma in it (Wang and Bovik 2004): what is busy hides what flat surroundings show. MS-SSIM adds that
up over five scales.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_CELL = 16
# As MS-SSIM has it: of the scales, the finest first.
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = (11, 11), 1.5
_C2 = (0.03 * 255) ** 2
# To its own power a cell's weight gains no more MS-SSIM, and costs far more squared error.
_POWER = 0.5
_MOST = 4.0


def error_weights(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a squared error counts in each 16x16 cell [h, w] of a plane [16 h, 16 w].

    Their geometric mean is 1, but for limits of 1/4 and 4.
    """
    rows, columns = (side // _CELL for side in luma.shape)
    counts = np.zeros((rows, columns), np.float32)
    plane = luma.astype(np.float32)
    for scale, share in enumerate(_SCALES):
        if scale:
            size = (max(1, plane.shape[1] // 2), max(1, plane.shape[0] // 2))
            plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        mean = cv2.GaussianBlur(plane, _WINDOW, _SIGMA)
        variance = cv2.GaussianBlur(plane * plane, _WINDOW, _SIGMA) - mean * mean
        shown = share / (2 * variance.clip(min=0) + _C2)
        counts += cv2.resize(shown, (columns, rows), interpolation=cv2.INTER_AREA)
    weights = (counts / np.exp(np.log(counts).mean())) ** _POWER
    limited: NDArray[np.float32] = weights.clip(1 / _MOST, _MOST).astype(np.float32)
    return limited
