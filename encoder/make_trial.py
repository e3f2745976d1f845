"""Making one trial of one scene, wherever that is."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ..runtime.errors import EdgecodecError
from .base_store import BaseStore
from .bench import Task
from .resources import Resources
from .scoring import frame_scores
from .strategies import StandardTrial
from .targets import Metric

FAILURES = (EdgecodecError, OSError, ValueError, ArithmeticError, RuntimeError)
"""What a trial that fails raises; anything else is a mistake of ours."""


def make_trial(task: Task, bases: Path, threads: int) -> None:
    """Encode a trial into the task's store, with so many threads (0: one a core).

    Base layers that trials share are kept in the folder `bases`. Raises one of `FAILURES`.
    """
    scene, request, metric = task.scene.open(), task.request, task.metric
    frames = scene if request.head is None else scene.head(request.head)
    resources = _resources(threads, bases)
    made = request.trial.encode(frames, request.setting, resources)
    if metric is not Metric.PSNR:
        title = request.trial.title if isinstance(request.trial, StandardTrial) else None
        made = tuple(
            replace(each, frame_scores=frame_scores(metric, frames, each, resources, title))
            for each in made
        )
    task.store.save(task.key, made)


def said_of(error: BaseException) -> str:
    """How reports name what a trial failed by."""
    return f"{type(error).__name__}: {error}"


@lru_cache(maxsize=1)
def _resources(threads: int, bases: Path) -> Resources:
    return Resources(threads, BaseStore(bases))
