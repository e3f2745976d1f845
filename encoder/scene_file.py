"""A scene's frames in a file, so that several processes can code it at once."""

from __future__ import annotations

import hashlib
import mmap
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..runtime.frames import ColorInfo, PictureFormat, Plane
from .scene import Scene

_PIECE = 1 << 20


@dataclass(frozen=True)
class SceneFile:
    """Where a scene's samples lie, and all else that is known of the scene.

    The file holds each frame's Y, U and V rows, 8 bits in one byte, 10 bits in two (the machine's
    order). `digest` names the content: equal for scenes whose samples, format, frame rate and
    colour are equal, wherever they stand in a video.
    """

    path: Path
    digest: str
    index: int
    start: int
    pts: tuple[int, ...]
    format: PictureFormat
    frame_rate: Fraction
    color: ColorInfo

    def is_whole(self) -> bool:
        """Whether the file is there and holds what `digest` names."""
        digest = _digest(self)
        try:
            with self.path.open("rb") as file:
                while piece := file.read(_PIECE):
                    digest.update(piece)
        except FileNotFoundError:
            return False
        return digest.hexdigest() == self.digest

    def open(self) -> Scene:
        """The scene with its frames as views of the file, which the system pages in and out."""
        with self.path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        dtype = np.dtype(np.uint8 if self.format.bit_depth == 8 else np.uint16)
        shapes = ((self.format.height, self.format.width), *[self.format.chroma_shape] * 2)
        frames = []
        offset = 0
        for _ in self.pts:
            planes: list[Plane] = []
            for rows, columns in shapes:
                samples = np.frombuffer(mapped, dtype, rows * columns, offset)
                planes.append(samples.reshape(rows, columns))
                offset += samples.nbytes
            frames.append((planes[0], planes[1], planes[2]))
        return Scene(
            self.index,
            self.start,
            tuple(frames),
            self.pts,
            self.format,
            self.frame_rate,
            self.color,
            self.digest,
        )


def write_scene(scene: Scene, folder: Path) -> SceneFile:
    """Write the scene's frames to a new file in `folder`."""
    digest = _digest(scene)
    path = folder / f"scene-{scene.index:06d}.raw"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        for planes in scene.frames:
            for plane in planes:
                samples = np.ascontiguousarray(plane)
                digest.update(samples.data)
                file.write(samples.data)
    os.replace(partial, path)
    return SceneFile(
        path,
        digest.hexdigest(),
        scene.index,
        scene.start,
        scene.pts,
        scene.format,
        scene.frame_rate,
        scene.color,
    )


def _digest(scene: Scene | SceneFile) -> hashlib.blake2b:
    """The digest as it is before the samples."""
    about = repr((scene.format, scene.frame_rate, scene.color))
    return hashlib.blake2b(about.encode(), digest_size=20)
