"""Trials on this machine: in this process one after another, or in processes of their own."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import LifoQueue
from threading import Lock

from ..runtime.cores import available_cores
from ..runtime.frames import PictureFormat
from .bench import Bench, Failure, Started, Task
from .make_trial import FAILURES, make_trial, said_of
from .trial_process import TrialProcess


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
    """Makes trials in processes of their own, each waited for by a thread of this one."""

    def __init__(self, jobs: int, threads: int) -> None:
        self._processes = tuple(TrialProcess(threads) for _ in range(jobs))
        self._turns = ThreadPoolExecutor(jobs, thread_name_prefix="trials")
        # The last that was at work is the next: it has its networks at hand.
        self._idle: LifoQueue[TrialProcess] = LifoQueue()
        self._closed = False
        for process in self._processes:
            self._idle.put(process)

    def scenes_at_once(self, picture: PictureFormat) -> int:
        """See `Bench.scenes_at_once`."""
        return len(self._processes)

    def start(self, task: Task) -> Started:
        """See `Bench.start`."""
        try:
            return _InProcess(self._turns.submit(self._make, task))
        except RuntimeError:
            if self._closed:
                raise KeyboardInterrupt from None
            raise

    def close(self) -> None:
        """See `Bench.close`."""
        self._closed = True
        self._turns.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.end()
        self._turns.shutdown()
        for process in self._processes:
            process.join()

    def _make(self, task: Task) -> Failure | None:
        process = self._idle.get()  # there are no fewer than threads
        try:
            return process.make(task)
        finally:
            self._idle.put(process)


@dataclass(frozen=True)
class _InProcess:
    """A trial in another process."""

    future: Future[Failure | None]

    def wait(self) -> Failure | None:
        """See `Started.wait`."""
        try:
            return self.future.result()
        except CancelledError as error:
            raise KeyboardInterrupt from error


def usual_jobs() -> int:
    """How many trials run at a time where nobody says: codecs use a few cores each."""
    return max(2, available_cores() // 4)


def usual_threads(jobs: int) -> int:
    """Threads for each of so many jobs: somewhat more than there are cores, for none is always
    busy."""
    return max(1, round(1.5 * available_cores() / jobs))
