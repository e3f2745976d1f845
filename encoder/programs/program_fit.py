"""Whether a scene is a few pictures and a program, and which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime.frames import PictureFormat, Planes
from ...runtime.procedural import (
    FULL_WEIGHT,
    MAX_SCALE,
    SCALE_UNIT,
    WINDOW_UNIT,
    Fade,
    PanZoom,
    Segment,
    Solid,
    Window,
)
from ..scene import Scene
from .block_means import block_means
from .canvas import Exposure, develop
from .motion_fit import UNEXPLAINED, Pyramid, as_track, find, follow, is_large_enough, unexplained
from .polyline import StraightRun, straight_runs
from .program import Program
from .still_fit import fit_still

# In shorter scenes a picture is most of the bits whatever is done.
_FEWEST_FRAMES = 6
_LOOKS = 7
_STILL_GAP, _MOVED_GAP = 2, 4
# Of the looks, for changes at once and the ends of fades may lie in some.
_MOST_BENT = 4
_MOST_UNEXPLAINED = 2
# Levels of 8 bits that a block's mean may bend by over three frames, and deviations of the noise.
_BEND, _BEND_DEVIATIONS = 8.0, 7.0
_MOST_NOISE = 4.0
_MOVE_TOLERANCE_SAMPLES = 0.12
_GAIN_TOLERANCE = 0.004
_STEADY_GAIN = 0.05
_DARK_GAIN = 0.02
_LARGEST_CANVAS = 4.0


def fit_program(scene: Scene) -> Program | None:
    """The scene as a program, or None if it is ordinary video: then after a few frames' look."""
    frames, picture = scene.frames, scene.format
    if len(frames) < _FEWEST_FRAMES:
        return None
    program = None
    if _looks_still(frames, picture):
        program = fit_still(frames, picture)
    if program is None and is_large_enough(picture) and _looks_moved(frames, picture):
        program = fit_motion(frames, picture)
    return program


def _looks(count: int, frames_each: int, gap: int) -> Iterator[list[int]]:
    """Numbers of a few frames, up to `gap` apart, at a few places of the scene."""
    gap = max(1, min(gap, (count - 1) // (frames_each - 1)))
    span = gap * (frames_each - 1)
    for start in np.linspace(0, count - 1 - span, _LOOKS).astype(int):
        yield [int(start) + gap * number for number in range(frames_each)]


def _looks_still(frames: Sequence[Planes], picture: PictureFormat) -> bool:
    """Whether many looks show no change, or one that is even, as in a fade."""
    bent = 0
    for numbers in _looks(len(frames), 3, _STILL_GAP):
        before, now, after = (block_means(frames[number], picture) for number in numbers)
        bend = before - 2 * now + after
        noise = min(_MOST_NOISE, float(np.sqrt((bend * bend).mean())))
        bent += float(np.abs(bend).max()) > max(_BEND, _BEND_DEVIATIONS * noise)
        if bent > _MOST_BENT:
            return False
    return True


def _looks_moved(frames: Sequence[Planes], picture: PictureFormat) -> bool:
    """Whether most looks are two views of one picture."""
    failures = 0
    for numbers in _looks(len(frames), 2, _MOVED_GAP):
        first, second = (Pyramid(frames[number], picture) for number in numbers)
        view = find(first, second)
        failures += view is None or unexplained(first, second, view) > UNEXPLAINED
        if failures > _MOST_UNEXPLAINED:
            return False
    return True


def fit_motion(frames: Sequence[Planes], picture: PictureFormat) -> Program | None:
    """The frames as one still that is panned, zoomed and faded, or None if they are not."""
    views = follow(frames, picture)
    if views is None:
        return None
    track = as_track(views, frames, picture)
    colour = _fade_colour(frames, track, [view.offset if view else 0.0 for view in views], picture)
    gains = track[:, 3] / track[:, 3].max()
    track[:, 3] = gains if colour is not None else 1.0
    left, top, scale = track[:, 0], track[:, 1], track[:, 2]
    seen = track[:, 3] > _DARK_GAIN
    right, bottom = left + scale * picture.width, top + scale * picture.height
    x, y = float(left[seen].min()), float(top[seen].min())
    extent = (float(right[seen].max()) - x, float(bottom[seen].max()) - y)
    most = _LARGEST_CANVAS * picture.width * picture.height
    finer = min(1 / float(scale[seen].min()), float(np.sqrt(most / (extent[0] * extent[1]))))
    size = (int(np.ceil(extent[0] * finer)), int(np.ceil(extent[1] * finer)))
    on_canvas = np.stack(
        [(left - x) * finer, (right - x) * finer, (top - y) * finer, track[:, 3]], axis=1
    )
    move = _MOVE_TOLERANCE_SAMPLES * finer
    runs = straight_runs(on_canvas, np.array([move, move, move, _GAIN_TOLERANCE]))
    segments = tuple(_segment(run, colour, picture) for run in runs)
    if any(segment is None for segment in segments):
        return None
    smooth = np.concatenate([np.linspace(r.first, r.last, r.stop - r.start) for r in runs])
    exposures = [
        Exposure(planes, row[0], row[2], (row[1] - row[0]) / picture.width, float(row[3]))
        for planes, row in zip(frames, smooth, strict=True)
        if row[3] > _DARK_GAIN
    ]
    levels = (0.0,) * 3 if colour is None else (colour.y, colour.u, colour.v)
    canvas = develop(exposures, levels, size, picture)
    return Program((canvas,), tuple(segment for segment in segments if segment is not None))


def _fade_colour(
    frames: Sequence[Planes],
    track: NDArray[np.float64],
    offsets: Sequence[float],
    picture: PictureFormat,
) -> Solid | None:
    """The colour that the scene fades from or to, None if its light stays the same."""
    gains = track[:, 3]
    if gains.max() - gains.min() < _STEADY_GAIN:
        return None
    darkest, brightest = int(gains.argmin()), int(gains.argmax())
    share = gains[darkest] / gains[brightest]
    dark, bright = ([float(p.mean()) for p in frames[n]] for n in (darkest, brightest))
    y, u, v = ((low - share * high) / (1 - share) for low, high in zip(dark, bright, strict=True))
    known = gains > _STEADY_GAIN
    missing = 1 - gains[known]
    if share > _DARK_GAIN and float(missing @ missing):
        scale = 1 << picture.bit_depth - 8
        y = scale * float(missing @ np.array(offsets)[known]) / float(missing @ missing)
    top = (1 << picture.bit_depth) - 1
    return Solid(*(round(min(top, max(0.0, level))) for level in (y, u, v)))


def _segment(run: StraightRun, colour: Solid | None, picture: PictureFormat) -> Segment | None:
    """A straight run as a segment; None if the format cannot hold its windows."""
    ends = [_window(values, picture) for values in (run.first, run.last)]
    if any(not 0 < window.scale <= MAX_SCALE for window in ends):
        return None
    layer = PanZoom(0, *ends)
    frames = run.stop - run.start
    start, end = (
        round(FULL_WEIGHT * min(1.0, max(0.0, 1 - float(values[3]))))
        for values in (run.first, run.last)
    )
    if colour is None or start == end == 0:
        return Segment(frames, layer)
    if start == end == FULL_WEIGHT:
        return Segment(frames, colour)
    return Segment(frames, layer, Fade(colour, start, end))


def _window(values: NDArray[np.float64], picture: PictureFormat) -> Window:
    left, right, top = (float(value) for value in values[:3])
    return Window(
        round(left * WINDOW_UNIT),
        round(top * WINDOW_UNIT),
        round((right - left) / picture.width * SCALE_UNIT),
    )
