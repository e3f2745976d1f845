"""What the pruned search loses against the exhaustive one, and how many trial encodes it saves.

    python benchmarks/choice_regret.py CLIP... [--frames 24] [--cache DIR] [--json]

Every scene is coded in every way (codec, bit depth, full and half size, procedural) at settings an
octave of bits apart; the hull of all that is the exhaustive curve. The pruned search is asked for
five qualities; the hull of what it encoded is its curve. Regret is the BD-rate (PSNR
(6 Y + U + V) / 8, PCHIP) of the second over the first, per clip; scenes are put together at one
price of bits.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from edgecodec.encoder import Effort, Metric
from edgecodec.encoder.classify import classify
from edgecodec.encoder.explore import Exploration
from edgecodec.encoder.features import features
from edgecodec.encoder.laboratory import Laboratory
from edgecodec.encoder.local_bench import local_bench, usual_jobs, usual_threads
from edgecodec.encoder.media import open_source
from edgecodec.encoder.passes import ScenePasses
from edgecodec.encoder.scene_file import SceneFile
from edgecodec.encoder.store import TrialStore
from edgecodec.encoder.strategies import Candidate
from edgecodec.encoder.ways import Ways, ways
from edgecodec.evaluation.bdrate import RatePoint, bd_rate
from edgecodec.evaluation.environment import hardware
from edgecodec.runtime.container import Codec

# Octaves below the usual settings of the qualities 5, 25, 45, 65 and 85, and one more at each end.
QUALITIES = (1.55, 0.55, -0.45, -1.45, -2.45)
GRID = (2.55, *QUALITIES, -3.45)
STRATEGIES = ("classical", "procedural")


@dataclass(frozen=True)
class Searched:
    """All candidates of a scene, and how many whole-scene trials they took."""

    scene_class: str
    exhaustive: list[Candidate]
    exhaustive_trials: int
    pruned: list[Candidate]
    pruned_trials: int


@dataclass(frozen=True)
class Row:
    """One clip: regret in percent of rate, trials of both searches over five qualities."""

    clip: str
    classes: str
    regret_percent: float
    pruned_trials: int
    exhaustive_trials: int
    winners: str


def search(scene: SceneFile, laboratory: Laboratory, possible: Ways) -> Searched:
    """Both searches of a scene."""
    opened = scene.open()
    scene_class = classify(features(opened.frames, opened.format, opened.frame_rate))

    def exploration(octaves: float) -> Exploration:
        return Exploration(scene, laboratory, possible.wanted, Metric.PSNR, octaves)

    everything = exploration(0.0)
    everything.everything(possible.trials, GRID)
    pruned: list[Candidate] = []
    for octaves in QUALITIES:
        one = exploration(octaves)
        one.pruned(possible.trials, scene_class)
        pruned += one.made
    # Whatever the pruned search made beside the grid an exhaustive one would have too.
    exhaustive = everything.made + pruned
    return Searched(
        scene_class.name.lower(),
        exhaustive,
        len({(e.trial, e.setting) for e in everything.made}),
        pruned,
        len({(e.trial, e.setting) for e in pruned}),
    )


def curve(scenes: Sequence[Sequence[Candidate]]) -> tuple[list[RatePoint], list[str]]:
    """The hull of a clip: bits and mean PSNR at prices from dear to cheap, and who wins there."""
    frames = sum(len(made[0].frame_psnr) for made in scenes)
    points: dict[float, float] = {}
    winners: list[str] = []
    for price in 2.0 ** np.arange(-34, -4, 0.25):
        best = [max(made, key=lambda e: sum(e.frame_psnr) - price * e.bits) for made in scenes]
        bits = float(sum(e.bits for e in best))
        if bits not in points:
            winners += [e.trial for e in best]
        points[bits] = sum(sum(e.frame_psnr) for e in best) / frames
    kept: list[RatePoint] = []
    for bits, psnr in sorted(points.items()):
        if not kept or psnr > kept[-1].quality:
            kept.append(RatePoint(bits, psnr))
    return kept, winners


def measure(clip: Path, options: argparse.Namespace, folder: Path) -> Row:
    """Both searches of a clip."""
    with open_source(clip) as video:
        picture = video.info.format
    possible = ways(STRATEGIES, tuple(Codec), Effort(options.effort), "nano", "cpu", picture)
    store = TrialStore(options.cache or folder / "trials")
    jobs = usual_jobs()
    with Laboratory(store, local_bench(jobs, usual_threads(jobs)), Metric.PSNR) as laboratory:
        passes = ScenePasses(clip, folder, jobs, options.frames)
        found = passes.each(
            lambda scene: search(scene, laboratory, possible),
            lambda _: True,
            lambda scene: print(f"{clip.name}: scene {scene.index}", file=sys.stderr),
        )
    scenes = [found[number] for number in sorted(found)]
    exhaustive, winners = curve([each.exhaustive for each in scenes])
    pruned, _ = curve([each.pruned for each in scenes])
    return Row(
        clip.name,
        ", ".join(each.scene_class for each in scenes),
        bd_rate(exhaustive, pruned, "pchip").percent,
        sum(each.pruned_trials for each in scenes),
        sum(each.exhaustive_trials for each in scenes),
        ", ".join(f"{name} x{winners.count(name)}" for name in sorted(set(winners))),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--effort", choices=[each.value for each in Effort], default="fast")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for clip in options.clips:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(clip, options, Path(folder))
        rows.append(row)
        if not options.json:
            print(
                f"{row.clip:32} {row.classes:24} regret {row.regret_percent:+.2f} %  "
                f"{row.pruned_trials} of {row.exhaustive_trials} trials; hull: {row.winners}",
                flush=True,
            )
    regret = sum(row.regret_percent for row in rows) / len(rows)
    share = sum(r.pruned_trials for r in rows) / sum(r.exhaustive_trials for r in rows)
    if options.json:
        print(
            json.dumps(
                {
                    "hardware": hardware(),
                    "rows": [asdict(row) for row in rows],
                    "mean_regret_percent": regret,
                    "share_of_trials": share,
                },
                indent=2,
            )
        )
    else:
        print(f"mean regret {regret:+.2f} % at {100 * share:.0f} % of the trials")


if __name__ == "__main__":
    main()
