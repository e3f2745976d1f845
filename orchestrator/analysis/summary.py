"""What a run has found so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..design.goal import Goal
from ..records import Result
from .axes import Axis, all_axes, objective_axes, point
from .front import pareto
from .influence import Influence, influences
from .outcome import Outcome
from .progress import Step, steps


@dataclass(frozen=True)
class Analysis:
    """A run's outcomes and what follows from them; numbers are those of outcomes.

    `front` has those that no other beats along `axes`: the goal's objectives and the figures that
    it sets bounds for. `best` is the best that keeps to the bounds (see `progress.best_place`),
    `reached` whether one reaches the goal. `steps` pairs an outcome's number with its step, in the
    order in which results came.
    """

    goal: Goal
    axes: tuple[Axis, ...]
    outcomes: tuple[Outcome, ...]
    front: tuple[int, ...]
    feasible: frozenset[int]
    best: Outcome | None
    reached: bool
    steps: tuple[tuple[int, Step], ...]
    influences: tuple[Influence, ...]

    @property
    def measured(self) -> tuple[Outcome, ...]:
        """Those with a result."""
        return tuple(each for each in self.outcomes if each.result is not None)

    def numbered(self, number: int) -> Outcome:
        """The outcome of that number."""
        return next(each for each in self.outcomes if each.number == number)

    @property
    def without_progress(self) -> int:
        """How many results came since the last that was progress."""
        places = [place for place, (_, step) in enumerate(self.steps, 1) if step.improved]
        return len(self.steps) - (places[-1] if places else 0)


def analyse(outcomes: Sequence[Outcome], goal: Goal) -> Analysis:
    """Everything that follows from the results that are there."""
    came = sorted(
        (each for each in outcomes if each.result is not None),
        key=lambda each: (each.ended, each.number),
    )
    results = [_measured(each) for each in came]
    axes = all_axes(goal)
    points = [point(axes, result) for result in results]
    known = [place for place, each in enumerate(points) if all(map(math.isfinite, each))]
    front = [came[known[place]].number for place in pareto([points[place] for place in known])]
    taken = steps(results, goal)
    feasible = frozenset(came[step.place].number for step in taken if step.feasible)
    last = taken[-1].best if taken else None
    return Analysis(
        goal=goal,
        axes=axes,
        outcomes=tuple(outcomes),
        front=tuple(sorted(front)),
        feasible=feasible,
        best=None if last is None else came[last],
        reached=any(goal.reached(result) for result in results),
        steps=tuple((came[step.place].number, step) for step in taken),
        influences=influences(outcomes, feasible, objective_axes(goal)[0]),
    )


def _measured(outcome: Outcome) -> Result:
    assert outcome.result is not None
    return outcome.result
