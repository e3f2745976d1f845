"""MS-SSIM of a sequence's luma (Wang, Simoncelli and Bovik 2003)."""

from __future__ import annotations

import math
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime.frames import Plane

Picture = NDArray[np.float64]

# Of the scales, the finest first.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
# The coarsest scale has a sixteenth of a side, which must still be longer than the window less one.
_SHRINKING = 1 << (len(_WEIGHTS) - 1)
# The smallest window that is more than one sample, and the side that it takes.
_LEAST_WINDOW = 3
_LEAST_SIDE = (_LEAST_WINDOW - 1) * _SHRINKING + 1


class LumaMsSsim:
    """Fed one pair of luma planes at a time; `mean` is that over frames, 0 to 1.

    Five scales, with a Gaussian window of 11 samples and a deviation of 1.5. They do not fit a
    picture with a side below 161: there the window is the largest odd one that fits, and a side
    below 33 is first extended to 33 by repeating its edge, as an odd side is when it is halved.
    """

    def __init__(self, bit_depth: int = 8) -> None:
        self._peak = (1 << bit_depth) - 1
        self._scores: list[float] = []

    def add(self, source: Plane, decoded: Plane) -> float:
        """Count one frame and return its value. Raises ValueError for planes that differ in
        shape or type."""
        if source.shape != decoded.shape or source.dtype != decoded.dtype:
            raise ValueError(
                f"{source.dtype} {list(source.shape)} cannot be compared with"
                f" {decoded.dtype} {list(decoded.shape)}"
            )
        score = _ms_ssim(_picture(source), _picture(decoded), self._peak)
        self._scores.append(score)
        return score

    @property
    def mean(self) -> float:
        """Mean over the frames. Raises ValueError before the first."""
        if not self._scores:
            raise ValueError("no frame was compared yet: add frames before asking for their mean")
        return fmean(self._scores)


def window_size(side: int) -> int:
    """The largest odd window up to 11 with which five scales fit a picture whose shorter side has
    so many samples, 33 or more."""
    most = (side - 1) // _SHRINKING + 1
    return min(_WINDOW, most - 1 + most % 2)


def _picture(plane: Plane) -> Picture:
    missing = [(0, max(0, _LEAST_SIDE - side)) for side in plane.shape]
    whole = np.pad(plane, missing, mode="edge") if any(more for _, more in missing) else plane
    return whole.astype(np.float64)


def _ms_ssim(source: Picture, decoded: Picture, peak: int) -> float:
    size = window_size(min(source.shape))
    scores = []
    for scale in range(len(_WEIGHTS)):
        if scale:
            source, decoded = _halved(source), _halved(decoded)
        luminance_too = scale == len(_WEIGHTS) - 1
        scores.append(_similarity(source, decoded, peak, size, luminance_too=luminance_too))
    # A scale that is less than unlike, which a power cannot take, is unlike.
    return math.prod(math.pow(max(0.0, s), w) for s, w in zip(scores, _WEIGHTS, strict=True))


def _similarity(a: Picture, b: Picture, peak: int, size: int, *, luminance_too: bool) -> float:
    """SSIM's contrast and structure, with its luminance or without."""
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    mean_a, mean_b = _blurred(a, size), _blurred(b, size)
    squares = _blurred(a * a, size) + _blurred(b * b, size) - mean_a * mean_a - mean_b * mean_b
    covariance = _blurred(a * b, size) - mean_a * mean_b
    similarity = (2 * covariance + c2) / (squares + c2)
    if luminance_too:
        similarity *= (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    return float(np.mean(similarity))


def _blurred(picture: Picture, size: int) -> Picture:
    """Weighted means over the windows that lie wholly within the picture."""
    kernel = cv2.getGaussianKernel(size, _SIGMA, cv2.CV_64F)
    margin = size // 2
    rows, columns = picture.shape
    whole = np.asarray(cv2.sepFilter2D(picture, -1, kernel, kernel), np.float64)
    return whole[margin : rows - margin, margin : columns - margin]


def _halved(picture: Picture) -> Picture:
    """The means of 2x2 samples."""
    rows, columns = (-(-side // 2) for side in picture.shape)
    odd = [(0, side % 2) for side in picture.shape]
    even = np.pad(picture, odd, mode="edge")
    # Shrinking by area means exactly the mean over each block.
    return np.asarray(cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA), np.float64)
