"""What video in latents is worth, against x264, x265 and SVT-AV1 at the same intra period.

    python -m edgecodec.evaluation.latent_video --data CLIPS --tier edge [--json FILE]
    python -m edgecodec.evaluation.latent_video --data CLIPS --tier nano --frames 16 --intra 0

The first frames of every clip of 8 bits, scaled down, by each strategy of the tier as a real stream
with a chunk every so many frames, INT8 through the runtime, and by the standard codecs with their
B-frames and a keyframe at the same frames. BD-rates over PSNR (6 Y + U + V) / 8 and over MS-SSIM of
luma in dB, clip by clip, then their means: without what a stream has around its chunks' bodies, as
the standard codecs have no container either, and with it. --keep holds points from run to run: ours
until anything changes that codes or plays.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ..encoder.analysis_weights import tuned
from ..encoder.effort import Effort
from ..encoder.latent_kinds import missing_networks
from ..encoder.script import run_script
from ..encoder.targets import Metric
from ..runtime.errors import EdgecodecError
from .atomic import write_text
from .digests import clip_digest, code_digest
from .evaluate import distinct_names, find_clips
from .latent_video_clips import Cut, read_clip
from .latent_video_codecs import LATENT_STRATEGIES, LatentVideo, VideoCodec, standard_codecs
from .latent_video_points import MEASURED, Curve, against_standard, measured_curves
from .still_latents import QUALITIES
from .stills import StillBd, StillPoint, keep, kept, table

_STRATEGIES = {each.name.lower(): each for each in LATENT_STRATEGIES}
_METRICS = ("psnr", "ms_ssim", "psnr_file")
_Points = dict[tuple[str, str, float], StillPoint]


@dataclass(frozen=True)
class VideoClip:
    """A clip that is measured; `digest` is that of its samples."""

    name: str
    path: Path
    digest: str
    width: int
    height: int
    frames: int
    frame_rate: float

    def mbps(self, point: StillPoint) -> float:
        """A point's rate in Mb/s, with its container."""
        return 8e-6 * point.bytes * self.frame_rate / self.frames


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="clips, and folders")
    parser.add_argument("--tier", default="edge")
    parser.add_argument("--frames", type=int, default=64, help="of each clip; 0: to its end")
    parser.add_argument("--start", type=int, default=0, help="the first frame that counts")
    parser.add_argument("--short-side", type=int, default=540, help="at most; 0: as it is")
    parser.add_argument("--intra", type=int, nargs="+", default=[32, 0], help="0: one I-frame")
    parser.add_argument("--strategies", nargs="+", choices=_STRATEGIES, help="else the tier's")
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES)
    parser.add_argument("--tune", choices=("psnr", "ssim"), default="psnr", help="of the latents")
    parser.add_argument("--effort", choices=[each.value for each in Effort], default="fast")
    parser.add_argument("--threads", type=int, default=1, help="of each curve")
    parser.add_argument("--jobs", type=int, default=1, help="curves at a time")
    parser.add_argument("--json", type=Path, help="where points and BD-rates are written")
    parser.add_argument("--keep", type=Path, help="a file for points from run to run")
    asked = parser.parse_args(arguments)
    if min(asked.frames, asked.start, asked.short_side, *asked.intra) < 0 or asked.jobs < 1:
        parser.error("frames, start, side and intra periods are 0 or more, jobs 1 or more")
    if tuned(asked.tier, Metric(asked.tune)) is not Metric(asked.tune):
        parser.error(f"tier {asked.tier} has no analysis network for --tune {asked.tune}")
    console = Console(stderr=True)
    strategies = _strategies(asked, parser, console)
    cut = Cut(asked.frames, asked.start, asked.short_side)
    clips = list(_clips(asked.data, cut, console))
    codecs = _codecs(asked, strategies)
    points = _measured(clips, codecs, cut, asked, console)
    found = {
        (intra, tested): against_standard(points[intra], tested, strategies)
        for intra in points
        for tested in strategies
    }
    for (intra, tested), bd_rates in found.items():
        period = f"intra period {intra}" if intra else "one I-frame"
        for metric in _METRICS:
            sys.stdout.write(f"\n{tested} of tier {asked.tier}, {period}, {metric}:\n\n")
            sys.stdout.write(table(bd_rates, metric, "clip").to_markdown())
    if asked.json:
        result = {"tier": asked.tier, "start": asked.start, **_result(clips, points, found)}
        write_text(asked.json, json.dumps(result, indent=1) + "\n")
    if not clips:
        parser.exit(3)


