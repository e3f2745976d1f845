"""How many cores there are for this process."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Logical cores that this process may use, at least 1: a container or `taskset` may leave it
    fewer than the machine has, and more threads than these only wait for each other."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def onnxruntime_threads(threads: int = 0) -> int:
    """The threads that a session is to have: as many as asked for, and 0, ONNX Runtime's own
    choice, stays 0 unless this process may use only some of the cores, at which that does not
    look."""
    if threads or available_cores() == os.cpu_count():
        return threads
    return available_cores()
