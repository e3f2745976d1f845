"""What fitting the networks to a title gains, over the time that the encoder spends on it.

    python benchmarks/title_gain.py CLIP --cache DIR [--codec av1] [--tier edge]
        [--steps 0,250,1000,3000] [--qualities 5,25,45,65,85] [--frames 0] [--json]

The clip is encoded by one standard codec alone, with filters of its scenes, with the generic
network, and with filters and networks fitted to it: by codes of its scenes (0 steps), and by
weights of its own that were searched with so many steps. Scenes in which no network is worth its
bits go without one. Every encode is a real file, decoded by the runtime, with all its bytes
counted. BD-rates are against the codec alone. `seconds` is what an encode took with the codec's own
streams at hand; what these took is the first row's. A stream pays for its weights at every quality
anew, as each has its own.

Each point is kept in --cache as soon as it is measured: a run that was cut off goes on there. The
clip's frames are in memory (1500 of 720p are 2 GB).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from edgecodec.encoder.api import encode
from edgecodec.encoder.base_store import BASE_SUFFIX
from edgecodec.encoder.targets import QualityTarget
from edgecodec.evaluation.clips import Clip
from edgecodec.evaluation.comparison import compare
from edgecodec.evaluation.edgecodec_system import (
    EdgecodecEncoding,
    EncodeFunction,
    edgecodec_system,
)
from edgecodec.evaluation.environment import hardware
from edgecodec.evaluation.evaluate import (
    EvaluateOptions,
    EvaluateProgress,
    Evaluation,
    evaluate,
)
from edgecodec.evaluation.evaluation_tables import percent_text
from edgecodec.evaluation.point_cache import PointCache
from edgecodec.evaluation.report import number
from edgecodec.evaluation.systems import Advance, Coded, System
from edgecodec.evaluation.tables import Table
from rich.console import Console

ALONE = "the codec alone"
FILTERS = "filters"
GENERIC = "generic"
QUALITIES = (5.0, 25.0, 45.0, 65.0, 85.0)
PLANES = ("psnr", "psnr_y", "chroma")
"""What BD-rates are over, by the names of `comparison.METRICS`."""


@dataclass(frozen=True)
class Row:
    """One way to encode, over all qualities.

    `seconds` and `weights_bytes` are means over its encodes, `steps` None for what has no weights
    of its own. `bd_rates` are in percent by metric, None where there is no figure, and all None
    for the codec alone.
    """

    name: str
    steps: int | None
    seconds: float
    weights_bytes: float
    bd_rates: Mapping[str, float | None]


@dataclass(frozen=True)
class BasesAtHand:
    """An encode in a folder of its own, to which a codec's streams come from `bases`.

    With `fills` it finds none there and leaves its own. Nothing else is kept from one encode to
    another, so that the time it takes is its own.
    """

    encoding: EdgecodecEncoding
    bases: Path
    fills: bool

    @property
    def label(self) -> str:
        """See `Encode.label`."""
        return self.encoding.label

    def identity(self) -> Mapping[str, Any]:
        """See `Encode.identity`."""
        return {**self.encoding.identity(), "bases at hand": not self.fills}

    def run(self, clip: Clip, path: Path, folder: Path, advance: Advance) -> Coded:
        """See `Encode.run`."""
        trials = folder / "trials"
        trials.mkdir()
        if not self.fills:
            _share(self.bases, trials)
        options = replace(self.encoding.options, cache=trials)
        coded = replace(self.encoding, options=options).run(clip, path, folder, advance)
        if self.fills:
            _share(trials, self.bases)
        return coded


def systems(
    codec: str,
    tier: str,
    steps: Sequence[int],
    qualities: Sequence[float],
    bases: Path,
    *,
    size: str = "full",
    device: str = "cpu",
    threads: int = 0,
    encode_video: EncodeFunction = encode,
) -> list[System]:
    """The codec alone, its filters, the generic network, and each of `steps`; the first fills
    `bases`."""
    common = f"effort=fast:codecs={codec}:sizes={size}:tier={tier}"
    mended = "auto:strategies=classical+hybrid_semantic"
    names = {
        ALONE: f"auto:strategies=classical:adapt=none:{common}",
        FILTERS: f"auto:strategies=classical:adapt=filter:{common}",
        GENERIC: f"{mended}:adapt=none:{common}",
    }
    for count in steps:
        adapt = f"adapt=title:title-steps={count}" if count else "adapt=code"
        names[_name(count)] = f"{mended}:{adapt}:{common}"
    made = []
    for name, text in names.items():
        targets = [QualityTarget(quality) for quality in qualities]
        system = edgecodec_system(text, targets, threads=threads, encode=encode_video)
        encodes = [
            replace(each, options=replace(each.options, device=device))
            for each in system.encodes
            if isinstance(each, EdgecodecEncoding)
        ]
        wrapped = tuple(BasesAtHand(each, bases, fills=name == ALONE) for each in encodes)
        made.append(System(name, system.kind, wrapped))
    return made


def rows(evaluation: Evaluation, steps: Sequence[int]) -> list[Row]:
    """A row for each system that has points, the codec alone first."""
    (clip,) = evaluation.clips
    rates = {(each.test, each.metric): each.percent for each in compare(evaluation, ALONE).results}
    counts = {_name(count): count or None for count in steps}
    return [
        Row(
            system.name,
            counts.get(system.name),
            round(fmean(point.frames / point.encode_fps for point in system.points), 1),
            round(fmean(point.title_bytes for point in system.points), 1),
            {metric: rates.get((system.name, metric)) for metric in PLANES},
        )
        for system in clip.systems
        if system.points
    ]


def table(found: Sequence[Row]) -> Table:
    """The rows for readers."""
    cells = tuple(
        (
            row.name,
            number(row.seconds, 0),
            number(row.weights_bytes, 0),
            *(
                "" if row.name == ALONE else percent_text(row.bd_rates[metric], is_covered=True)
                for metric in PLANES
            ),
        )
        for row in found
    )
    headings = ("", "s an encode", "bytes of weights", "BD-rate 6:1:1", "Y", "chroma")
    return Table(f"Against {ALONE}, all bits counted", headings, cells)


def measure(clip: Path, made: Sequence[System], cache: Path, frames: int | None) -> Evaluation:
    """Every point, from the cache where it is known."""

    def tell(progress: EvaluateProgress) -> None:
        if progress.finished:
            print(progress.finished, file=sys.stderr, flush=True)

    options = EvaluateOptions(PointCache(cache / "points"), frames, vmaf=False)
    return evaluate([clip], made, options, tell)


def _name(steps: int) -> str:
    return f"weights, {steps} steps" if steps else "codes"


def _share(source: Path, target: Path) -> None:
    """Bring a folder's base layers into another one; what is there already stays."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob(f"*{BASE_SUFFIX}"):
        partial = target / f"{path.name}.partial"
        shutil.copyfile(path, partial)
        os.replace(partial, target / path.name)


