"""Pictures at half their width and height, for a base that the player brings back to full size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime.frames import PictureFormat, Plane, Planes
from ..runtime.upsample import half_size

__all__ = ["downscale", "half_size"]

_LOBES = 3


def downscale(planes: Planes, format: PictureFormat) -> Planes:
    """A frame of `format` as one of `half_size(format)`, in the same sample type.

    The filter is a Lanczos window of 3 lobes, 12 taps. Sample i of the result lies midway between
    samples 2i and 2i + 1 of the source, in every plane, as `runtime.upsample` takes it; edges are
    repeated.
    """
    top = (1 << format.bit_depth) - 1
    y, u, v = planes
    return _halved(y, top), _halved(u, top), _halved(v, top)


def _halved(samples: Plane, top: int) -> Plane:
    weights = _lanczos_weights()
    # The weight at the anchor is that of sample 2i: the last one of the first half.
    filtered = cv2.sepFilter2D(
        samples,
        cv2.CV_32F,
        weights,
        weights,
        anchor=(2 * _LOBES - 1, 2 * _LOBES - 1),
        borderType=cv2.BORDER_REPLICATE,
    )
    halved = filtered[::2, ::2].round().clip(0, top)
    return halved.astype(np.uint8) if samples.dtype == np.uint8 else halved.astype(np.uint16)


def _lanczos_weights() -> NDArray[np.float32]:
    """What samples 2i - 5 to 2i + 6 contribute to sample i; they add up to 1."""
    distances = (np.arange(-2 * _LOBES, 2 * _LOBES) + 0.5) / 2
    weights = np.sinc(distances) * np.sinc(distances / _LOBES)
    normalised: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return normalised
