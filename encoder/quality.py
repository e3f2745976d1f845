"""How near a decoded 4:2:0 picture is to its source: PSNR and SSIM on the samples themselves.

Nothing is converted to RGB and no chroma is resampled. PSNR is weighted (6 Y + U + V) / 8 per
frame, as codec comparisons on 4:2:0 video do; SSIM is that of ffmpeg's `ssim` filter, integer
constants included, so either can be checked against ffmpeg.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime.frames import Plane, Planes

IDENTICAL_PSNR_DB = 100.0
"""What identical planes score, and the most that any plane does: their true PSNR has no bound."""

PSNR_WEIGHTS = (6.0, 1.0, 1.0)
PLANE_NAMES = ("Y", "U", "V")


@dataclass(frozen=True)
class PlanePsnr:
    """PSNR in dB of each plane, 0 to `IDENTICAL_PSNR_DB`, and their weighted mean."""

    y: float
    u: float
    v: float

    @property
    def weighted(self) -> float:
        """(6 Y + U + V) / 8 in dB."""
        values = (self.y, self.u, self.v)
        weighted = sum(weight * value for weight, value in zip(PSNR_WEIGHTS, values, strict=True))
        return weighted / sum(PSNR_WEIGHTS)


@dataclass(frozen=True)
class PlaneSsim:
    """SSIM of each plane, -1 to 1, and `all`: their mean weighted by the planes' sample counts."""

    y: float
    u: float
    v: float
    all: float


def mse_planes(a: Planes, b: Planes) -> tuple[float, float, float]:
    """Mean squared error of Y, U and V, in squared sample steps.

    `a` and `b` are Y [H, W], U and V [ceil(H/2), ceil(W/2)], both uint8 or both uint16.
    Raises ValueError where a pair of planes differs in shape or type.
    """
    y, u, v = (_plane_mse(*pair) for pair in _paired(a, b))
    return y, u, v


def psnr_of_mse(mse: float, bit_depth: int) -> float:
    """PSNR in dB of a mean squared error, with 2**bit_depth - 1 as the peak, capped at
    `IDENTICAL_PSNR_DB`."""
    peak = (1 << bit_depth) - 1
    if mse <= 0:
        return IDENTICAL_PSNR_DB
    return min(IDENTICAL_PSNR_DB, 10.0 * math.log10(peak * peak / mse))


def psnr(a: Planes, b: Planes, bit_depth: int = 8) -> PlanePsnr:
    """PSNR of each plane of one frame; arguments and errors as for `mse_planes`."""
    y, u, v = (psnr_of_mse(mse, bit_depth) for mse in mse_planes(a, b))
    return PlanePsnr(y, u, v)


def ssim(a: Planes, b: Planes, bit_depth: int = 8) -> PlaneSsim:
    """SSIM of one frame, equal to ffmpeg's `ssim` filter; arguments and errors as for `mse_planes`.

    The windows are 8x8 on a grid of 4 samples; what is left of a plane beyond the last multiple
    of 4 does not count. ffmpeg gives no value for a plane with a side below 8 samples: such a
    plane is first extended to 8 by repeating its edge.
    """
    pairs = _paired(a, b)
    y, u, v = (_plane_ssim(*pair, bit_depth) for pair in pairs)
    samples = [first.size for first, _ in pairs]
    weighted = sum(size * value for size, value in zip(samples, (y, u, v), strict=True))
    return PlaneSsim(y, u, v, weighted / sum(samples))


