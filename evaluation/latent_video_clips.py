"""Clips to be coded in latents: some frames of each, as large as their file has them or smaller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from ..encoder.media import SourceInfo, open_source
from ..encoder.training.sources import resized
from ..runtime.errors import UnsupportedError
from ..runtime.frames import PictureFormat, Planes
from ..runtime.y4m import write_y4m_frame, write_y4m_header
from .clips import Clip


@dataclass(frozen=True)
class Cut:
    """Which frames of clips are taken, and how large: `frames` of them from frame `start` on (0: to
    the end), with a shorter side of at most `short_side` samples (0: as they are)."""

    frames: int = 0
    start: int = 0
    short_side: int = 0


def read_clip(path: Path, name: str, cut: Cut) -> Clip:
    """A part of a clip, in memory.

    Raises UnsupportedError for more than 8 bits, which latents do not take, and where the clip has
    no such frame; others as for `encoder.media.open_source`.
    """
    with _part(path, cut) as (info, picture, frames):
        taken = tuple(frames)
    if not taken:
        raise UnsupportedError(f"{path}: it has no frame {cut.start}; start earlier")
    return Clip(name, taken, picture, info.frame_rate, info.color)


def write_part(path: Path, cut: Cut, target: Path) -> int:
    """A part of a clip, without any loss in a file of type .y4m; returns how many frames it has.
    Frames are written as they come. Errors as for `read_clip`."""
    count = 0
    with _part(path, cut) as (info, picture, frames), target.open("wb") as file:
        full_range = info.color.full_range
        write_y4m_header(file, picture, info.frame_rate, Fraction(1), full_range=full_range)
        for planes in frames:
            write_y4m_frame(file, planes)
            count += 1
    if not count:
        raise UnsupportedError(f"{path}: it has no frame {cut.start}; start earlier")
    return count


def shrunk(picture: PictureFormat, short_side: int) -> PictureFormat:
    """The format with its shorter side at `short_side` and even sides; as it is where that is no
    smaller, or 0."""
    shorter = min(picture.width, picture.height)
    if not 0 < short_side < shorter:
        return picture
    width, height = (
        max(2, 2 * round(side * short_side / shorter / 2))
        for side in (picture.width, picture.height)
    )
    return replace(picture, width=width, height=height)


@contextmanager
def _part(path: Path, cut: Cut) -> Iterator[tuple[SourceInfo, PictureFormat, Iterator[Planes]]]:
    stop = cut.start + cut.frames if cut.frames else None
    with open_source(path) as video:
        info = video.info
        if info.format.bit_depth != 8:
            raise UnsupportedError(
                f"{path}: {info.format.bit_depth} bits a sample; latents take 8, leave it out"
            )
        picture = shrunk(info.format, cut.short_side)
        frames = (frame.planes for frame in islice(video.frames(), cut.start, stop))
        if picture != info.format:
            frames = (resized(each, picture.width, picture.height) for each in frames)
        yield info, picture, frames