def _numbers(text: str) -> list[float]:
    return list(dict.fromkeys(float(value) for value in text.split(",")))


def main(arguments: Sequence[str] | None = None, encode_video: EncodeFunction = encode) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--codec", choices=("av1", "h265", "h264", "vvc"), default="av1")
    parser.add_argument("--size", choices=("full", "half"), default="full")
    parser.add_argument("--tier", default="edge")
    parser.add_argument("--steps", default="0,250,1000,3000")
    parser.add_argument("--qualities", type=_numbers, default=list(QUALITIES))
    parser.add_argument("--frames", type=int, default=0, help="0: all")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    steps = [int(value) for value in _numbers(asked.steps)]
    made = systems(
        asked.codec,
        asked.tier,
        steps,
        asked.qualities,
        asked.cache / "bases",
        size=asked.size,
        device=asked.device,
        threads=asked.threads,
        encode_video=encode_video,
    )
    evaluation = measure(asked.clip, made, asked.cache, asked.frames or None)
    for failure in evaluation.failures:
        print(f"error: {failure}", file=sys.stderr)
    if not evaluation.clips or not evaluation.clips[0].systems[0].points:
        return 1
    found = rows(evaluation, steps)
    if asked.json:
        clip = evaluation.clips[0]
        about = {
            "clip": clip.name,
            "frames": clip.frames,
            "size": [clip.width, clip.height],
            "codec": asked.codec,
            "base_size": asked.size,
            "tier": asked.tier,
            "qualities": asked.qualities,
            "device": asked.device,
        }
        points = {
            system.name: [point.to_dict() for point in system.points] for system in clip.systems
        }
        result = {**about, "hardware": hardware(), "rows": [asdict(row) for row in found]}
        print(json.dumps({**result, "points": points}, indent=2))
    else:
        Console(width=120).print(table(found).to_rich())
        print(hardware())
    return 1 if evaluation.failures else 0


if __name__ == "__main__":
    sys.exit(main())
