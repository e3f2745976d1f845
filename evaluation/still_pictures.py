"""Still pictures to code: stills as 4:2:0 planes, and the first frames of clips."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..encoder.media import open_source
from ..encoder.training.sources import IMAGE_SUFFIXES, VIDEO_SUFFIXES, read_still
from ..runtime.frames import PictureFormat, Plane, Planes

_MULTIPLE = 16


@dataclass(frozen=True)
class Still:
    """A picture of 8 bits whose sides are multiples of 16."""

    name: str
    planes: Planes
    format: PictureFormat

    @property
    def pixels(self) -> int:
        """Samples of luma."""
        return self.format.width * self.format.height

    @property
    def digest(self) -> str:
        """SHA-256 of the samples and their shape."""
        digest = hashlib.sha256(f"{self.format.width}x{self.format.height}".encode())
        for plane in self.planes:
            digest.update(np.ascontiguousarray(plane).data)
        return digest.hexdigest()


def read_stills(folder: Path, side: int = 0) -> Iterator[Still]:
    """Every still of a folder, and every clip's first frame, by name, cropped to `side`.

    Stills become BT.601 4:2:0 once, before any codec. Clips of more than 8 bits are left out, and
    pictures below 16 samples. Errors as for `encoder.media.open_source`.
    """
    for path in sorted(folder.iterdir()):
        planes = _planes(path)
        if planes is not None and min(planes[0].shape) >= _MULTIPLE:
            yield cropped(path.name, planes, side)


def cropped(name: str, planes: Planes, side: int = 0) -> Still:
    """The middle of the planes, with sides of multiples of 16, so that no codec pads; neither is
    longer than `side`, unless that is 0."""
    size = [min(each, side or each) // _MULTIPLE * _MULTIPLE for each in planes[0].shape]
    # Even, for the same place in planes of half the size.
    start = [(each - kept) // 4 * 2 for each, kept in zip(planes[0].shape, size, strict=True)]

    def part(plane: Plane, scale: int) -> Plane:
        rows, columns = (
            slice(first // scale, (first + kept) // scale)
            for first, kept in zip(start, size, strict=True)
        )
        return plane[rows, columns].copy()

    y, u, v = planes
    return Still(name, (part(y, 1), part(u, 2), part(v, 2)), PictureFormat(size[1], size[0]))


def _planes(path: Path) -> Planes | None:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return read_still(path)
    if suffix not in VIDEO_SUFFIXES:
        return None
    with open_source(path) as video:
        if video.info.format.bit_depth != 8:
            return None
        # To the end, for a decoder with frame threads must not be left in the middle.
        first = None
        for frame in video.frames():
            first = first or frame.planes
        return first
