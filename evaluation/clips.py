"""Clips as planes in memory: the samples that every metric compares."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

from ..encoder.media import open_source
from ..runtime.frames import ColorInfo, PictureFormat, Planes


@dataclass(frozen=True)
class Clip:
    """A video's frames in display order, and what is needed to encode and to compare them."""

    name: str
    frames: tuple[Planes, ...]
    format: PictureFormat
    frame_rate: Fraction
    color: ColorInfo

    @property
    def seconds(self) -> float:
        """How long all frames are shown at the average rate."""
        return float(len(self.frames) / self.frame_rate)

    def bitrate_mbps(self, size_bytes: int) -> float:
        """Megabits (10**6) a second when this clip takes `size_bytes`."""
        return size_bytes * 8 / self.seconds / 1e6


def load_clip(path: Path, max_frames: int | None = None) -> Clip:
    """Decode the first video stream of a file, at most `max_frames` of its frames.

    The planes are read-only. A 720p frame takes 1.4 MB, so this is for clips, not for films.
    Errors as for `encoder.media.open_source`.
    """
    with open_source(path) as video:
        info = video.info
        frames = tuple(frame.planes for frame in islice(video.frames(), max_frames))
    return Clip(path.name, frames, info.format, info.frame_rate, info.color)
