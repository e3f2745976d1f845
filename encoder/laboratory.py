"""Where trials are encoded: each once, in processes of their own, kept on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from ..runtime.errors import EdgecodecError
from .base_store import BaseStore
from .fingerprint import fingerprint
from .interrupts import ignore_interrupts, without_interrupts
from .resources import Resources
from .scene_file import SceneFile
from .scoring import frame_scores
from .store import TrialStore
from .strategies import Candidate, StandardTrial, Trial
from .targets import Metric


@dataclass(frozen=True)
class Request:
    """A trial at a setting; with `head`, of the first so many frames of the scene only."""

    trial: Trial
    setting: float
    head: int | None = None


@dataclass(frozen=True)
class Failure:
    """Why a trial came to nothing."""

    reason: str


Outcome = tuple[Candidate, ...] | Failure
_NOT_THIS_SCENE = Failure("it cannot code this scene")


class Laboratory:
    """Encodes trials and keeps them in `store`.

    `jobs` is how many run at a time, each with `threads` threads: one runs in this process, more
    in processes of their own, where a crash costs no more than the trial. `metric` is what
    candidates are scored by. Use it as a context manager: leaving it ends the processes. `run`
    may be called from several threads.
    """

    def __init__(self, store: TrialStore, jobs: int, threads: int, metric: Metric) -> None:
        self._store = store
        self._threads = threads
        self._metric = metric
        self._lock = Lock()
        self._one_at_a_time = Lock()
        self._asked: set[str] = set()
        self._unfinished: set[ProcessFuture[None]] = set()
        self._closed = False
        self._pool: ProcessPool | None = None
        if jobs > 1:
            with without_interrupts():
                # Not forked: this process has threads, and so have the codecs.
                self._pool = ProcessPool(
                    max_workers=jobs, initializer=ignore_interrupts, context=get_context("spawn")
                )
                self._pool.schedule(ignore_interrupts)  # starts it

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
        """End the processes, and with them the trials that are not finished.

        Whoever waits for one, or asks for another, gets KeyboardInterrupt.
        """
        with self._lock:
            self._closed = True
            unfinished = list(self._unfinished)
        for future in unfinished:
            # The pool forgets whom it owes an answer.
            future.cancel()
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()

    @property
    def encodes(self) -> int:
        """How many different trials were asked for, whole scenes and heads, found or made."""
        with self._lock:
            return len(self._asked)

    def run(self, scene: SceneFile, requests: Sequence[Request]) -> list[Outcome]:
        """The outcome of each request; a trial that fails costs only itself."""
        keys = [self._key(scene, request) for request in requests]
        with self._lock:
            self._asked.update(keys)
        waiting: list[tuple[int, ProcessFuture[None] | Callable[[], None]]] = []
        outcomes: list[Outcome] = []
        for number, (key, request) in enumerate(zip(keys, requests, strict=True)):
            known = self._store.load(key, scene)
            outcomes.append(known or _NOT_THIS_SCENE)
            if known is None:
                waiting.append((number, self._start(key, scene, request)))
        for number, started in waiting:
            outcomes[number] = self._finished(keys[number], scene, started)
        return outcomes

    def _key(self, scene: SceneFile, request: Request) -> str:
        parts = (scene.digest, request, self._metric.value, fingerprint())
        return repr(parts)

    def _start(
        self, key: str, scene: SceneFile, request: Request
    ) -> ProcessFuture[None] | Callable[[], None]:
        arguments = (self._store, key, scene, request, self._metric, self._threads)
        if self._pool is None:
            return lambda: _work(*arguments)
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            future = self._pool.schedule(_work, args=arguments)
            self._unfinished.add(future)
        return future

    def _finished(
        self, key: str, scene: SceneFile, started: ProcessFuture[None] | Callable[[], None]
    ) -> Outcome:
        try:
            if callable(started):
                with self._one_at_a_time:
                    if self._closed:
                        raise KeyboardInterrupt
                    started()
            else:
                started.result()
                with self._lock:
                    self._unfinished.discard(started)
        except ProcessExpired as error:
            return Failure(f"its process died (exit code {error.exitcode})")
        except CancelledError as error:
            raise KeyboardInterrupt from error
        except (EdgecodecError, OSError, ValueError, ArithmeticError, RuntimeError) as error:
            return Failure(f"{type(error).__name__}: {error}")
        return self._store.load(key, scene) or _NOT_THIS_SCENE


def _work(
    store: TrialStore,
    key: str,
    scene: SceneFile,
    request: Request,
    metric: Metric,
    threads: int,
) -> None:
    """Encode one trial into the store."""
    whole = scene.open()
    frames = whole if request.head is None else whole.head(request.head)
    resources = _resources(threads, store.folder)
    made = request.trial.encode(frames, request.setting, resources)
    if metric is not Metric.PSNR:
        title = request.trial.title if isinstance(request.trial, StandardTrial) else None
        made = tuple(
            replace(each, frame_scores=frame_scores(metric, frames, each, resources, title))
            for each in made
        )
    store.save(key, made)


@lru_cache(maxsize=1)
def _resources(threads: int, folder: Path) -> Resources:
    return Resources(threads, BaseStore(folder))


def usual_jobs() -> int:
    """How many trials run at a time where nobody says: codecs use a few cores each."""
    return max(2, (os.cpu_count() or 1) // 4)


def usual_threads(jobs: int) -> int:
    """Threads for each of so many jobs: somewhat more than there are cores, for none is always
    busy."""
    return max(1, round(1.5 * (os.cpu_count() or 1) / jobs))


def candidates_of(outcomes: Iterable[Outcome]) -> list[Candidate]:
    """All candidates of the trials that came to something."""
    return [each for outcome in outcomes if not isinstance(outcome, Failure) for each in outcome]
