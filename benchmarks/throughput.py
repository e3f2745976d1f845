"""How much two workers bring on one machine: experiments an hour, in pairs.

    python benchmarks/throughput.py [--experiments 12] [--pairs 2] [--clip FILE --frames N]
        [--effort fast] [--output FILE.json]

A pair is the same experiments done by one worker and by two, in turns first and second. Workers
are up and warm before the clock starts, and each round has a folder of its own, so that no round
takes another's trials. Without `--clip` the clips are 8 synthetic frames of 64 x 64. Prints JSON:
experiments an hour of each round, and the pairs' ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from edgecodec.evaluation.environment import hardware
from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.experiment_job import experiment_job
from edgecodec.orchestrator.ledger import Job, State
from edgecodec.orchestrator.media import file_sha256, open_media
from edgecodec.orchestrator.records import Clip, EncodeSettings, Experiment, TargetSpec
from fault_run import Crew, synthetic_clip

LIMIT_S = 7200.0


def work(arguments: argparse.Namespace, deployment: Deployment, folder: Path) -> list[Job]:
    """The same experiments each time."""
    path = arguments.clip
    if path is None:
        path = folder / "clip.mp4"
        synthetic_clip(path, 1)
    name = f"clips/{path.name}"
    open_media(deployment.media).put(path, name)
    clip = Clip(name, file_sha256(path), arguments.frames)
    return [
        experiment_job(
            Experiment(
                (clip,),
                EncodeSettings(
                    TargetSpec("quality", 20.0 + number),
                    strategies=("classical",),
                    codecs=("h264",),
                    effort=arguments.effort,
                ),
                seed=number,
            ),
            vmaf=False,
        )
        for number in range(arguments.experiments)
    ]


def an_hour(arguments: argparse.Namespace, workers: int) -> float:
    """Experiments an hour by so many workers."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        deployment = Deployment(
            f"folder:{folder}", f"sqlite:{folder}/results.sqlite", f"file:{folder}/media"
        )
        jobs = work(arguments, deployment, folder)
        crew = Crew(deployment, folder)
        with Dispatcher(deployment) as dispatcher:
            try:
                crew.refill(workers)
                warm = [
                    Job("probe", f"warm-{number}", {"wait_s": 2.0}) for number in range(workers)
                ]
                for job in warm:
                    dispatcher.submit(job)
                dispatcher.wait([job.id for job in warm], timeout_s=LIMIT_S)
                began = time.perf_counter()
                for job in jobs:
                    dispatcher.submit(job)
                ended = dispatcher.wait([job.id for job in jobs], timeout_s=LIMIT_S)
                seconds = time.perf_counter() - began
            finally:
                crew.end()
    failed = [record.error for record in ended.values() if record.state is not State.DONE]
    if failed or len(ended) < len(jobs):
        sys.exit(f"{len(ended)} of {len(jobs)} ended, {len(failed)} of them failed: {failed[:1]}")
    return 3600 * len(jobs) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiments", type=int, default=12)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--effort", choices=("fast", "normal", "high"), default="fast")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rounds: dict[int, list[float]] = {1: [], 2: []}
    for pair in range(arguments.pairs):
        for workers in (1, 2) if pair % 2 == 0 else (2, 1):
            rounds[workers].append(an_hour(arguments, workers))
            print(f"{workers}: {rounds[workers][-1]:.0f} an hour", file=sys.stderr)
    ratios = [two / one for one, two in zip(rounds[1], rounds[2], strict=True)]
    report: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/throughput.py", *sys.argv[1:]]),
        "hardware": hardware(),
        "experiments_an_hour": {
            str(workers): [round(each, 1) for each in done] for workers, done in rounds.items()
        },
        "ratios": [round(ratio, 3) for ratio in ratios],
        "median_ratio": round(statistics.median(ratios), 3),
    }
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
