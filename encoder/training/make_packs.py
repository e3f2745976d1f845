"""Make training packs from a folder of clips and stills.

    python -m edgecodec.encoder.training.make_packs triplets --data DIR --pack PACK
    python -m edgecodec.encoder.training.make_packs filtered --data DIR --pack PACK
    python -m edgecodec.encoder.training.make_packs halves --data DIR --pack PACK
    python -m edgecodec.encoder.training.make_packs sequences --data DIR --pack PACK
    python -m edgecodec.encoder.training.make_packs pictures --data DIR --pack PACK
    python -m edgecodec.encoder.training.make_packs runs --data DIR --pack PACK

`triplets` trains enhancers (every segment is coded by all four base codecs, at random quantisers),
`filtered` those that add to what a scene's filter shows, which is what most streams have;
`halves` the generator that brings bases of half the size to full size, `sequences` trains what
codes latents, `pictures` what codes I-frames alone, `runs` what codes frames that continue them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ...runtime.base import round_to_8_bit
from ...runtime.container import Codec, Limits
from ...runtime.errors import EdgecodecError
from ...runtime.frames import ColorInfo, PictureFormat, Planes
from ...runtime.packing import pack
from ...runtime.payloads import BaseStream
from ...runtime.scenes import condition_planes, deep_base, filtered_frames, full_size
from ...runtime.upsample import Upsampling
from ..codecs import BaseSettings, encoder_for
from ..downscale import downscale, half_size
from ..filter_search import search_filter
from ..filter_statistics import gather
from ..quality import psnr
from ..script import run_script
from .packs import FINE_STEPS, FINE_ZERO, plane_errors
from .sources import Scales, Segment, find_sources, read_pictures, read_segments

CROP = 128
PICTURE_CROP = 256
_KINDS = {"triplets": 25, "filtered": 25, "halves": 25, "sequences": 9, "runs": 4, "pictures": 1}
"""Frames of a segment for each kind of pack."""
# Quantisers from hardly visible loss to the lowest rates in use, and encodes for each segment.
_RANGES = {
    Codec.AV1: (24, 62, 2),
    Codec.H265: (20, 42, 1),
    Codec.H264: (21, 42, 1),
    Codec.VVC: (22, 45, 1),
}
# Half the size pays at low rates only, where its own quantiser is as fine as any.
_HALF_RANGES = {
    Codec.AV1: (24, 56, 2),
    Codec.H265: (20, 38, 1),
    Codec.H264: (21, 38, 1),
    Codec.VVC: (22, 40, 2),
}
# As encodes of the usual effort code video of 8 bits.
_BASES: dict[Codec, tuple[int, str]] = {
    Codec.AV1: (10, "4"),
    Codec.H265: (10, "medium"),
    Codec.H264: (8, "medium"),
    Codec.VVC: (10, "fast"),
}
# A filter is paid for by all of a scene of four seconds, of which a segment is one.
_SCENE_SEGMENTS = 4
Sample = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def triplets(segment: Segment, crops: int, random: np.random.Generator) -> Iterator[Sample]:
    """(sample [120, 32, 32] of a `packs.TripletPack`, condition [2]) from every base codec."""
    for base in _encodes(segment, segment.format, segment.frames, _RANGES, random):
        decoded, _ = _decoded(base, segment, Upsampling.NONE)
        shown = [round_to_8_bit(planes) for planes in decoded]
        yield from _triplets(segment, base, shown, decoded, crops, random)


def filtered(segment: Segment, crops: int, random: np.random.Generator) -> Iterator[Sample]:
    """As `triplets`, but what a network adds to is the base with the segment's own filter: it
    learns what is left for it."""
    for base in _encodes(segment, segment.format, segment.frames, _RANGES, random):
        decoded, _ = _decoded(base, segment, Upsampling.NONE)
        shown = [round_to_8_bit(planes) for planes in decoded]
        added_to = _filtered(segment, base, shown, decoded)
        yield from _triplets(segment, base, shown, added_to, crops, random)


def _filtered(
    segment: Segment, base: BaseStream, shown: list[Planes], decoded: list[Planes]
) -> list[Planes]:
    scores = [psnr(*pair) for pair in zip(segment.frames, shown, strict=True)]
    bits = _SCENE_SEGMENTS * 8 * sum(len(each.data) for each in base.packets)
    own = search_filter(gather(segment.frames, iter(decoded), scores, 8, _itself), bits)
    if own is None:
        return decoded
    deep = replace(segment.format, bit_depth=10)
    return list(filtered_frames(iter(decoded), own, deep, _itself, count=len(decoded)))


def _itself(planes: Planes) -> Planes:
    return planes


def _triplets(
    segment: Segment,
    base: BaseStream,
    shown: list[Planes],
    deep: list[Planes],
    crops: int,
    random: np.random.Generator,
) -> Iterator[Sample]:
    """Crops of frames that are `shown` to the network, which adds to the `deep` ones."""
    condition = condition_planes(base, 1, 1).reshape(2)
    for t, window in _places(segment, crops, random):
        frames = [pack(_crop(shown[each], *window), 4) for each in _around(t, len(shown))]
        ends = _ends(segment, shown[t], deep[t], t, window)
        yield np.concatenate([*frames, *ends], axis=1)[0], condition


def halves(segment: Segment, crops: int, random: np.random.Generator) -> Iterator[Sample]:
    """(sample [90, 32, 32] of a `packs.TripletPack`, condition [2]) from bases of half the size."""
    half = half_size(segment.format)
    smaller = tuple(downscale(planes, segment.format) for planes in segment.frames)
    for base in _encodes(segment, half, smaller, _HALF_RANGES, random):
        full, small = _decoded(base, segment, Upsampling.EIGHT_TAP)
        shown = [round_to_8_bit(planes) for planes in small]
        condition = condition_planes(base, 1, 1).reshape(2)
        for t, window in _places(segment, crops, random):
            row, column = (side // 2 for side in window)
            frames = [
                pack(_crop(shown[each], row, column, CROP // 2), 2)
                for each in _around(t, len(shown))
            ]
            full_8 = round_to_8_bit(full[t])
            ends = _ends(segment, full_8, full[t], t, window)
            sample = [*frames, pack(_crop(full_8, *window), 4), *ends]
            yield np.concatenate(sample, axis=1)[0], condition


def _encodes(
    segment: Segment,
    picture: PictureFormat,
    frames: tuple[Planes, ...],
    ranges: dict[Codec, tuple[int, int, int]],
    random: np.random.Generator,
) -> Iterator[BaseStream]:
    for codec, (lowest, highest, encodes) in ranges.items():
        depth, preset = _BASES[codec]
        for _ in range(encodes):
            settings = BaseSettings(
                crf=int(random.integers(lowest, highest + 1)),
                format=picture,
                frame_rate=segment.frame_rate,
                color=ColorInfo(),
                bit_depth=depth,
                preset=preset,
            )
            yield encoder_for(codec).encode(frames, settings)


def _decoded(
    base: BaseStream, segment: Segment, upsampling: Upsampling
) -> tuple[list[Planes], list[Planes]]:
    """The base's frames as the player has them, at full size and at their own: both in ten bits,
    those of a base of 8 in multiples of 4."""
    frames = deep_base(
        base,
        segment.format,
        upsampling,
        frames=len(segment.frames),
        max_pixels=Limits().max_pixels,
    )
    own = list(frames)
    full = [full_size(planes, base, upsampling, segment.format) for planes in own]
    return full, [full_size(planes, base, Upsampling.NONE, segment.format) for planes in own]


def _places(
    segment: Segment, crops: int, random: np.random.Generator
) -> Iterator[tuple[int, tuple[int, int]]]:
    for _ in range(crops):
        yield int(random.integers(len(segment.frames))), _window(segment, random)


def _around(t: int, count: int) -> tuple[int, int, int]:
    return max(0, t - 1), t, min(count - 1, t + 1)


def _ends(
    segment: Segment, rounded: Planes, deep: Planes, t: int, window: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What `deep` has beyond what it was `rounded` to before it was filtered, and the source's
    frame t."""
    pairs = zip(_crop(deep, *window), _crop(rounded, *window), strict=True)
    beyond = tuple(
        (plane.astype(np.int16) - FINE_STEPS * short.astype(np.int16) + FINE_ZERO)
        .clip(0, 255)
        .astype(np.uint8)
        for plane, short in pairs
    )
    return pack((beyond[0], beyond[1], beyond[2]), 4), pack(_crop(segment.frames[t], *window), 4)