class SequenceQuality:
    """PSNR and SSIM over a sequence, fed one pair of frames at a time.

    `psnr` is the mean of the frames' PSNR, the figure of record. `pooled_psnr` is the PSNR of the
    mean squared error over all frames, which is lower where quality varies between frames.
    """

    def __init__(self, bit_depth: int = 8) -> None:
        self._bit_depth = bit_depth
        self._mse: list[tuple[float, float, float]] = []
        self._ssim: list[PlaneSsim] = []

    def add(self, source: Planes, decoded: Planes) -> PlanePsnr:
        """Count one frame and return its PSNR; arguments and errors as for `mse_planes`."""
        mse = mse_planes(source, decoded)
        self._ssim.append(ssim(source, decoded, self._bit_depth))
        self._mse.append(mse)
        return self._psnr_of(mse)

    @property
    def frames(self) -> int:
        """How many frames were counted."""
        return len(self._mse)

    @property
    def frame_psnr(self) -> tuple[PlanePsnr, ...]:
        """PSNR of every frame, in the order they were added."""
        return tuple(self._psnr_of(mse) for mse in self._mse)

    @property
    def psnr(self) -> PlanePsnr:
        """Mean over frames of each plane's PSNR. Raises ValueError before the first frame."""
        self._require_frames()
        frames = self.frame_psnr
        return PlanePsnr(
            _mean(frame.y for frame in frames),
            _mean(frame.u for frame in frames),
            _mean(frame.v for frame in frames),
        )

    @property
    def pooled_psnr(self) -> PlanePsnr:
        """PSNR of each plane's mean squared error. Raises ValueError before the first frame."""
        self._require_frames()
        y, u, v = (_mean(values) for values in zip(*self._mse, strict=True))
        return self._psnr_of((y, u, v))

    @property
    def ssim(self) -> PlaneSsim:
        """Mean over frames of each SSIM. Raises ValueError before the first frame."""
        self._require_frames()
        return PlaneSsim(
            _mean(frame.y for frame in self._ssim),
            _mean(frame.u for frame in self._ssim),
            _mean(frame.v for frame in self._ssim),
            _mean(frame.all for frame in self._ssim),
        )

    def _psnr_of(self, mse: tuple[float, float, float]) -> PlanePsnr:
        y, u, v = (psnr_of_mse(value, self._bit_depth) for value in mse)
        return PlanePsnr(y, u, v)

    def _require_frames(self) -> None:
        if not self._mse:
            raise ValueError("no frame was compared yet: add frames before asking for their mean")


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _paired(a: Planes, b: Planes) -> list[tuple[Plane, Plane]]:
    """The planes of both pictures side by side, once they are known to match."""
    pairs = list(zip(a, b, strict=True))
    for name, (first, second) in zip(PLANE_NAMES, pairs, strict=True):
        if first.shape != second.shape or first.dtype != second.dtype:
            raise ValueError(
                f"plane {name}: {first.dtype} {list(first.shape)} cannot be compared with "
                f"{second.dtype} {list(second.shape)}; give two pictures of one size and bit depth"
            )
    return pairs


def _plane_mse(a: Plane, b: Plane) -> float:
    # OpenCV squares a root here: rounding brings the whole number back.
    return round(cv2.norm(a, b, cv2.NORM_L2SQR)) / a.size


def _plane_ssim(a: Plane, b: Plane, bit_depth: int) -> float:
    a, b = _at_least_one_window(a), _at_least_one_window(b)
    first, second = _as_real(a, bit_depth), _as_real(b, bit_depth)
    sum_a = _window_sums(first)
    sum_b = _window_sums(second)
    sum_ab = _window_sums(first * second)
    squares = _window_sums(first * first) + _window_sums(second * second)

    # The names and constants of ssim_end1 in ffmpeg's libavfilter/vf_ssim.c.
    peak = (1 << bit_depth) - 1
    c1 = math.floor(0.01 * 0.01 * peak * peak * 64 + 0.5)
    c2 = math.floor(0.03 * 0.03 * peak * peak * 64 * 63 + 0.5)
    products = sum_a * sum_b
    energy = sum_a * sum_a + sum_b * sum_b
    variances = squares * 64 - energy
    covariance = sum_ab * 64 - products
    similarity = (2 * products + c1) * (2 * covariance + c2)
    return float(np.mean(similarity / ((energy + c1) * (variances + c2))))


def _at_least_one_window(plane: Plane) -> Plane:
    """The plane cut to multiples of 4, or extended to 8 along a side that is shorter."""
    rows, columns = plane.shape
    if rows < 8 or columns < 8:
        row_of = np.minimum(np.arange(max(8, rows)), rows - 1)
        column_of = np.minimum(np.arange(max(8, columns)), columns - 1)
        plane = plane[np.ix_(row_of, column_of)]
        rows, columns = plane.shape
    return plane[: rows - rows % 4, : columns - columns % 4]


def _as_real(plane: Plane, bit_depth: int) -> NDArray[np.floating]:
    """The samples in the smallest type that sums 16 of their squares exactly."""
    if bit_depth <= 8:
        return plane.astype(np.float32)
    return plane.astype(np.float64)


def _window_sums(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sums over the 8x8 windows on a grid of 4: [rows, columns] -> [rows/4 - 1, columns/4 - 1]."""
    rows, columns = samples.shape
    # Shrinking by area means exactly the mean over each 4x4 block; 1/16 loses no bits.
    means = cv2.resize(samples, (columns // 4, rows // 4), interpolation=cv2.INTER_AREA)
    blocks = means.reshape(rows // 4, columns // 4).astype(np.float64) * 16
    row_pairs = blocks[:-1] + blocks[1:]
    sums: NDArray[np.float64] = row_pairs[:, :-1] + row_pairs[:, 1:]
    return sums
