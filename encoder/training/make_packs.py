"""Make training packs from a folder of clips and stills.

    python -m edgecodec.encoder.training.make_packs triplets --data DIR --pack PACK
    python -m edgecodec.encoder.training.make_packs sequences --data DIR --pack PACK

`triplets` trains enhancers (every segment is coded by all four base codecs, at random quantisers),
`sequences` trains what codes latents.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ...runtime.base import decode_base
from ...runtime.container import Codec, Limits
from ...runtime.errors import EdgecodecError
from ...runtime.frames import ColorInfo, Planes
from ...runtime.packing import pack
from ...runtime.scenes import condition_planes
from ..codecs import BaseSettings, encoder_for
from .sources import Segment, find_sources, read_segments

CROP = 128
_TRIPLET_FRAMES = 25
_SEQUENCE_FRAMES = 9
# Quantisers from hardly visible loss to the lowest rates in use, and encodes for each segment.
_RANGES = {
    Codec.AV1: (26, 60, 2),
    Codec.H265: (22, 42, 2),
    Codec.H264: (23, 42, 1),
    Codec.VVC: (25, 45, 2),
}


def triplets(
    segment: Segment, crops: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """(frames [4, 24, 32, 32]: t-1, t, t+1, source; condition [2]) from every base codec."""
    count = len(segment.frames)
    for codec, (lowest, highest, encodes) in _RANGES.items():
        for _ in range(encodes):
            settings = BaseSettings(
                crf=int(random.integers(lowest, highest + 1)),
                format=segment.format,
                frame_rate=segment.frame_rate,
                color=ColorInfo(),
                bit_depth=8,
            )
            base = encoder_for(codec).encode(segment.frames, settings)
            decoded = list(
                decode_base(base, segment.format, frames=count, max_pixels=Limits().max_pixels)
            )
            condition = condition_planes(base, 1, 1).reshape(2)
            for _ in range(crops):
                t = int(random.integers(count))
                window = _window(segment, random)
                shown = [decoded[max(0, t - 1)], decoded[t], decoded[min(count - 1, t + 1)]]
                frames = [*shown, segment.frames[t]]
                yield np.concatenate([pack(_crop(f, *window), 4) for f in frames]), condition


def sequences(
    segment: Segment, crops: int, random: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Source frames [9, 96, 16, 16]."""
    for _ in range(crops):
        window = _window(segment, random)
        yield np.concatenate([pack(_crop(frame, *window), 8) for frame in segment.frames])


def _window(segment: Segment, random: np.random.Generator) -> tuple[int, int]:
    """(row, column) of a crop's corner, multiples of 8."""
    rows, columns = segment.format.height - CROP, segment.format.width - CROP
    return int(random.integers(rows // 8 + 1)) * 8, int(random.integers(columns // 8 + 1)) * 8


def _crop(planes: Planes, row: int, column: int) -> Planes:
    y, u, v = planes
    luma = (slice(row, row + CROP), slice(column, column + CROP))
    chroma = tuple(slice(each.start // 2, each.stop // 2) for each in luma)
    return y[luma], u[chroma], v[chroma]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("triplets", "sequences"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--segments", type=int, default=3, help="for each clip")
    parser.add_argument("--crops", type=int, default=28, help="for each encode of a segment")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    frames = _TRIPLET_FRAMES if arguments.kind == "triplets" else _SEQUENCE_FRAMES
    x: list[NDArray[np.uint8]] = []
    conditions: list[NDArray[np.uint8]] = []
    for path in track(
        find_sources(arguments.data), description=arguments.kind, console=Console(stderr=True)
    ):
        for segment in read_segments(path, arguments.segments, frames, random):
            if arguments.kind == "sequences":
                x += sequences(segment, arguments.crops, random)
                continue
            for sample, condition in triplets(segment, arguments.crops, random):
                x.append(sample)
                conditions.append(condition)
    if not x:
        raise EdgecodecError(f"{arguments.data}: no clip has {frames} frames of 8 bits a sample")
    arguments.pack.mkdir(parents=True, exist_ok=True)
    if conditions:
        _save(arguments.pack / "condition.npy", conditions)
    _save(arguments.pack / "x.npy", x)


def _save(path: Path, samples: list[NDArray[np.uint8]]) -> None:
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.save(file, np.stack(samples))
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
