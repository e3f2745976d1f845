"""Shot boundaries, found in one pass while the frames are decoded."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from ..runtime.frames import Planes

_DETECTION_WIDTH = 256
_SHORTEST_SHOT_S = 0.5


@dataclass(frozen=True)
class Shot:
    """Frames `start` to `start + frames - 1`, counted from 0 in display order."""

    start: int
    frames: int


class ShotDetector:
    """Finds cuts by PySceneDetect's adaptive content detector and bounds the shots' lengths.

    A shot of more than `max_frames` is split into pieces of nearly the same length. Where a shot
    goes on for twice that, its first `max_frames` are given out at once, so that a caller never
    has to keep more than about `2 * max_frames` frames.
    """

    def __init__(self, frame_rate: Fraction, max_frames: int = 250) -> None:
        if max_frames < 1:
            raise ValueError(f"max_frames is {max_frames}: a shot has at least one frame")
        self._max_frames = max_frames
        # The clock only numbers frames: cuts are found by what is in them.
        self._rate = float(frame_rate)
        self._detector = AdaptiveDetector(
            min_scene_len=max(1, round(_SHORTEST_SHOT_S * frame_rate))
        )
        self._start = 0
        self._count = 0

    def push(self, planes: Planes) -> list[Shot]:
        """Takes the next frame (8 or 10 bit); returns the shots that are known to be over.

        A cut is known two frames after it.
        """
        position = FrameTimecode(self._count, self._rate)
        self._count += 1
        shots: list[Shot] = []
        for cut in self._detector.process_frame(position, _thumbnail(planes)):
            shots += self._close(cut.frame_num)
        if self._count - self._start >= 2 * self._max_frames:
            shots.append(Shot(self._start, self._max_frames))
            self._start += self._max_frames
        return shots

    def finish(self) -> list[Shot]:
        """Returns what is left after the last frame."""
        return self._close(self._count)

    def _close(self, end: int) -> list[Shot]:
        length = end - self._start
        if length <= 0:
            return []
        pieces = -(-length // self._max_frames)
        edges = [self._start + length * piece // pieces for piece in range(pieces + 1)]
        self._start = end
        return [Shot(start, stop - start) for start, stop in itertools.pairwise(edges)]


def find_shots(
    frames: Iterable[Planes], frame_rate: Fraction, max_frames: int = 250
) -> Iterator[Shot]:
    """The shots of a video: they follow one another without a gap and cover every frame."""
    detector = ShotDetector(frame_rate, max_frames)
    for planes in frames:
        yield from detector.push(planes)
    yield from detector.finish()


def _thumbnail(planes: Planes) -> NDArray[np.uint8]:
    """A small BGR picture [rows, columns, 3], good enough to compare frames by."""
    height, width = planes[0].shape
    columns = min(width, _DETECTION_WIDTH)
    rows = max(1, round(height * columns / width))
    scale = 1.0 if planes[0].dtype == np.uint8 else 0.25
    y, u, v = (
        cv2.convertScaleAbs(
            cv2.resize(samples, (columns, rows), interpolation=cv2.INTER_AREA), alpha=scale
        )
        for samples in planes
    )
    bgr = cv2.cvtColor(cv2.merge((y, v, u)), cv2.COLOR_YCrCb2BGR)
    return bgr.astype(np.uint8, copy=False)
