"""Segments of source frames from a folder of clips, frame folders and stills, ready to crop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ...runtime.errors import EdgecodecError
from ...runtime.frames import PictureFormat, Planes
from ..media import open_source

VIDEO_SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".y4m")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# Sides are multiples of this, so that crops align with the packed networks' blocks.
_ALIGN = 8
_STILL_MOTION_PX = 4.0
_STILL_ZOOM = 0.01
_STILL_TURN = 0.004
# Standard deviation in grey levels.
_MOST_GRAIN = 3.0


@dataclass(frozen=True)
class Segment:
    """Consecutive 8-bit frames of one source, downscaled; `format` is theirs."""

    name: str
    frames: tuple[Planes, ...]
    format: PictureFormat
    frame_rate: Fraction


def find_sources(folder: Path) -> list[Path]:
    """Every clip, still, and folder of numbered frames below `folder`, sorted.

    Raises EdgecodecError if there are none.
    """
    found: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            wanted = is_sequence(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            wanted = not is_sequence(path.parent)
        else:
            wanted = path.suffix.lower() in VIDEO_SUFFIXES
        if wanted:
            found.append(path)
    if not found:
        raise EdgecodecError(f"{folder}: no clips and no stills below it")
    return found


def is_sequence(folder: Path) -> bool:
    """Whether a folder holds frames of one clip: images with numbers for names."""
    images = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return len(images) > 1 and all(path.stem.isdecimal() for path in images)


class Scales(StrEnum):
    """How far clips are scaled down. Stills are sampled at twice their size whatever it says."""

    SMALL = "small"
    """To a half or less: what a clip's own compression took away does not become the target."""
    NATIVE = "native"
    """To 0.6 of a large clip and 0.7 of a small one at least: as soft as video is at its size."""


def read_pictures(
    path: Path, count: int, random: np.random.Generator, scales: Scales
) -> Iterator[Segment]:
    """At most `count` segments of a single frame from one source, each at its own random scale.

    Stills are scaled down by area, so that every sample is as sharp as 4:2:0 video can be.
    """
    if path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES:
        yield from _from_clip(path, count, 1, random, scales)
        return
    picture = _image(path)
    for _ in range(count):
        short = min(picture.shape[:2])
        # To a third at least, or to the smallest that still has several crops.
        scale = float(np.exp(random.uniform(np.log(min(1.0, max(600 / short, 0.3))), 0.0)))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        y, u, v = _planes_of(small.astype(np.uint8, copy=False))
        yield Segment(path.stem, ((y, u, v),), PictureFormat(y.shape[1], y.shape[0]), Fraction(25))


def read_segments(
    path: Path,
    count: int,
    frames: int,
    random: np.random.Generator,
    scales: Scales = Scales.SMALL,
) -> Iterator[Segment]:
    """At most `count` segments of `frames` frames from one source, each at its own random scale.

    A still becomes a slow random pan and zoom over itself.
    """
    if path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES:
        yield from _from_clip(path, count, frames, random, scales)
    else:
        for _ in range(count):
            yield _from_still(path, frames, random)


def _from_clip(
    path: Path, count: int, frames: int, random: np.random.Generator, scales: Scales
) -> Iterator[Segment]:
    pictures = list(_sequence(path) if path.is_dir() else _clip(path))
    if len(pictures) < frames:
        return
    for _ in range(count):
        start = int(random.integers(0, len(pictures) - frames + 1))
        height, width = pictures[start][0].shape
        scale = float(random.choice(_choices(scales, min(width, height))))
        size = tuple(max(128, int(side * scale) // _ALIGN * _ALIGN) for side in (width, height))
        scaled = tuple(resized(planes, *size) for planes in pictures[start : start + frames])
        yield Segment(path.stem, scaled, PictureFormat(*size), Fraction(25))


def _choices(scales: Scales, short_side: int) -> tuple[float, ...]:
    small = scales is Scales.SMALL
    if short_side >= 2000:
        return (0.15, 0.2, 0.3) if small else (0.3, 0.5)
    if short_side >= 1000:
        return (0.25, 0.35, 0.5) if small else (0.6, 0.75, 1.0)
    if short_side >= 600:
        return (0.3, 0.4, 0.5) if small else (0.7, 0.85, 1.0)
    return (0.4, 0.5) if small else (0.7, 0.85, 1.0)


def _clip(path: Path, most: int = 600) -> Iterator[Planes]:
    with open_source(path) as video:
        if video.info.format.bit_depth != 8:
            return
        # To the end, for a decoder with frame threads must not be left in the middle.
        for index, frame in enumerate(video.frames()):
            if index < most:
                yield frame.planes


def _sequence(folder: Path) -> Iterator[Planes]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            yield read_still(path)


def read_still(path: Path) -> Planes:
    """A still as 4:2:0 planes of even sides. EdgecodecError if OpenCV cannot read it."""
    return _planes_of(_image(path))


def _image(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise EdgecodecError(f"{path}: not an image that OpenCV reads")
    return picture


def _planes_of(bgr: np.ndarray) -> Planes:
    """4:2:0 planes of a BGR picture, cropped to even sides."""
    height, width = (side // 2 * 2 for side in bgr.shape[:2])
    flat = cv2.cvtColor(np.ascontiguousarray(bgr[:height, :width]), cv2.COLOR_BGR2YUV_I420)
    samples = flat.reshape(-1).astype(np.uint8, copy=False)
    luma, chroma = height * width, height * width // 4
    shape = (height // 2, width // 2)
    return (
        samples[:luma].reshape(height, width),
        samples[luma : luma + chroma].reshape(shape),
        samples[luma + chroma :].reshape(shape),
    )


def resized(planes: Planes, width: int, height: int) -> Planes:
    """Planes of 8 bits scaled by area to another size of even sides."""
    sizes = ((width, height), (width // 2, height // 2), (width // 2, height // 2))
    y, u, v = (
        cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        for plane, size in zip(planes, sizes, strict=True)
    )
    return y, u, v


def _from_still(path: Path, frames: int, random: np.random.Generator, side: int = 256) -> Segment:
    """A pan, zoom and turn over a still; half of them under film grain that changes every frame.

    Frames are sampled from the picture at twice their size, so that they are as sharp as a camera's
    that has more samples than the video.
    """
    picture = _image(path)
    scale = max(600 / min(picture.shape[:2]), float(random.choice([0.3, 0.5, 0.8, 1.0])))
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    x, y = random.uniform(280, width - 280), random.uniform(280, height - 280)
    dx, dy = random.normal(0, _STILL_MOTION_PX, 2)
    zoom, turn = random.normal(0, _STILL_ZOOM), random.normal(0, _STILL_TURN)
    grain = float(random.choice([0.0, random.uniform(0.5, _MOST_GRAIN)]))
    made = []
    for step in range(frames):
        k = 1 + zoom * step
        cos, sin = k * np.cos(turn * step), k * np.sin(turn * step)
        at = (x + dx * step, y + dy * step)
        matrix = np.array(
            [
                [cos, -sin, side - cos * at[0] + sin * at[1]],
                [sin, cos, side - sin * at[0] - cos * at[1]],
            ],
            np.float32,
        )
        view = cv2.warpAffine(
            picture,
            matrix,
            (2 * side, 2 * side),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        shot = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        if grain:
            shot += random.normal(0, grain, (side, side, 1)).astype(np.float32)
        made.append(_planes_of(shot.round().clip(0, 255).astype(np.uint8)))
    return Segment(path.stem, tuple(made), PictureFormat(side, side), Fraction(25))
