"""A run as JSON types, for programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..analysis import Analysis, Outcome, encode_command
from ..cost import Cost
from ..runs import Run


def run_digest(run: Run, analysis: Analysis, cost: Cost) -> dict[str, Any]:
    """How a run stands: counts by state, what it cost, the best and the front."""
    best = analysis.best
    return {
        "run": run.name,
        "goal": run.goal,
        "began": run.began,
        "ended": run.ended,
        "end": run.end,
        "experiments": len(analysis.outcomes),
        "states": dict(Counter(each.record.state.value for each in analysis.outcomes)),
        "results": len(analysis.measured),
        "reached": analysis.reached,
        "seconds": cost.seconds,
        "cost": cost.amount,
        "wasted": cost.wasted,
        "currency": cost.price.currency,
        "best": None if best is None else outcome_digest(best),
        "front": [outcome_digest(analysis.numbered(number)) for number in analysis.front],
    }


def outcome_digest(outcome: Outcome) -> dict[str, Any]:
    """One experiment: what was asked, how it stands, what was measured; `results` are the means
    over the clips, `clips` each of them."""
    result, record = outcome.result, outcome.record
    return {
        "number": outcome.number,
        "id": record.job.id,
        "state": record.state.value,
        "by": outcome.entry.by,
        "why": outcome.entry.why,
        "settings": outcome.experiment.settings.to_dict(),
        "command": encode_command(outcome.experiment.settings),
        "progress": None if record.progress is None else record.progress.done,
        "doing": "" if record.progress is None else record.progress.text,
        "worker": record.worker,
        "attempts": len(outcome.attempts),
        "seconds": outcome.seconds,
        "error": outcome.error,
        "results": None if result is None else result_figures(outcome),
        "clips": [] if result is None else result.to_dict()["clips"],
        "log": None if result is None else result.to_dict()["log"],
    }


def result_figures(outcome: Outcome) -> dict[str, float | str | None]:
    """A result's means by name, all None where there is no result."""
    names = (
        "bitrate_mbps",
        "psnr",
        "ssim",
        "ms_ssim",
        "vmaf",
        "tops_per_frame",
        "encode_fps",
        "decode_fps",
        "verdict",
    )
    return {name: getattr(outcome.result, name, None) for name in names}
