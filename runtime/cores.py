"""How many cores there are for this process."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Logical cores that this process may use, at least 1: a container or `taskset` may leave it
    fewer than the machine has, and more threads than these only wait for each other."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
