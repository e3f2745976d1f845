"""Runs that were never run: outcomes with the figures that a test wants."""

from __future__ import annotations

from edgecodec.orchestrator.analysis import Outcome
from edgecodec.orchestrator.experiment_job import experiment_job
from edgecodec.orchestrator.ledger.record import Attempt, Record, State
from edgecodec.orchestrator.ledger.record import Outcome as Ending
from edgecodec.orchestrator.records import (
    Clip,
    ClipResult,
    EncodeSettings,
    Experiment,
    Result,
    TargetSpec,
)
from edgecodec.orchestrator.runs import Entry, Run

CLIP = Clip("clips/a.mp4", "ab" * 32)
BEGAN = 1_700_000_000.0


def settings(quality: float = 50.0, codec: str = "av1") -> EncodeSettings:
    return EncodeSettings(TargetSpec("quality", quality), codecs=(codec,))


def result(
    experiment: str,
    bitrate: float,
    psnr: float,
    tops: float = 0.0,
    *,
    vmaf: float | None = None,
    verdict: str = "pass",
) -> Result:
    clip = ClipResult(
        clip=CLIP.name,
        frames=24,
        duration_s=1.0,
        bytes=int(bitrate * 125_000),
        bitrate_mbps=bitrate,
        psnr=psnr,
        ssim=0.98,
        ms_ssim=0.99,
        vmaf=vmaf,
        encode_fps=2.0,
        decode_fps=80.0,
        strategies={"classical": 24},
        tops_per_frame=tops,
        verdict=verdict,
        device_ms=(1.0, 2.0, 3.0),
    )
    return Result(experiment, (clip,), 30.0, "w1", {"edgecodec": "0.1.0"})


def attempt(
    number: int, outcome: Ending, *, seconds: float = 30.0, error: str = "", began: float = BEGAN
) -> Attempt:
    return Attempt(number, f"w{number}", began, seconds, outcome, error, f"t{number}")


def done(
    number: int,
    bitrate: float,
    psnr: float,
    tops: float = 0.0,
    *,
    codec: str = "av1",
    by: str = "optuna",
    why: str = "",
    vmaf: float | None = None,
    attempts: tuple[Attempt, ...] | None = None,
) -> Outcome:
    """An experiment that ended `number` minutes after the run began."""
    experiment = Experiment((CLIP,), settings(number, codec))
    measured = result(experiment.id, bitrate, psnr, tops, vmaf=vmaf)
    tried = attempts or (attempt(1, Ending.DONE, began=BEGAN + 60 * number),)
    return _outcome(number, experiment, State.DONE, tried, measured, by, why)


def dead(number: int, error: str) -> Outcome:
    experiment = Experiment((CLIP,), settings(number))
    tried = (
        attempt(1, Ending.LOST, error="not heard of for 60 s"),
        attempt(2, Ending.ERROR, error=error),
    )
    return _outcome(number, experiment, State.DEAD, tried, None)


def waiting(number: int, state: State = State.QUEUED) -> Outcome:
    return _outcome(number, Experiment((CLIP,), settings(number)), state, (), None)


def run(*outcomes: Outcome, goal: str = "psnr>=38, bitrate min", end: str = "") -> Run:
    return Run(
        "made",
        goal,
        {"clips": [{"file": "a.mp4", **CLIP.to_dict()}], "seed": 1},
        BEGAN,
        BEGAN + 3600 if end else None,
        end,
        tuple(each.entry for each in outcomes),
    )


def _outcome(
    number: int,
    experiment: Experiment,
    state: State,
    attempts: tuple[Attempt, ...],
    measured: Result | None,
    by: str = "optuna",
    why: str = "",
) -> Outcome:
    job = experiment_job(experiment, vmaf=False)
    kept = None if measured is None else measured.to_dict()
    record = Record(job, state, BEGAN, attempts, result=kept, version=1)
    return Outcome(Entry(number, job.id, by, why, BEGAN), record, experiment, measured)
