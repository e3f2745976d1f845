"""Scenes in which one still picture is panned, zoomed, and perhaps faded from or to a colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...runtime.frames import PictureFormat, Planes
from .program import Real

# Motion is estimated on pictures of at most this width, and first on much smaller ones.
_WORKING_WIDTH = 480
_SMALLEST_SIDE = 24
_BLUR_SAMPLES = 0.8
_ROUNDS = 6
_SETTLED_SAMPLES = 0.005
_LEAST_OVERLAP = 0.5
_LARGEST_ZOOM = 1.5
# A share of light below which nothing can be followed.
_LEAST_GAIN = 0.15
# What a block's mean may be off, in levels of 8 bits, for the motion to explain the picture.
_BLOCK = 4
UNEXPLAINED = 5.0


@dataclass(frozen=True)
class View:
    """How a frame shows the reference picture.

    `x` and `y` are the middle of what it shows, in luma samples of the reference from its upper
    left corner, `scale` how many of them a sample of the frame covers. The frame is `gain` times
    that, plus `offset` levels of 8 bits.
    """

    x: float
    y: float
    scale: float
    gain: float
    offset: float

    def corner(self, picture: PictureFormat) -> tuple[float, float]:
        """Left and upper edge of what is shown."""
        return (
            self.x - self.scale * picture.width / 2,
            self.y - self.scale * picture.height / 2,
        )


class Pyramid:
    """A frame's luma at sizes that halve: level 0 is at most 480 samples wide."""

    def __init__(self, planes: Planes, picture: PictureFormat) -> None:
        luma = planes[0].astype(np.float32) * np.float32(1 / (1 << picture.bit_depth - 8))
        self.picture = picture
        self.levels: list[Real] = []
        self.steps: list[float] = []
        step = -(-picture.width // _WORKING_WIDTH)
        while not self.levels or min(picture.width, picture.height) / step >= _SMALLEST_SIDE:
            # Whole blocks only: what is left over would be means of fewer samples.
            height, width = (side // step * step for side in luma.shape)
            size = (width // step, height // step)
            level = cv2.resize(luma[:height, :width], size, interpolation=cv2.INTER_AREA)
            # What is finer than two samples would look different wherever it is moved to.
            level = cv2.GaussianBlur(level, (0, 0), _BLUR_SAMPLES)
            self.levels.append(level.astype(np.float32, copy=False))
            self.steps.append(step)
            step *= 2


def is_large_enough(picture: PictureFormat) -> bool:
    """Whether motion can be told in a picture of that format."""
    step = -(-picture.width // _WORKING_WIDTH)
    return min(picture.width, picture.height) >= step * _SMALLEST_SIDE


def still_view(picture: PictureFormat) -> View:
    """The reference itself."""
    return View(picture.width / 2, picture.height / 2, 1.0, 1.0, 0.0)


def estimate(reference: Pyramid, frame: Pyramid, guess: View, coarsest: int = 8) -> View | None:
    """The view of the reference in a frame, found from a guess; None if there is none.

    Least squares by Gauss-Newton steps (Lucas and Kanade, 1981) in translation, scale, gain and
    offset, from level `coarsest` (or the last) to level 0.
    """
    view = guess
    for level in reversed(range(min(coarsest + 1, len(frame.levels)))):
        for _ in range(_ROUNDS):
            found = _step(reference, frame, view, level)
            if found is None:
                return None
            moved = max(
                abs(found.x - view.x),
                abs(found.y - view.y),
                abs(found.scale - view.scale) * frame.picture.width / 2,
            )
            view = found
            if moved < _SETTLED_SAMPLES:
                break
    return view


def find(reference: Pyramid, frame: Pyramid) -> View | None:
    """The view of the reference in a frame without a guess: close by, or moved far."""
    found = estimate(reference, frame, still_view(frame.picture))
    if found is not None and unexplained(reference, frame, found) <= UNEXPLAINED:
        return found
    window = cv2.createHanningWindow(frame.levels[0].shape[::-1], cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(frame.levels[0], reference.levels[0], window)
    if not np.isfinite([x, y]).all():
        return None
    middle = still_view(frame.picture)
    step = frame.steps[0]
    moved = replace(middle, x=middle.x + x * step, y=middle.y + y * step)
    return estimate(reference, frame, moved, 0)


def unexplained(reference: Pyramid, frame: Pyramid, view: View) -> float:
    """How far the frame's blocks are off the view of the reference, the farthest one: in levels
    of 8 bits. Infinite where they share too little to tell."""
    seen = _seen(reference, frame, view, 0)
    if seen is None:
        return float("inf")
    warped, rows, columns = seen
    error = frame.levels[0][rows, columns] - warped * view.gain - view.offset
    blocks = cv2.blur(error, (_BLOCK, _BLOCK))[_BLOCK:-_BLOCK, _BLOCK:-_BLOCK]
    return float(np.abs(blocks).max()) if blocks.size else float("inf")


def _seen(
    reference: Pyramid, frame: Pyramid, view: View, level: int
) -> tuple[Real, slice, slice] | None:
    """What the view shows at a level, where it is on the reference: samples, rows, columns."""
    step = frame.steps[level]
    source, shape = reference.levels[level], frame.levels[level].shape
    left, top = (edge / step for edge in view.corner(frame.picture))
    columns, rows = (
        _inside(edge, view.scale, count, size)
        for edge, count, size in (
            (left, shape[1], source.shape[1]),
            (top, shape[0], source.shape[0]),
        )
    )
    width, height = columns.stop - columns.start, rows.stop - rows.start
    if width * height < _LEAST_OVERLAP * shape[0] * shape[1] / 2:
        return None
    start = 0.5 * view.scale - 0.5
    matrix = np.array(
        [
            [view.scale, 0, left + start + view.scale * columns.start],
            [0, view.scale, top + start + view.scale * rows.start],
        ]
    )
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(source, matrix, (width, height), flags=flags)
    return warped.astype(np.float32, copy=False), rows, columns


def _inside(edge: float, scale: float, count: int, size: int) -> slice:
    """Which of `count` samples lie between the first and the last of the reference's `size`."""
    first = int(np.ceil((0.5 - edge) / scale - 0.5))
    last = int(np.floor((size - 0.5 - edge) / scale - 0.5))
    return slice(max(0, first), max(0, first, min(count, last + 1)))


def _step(reference: Pyramid, frame: Pyramid, view: View, level: int) -> View | None:
    seen = _seen(reference, frame, view, level)
    if seen is None:
        return None
    warped, rows, columns = seen
    height, width = frame.levels[level].shape
    step = frame.steps[level]
    across = cv2.Sobel(warped, cv2.CV_32F, 1, 0, ksize=1, scale=0.5) / view.scale
    down = cv2.Sobel(warped, cv2.CV_32F, 0, 1, ksize=1, scale=0.5) / view.scale
    u = (np.arange(columns.start, columns.stop) + 0.5 - width / 2).astype(np.float32)
    v = (np.arange(rows.start, rows.stop) + 0.5 - height / 2).astype(np.float32)
    grows = across * u + down * v[:, np.newaxis]
    terms = np.stack([warped, np.ones_like(warped), across, down, grows]).reshape(5, -1)
    # What is left to explain: small numbers, whose sums single precision can hold.
    error = frame.levels[level][rows, columns] - warped * view.gain - view.offset
    # Not a matrix product: for so few rows its threads cost more than they save.
    squares = np.vecdot(terms[:, np.newaxis], terms[np.newaxis]).astype(np.float64)
    products = np.vecdot(terms, error.ravel()).astype(np.float64)
    try:
        brighter, lifted, x, y, scale = np.linalg.solve(squares, products)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite([brighter, lifted, x, y, scale]).all():
        return None
    gain = view.gain + float(brighter)
    if gain < _LEAST_GAIN / 2:
        return None
    grown = view.scale + float(scale / gain)
    if not 1 / 4 < grown < 4:
        return None
    return View(
        view.x + float(x / gain) * step,
        view.y + float(y / gain) * step,
        grown,
        gain,
        view.offset + float(lifted),
    )


def follow(frames: Sequence[Planes], picture: PictureFormat) -> list[View | None] | None:
    """How every frame shows the middle one, None for those too dark to tell.

    None in all if some frame is something else than that picture, moved.
    """
    middle = len(frames) // 2
    there = Pyramid(frames[middle], picture)
    forward = _chase((frames[n] for n in range(middle + 1, len(frames))), there)
    if forward is None:
        return None
    backward = _chase((frames[n] for n in range(middle - 1, -1, -1)), there)
    if backward is None:
        return None
    return [*reversed(backward), still_view(picture), *forward]


def _chase(frames: Iterator[Planes], first: Pyramid) -> list[View | None] | None:
    """The views of the first picture in the frames that follow it."""
    picture = first.picture
    start = still_view(picture)
    reference, anchor = first, start
    last = trend = start
    views: list[View | None] = []
    for planes in frames:
        frame = Pyramid(planes, picture)
        if views and views[-1] is None:
            views.append(None)
            continue
        guess = _relative(trend, anchor, picture)
        # With a trend to go by only the finest sizes are needed.
        found = estimate(reference, frame, guess, 1) if len(views) > 1 else find(reference, frame)
        if found is None or unexplained(reference, frame, found) > UNEXPLAINED:
            found = find(reference, frame)
        too_dark = found is None or found.gain < _LEAST_GAIN
        if too_dark and last.gain < 3 * _LEAST_GAIN:
            views.append(None)
            continue
        if found is None or unexplained(reference, frame, found) > UNEXPLAINED:
            return None
        view = _absolute(found, anchor, picture)
        views.append(view)
        trend = View(2 * view.x - last.x, 2 * view.y - last.y, view.scale**2 / last.scale, 1.0, 0.0)
        last = view
        if _is_far(found, picture) and found.gain > 2 * _LEAST_GAIN:
            reference, anchor = frame, view
    return views


def _is_far(view: View, picture: PictureFormat) -> bool:
    """Whether a view shows too little of its reference, or too much larger or smaller."""
    away = max(
        abs(view.x - picture.width / 2) / picture.width,
        abs(view.y - picture.height / 2) / picture.height,
    )
    return away > (1 - _LEAST_OVERLAP) / 2 or not 1 / _LARGEST_ZOOM < view.scale < _LARGEST_ZOOM


def _absolute(view: View, anchor: View, picture: PictureFormat) -> View:
    """A view of a frame whose own view is `anchor`, as one of what that shows."""
    left, top = anchor.corner(picture)
    return View(
        left + anchor.scale * view.x,
        top + anchor.scale * view.y,
        anchor.scale * view.scale,
        anchor.gain * view.gain,
        anchor.offset * view.gain + view.offset,
    )


def _relative(view: View, anchor: View, picture: PictureFormat) -> View:
    """The inverse of `_absolute`, but for gain and offset, which are found without a guess."""
    left, top = anchor.corner(picture)
    moved = replace(view, x=(view.x - left) / anchor.scale, y=(view.y - top) / anchor.scale)
    return replace(moved, scale=view.scale / anchor.scale, gain=1.0, offset=0.0)


def as_track(
    views: Sequence[View | None], frames: Sequence[Planes], picture: PictureFormat
) -> NDArray[np.float64]:
    """Left and upper edge, scale and gain of every frame [n, 4].

    Frames too dark to be followed go on as those beside them moved; their gain is what they still
    have of the nearest frame that could be.
    """
    known = [number for number, view in enumerate(views) if view is not None]
    values = np.array([(*v.corner(picture), v.scale, v.gain) for v in views if v is not None])
    track = np.zeros((len(views), 4))
    track[known] = values
    for number in range(known[0] - 1, -1, -1):
        track[number, :3] = 2 * track[number + 1, :3] - track[min(number + 2, known[-1]), :3]
    for number in range(known[-1] + 1, len(views)):
        track[number, :3] = 2 * track[number - 1, :3] - track[max(number - 2, known[0]), :3]
    for number in range(len(views)):
        if views[number] is None:
            near = min(known, key=lambda each: abs(each - number))
            share = _share(Pyramid(frames[number], picture), Pyramid(frames[near], picture))
            track[number, 3] = share * track[near, 3]
    return track


def _share(dark: Pyramid, bright: Pyramid) -> float:
    """How much of a bright frame's contrast is in a dark one that shows about the same."""
    shown = bright.levels[-1] - bright.levels[-1].mean()
    power = float((shown * shown).sum())
    return max(0.0, float((shown * dark.levels[-1]).sum()) / power) if power else 0.0
