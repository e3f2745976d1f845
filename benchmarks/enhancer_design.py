"""What moves the gain of an enhancer most: its shape, what it sees, how it is trained and added.

    python benchmarks/enhancer_design.py [CLIP] --cache DIR [--minutes 4 | --steps N]
        [--variants nano,edge,deep,wide,one-frame,head-only,batch-8,fp32]
        [--crf 30,38,46,54,60] [--frames 0] [--measured-frames 24] [--json]

The clip is coded by SVT-AV1, preset 4, in 10 bits, at every CRF. Each variant is a network that is
trained from the start on these encodes, all together, and measured on the same frames: what a
network can learn of a title, not what it does to others. Frames are switched one by one, as the
encoder does. BD-rates are against the base, whose bits are all that is counted: weights are free.

Every network is measured twice: with its residual in quarters of a grey level, on the base of ten
bits, as streams have it, and with a residual in whole levels on the base rounded to 8 bits.

`nano` and `edge` are the shapes of the tiers, `deep` and `wide` cost about what `edge` does. The
others are `nano` but for one thing: `one-frame` sees frame t only, `head-only` trains nothing but
the last layer, `batch-8` halves the batch, `fp32` computes in float32 and not in bfloat16.

With --minutes all variants train for equally long, so that the larger ones take fewer steps; with
--steps a run can be repeated exactly on the same machine. torch has one thread. Encodes are kept in
--cache. Frames are in memory: 2.8 MB for one of 720p, and as much again for each CRF.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from edgecodec.decoder import TIERS, Enhancer
from edgecodec.encoder.base_store import BaseStore
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.fingerprint import fingerprint
from edgecodec.encoder.quality import PlanePsnr, mse_planes, psnr
from edgecodec.encoder.title_samples import crop_cells
from edgecodec.encoder.training.enhancer import optimizer_for, plane_errors, predicted, prepare
from edgecodec.encoder.training.packs import FINE_STEPS, FINE_ZERO, PLANES, TripletBatch
from edgecodec.encoder.training.schedule import Deadline
from edgecodec.evaluation.bdrate import MIN_POINTS, RatePoint, bd_rate, unbeaten
from edgecodec.evaluation.clips import Clip, load_clip
from edgecodec.evaluation.digests import clip_digest
from edgecodec.evaluation.environment import hardware
from edgecodec.evaluation.evaluation_tables import percent_text
from edgecodec.evaluation.report import number
from edgecodec.evaluation.tables import Table
from edgecodec.runtime.container import Codec, Limits
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.packing import Packed, pack, unpack
from edgecodec.runtime.payloads import BaseStream
from edgecodec.runtime.scenes import (
    add_residual,
    condition_planes,
    deep_base,
    full_size,
    packed_frame,
    unmended,
)
from edgecodec.runtime.upsample import Upsampling
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor, nn

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "media" / "bbb_720p.mp4"
CRFS = "30,38,46,54,60"
PRESET, BIT_DEPTH = "4", 10
CROP = 128
RATE, WARMUP_STEPS, MAX_NORM = 2e-3, 100, 0.5
# What no network mends, in squared grey levels: the rounding to 8 bits.
FLOOR = 1.0 / 12.0
SHOWN_LOSSES = 500
RESIDUAL_ZERO = 128
METRICS = {"psnr_y": "Y", "psnr_u": "U", "psnr_v": "V", "psnr": "6:1:1"}
WAYS = {"quarters": "quarters", "whole_levels": "whole"}
"""How residuals are added, and the tables' word for it."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A network and its training; what is not said is as in `nano`.

    `sees_neighbours`: frames t-1 and t+1 are shown, else frame t in their places. `trains_trunk`:
    all layers are trained, else the last one. `half_precision`: in bfloat16, else in float32.
    """

    channels: int = TIERS["nano"].enhancer_channels
    layers: int = TIERS["nano"].enhancer_layers
    sees_neighbours: bool = True
    trains_trunk: bool = True
    batch: int = 16
    half_precision: bool = True


VARIANTS: Mapping[str, Variant] = {
    "nano": Variant(),
    "edge": Variant(channels=TIERS["edge"].enhancer_channels, layers=TIERS["edge"].enhancer_layers),
    "deep": Variant(layers=8),
    "wide": Variant(channels=128),
    "one-frame": Variant(sees_neighbours=False),
    "head-only": Variant(trains_trunk=False),
    "batch-8": Variant(batch=8),
    "fp32": Variant(half_precision=False),
}


@dataclass(frozen=True)
class Length:
    """How long a network is trained: so many steps, or without them so many minutes."""

    minutes: float
    steps: int | None = None

    def share(self, step: int, deadline: Deadline) -> float:
        """How much of it is over before that step, 1 or more at the end."""
        if self.steps is not None:
            return step / self.steps
        return deadline.elapsed / (60 * self.minutes)


@dataclass(frozen=True)
class Encode:
    """The clip at one CRF.

    `shown` uint8 [T, 24, h, w]: frames rounded to 8 bits and packed; `beyond` uint8 of that shape:
    128 and what the base of ten bits has beyond them, in quarters of a grey level. `condition`
    uint8 [2] is what a network is told, `distortion` float32 [3] the mean squared error of Y, U and
    V of the rounded frames, in squared grey levels.
    """

    crf: float
    kbps: float
    shown: Packed
    beyond: Packed
    condition: NDArray[np.uint8]
    distortion: NDArray[np.float32]


@dataclass(frozen=True)
class Title:
    """A clip's frames, uint8 [T, 24, h, w] packed, and all encodes of it."""

    picture: PictureFormat
    source: Packed
    encodes: tuple[Encode, ...]


