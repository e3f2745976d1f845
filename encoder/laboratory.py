"""Trials, each made once and kept on disk, wherever they are made."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from types import TracebackType
from typing import Self

from .bench import Bench, Failure, Request, Started, Task
from .scene_file import SceneFile
from .store import TrialStore
from .strategies import Candidate
from .targets import Metric

__all__ = ["Failure", "Laboratory", "Outcome", "Request"]

Outcome = tuple[Candidate, ...] | Failure
_NOT_THIS_SCENE = Failure("it cannot code this scene")


class Laboratory:
    """Has trials made on `bench` and keeps them in `store`.

    `metric` is what candidates are scored by. Use it as a context manager: leaving it closes the
    bench. `run` may be called from several threads.
    """

    def __init__(self, store: TrialStore, bench: Bench, metric: Metric) -> None:
        self._store = store
        self._bench = bench
        self._metric = metric
        self._lock = Lock()
        self._asked: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the bench, which ends the trials that are not finished.

        Whoever waits for one, or asks for another, gets KeyboardInterrupt.
        """
        self._bench.close()

    @property
    def encodes(self) -> int:
        """How many different trials were asked for, whole scenes and heads, found or made."""
        with self._lock:
            return len(self._asked)

    def run(self, scene: SceneFile, requests: Sequence[Request]) -> list[Outcome]:
        """The outcome of each request; a trial that fails costs only itself.

        Raises what the bench raises where it is useless to go on.
        """
        tasks = [Task(self._store, scene, request, self._metric) for request in requests]
        with self._lock:
            self._asked.update(task.key for task in tasks)
        waiting: list[tuple[int, Started]] = []
        outcomes: list[Outcome] = []
        for number, task in enumerate(tasks):
            known = self._store.load(task.key, scene)
            outcomes.append(known or _NOT_THIS_SCENE)
            if known is None:
                waiting.append((number, self._bench.start(task)))
        for number, started in waiting:
            failure = started.wait()
            outcomes[number] = (
                failure or self._store.load(tasks[number].key, scene) or _NOT_THIS_SCENE
            )
        return outcomes
