"""A process of its own that makes trials, where a crash costs no more than the trial."""

from __future__ import annotations

import traceback
from multiprocessing.connection import Connection
from pickle import PicklingError
from threading import Lock

from .apart import Apart, begin_apart
from .bench import Failure, Task
from .interrupts import ignore_interrupts
from .make_trial import FAILURES, make_trial, said_of


class TrialProcess:
    """Makes one trial at a time, each with so many threads, in a process that it keeps.

    One pipe leads to one process that has one task: whose process died is never in doubt, as it is
    in a pool whose workers share a queue. `end` may be called from any thread.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = Lock()
        self._ended = False
        self._running: Apart | None = begin_apart(_serve, threads)

    def make(self, task: Task) -> Failure | None:
        """Make a trial there; where its process dies, the next trial gets another one.

        Raises what is a mistake of ours there, and KeyboardInterrupt once it has been ended.
        """
        running = self._at_hand()
        try:
            running.connection.send(task)
            answer: Failure | Exception | None = running.connection.recv()
        except (EOFError, OSError):
            return self._died(running)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """End it, and with it a trial that is not finished; does not wait for that."""
        with self._lock:
            self._ended = True
            if self._running is not None:
                # Not asked to end: libraries may keep a process from hearing that.
                self._running.process.kill()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._running is not None:
            self._running.process.join()
            self._running.connection.close()

    def _at_hand(self) -> Apart:
        with self._lock:
            if self._ended:
                raise KeyboardInterrupt
            if self._running is None:
                self._running = begin_apart(_serve, self._threads)
            return self._running

    def _died(self, running: Apart) -> Failure:
        running.process.join()
        with self._lock:
            if self._ended:
                raise KeyboardInterrupt
            running.connection.close()
            self._running = None
        return Failure(f"its process died (exit code {running.process.exitcode})")


def _serve(there: Connection, threads: int) -> None:
    ignore_interrupts()
    while True:
        try:
            task: Task = there.recv()
        except EOFError:
            return  # nobody wants another
        try:
            make_trial(task, task.store.folder, threads)
        except FAILURES as error:
            there.send(Failure(said_of(error)))
        except Exception as error:
            _send_mistake(there, error)
        else:
            there.send(None)


def _send_mistake(there: Connection, error: Exception) -> None:
    error.add_note(traceback.format_exc())  # a traceback does not travel
    try:
        there.send(error)
    except (PicklingError, TypeError, AttributeError):  # nothing of it is sent then
        there.send(RuntimeError(error.__notes__[-1]))