@dataclass(frozen=True)
class Sample:
    """A frame of an encode or a part of it: uint8 `shown` [3, 24, h, w], `beyond` and `target`
    [24, h, w]."""

    encode: Encode
    shown: Packed
    beyond: Packed
    target: Packed


@dataclass(frozen=True)
class Point:
    """An encode's PSNR in dB by metric, without the network (`base`) and by way of adding, and the
    share of frames that the network is switched on for, by way."""

    crf: float
    kbps: float
    base: Mapping[str, float]
    mended: Mapping[str, Mapping[str, float]]
    enhanced_share: Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """A trained variant. `bd_rates` are in percent by way and metric, None without a figure."""

    name: str
    variant: Variant
    kmac_per_pixel: float
    parameters: int
    steps: int
    seconds: float
    bd_rates: Mapping[str, Mapping[str, float | None]]
    points: tuple[Point, ...]


def read_title(clip: Clip, crfs: Iterable[float], store: BaseStore) -> Title:
    """The clip, coded at every CRF or found in `store`, and decoded again."""
    source = np.concatenate([pack(planes, 4) for planes in clip.frames])
    digest = clip_digest(clip)
    encodes = []
    for crf in crfs:
        key = repr((digest, Codec.AV1, BIT_DEPTH, PRESET, crf, fingerprint()))
        stream = store.get(key, len(clip.frames), partial(_coded, clip, crf))
        encodes.append(_decoded(clip, crf, stream))
    return Title(clip.format, source, tuple(encodes))


def _coded(clip: Clip, crf: float) -> BaseStream:
    settings = BaseSettings(crf, clip.format, clip.frame_rate, clip.color, BIT_DEPTH, PRESET)
    return encoder_for(Codec.AV1).encode(clip.frames, settings)


def _decoded(clip: Clip, crf: float, stream: BaseStream) -> Encode:
    count, picture, plain = len(clip.frames), clip.format, Upsampling.NONE
    shown, beyond, errors = [], [], []
    frames = deep_base(stream, picture, plain, frames=count, max_pixels=Limits().max_pixels)
    for source, planes in zip(clip.frames, frames, strict=True):
        rounded = unmended(planes, stream, plain, picture)
        deep = full_size(planes, stream, plain, picture)
        shown.append(packed_frame(planes, stream, plain))
        beyond.append(pack(_beyond(deep, rounded), 4))
        errors.append(mse_planes(source, rounded))
    size = sum(len(packet.data) for packet in stream.packets)
    return Encode(
        crf,
        1000 * clip.bitrate_mbps(size),
        np.concatenate(shown),
        np.concatenate(beyond),
        condition_planes(stream, 1, 1).reshape(2),
        np.mean(errors, axis=0).astype(np.float32),
    )


