"""What I-frames are worth as still pictures, against JPEG, WebP and video codecs' intra pictures.

    python -m edgecodec.evaluation.stills --data FOLDER --tier edge [--side 1024] [--json FILE]
    python -m edgecodec.evaluation.stills --data FOLDER --tier edge --checkpoint RUN.pt

Every still of the folder and the first frame of every clip, as 4:2:0 planes that no codec takes
through RGB. I-frames are real streams of one frame, INT8 through the runtime; with --checkpoint
they are the float networks of a training. BD-rates over PSNR (6 Y + U + V) / 8 and over MS-SSIM of
luma in dB, picture by picture, then their means: without what a stream has around its chunk's body,
as the video codecs have no container either, and with it. --keep holds the other codecs' points
from run to run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.progress import track

from ..encoder.analysis_weights import tuned
from ..encoder.priors import coded_detail
from ..encoder.quality import psnr
from ..encoder.resources import Resources
from ..encoder.script import run_script
from ..encoder.targets import Metric
from .atomic import write_text
from .bdrate import RatePoint, bd_rate, ssim_db, unbeaten
from .ms_ssim import LumaMsSsim
from .still_codecs import ANCHORS, StillCodec
from .still_latents import DETAILED_QUALITIES, QUALITIES, FloatIFrames, IFrames
from .still_pictures import Still, read_stills
from .tables import Table


@dataclass(frozen=True)
class StillPoint:
    """One picture, or clip, by one codec at one setting: file bytes, those of them around what is
    coded, samples of luma, PSNR in dB and MS-SSIM of luma."""

    picture: str
    codec: str
    setting: float
    pixels: int
    bytes: int
    container_bytes: int
    psnr: float
    psnr_y: float
    psnr_u: float
    psnr_v: float
    ms_ssim: float

    @property
    def bits_per_pixel(self) -> float:
        """Without the container."""
        return 8 * (self.bytes - self.container_bytes) / self.pixels


@dataclass(frozen=True)
class StillBd:
    """BD-rate in percent of what is tested against a codec; None where the curves share no quality.

    `overlap` is the share, 0 to 1, of the wider quality range that both have.
    """

    picture: str
    anchor: str
    metric: str
    percent: float | None
    overlap: float


METRICS: dict[str, Callable[[StillPoint], tuple[float, float]]] = {
    "psnr": lambda p: (p.bits_per_pixel, p.psnr),
    "psnr_y": lambda p: (p.bits_per_pixel, p.psnr_y),
    "ms_ssim": lambda p: (p.bits_per_pixel, ssim_db(p.ms_ssim)),
    "psnr_file": lambda p: (8 * p.bytes / p.pixels, p.psnr),
}
"""Rate and quality of a point by the name of the comparison."""


def measure(still: Still, codec: StillCodec, setting: float) -> StillPoint:
    """Code a picture and compare it with itself. Errors as for `StillCodec.code`."""
    coded = codec.code(still, setting)
    scores = psnr(still.planes, coded.planes)
    return StillPoint(
        picture=still.name,
        codec=codec.name,
        setting=setting,
        pixels=still.pixels,
        bytes=coded.bytes,
        container_bytes=coded.container_bytes,
        psnr=round(scores.weighted, 4),
        psnr_y=round(scores.y, 4),
        psnr_u=round(scores.u, 4),
        psnr_v=round(scores.v, 4),
        ms_ssim=round(LumaMsSsim().add(still.planes[0], coded.planes[0]), 6),
    )


def compare(points: Sequence[StillPoint], tested: str) -> Iterator[StillBd]:
    """BD-rates of `tested` against every other codec, by picture and metric."""
    names = [name for name in dict.fromkeys(p.codec for p in points) if name != tested]
    for picture in dict.fromkeys(p.picture for p in points):
        for name in names:
            for metric, of in METRICS.items():
                anchor, test = (
                    [RatePoint(*of(p)) for p in points if (p.picture, p.codec) == (picture, each)]
                    for each in (name, tested)
                )
                try:
                    found = bd_rate(unbeaten(anchor), unbeaten(test))
                except ValueError:
                    yield StillBd(picture, name, metric, None, 0.0)
                else:
                    yield StillBd(picture, name, metric, found.percent, found.overlap)


def table(found: Sequence[StillBd], metric: str, rows_are: str = "picture") -> Table:
    """A row for each picture and one for the means, a column for each codec."""
    anchors = list(dict.fromkeys(each.anchor for each in found))
    chosen = {(b.picture, b.anchor): b for b in found if b.metric == metric}
    rows = [
        (picture, *(_cell(chosen[picture, anchor]) for anchor in anchors))
        for picture in dict.fromkeys(each.picture for each in found)
    ]
    means = [_mean([b for (_, name), b in chosen.items() if name == anchor]) for anchor in anchors]
    headings = rows_are, *anchors
    return Table(metric, headings, (*rows, (f"mean ({rows_are}s)", *means)))


def _mean(found: Sequence[StillBd]) -> str:
    known = [(each.percent, each.overlap) for each in found if each.percent is not None]
    if not known:
        return "-"
    percents, overlaps = zip(*known, strict=True)
    return f"{fmean(percents):+.1f} % of {100 * fmean(overlaps):.0f} % ({len(known)})"


def _cell(found: StillBd) -> str:
    if found.percent is None:
        return "-"
    return f"{found.percent:+.1f} % of {100 * found.overlap:.0f} %"


def kept(path: Path | None) -> dict[tuple[str, str, float], StillPoint]:
    """Points of an earlier run by picture's digest, codec and setting."""
    if path is None or not path.is_file():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {(r["digest"], r["codec"], r["setting"]): StillPoint(**r["point"]) for r in rows}