def _strategies(
    asked: argparse.Namespace, parser: argparse.ArgumentParser, console: Console
) -> list[str]:
    """Those that are asked for, or those of the tier."""
    reasons = {name: missing_networks(_STRATEGIES[name], asked.tier) for name in _STRATEGIES}
    wanted = asked.strategies or [name for name in _STRATEGIES if not reasons[name]]
    for name in wanted or _STRATEGIES:
        if reasons[name]:
            parser.error(f"{name}: {reasons[name]}")
    for name in _STRATEGIES:
        if not asked.strategies and reasons[name]:
            _say(console, f"{name}: left out: {reasons[name]}")
    return list(dict.fromkeys(wanted))


def _clips(data: Sequence[Path], cut: Cut, console: Console) -> Iterator[VideoClip]:
    """Those that can be measured, one in memory at a time."""
    paths = find_clips(data)
    for path, name in zip(paths, distinct_names(paths), strict=True):
        try:
            clip = read_clip(path, name, cut)
        except (EdgecodecError, OSError) as error:
            _say(console, f"left out: {error}")
            continue
        form, rate = clip.format, float(clip.frame_rate)
        frames = len(clip.frames)
        yield VideoClip(name, path, clip_digest(clip), form.width, form.height, frames, rate)


def _codecs(asked: argparse.Namespace, strategies: Sequence[str]) -> list[VideoCodec]:
    """All that clips are coded with, at every intra period."""
    digest = code_digest()
    codecs: list[VideoCodec] = []
    for intra in dict.fromkeys(asked.intra):
        codecs += standard_codecs(intra, asked.threads)
        codecs += [
            LatentVideo(
                _STRATEGIES[name],
                asked.tier,
                intra,
                asked.threads,
                asked.qualities,
                digest,
                Metric(asked.tune),
                Effort(asked.effort),
            )
            for name in strategies
        ]
    return codecs


def _measured(
    clips: Sequence[VideoClip],
    codecs: Sequence[VideoCodec],
    cut: Cut,
    asked: argparse.Namespace,
    console: Console,
) -> dict[int, list[StillPoint]]:
    """All points by intra period, in order of clips and codecs."""
    known = kept(asked.keep)
    places = [(clip, codec) for clip in clips for codec in codecs]
    curves = [
        Curve(number, clip.path, clip.name, cut, codec, _known(known, clip, codec))
        for number, (clip, codec) in enumerate(places)
    ]
    made: dict[int, Sequence[StillPoint]] = {}
    for done in measured_curves(curves, asked.jobs):
        clip, codec = places[done.number]
        points = made[done.number] = done.points
        known |= {(_key(clip, codec), codec.name, each.setting): each for each in points}
        if asked.keep:
            keep(asked.keep, known)
        ends = "; ".join(
            f"{clip.mbps(each):.3f} Mb/s {each.psnr:.2f} dB" for each in (points[0], points[-1])
        )
        of_all = f"{len(made)} of {len(curves)}"
        what = f"{clip.name}, intra {codec.intra}, {codec.name}"
        _say(console, f"{done.seconds:7.1f} s  {of_all:<10} {what}: {ends}")
    found: dict[int, list[StillPoint]] = {}
    for number, (_, codec) in enumerate(places):
        found.setdefault(codec.intra, []).extend(made[number])
    return found


def _known(known: _Points, clip: VideoClip, codec: VideoCodec) -> dict[float, StillPoint]:
    """A curve's points from before, under the clip's name of today."""
    key = _key(clip, codec)
    return {
        setting: replace(known[key, codec.name, setting], picture=clip.name)
        for setting in codec.settings
        if (key, codec.name, setting) in known
    }


def _key(clip: VideoClip, codec: VideoCodec) -> str:
    return f"{clip.digest}, intra {codec.intra}, {codec.recipe}, {MEASURED}"


def _result(
    clips: Sequence[VideoClip],
    points: Mapping[int, Sequence[StillPoint]],
    found: Mapping[tuple[int, str], Sequence[StillBd]],
) -> dict[str, Any]:
    by_name = {clip.name: clip for clip in clips}
    return {
        "clips": [{**asdict(clip), "path": str(clip.path)} for clip in clips],
        "bd_rates": [
            {"strategy": tested, "intra": intra, **asdict(each)}
            for (intra, tested), bd_rates in found.items()
            for each in bd_rates
        ],
        "points": [
            {"intra": intra, "mbps": by_name[each.picture].mbps(each), **asdict(each)}
            for intra, of_intra in points.items()
            for each in of_intra
        ],
    }


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run_script(main)