def sequences(
    segment: Segment, crops: int, random: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Source frames [9, 96, 16, 16]."""
    for _ in range(crops):
        window = _window(segment, random)
        yield np.concatenate([pack(_crop(frame, *window), 8) for frame in segment.frames])


def runs(segment: Segment, crops: int, random: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Source frames [4, 96, 32, 32]; none of smaller ones."""
    if min(segment.format.width, segment.format.height) >= PICTURE_CROP:
        for _ in range(crops):
            window = _window(segment, random, PICTURE_CROP)
            frames = (_crop(frame, *window, PICTURE_CROP) for frame in segment.frames)
            yield np.concatenate([pack(frame, 8) for frame in frames])


def pictures(
    segment: Segment, crops: int, random: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Crops [96, 32, 32] of a single frame; none of a frame that is smaller."""
    if min(segment.format.width, segment.format.height) >= PICTURE_CROP:
        for _ in range(crops):
            window = _window(segment, random, PICTURE_CROP)
            yield pack(_crop(segment.frames[0], *window, PICTURE_CROP), 8)[0]


def _window(segment: Segment, random: np.random.Generator, side: int = CROP) -> tuple[int, int]:
    """(row, column) of a crop's corner, multiples of 8."""
    rows, columns = segment.format.height - side, segment.format.width - side
    return int(random.integers(rows // 8 + 1)) * 8, int(random.integers(columns // 8 + 1)) * 8


def _crop(planes: Planes, row: int, column: int, side: int = CROP) -> Planes:
    y, u, v = planes
    luma = (slice(row, row + side), slice(column, column + side))
    chroma = tuple(slice(each.start // 2, each.stop // 2) for each in luma)
    return y[luma], u[chroma], v[chroma]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=_KINDS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--segments", type=int, default=3, help="for each clip")
    parser.add_argument("--crops", type=int, default=40, help="for each encode of a segment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--scales", choices=tuple(Scales), default=Scales.SMALL, help="of clips; see sources.Scales"
    )
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    frames = _KINDS[arguments.kind]
    x: list[NDArray[np.uint8]] = []
    conditions: list[NDArray[np.uint8]] = []
    for path in track(
        find_sources(arguments.data), description=arguments.kind, console=Console(stderr=True)
    ):
        scales = Scales(arguments.scales)
        if arguments.kind == "pictures":
            for segment in read_pictures(path, arguments.segments, random, scales):
                x += pictures(segment, arguments.crops, random)
            continue
        for segment in read_segments(path, arguments.segments, frames, random, scales):
            if arguments.kind in ("sequences", "runs"):
                whole = sequences if arguments.kind == "sequences" else runs
                x += whole(segment, arguments.crops, random)
                continue
            make = {"triplets": triplets, "filtered": filtered, "halves": halves}[arguments.kind]
            for sample, condition in make(segment, arguments.crops, random):
                x.append(sample)
                conditions.append(condition)
    if not x:
        raise EdgecodecError(f"{arguments.data}: no clip has {frames} frames of 8 bits a sample")
    arguments.pack.mkdir(parents=True, exist_ok=True)
    if conditions:
        _save(arguments.pack / "condition.npy", conditions)
        _save(arguments.pack / "distortion.npy", list(_distortion(x, arguments.crops)))
    _save(arguments.pack / "x.npy", x)


def _distortion(x: list[NDArray[np.uint8]], encodes: int) -> NDArray[np.float32]:
    """Of each sample's encode: `encodes` consecutive samples are from one."""
    errors = np.concatenate([plane_errors(each[None]) for each in x])
    means = errors.reshape(-1, encodes, 3).mean(axis=1)
    repeated: NDArray[np.float32] = means.repeat(encodes, axis=0)
    return repeated


def _save(path: Path, samples: Sequence[NDArray[np.uint8] | NDArray[np.float32]]) -> None:
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.save(file, np.stack(samples))
    os.replace(temporary, path)


if __name__ == "__main__":
    run_script(main)