def keep(path: Path, points: dict[tuple[str, str, float], StillPoint]) -> None:
    """Write what `kept` reads."""
    rows = [
        {"digest": digest, "codec": codec, "setting": setting, "point": asdict(point)}
        for (digest, codec, setting), point in points.items()
    ]
    write_text(path, json.dumps(rows) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--tier", default="edge")
    parser.add_argument("--checkpoint", type=Path, help="of a training: its float networks")
    parser.add_argument("--side", type=int, default=0, help="only the middle of larger pictures")
    parser.add_argument("--refine", type=int, default=0, help="steps of descent of the latents")
    parser.add_argument("--tune", choices=("psnr", "ssim"), default="psnr", help="of the latents")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where points and BD-rates are written")
    parser.add_argument("--keep", type=Path, help="a file for the other codecs' points")
    asked = parser.parse_args(arguments)
    tune = Metric(asked.tune)
    if tuned(asked.tier, tune) is not tune:
        parser.error(f"tier {asked.tier} has no analysis network for --tune {asked.tune}")
    qualities = QUALITIES if coded_detail(asked.tier, tune) is None else DETAILED_QUALITIES
    tested: StillCodec = IFrames(
        asked.tier, Resources(asked.threads), asked.refine, qualities, tune
    )
    if asked.checkpoint:
        tested = FloatIFrames(asked.checkpoint, asked.tier, asked.refine)
    known = kept(asked.keep)
    points: list[StillPoint] = []
    stills = [still for folder in asked.data for still in read_stills(folder, asked.side)]
    for still in track(stills, console=Console(stderr=True)):
        digest = still.digest
        for codec in ANCHORS:
            for setting in codec.settings:
                key = digest, codec.name, setting
                if key not in known:
                    known[key] = measure(still, codec, setting)
                points.append(known[key])
        if asked.keep:
            keep(asked.keep, known)
        points += [measure(still, tested, setting) for setting in tested.settings]
    found = list(compare(points, tested.name))
    for metric in METRICS:
        sys.stdout.write(f"\n{tested.name}, {metric}:\n\n{table(found, metric).to_markdown()}")
    if asked.json:
        result = {
            "tested": tested.name,
            "bd_rates": [asdict(each) for each in found],
            "points": [asdict(each) for each in points],
        }
        write_text(asked.json, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    run_script(main)
