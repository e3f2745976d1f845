"""Decoded frames as PNG pictures for a report."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime.frames import ColorInfo, Frame, PictureFormat, Planes
from .report_data import FrameComparison, Picture

CROP_WIDTH, CROP_HEIGHT = 368, 232
WHOLE_WIDTH = 736


def compare_frame(
    versions: Mapping[str, Planes],
    picture: PictureFormat,
    color: ColorInfo,
    frame: int,
    seconds: float,
) -> FrameComparison:
    """One frame of several systems side by side; the first of `versions` is the source.

    Whole frames are shrunk to at most `WHOLE_WIDTH`. The crop is taken at the source's busiest
    spot, so nobody chooses what flatters, and is not scaled.
    """
    first = next(iter(versions.values()))
    x, y = busiest_crop(first[0])
    whole, crops = [], []
    for label, planes in versions.items():
        rgb = Frame(planes, picture, 0, Fraction(1, 25), color).to_rgb()
        whole.append(_encode(label, _shrink(rgb)))
        crops.append(_encode(label, rgb[y : y + CROP_HEIGHT, x : x + CROP_WIDTH]))
    return FrameComparison(frame, seconds, x, y, tuple(whole), tuple(crops))


def busiest_crop(luma: NDArray[np.generic]) -> tuple[int, int]:
    """(x, y), both even, of the crop in which luma changes most from sample to sample.

    Pictures smaller than the crop give 0 on that axis.
    """
    height, width = luma.shape
    rows, columns = min(CROP_HEIGHT, height), min(CROP_WIDTH, width)
    samples = luma.astype(np.float32)
    change = np.zeros_like(samples)
    change[:, 1:] += np.abs(np.diff(samples, axis=1))
    change[1:] += np.abs(np.diff(samples, axis=0))
    total = cv2.integral(change).reshape(height + 1, width + 1)
    inside = total[rows:, columns:] - total[:-rows, columns:]
    inside = inside - total[rows:, :-columns] + total[:-rows, :-columns]
    y, x = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return int(x) // 2 * 2, int(y) // 2 * 2


def _shrink(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, _ = rgb.shape
    if width <= WHOLE_WIDTH:
        return rgb
    size = (WHOLE_WIDTH, max(1, round(height * WHOLE_WIDTH / width)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encode(label: str, rgb: NDArray[np.uint8]) -> Picture:
    written, png = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))
    if not written:
        raise ValueError(f"{label}: OpenCV could not write a PNG of {list(rgb.shape)}")
    return Picture(label, png.tobytes(), rgb.shape[1], rgb.shape[0])
