"""Keeping an encoder's threads from shutting everything else out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def usual_scheduling() -> Iterator[None]:
    """Threads that begin within go on by the rules that this one had before.

    SVT-AV1 makes its own threads, and the one that opens it, real-time threads of the highest
    priority where it may, which is for root, as in many containers. The rest of the machine then
    gets a twentieth of each core, and whatever this process starts later is real-time too.
    """
    if not hasattr(os, "sched_setscheduler") or not _THREADS.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread in _THREADS.iterdir():
            # One may have ended meanwhile.
            with suppress(ProcessLookupError):
                if os.sched_getscheduler(int(thread.name)) != policy:
                    os.sched_setscheduler(int(thread.name), policy, parameters)
