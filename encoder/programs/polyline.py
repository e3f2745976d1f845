"""A series of values as few straight runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class StraightRun:
    """Samples `start` to `stop` - 1 lie on a line: `first` [k] at its first, `last` at its last."""

    start: int
    stop: int
    first: Values
    last: Values


def straight_runs(values: Values, tolerance: Values) -> list[StraightRun]:
    """`values` [n, k] cut into runs, from the front, each as long as it can be.

    A run's samples are all within `tolerance` [k] of its least-squares line.
    """
    runs: list[StraightRun] = []
    start = 0
    while start < len(values):
        good, bad = start + 1, len(values) + 1
        best = _line(values, start, good)
        step = 2
        while bad - good > 1:
            # First in growing steps, then, once one was too far, by halves.
            stop = min(good + step, len(values)) if bad > len(values) else (good + bad) // 2
            tried = _line(values, start, stop)
            if _departure(values, tried, tolerance) <= 1:
                good, best, step = stop, tried, 2 * step
            else:
                bad = stop
            if good == len(values):
                break
        runs.append(best)
        start = good
    return runs


def _line(values: Values, start: int, stop: int) -> StraightRun:
    part = values[start:stop]
    middle = part.mean(axis=0)
    time = np.arange(len(part)) - (len(part) - 1) / 2
    spread = float(time @ time)
    slope = time @ part / spread if spread else np.zeros_like(middle)
    return StraightRun(start, stop, middle + slope * time[0], middle + slope * time[-1])


def _departure(values: Values, run: StraightRun, tolerance: Values) -> float:
    line = np.linspace(run.first, run.last, run.stop - run.start)
    return float((np.abs(values[run.start : run.stop] - line) / tolerance).max())