def _beyond(deep: Planes, rounded: Planes) -> Planes:
    y, u, v = (
        (plane.astype(np.int16) - FINE_STEPS * short.astype(np.int16) + FINE_ZERO).astype(np.uint8)
        for plane, short in zip(deep, rounded, strict=True)
    )
    return y, u, v


def _ten_bit(shown: Planes, beyond: Planes) -> Planes:
    """Inverts `_beyond`."""
    y, u, v = (
        short * np.uint16(FINE_STEPS) + rest - np.uint16(FINE_ZERO)
        for short, rest in zip(shown, beyond, strict=True)
    )
    return y, u, v


def train(
    title: Title, variant: Variant, length: Length, seed: int, tell: Callable[[float, str], None]
) -> tuple[Enhancer, int, float]:
    """A network that was trained on the title, in how many steps and seconds.

    `tell` hears which share of the work is done, and how it stands.
    """
    torch.manual_seed(seed)
    network = Enhancer(variant.channels, variant.layers)
    prepare(network)
    network.requires_grad_(variant.trains_trunk)
    network.head.requires_grad_(True)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = optimizer_for(network, RATE)
    random = np.random.default_rng(seed)
    losses: deque[float] = deque(maxlen=SHOWN_LOSSES)
    deadline = Deadline(60 * length.minutes)
    step = 0
    while (share := length.share(step, deadline)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * _rate(step, share)
        batch = _batch([_drawn(title, variant, random) for _ in range(variant.batch)])
        residual = predicted(network, batch, half_precision=variant.half_precision)
        loss = _loss(batch.base + residual, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), MAX_NORM)
        optimizer.step()
        losses.append(loss.item())
        step += 1
        tell(share, f"step {step}, {fmean(losses):.4f} of the distortion left")
    return network, step, deadline.elapsed


