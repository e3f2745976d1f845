"""Ctrl-C and the processes of an encode: the first one ends the others in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


def ignore_interrupts() -> None:
    """For a process that another one ends: Ctrl-C reaches every process of a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Within it threads and processes begin that will never be interrupted, not even before they
    could say so: what begins inherits what is blocked, and Ctrl-C comes through afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It would unblock interrupts if it began within.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
