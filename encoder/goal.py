"""What a target asks of all scenes together, once the stream's other bytes are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from .choose import each_reaching, least_reaching, most_within
from .curves import measured_slope, trade
from .strategies import Candidate
from .targets import Metric

# How much of the tolerance a choice may be short of a score.
_SHORT = 0.95


class Goal(Protocol):
    """Chooses among candidates, and says how far a choice is from what was asked."""

    def choose(self, scenes: Sequence[Sequence[Candidate]]) -> list[Candidate]:
        """One candidate for each scene."""

    def off(self, chosen: Sequence[Candidate]) -> float:
        """How far beyond (above 0) or short of the target a choice is, in units of what still
        counts as met: 1 is the limit."""


@dataclass(frozen=True)
class BestTrade:
    """Constant quality: the best trade of quality against bits, scene by scene."""

    metric: Metric = Metric.PSNR

    def choose(self, scenes: Sequence[Sequence[Candidate]]) -> list[Candidate]:
        """See `Goal.choose`."""
        return [self._best(made) for made in scenes]

    def _best(self, made: Sequence[Candidate]) -> Candidate:
        slope = measured_slope(made, self.metric)
        return max(made, key=lambda each: trade(each, self.metric, slope))

    def off(self, chosen: Sequence[Candidate]) -> float:
        """Nothing was asked that could be missed."""
        return 0.0


@dataclass(frozen=True)
class Budget:
    """`bits` for the chunks of all scenes, of which a share of `over` more may be used, and a
    share of `under` left."""

    bits: float
    over: float
    under: float

    @property
    def aim(self) -> float:
        """The bits in the middle of what is allowed."""
        return self.bits * (1 + (self.over - self.under) / 2)

    def choose(self, scenes: Sequence[Sequence[Candidate]]) -> list[Candidate]:
        """See `Goal.choose`."""
        return most_within(scenes, self.bits * (1 + self.over))

    def off(self, chosen: Sequence[Candidate]) -> float:
        """See `Goal.off`."""
        # What is left for the scenes may be nothing, or less.
        unit = max(1.0, self.bits) * (self.over + self.under) / 2
        return (sum(each.bits for each in chosen) - self.aim) / unit


@dataclass(frozen=True)
class _Score:
    """A `value` to reach, and not more than `tolerance` from it."""

    value: float
    tolerance: float

    @property
    def aim(self) -> float:
        """The score to search for: steps of the settings end on either side of it."""
        return self.value + (1 - _SHORT) * self.tolerance / 2

    @property
    def least(self) -> float:
        """The score that a choice must have."""
        return self.value - _SHORT * self.tolerance


@dataclass(frozen=True)
class MeanScore(_Score):
    """A mean of `value` over all frames, and not more than `tolerance` from it."""

    def choose(self, scenes: Sequence[Sequence[Candidate]]) -> list[Candidate]:
        """See `Goal.choose`."""
        return least_reaching(scenes, self.least)

    def off(self, chosen: Sequence[Candidate]) -> float:
        """See `Goal.off`."""
        frames = sum(len(each.scores) for each in chosen)
        mean = math.fsum(sum(each.scores) for each in chosen) / frames
        return (mean - self.value) / self.tolerance


@dataclass(frozen=True)
class EachScore(_Score):
    """A mean of `value` in every scene, and not more than `tolerance` from it."""

    def choose(self, scenes: Sequence[Sequence[Candidate]]) -> list[Candidate]:
        """See `Goal.choose`."""
        return each_reaching(scenes, self.least)

    def off(self, chosen: Sequence[Candidate]) -> float:
        """How far the scene that is farthest is off."""
        return max(((fmean(e.scores) - self.value) / self.tolerance for e in chosen), key=abs)
