"""The picture over which a scene's window moves, put together from all its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...runtime.frames import PictureFormat, Plane, Planes
from ...runtime.pan_zoom import FineWindow, WideStill, show
from ...runtime.procedural import SCALE_UNIT
from .program import Picture, Real

_FRAMES = 24
_ROUNDS = 4
# Coarse frames say little about fine detail: their share falls with this power of their scale.
_SHARPNESS = 6
_WORKING_BITS = 12


@dataclass(frozen=True)
class Exposure:
    """How one frame shows the canvas: left and upper edge and scale in luma samples of it.

    Of the frame, `gain` (above 0 to 1) is the canvas, and the rest is a colour.
    """

    planes: Planes
    x: float
    y: float
    scale: float
    gain: float


def develop(
    exposures: Sequence[Exposure],
    colour: Sequence[float],
    size: tuple[int, int],
    picture: PictureFormat,
) -> Picture:
    """The canvas of `size` (width, height) that the exposures show, mixed with a colour [3].

    First the mean of the frames laid over each other, then corrected by what the frames that a
    player makes of it still lack (Irani and Peleg, "Improving resolution by image registration",
    1991). What no frame shows repeats what lies beside it.
    """
    chosen = np.unique(np.linspace(0, len(exposures) - 1, _FRAMES).round().astype(int))
    few = [exposures[number] for number in chosen]
    finest = max(each.scale for each in few) if few else 1.0
    total = [_zeros(size, plane) for plane in range(3)]
    weight = [_zeros(size, plane) for plane in range(3)]
    for each in few:
        share = each.gain**2 * (finest / each.scale) ** -_SHARPNESS
        for plane, samples in enumerate(each.planes):
            own = samples - np.float32((1 - each.gain) * colour[plane])
            laid, covered = _laid(own, each, size, plane, cv2.INTER_CUBIC)
            total[plane] += laid * np.float32(share / each.gain)
            weight[plane] += covered * np.float32(share)
    planes = [_filled(values, shares) for values, shares in zip(total, weight, strict=True)]
    for _ in range(_ROUNDS):
        _correct(planes, few, colour, size, picture)
    return Picture((planes[0], planes[1], planes[2]))


def _zeros(size: tuple[int, int], plane: int) -> Real:
    width, height = size if plane == 0 else (-(-side // 2) for side in size)
    return np.zeros((height, width), np.float32)


def _laid(
    samples: Plane | Real, exposure: Exposure, size: tuple[int, int], plane: int, method: int
) -> tuple[Real, Real]:
    """A frame's plane on the canvas, and 1 where it covers it."""
    halved = 1 if plane == 0 else 2
    width, height = (-(-side // halved) for side in size)
    scale = exposure.scale
    x, y = exposure.x / halved, exposure.y / halved
    matrix = np.array(
        [[1 / scale, 0, (0.5 - x) / scale - 0.5], [0, 1 / scale, (0.5 - y) / scale - 0.5]]
    )
    flags = method | cv2.WARP_INVERSE_MAP
    source = samples.astype(np.float32, copy=False)
    laid = cv2.warpAffine(
        source, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    covered = np.outer(
        _covered(height, y, scale, source.shape[0]), _covered(width, x, scale, source.shape[1])
    )
    return laid * covered, covered


def _covered(count: int, edge: float, scale: float, size: int) -> Real:
    """1 for the canvas's samples along one side that a frame of `size` samples shows, else 0."""
    at = (np.arange(count) + 0.5 - edge) / scale
    # Half a sample more, so that the edges of what all frames show are known.
    return ((at > -0.5) & (at < size + 0.5)).astype(np.float32)


def _filled(values: Real, shares: Real) -> Real:
    """values / shares; where nothing is known, what is next to it."""
    known = shares > 1e-4
    filled = values / np.where(known, shares, 1)
    if known.all() or not known.any():
        return filled.astype(np.float32)
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.float32)
    nearest[labels[known]] = filled[known]
    return np.where(known, filled, nearest[labels]).astype(np.float32)


def _correct(
    planes: list[Real],
    exposures: Sequence[Exposure],
    colour: Sequence[float],
    size: tuple[int, int],
    picture: PictureFormat,
) -> None:
    """One round: the canvas moves towards what its frames lack."""
    extra = _WORKING_BITS - picture.bit_depth
    top = (1 << _WORKING_BITS) - 1

    def whole(plane: Real) -> NDArray[np.int32]:
        levels: NDArray[np.int32] = np.rint(plane * float(1 << extra)).clip(0, top).astype(np.int32)
        return levels

    still = WideStill((whole(planes[0]), whole(planes[1]), whole(planes[2])))
    working = PictureFormat(picture.width, picture.height, _WORKING_BITS)
    total = [np.zeros_like(plane) for plane in planes]
    weight = [np.zeros_like(plane) for plane in planes]
    for each in exposures:
        shown = show(still, fine_window(each), working)
        for number, (source, made) in enumerate(zip(each.planes, shown, strict=True)):
            expected = made * np.float32(each.gain / (1 << extra))
            lacking = source - expected - np.float32((1 - each.gain) * colour[number])
            laid, covered = _laid(lacking, each, size, number, cv2.INTER_LINEAR)
            total[number] += laid * np.float32(each.gain)
            weight[number] += covered * np.float32(each.gain**2)
    for canvas, values, shares in zip(planes, total, weight, strict=True):
        canvas += values / np.maximum(shares, np.float32(1e-4))


def fine_window(exposure: Exposure) -> FineWindow:
    """What the exposure shows, as the player has it."""
    unit = float(SCALE_UNIT)
    return FineWindow(
        round(exposure.x * unit), round(exposure.y * unit), round(exposure.scale * unit)
    )
