"""Make what priors are trained on: latent symbols of real encodes, with what was coded before them.

    python -m edgecodec.encoder.training.make_symbols --tier nano --data CLIPS --out FOLDER \
        --segments 8 --threads 1

Segments of every clip, at random sizes (half of them at the clip's own or a little less, half at a
half or less), are cut to windows of at most 384x384 pixels and coded by both strategies in latents,
each at a random quality. Every source becomes one file, `SymbolPack` reads them. A source whose
file is there is passed over, so the command can be stopped and run again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ...decoder import TIERS
from ...runtime.chunks import StrategyId
from ...runtime.errors import EdgecodecError
from ...runtime.frames import ColorInfo, PictureFormat, Planes
from ...runtime.payloads import FrameKind
from ...runtime.prior import Prior
from ...runtime.prior_part import groups_needed
from ..latent_kinds import missing_networks
from ..resources import Resources
from ..scene import Scene
from ..script import run_script
from ..strategies.latent import LatentCoder
from ..strategies.latent_scene import coded_frames
from .schedule import Deadline
from .sources import Scales, Segment, find_sources, read_segments

CELLS = 16
QUALITIES = range(64)
_STRIDE = 16
_WINDOW_CELLS = 24
_FRAMES = 17
# What may be left out is not known before there is a prior.
_ALL_GROUPS = 255
# Of a frame: those that continue another are few, one of eight, and say the most.
_CROPS = {FrameKind.C: 3}
_STRATEGIES = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)


@dataclass(frozen=True)
class SymbolCrop:
    """Symbols [C, 16, 16] int16 of a frame at a quality, and of the frame of its kind before.

    `previous` is zero where there is no such frame; of a frame that is predicted by motion it is
    what its prior sees instead. `groups` of the prior's are coded in the whole frame.
    """

    kind: FrameKind
    quality: int
    symbols: NDArray[np.int16]
    previous: NDArray[np.int16]
    groups: int


def crops(
    coder: LatentCoder,
    segment: Segment,
    random: np.random.Generator,
    qualities: range = QUALITIES,
) -> Iterator[SymbolCrop]:
    """Crops of every frame of a segment, in both strategies; none of frames that are smaller."""
    if min(segment.format.width, segment.format.height) < CELLS * _STRIDE:
        return
    scene = _window(segment, random)
    for strategy in _STRATEGIES:
        if missing_networks(strategy, coder.tier):
            continue
        before: dict[FrameKind, NDArray[np.int16]] = {}
        quality = int(random.choice(qualities))
        for frame, used, coded in coded_frames(coder, strategy, scene, quality):
            symbols = coded.symbols
            if frame.kind is FrameKind.C and coder.motion is not None and coded.moved is None:
                continue  # a scene that stands still, whose frames another prior codes
            previous = before.get(frame.kind, np.zeros_like(symbols))
            if coded.moved is not None:
                previous = coded.moved.seen(used)
            groups = _coded_groups(coder.priors.get(frame.kind), symbols, previous)
            for _ in range(_CROPS.get(frame.kind, 1)):
                row, column = (int(random.integers(side - CELLS + 1)) for side in symbols.shape[1:])
                place = (slice(None), slice(row, row + CELLS), slice(column, column + CELLS))
                yield SymbolCrop(frame.kind, used, symbols[place], previous[place], groups)
            before[frame.kind] = symbols


def _coded_groups(
    prior: Prior | None, symbols: NDArray[np.int16], previous: NDArray[np.int16]
) -> int:
    if prior is None:
        return _ALL_GROUPS
    expected = previous if prior.shape.is_gated else np.zeros_like(symbols)
    return groups_needed(symbols, expected, prior)


def _window(segment: Segment, random: np.random.Generator) -> Scene:
    """A random part of a segment, of whole cells."""
    most = _WINDOW_CELLS * _STRIDE
    sides = (segment.format.width, segment.format.height)
    width, height = (min(most, side // _STRIDE * _STRIDE) for side in sides)
    column, row = (
        int(random.integers((side - part) // 2 + 1)) * 2
        for side, part in zip(sides, (width, height), strict=True)
    )

    def cut(planes: Planes) -> Planes:
        y, u, v = planes
        luma = (slice(row, row + height), slice(column, column + width))
        chroma = tuple(slice(each.start // 2, each.stop // 2) for each in luma)
        return y[luma], u[chroma], v[chroma]

    frames = tuple(cut(planes) for planes in segment.frames)
    pts = tuple(range(len(frames)))
    return Scene(0, 0, frames, pts, PictureFormat(width, height), segment.frame_rate, ColorInfo())


def made_of(
    source: Path,
    coder: LatentCoder,
    segments: int,
    random: np.random.Generator,
    qualities: range = QUALITIES,
) -> list[SymbolCrop]:
    """Crops of `segments` segments of a source; none of a source of more than 8 bits a sample."""
    made: list[SymbolCrop] = []
    fine = segments // 2
    for count, scales in ((segments - fine, Scales.SMALL), (fine, Scales.NATIVE)):
        for segment in read_segments(source, count, _FRAMES, random, scales):
            made += crops(coder, segment, random, qualities)
    return made


def save(path: Path, made: Sequence[SymbolCrop]) -> None:
    """Write crops (.npz) under a temporary name and rename it.

    Arrays of each kind that occurs: `i_symbols` and `i_previous` [N, C, 16, 16] int16, `i_quality`
    and `i_groups` [N] uint8; `p_symbols` and so on.
    """
    arrays: dict[str, Any] = {}
    for kind in FrameKind:
        of_kind = [crop for crop in made if crop.kind is kind]
        if of_kind:
            name = kind.name.lower()
            arrays[f"{name}_symbols"] = np.stack([crop.symbols for crop in of_kind])
            arrays[f"{name}_previous"] = np.stack([crop.previous for crop in of_kind])
            arrays[f"{name}_quality"] = np.array([crop.quality for crop in of_kind], np.uint8)
            arrays[f"{name}_groups"] = np.array([crop.groups for crop in of_kind], np.uint8)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", choices=sorted(TIERS), default="nano")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--segments", type=int, default=8, help="for each source")
    parser.add_argument("--minutes", type=float, default=1e9, help="no source is begun after them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--coarsest",
        type=int,
        choices=QUALITIES,
        default=0,
        metavar="QUALITY",
        help="of 0 to 63: only fine ones have frames that need all groups",
    )
    asked = parser.parse_args()
    sources = find_sources(asked.data)
    coder = Resources(asked.threads).latent_coder(asked.tier, "cpu")
    deadline = Deadline(asked.minutes * 60)
    asked.out.mkdir(parents=True, exist_ok=True)
    for number, source in enumerate(
        track(sources, description="symbols", console=Console(stderr=True))
    ):
        path = asked.out / f"{number:04d}-{source.stem}.npz"
        if path.exists() or deadline.passed:
            continue
        random = np.random.default_rng((asked.seed, number))
        qualities = QUALITIES[asked.coarsest :]
        if made := made_of(source, coder, asked.segments, random, qualities):
            save(path, made)
    if not any(asked.out.glob("*.npz")):
        raise EdgecodecError(f"{asked.data}: no source has {_FRAMES} frames of 8 bits a sample")


if __name__ == "__main__":
    run_script(main)
