"""Axes of pictures: round ticks, and where a value lies between two edges."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` laid out from `start` to `end` (in the picture's units)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self, about: int = 6) -> list[float]:
        """Round values within the scale, about so many."""
        step = _round_step((self.high - self.low) / about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(number * step, 12) for number in range(first, last + 1)]


def scale(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale that has room for all the values and a little more."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    # Nothing is less than nothing: a figure that is never negative keeps its 0.
    return Scale(0.0 if low >= 0 and low < room else low - room, high + room, start, end)


def tick_text(value: float) -> str:
    """A tick's label."""
    return f"{value:.10g}"


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * each for each in _STEPS if power * each >= step * 0.999)
