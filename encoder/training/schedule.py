"""Learning rate over a training of fixed length, and the clock that ends it in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then a cosine to a hundredth of `peak_rate`, over `steps` steps.

    The last `quantized_share` of the steps run in INT8 arithmetic. A run may only stop after a
    whole block of `block_steps`, and is the same run when it goes on.
    """

    steps: int
    peak_rate: float
    warmup_steps: int = 200
    quantized_share: float = 0.2
    block_steps: int = 100

    def rate(self, step: int) -> float:
        """Learning rate at `step`."""
        if step < self.warmup_steps:
            return self.peak_rate * (step + 1) / self.warmup_steps
        position = min(1.0, (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps))
        return self.peak_rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * position)))

    def quantized(self, step: int) -> bool:
        """Whether `step` trains in INT8 arithmetic."""
        return step >= self.steps * (1.0 - self.quantized_share)

    def block(self, step: int) -> int:
        """How many steps there are from `step` to the end of its block."""
        return min(self.block_steps - step % self.block_steps, self.steps - step)


class Deadline:
    """Says when `seconds` have passed since it was made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def passed(self) -> bool:
        """Whether the time is used up."""
        return self.elapsed >= self._seconds
