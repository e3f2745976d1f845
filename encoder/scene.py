"""A source cut into scenes that fit in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from ..runtime.frames import ColorInfo, PictureFormat, Planes
from .media import SourceFrame, SourceVideo
from .shots import Shot, ShotDetector

_SCENE_BYTES = 768 << 20
_LONGEST_SCENE_FRAMES = 250


@dataclass(frozen=True)
class Scene:
    """Consecutive frames of one shot; `start` counts frames of the source, from 0.

    `pts` has one timestamp for each frame, in the source's time base. `digest` names the content
    as `SceneFile.digest` does, "" where nobody has computed it.
    """

    index: int
    start: int
    frames: tuple[Planes, ...]
    pts: tuple[int, ...]
    format: PictureFormat
    frame_rate: Fraction
    color: ColorInfo
    digest: str = ""

    @property
    def duration_s(self) -> float:
        """Seconds that the scene lasts at the source's average frame rate."""
        return float(len(self.frames) / self.frame_rate)

    def head(self, frames: int) -> Scene:
        """The first `frames` frames of it as a scene of their own."""
        return Scene(
            self.index,
            self.start,
            self.frames[:frames],
            self.pts[:frames],
            self.format,
            self.frame_rate,
            self.color,
            f"{self.digest}, {frames} frames" if self.digest else "",
        )


def scenes_of(source: SourceVideo, frames: int | None = None) -> Iterator[Scene]:
    """The scenes of the source, or of its first `frames` frames, in order; at most two are held
    at a time."""
    info = source.info
    detector = ShotDetector(info.frame_rate, longest_scene(info.format))
    held: deque[SourceFrame] = deque()
    index = 0

    def scene(shot: Shot) -> Scene:
        frames = [held.popleft() for _ in range(shot.frames)]
        return Scene(
            index,
            shot.start,
            tuple(frame.planes for frame in frames),
            tuple(frame.pts for frame in frames),
            info.format,
            info.frame_rate,
            info.color,
        )

    for frame in islice(source.frames(), frames):
        held.append(frame)
        for shot in detector.push(frame.planes):
            yield scene(shot)
            index += 1
    for shot in detector.finish():
        yield scene(shot)
        index += 1


def longest_scene(picture: PictureFormat) -> int:
    """How many frames of that format a scene may have: what fits in 768 MiB, 8 to 250."""
    samples = picture.width * picture.height * 3 // 2
    fitting = _SCENE_BYTES // (samples * (1 if picture.bit_depth == 8 else 2))
    return max(8, min(_LONGEST_SCENE_FRAMES, fitting))
