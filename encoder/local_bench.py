"""Trials on this machine: in this process one after another, or in processes of their own."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass
from multiprocessing import get_context
from threading import Lock

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from ..runtime.cores import available_cores
from ..runtime.frames import PictureFormat
from .bench import Bench, Failure, Started, Task
from .interrupts import ignore_interrupts, without_interrupts
from .make_trial import FAILURES, make_trial, said_of


def local_bench(jobs: int, threads: int) -> Bench:
    """A bench for `jobs` trials at a time, each with `threads` threads.

    One runs in this process, more in processes of their own, where a crash costs no more than the
    trial. Closing it ends the processes, and with them the trials that are not finished.
    """
    return _Processes(jobs, threads) if jobs > 1 else _ThisProcess(threads)


class _ThisProcess:
    """Makes each trial where it is waited for, one at a time."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.turn = Lock()
        self.closed = False

    def scenes_at_once(self, picture: PictureFormat) -> int:
        """See `Bench.scenes_at_once`."""
        return 1

    def start(self, task: Task) -> Started:
        """See `Bench.start`."""
        return _Turn(self, task)

    def close(self) -> None:
        """See `Bench.close`."""
        self.closed = True


@dataclass(frozen=True)
class _Turn:
    """A trial that nobody has begun."""

    bench: _ThisProcess
    task: Task

    def wait(self) -> Failure | None:
        """See `Started.wait`."""
        try:
            with self.bench.turn:
                if self.bench.closed:
                    raise KeyboardInterrupt
                make_trial(self.task, self.task.store.folder, self.bench.threads)
        except FAILURES as error:
            return Failure(said_of(error))
        return None


class _Processes:
    """Makes trials in a pool of processes."""

    def __init__(self, jobs: int, threads: int) -> None:
        self._jobs = jobs
        self._threads = threads
        self._lock = Lock()
        self._unfinished: set[ProcessFuture[None]] = set()
        self._closed = False
        with without_interrupts():
            # Not forked: this process has threads, and so have the codecs.
            self._pool = ProcessPool(
                max_workers=jobs, initializer=ignore_interrupts, context=get_context("spawn")
            )
            self._pool.schedule(ignore_interrupts)  # starts it

    def scenes_at_once(self, picture: PictureFormat) -> int:
        """See `Bench.scenes_at_once`."""
        return self._jobs

    def start(self, task: Task) -> Started:
        """See `Bench.start`."""
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            arguments = (task, task.store.folder, self._threads)
            future = self._pool.schedule(make_trial, args=arguments)
            self._unfinished.add(future)
        return _InProcess(self, future)

    def forget(self, future: ProcessFuture[None]) -> None:
        """It has ended."""
        with self._lock:
            self._unfinished.discard(future)

    def close(self) -> None:
        """See `Bench.close`."""
        with self._lock:
            self._closed = True
            unfinished = list(self._unfinished)
        for future in unfinished:
            # The pool forgets whom it owes an answer.
            future.cancel()
        self._pool.stop()
        self._pool.join()


@dataclass(frozen=True)
class _InProcess:
    """A trial in another process."""

    bench: _Processes
    future: ProcessFuture[None]

    def wait(self) -> Failure | None:
        """See `Started.wait`."""
        try:
            self.future.result()
            self.bench.forget(self.future)
        except ProcessExpired as error:
            return Failure(f"its process died (exit code {error.exitcode})")
        except CancelledError as error:
            raise KeyboardInterrupt from error
        except FAILURES as error:
            return Failure(said_of(error))
        return None


def usual_jobs() -> int:
    """How many trials run at a time where nobody says: codecs use a few cores each."""
    return max(2, available_cores() // 4)


def usual_threads(jobs: int) -> int:
    """Threads for each of so many jobs: somewhat more than there are cores, for none is always
    busy."""
    return max(1, round(1.5 * available_cores() / jobs))