def _rate(step: int, share: float) -> float:
    """Linear warm-up, and a cosine to a hundredth over the whole training."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    return RATE * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share)))


def _loss(output: Tensor, batch: TripletBatch) -> Tensor:
    """Distortion left as a share of that of the whole encode, 6:1:1 over the planes."""
    weights = torch.tensor([weight for _, _, weight in PLANES])
    shares = plane_errors(output, batch.target) / batch.distortion.clamp_min(FLOOR)
    return (shares * weights).sum(dim=1).mean()


def _drawn(title: Title, variant: Variant, random: np.random.Generator) -> Sample:
    """A crop of any frame of any encode."""
    encode = title.encodes[int(random.integers(len(title.encodes)))]
    count, _, height, width = title.source.shape
    rows, columns = crop_cells(title.picture, CROP)
    t = int(random.integers(count))
    top = int(random.integers(height - rows + 1))
    left = int(random.integers(width - columns + 1))
    return _sample(title, encode, t, variant, (slice(top, top + rows), slice(left, left + columns)))


def _sample(
    title: Title,
    encode: Encode,
    t: int,
    variant: Variant,
    window: tuple[slice, slice] = (slice(None), slice(None)),
) -> Sample:
    last = len(title.source) - 1
    around = (max(0, t - 1), t, min(last, t + 1)) if variant.sees_neighbours else (t, t, t)
    return Sample(
        encode,
        np.stack([encode.shown[each, :, *window] for each in around]),
        encode.beyond[t, :, *window],
        title.source[t, :, *window],
    )


def _batch(samples: Sequence[Sample]) -> TripletBatch:
    def stacked(arrays: Iterable[NDArray[np.uint8] | NDArray[np.float32]]) -> Tensor:
        return torch.from_numpy(np.stack(list(arrays))).float()

    shown = stacked(each.shown for each in samples)
    beyond = stacked(each.beyond for each in samples)
    condition = stacked(each.encode.condition for each in samples) / 255.0
    return TripletBatch(
        shown=shown / 255.0,
        condition=condition[:, :, None, None].expand(-1, -1, *beyond.shape[-2:]),
        base=(shown[:, 1] + (beyond - FINE_ZERO) / FINE_STEPS) / 255.0,
        target=stacked(each.target for each in samples) / 255.0,
        distortion=stacked(each.encode.distortion for each in samples),
    )


@torch.no_grad()
def measure(
    title: Title, encode: Encode, variant: Variant, network: Enhancer, most_frames: int
) -> Point:
    """One encode with the network and without it, over up to `most_frames` frames, evenly."""
    count = len(title.source)
    plain: list[PlanePsnr] = []
    mended: dict[str, list[PlanePsnr]] = {way: [] for way in WAYS}
    enhanced: dict[str, list[bool]] = {way: [] for way in WAYS}
    for t in range(0, count, -(-count // most_frames)):
        batch = _batch([_sample(title, encode, t, variant)])
        residual = 255.0 * predicted(network, batch, half_precision=variant.half_precision)
        source, shown, beyond = (
            unpack(each[t : t + 1], title.picture)
            for each in (title.source, encode.shown, encode.beyond)
        )
        without = psnr(source, shown)
        plain.append(without)
        frames = _added(shown, beyond, residual.numpy(), title.picture)
        for way, frame in frames.items():
            with_it = psnr(source, frame)
            switched = with_it.weighted > without.weighted
            mended[way].append(with_it if switched else without)
            enhanced[way].append(switched)
    return Point(
        encode.crf,
        round(encode.kbps, 3),
        _means(plain),
        {way: _means(frames) for way, frames in mended.items()},
        {way: round(fmean(flags), 4) for way, flags in enhanced.items()},
    )


def _added(
    shown: Planes, beyond: Planes, residual: NDArray[np.float32], picture: PictureFormat
) -> dict[str, Planes]:
    """The frame by each of `WAYS`, from a residual [1, 24, h, w] in grey levels."""

    def added(base: Planes, grey_levels: NDArray[np.float32]) -> Planes:
        quarters = np.rint(FINE_STEPS * grey_levels) + RESIDUAL_ZERO
        return add_residual(base, quarters.clip(0, 255).astype(np.uint8), picture)

    y, u, v = (np.left_shift(plane, 2, dtype=np.uint16) for plane in shown)
    whole = np.rint(residual).clip(-RESIDUAL_ZERO // FINE_STEPS, RESIDUAL_ZERO // FINE_STEPS - 1)
    return {
        "quarters": added(_ten_bit(shown, beyond), residual),
        "whole_levels": added((y, u, v), whole),
    }


def _means(frames: Sequence[PlanePsnr]) -> dict[str, float]:
    """By `METRICS`, in dB."""
    y, u, v = (fmean(plane) for plane in zip(*((f.y, f.u, f.v) for f in frames), strict=True))
    values = (y, u, v, PlanePsnr(y, u, v).weighted)
    return {name: round(value, 4) for name, value in zip(METRICS, values, strict=True)}


def bd_rates(points: Sequence[Point]) -> dict[str, dict[str, float | None]]:
    """Of every way and metric, against the base."""
    return {way: {metric: _bd_percent(points, way, metric) for metric in METRICS} for way in WAYS}


def _bd_percent(points: Sequence[Point], way: str, metric: str) -> float | None:
    base = [RatePoint(point.kbps, point.base[metric]) for point in points]
    mended = [RatePoint(point.kbps, point.mended[way][metric]) for point in points]
    try:
        percent = bd_rate(unbeaten(base), unbeaten(mended)).percent
    except ValueError:
        return None  # too few points, or no quality that both curves share
    # Adding 0 turns a rounded -0 into 0.
    return round(percent, 2) + 0.0


def row_of(
    title: Title, name: str, length: Length, seed: int, most_frames: int, progress: Progress
) -> Row:
    """A variant, trained and measured."""
    variant = VARIANTS[name]
    task = progress.add_task(name, total=1.0)

    def tell(share: float, text: str) -> None:
        progress.update(task, completed=share, description=f"{name}: {text}")

    network, steps, seconds = train(title, variant, length, seed, tell)
    points = []
    for done, encode in enumerate(title.encodes):
        tell(done / len(title.encodes), f"measuring CRF {encode.crf:g}")
        points.append(measure(title, encode, variant, network, most_frames))
    progress.remove_task(task)
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    return Row(
        name,
        variant,
        # All run at 1/4 of the resolution.
        round(sum(each.weight.numel() for each in convolutions) / 16 / 1000, 3),
        sum(each.numel() for each in network.parameters()),
        steps,
        round(seconds, 1),
        bd_rates(points),
        tuple(points),
    )


def table(rows: Sequence[Row]) -> Table:
    """The rows for readers."""
    headings = (
        *("", "kMAC/pixel", "steps", "ms a step"),
        *(f"{word}: {metric}" for word in WAYS.values() for metric in METRICS.values()),
    )
    cells = tuple(
        (
            row.name,
            number(row.kmac_per_pixel, 1),
            str(row.steps),
            number(1000 * row.seconds / max(1, row.steps), 0),
            *(
                percent_text(row.bd_rates[way][metric], is_covered=True)
                for way in WAYS
                for metric in METRICS
            ),
        )
        for row in rows
    )
    title = "BD-rate of PSNR against the base, the weights' bits not counted"
    return Table(title, headings, cells)


def summary(row: Row) -> str:
    """A line that says how a variant did."""
    rates = ", ".join(
        f"{percent_text(row.bd_rates[way]['psnr'], is_covered=True)} ({word})"
        for way, word in WAYS.items()
    )
    return f"{row.name}: {row.steps} steps in {row.seconds:.0f} s, 6:1:1 {rates}"


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no variant {', '.join(unknown)}; there are {', '.join(VARIANTS)}"
        )
    return names


def _crfs(text: str) -> list[float]:
    crfs = sorted({float(value) for value in text.split(",")})
    if len(crfs) < MIN_POINTS:
        raise argparse.ArgumentTypeError(f"BD-rates need {MIN_POINTS} CRFs, not {len(crfs)}")
    return crfs


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path, nargs="?", default=EXAMPLE)
    parser.add_argument("--cache", type=Path, required=True, help="where encodes are kept")
    parser.add_argument("--variants", type=_names, default=list(VARIANTS))
    lengths = parser.add_mutually_exclusive_group()
    lengths.add_argument("--minutes", type=float, default=4.0, help="of training, each variant")
    lengths.add_argument("--steps", type=_positive, help="of training, whatever they take")
    parser.add_argument("--crf", type=_crfs, default=_crfs(CRFS))
    parser.add_argument("--frames", type=int, default=0, help="0: all")
    parser.add_argument("--measured-frames", type=_positive, default=24, help="of each encode")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.minutes <= 0:
        parser.error(f"--minutes {asked.minutes:g} is not above 0")
    clip = load_clip(asked.clip, asked.frames or None)
    if clip.format.bit_depth != 8:
        parser.error(f"{asked.clip} has {clip.format.bit_depth} bits a sample, 8 are needed")
    torch.set_num_threads(1)
    console = Console(stderr=True)
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    rows = []
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        crfs = progress.track(asked.crf, description="encoding")
        title = read_title(clip, crfs, BaseStore(asked.cache / "bases"))
        length = Length(asked.minutes, asked.steps)
        for name in asked.variants:
            row = row_of(title, name, length, asked.seed, asked.measured_frames, progress)
            rows.append(row)
            console.print(summary(row), markup=False, highlight=False, soft_wrap=True)
    if asked.json:
        about = {
            "clip": clip.name,
            "frames": len(clip.frames),
            "size": [clip.format.width, clip.format.height],
            "codec": "av1",
            "preset": PRESET,
            "bit_depth": BIT_DEPTH,
            "minutes": None if asked.steps else asked.minutes,
            "steps": asked.steps,
            "seed": asked.seed,
        }
        found = {"hardware": hardware(), **about, "rows": [asdict(row) for row in rows]}
        print(json.dumps(found, indent=2))
    else:
        Console(width=160).print(table(rows).to_rich())
        print(hardware())


if __name__ == "__main__":
    main()
