"""Crops of a title's decoded bases, and what each lacks: what title weights are fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..runtime.container import Limits
from ..runtime.frames import PictureFormat, Planes
from ..runtime.packing import padded_size
from ..runtime.payloads import BaseStream
from ..runtime.scenes import condition_planes, deep_base, full_size, packed_frame
from ..runtime.upsample import Upsampling
from .scene import Scene

_BLOCK = 4
# Luma and chroma blocks of packed frames, and the channels that each plane has there.
_PLANES = ((4, 0), (2, 16), (2, 20))
_QUARTERS = {8: 4, 10: 1}
# So many samples for every place of a title that a crop fits into once: more are repetition.
_SAMPLES_A_PLACE = 4


@dataclass(frozen=True)
class SampleFile:
    """A file of `count` samples, to be mapped into memory.

    Each is a record: `shown` uint8 [3, C, rows, columns], frames t-1, t, t+1 as a network sees
    them (C = `channels`: 24, or 6 of a base of half the size); `condition` uint8 [2], the base's
    quantiser and codec; `lacking` int16 [24, rows, columns], the source's frame t less the base's
    at full size, in quarters of a grey level of 8 bits; `base_error` float32 [3], the mean square
    of that over the whole frame t for Y, U and V, in squared grey levels.
    """

    path: Path
    count: int
    channels: int
    rows: int
    columns: int

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Of a record."""
        cells = (self.rows, self.columns)
        return np.dtype(
            [
                ("shown", np.uint8, (3, self.channels, *cells)),
                ("condition", np.uint8, (2,)),
                ("lacking", "<i2", (24, *cells)),
                ("base_error", "<f4", (3,)),
            ]
        )

    def create(self) -> None:
        """Make the file, all zeros and as large as it will be."""
        with self.path.open("wb") as file:
            file.truncate(self.count * self.dtype.itemsize)

    def write(self, start: int, records: Iterable[NDArray[np.void]]) -> None:
        """Put records at position `start` and after. Several threads may, each at its own."""
        with self.path.open("r+b") as file:
            file.seek(start * self.dtype.itemsize)
            for record in records:
                file.write(record.tobytes())

    def open(self) -> NDArray[np.void]:
        """All records, read from the file as they are used."""
        mapped: NDArray[np.void] = np.memmap(self.path, self.dtype, "r", shape=(self.count,))
        return mapped


@dataclass(frozen=True)
class SamplePlan:
    """Which frames of a title's scenes are sampled: evenly over all of them.

    `starts` has for each scene the position of its first sample, and after the last one the count;
    `frames` has for each sample its frame's number in its scene.
    """

    starts: tuple[int, ...]
    frames: tuple[int, ...]

    @property
    def count(self) -> int:
        """Samples of all scenes."""
        return self.starts[-1]

    def of(self, number: int) -> tuple[int, ...]:
        """The frames of scene `number`'s samples, in order; a frame may come several times."""
        return self.frames[self.starts[number] : self.starts[number + 1]]


def plan_samples(
    scene_frames: Sequence[int], picture: PictureFormat, crop: int, most: int
) -> SamplePlan:
    """Up to `most` crops of `crop` x `crop` luma samples over scenes of so many frames each."""
    rows, columns = crop_cells(picture, crop)
    width, height = (side // _BLOCK for side in padded_size(picture.width, picture.height, _BLOCK))
    places = -(-height // rows) * -(-width // columns)
    total = sum(scene_frames)
    count = max(1, min(most, _SAMPLES_A_PLACE * places * total))
    ends = np.cumsum([0, *scene_frames])
    shown = (np.arange(count) * 2 + 1) * total // (2 * count)
    scenes = np.searchsorted(ends, shown, side="right") - 1
    starts = np.searchsorted(shown, ends, side="left")
    return SamplePlan(
        tuple(int(start) for start in starts), tuple(int(each) for each in shown - ends[scenes])
    )


def crop_cells(picture: PictureFormat, crop: int) -> tuple[int, int]:
    """(rows, columns) at 1/4 resolution of a crop of that side, or of the picture if it is
    smaller."""
    width, height = padded_size(picture.width, picture.height, _BLOCK)
    return min(crop, height) // _BLOCK, min(crop, width) // _BLOCK


def scene_samples(
    scene: Scene,
    base: BaseStream,
    upsampling: Upsampling,
    frames: Sequence[int],
    file: SampleFile,
    threads: int,
) -> Iterator[NDArray[np.void]]:
    """A record of `file` for each of these frames of the scene, at places drawn at random but
    always the same.

    Raises what decoding the base raises.
    """
    random = np.random.default_rng((scene.index, len(scene.frames)))
    condition = condition_planes(base, 1, 1).reshape(2)
    decoded = deep_base(
        base,
        scene.format,
        upsampling,
        frames=len(scene.frames),
        threads=threads,
        max_pixels=Limits().max_pixels,
    )
    wanted = dict(zip(*np.unique(np.array(frames, int), return_counts=True), strict=True))
    for t, around in enumerate(_neighbourhoods(decoded)):
        if t not in wanted:
            continue
        shown = [packed_frame(planes, base, upsampling)[0] for planes in around]
        full = full_size(around[1], base, upsampling, scene.format)
        lacking = _lacking(scene.frames[t], full, scene.format)
        error = [float(np.square(plane, dtype=np.float32).mean()) / 16 for plane in lacking]
        packed = _packed(lacking, shown[1].shape[1], shown[1].shape[2])
        for _ in range(wanted[t]):
            top = int(random.integers(packed.shape[1] - file.rows + 1))
            left = int(random.integers(packed.shape[2] - file.columns + 1))
            window = (slice(top, top + file.rows), slice(left, left + file.columns))
            record = np.zeros((), file.dtype)
            record["shown"] = np.stack([each[:, *window] for each in shown])
            record["condition"] = condition
            record["lacking"] = packed[:, *window]
            record["base_error"] = error
            yield record


def _neighbourhoods(frames: Iterator[Planes]) -> Iterator[tuple[Planes, Planes, Planes]]:
    """Each frame between the one before it and the one after; itself where there is none."""
    window: list[Planes] = []
    for after in frames:
        window = [*window, after][-3:]
        if len(window) == 2:
            yield window[0], window[0], after
        elif len(window) == 3:
            yield window[0], window[1], after
    if window:
        yield window[max(0, len(window) - 2)], window[-1], window[-1]


def _lacking(source: Planes, base: Planes, picture: PictureFormat) -> list[NDArray[np.int16]]:
    """Source less base (of 10 bits), in quarters of a grey level of 8 bits."""
    scale = np.int16(_QUARTERS[picture.bit_depth])
    return [
        plane.astype(np.int16) * scale - given.astype(np.int16)
        for plane, given in zip(source, base, strict=True)
    ]


def _packed(planes: Sequence[NDArray[np.int16]], rows: int, columns: int) -> NDArray[np.int16]:
    """Signed planes as `packing.pack` has them with blocks of 4: [24, rows, columns]."""
    packed = np.zeros((24, rows, columns), np.int16)
    for plane, (block, first) in zip(planes, _PLANES, strict=True):
        missing = [(0, rows * block - plane.shape[0]), (0, columns * block - plane.shape[1])]
        padded = np.pad(plane, missing, mode="edge")
        blocks = padded.reshape(rows, block, columns, block).transpose(1, 3, 0, 2)
        packed[first : first + block * block] = blocks.reshape(block * block, rows, columns)
    return packed
