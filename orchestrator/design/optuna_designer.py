"""Proposals by statistics: Optuna's tree-structured Parzen estimator over all objectives.

TPE, for it learns from the 10 to 100 experiments that a run can pay for, takes bounds and several
objectives, and counts what is being tried; evolution (NSGA-II) needs generations of dozens.
"Multivariate", for the settings hang together: what a target is worth depends on the codec.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...runtime.errors import UnsupportedError
from ..records import EncodeSettings
from .base import Proposal, Trial
from .goal import Goal
from .space import Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# Until there are so many results it draws at random; the first points are about as many.
_STARTUP = 5
# How often it may choose what is known before its neighbours are taken.
_MISSES = 5
# A failure weighs as much as a bound missed by this many decibels (see Goal.shortfalls).
_FAILED = 30.0


@dataclass(frozen=True)
class OptunaDesigner:
    """Begins with the space's first points, then asks TPE. The same seed, history and pending
    settings give the same proposals."""

    space: Space
    goal: Goal
    seed: int = 1

    def propose(
        self, history: Sequence[Trial], pending: Sequence[EncodeSettings], count: int
    ) -> list[Proposal]:
        """See `Designer.propose`. Raises UnsupportedError where a result lacks what the goal
        asks for."""
        canonical = self.space.canonical
        running = [canonical(each) for each in pending]
        taken = {canonical(each.settings) for each in history} | set(running)
        proposals = self._first(taken, count) if count > 0 else []
        taken |= {each.settings for each in proposals}
        if len(proposals) < count:
            search = _Search(self, history, running + [each.settings for each in proposals])
            proposals += search.proposals(taken, count - len(proposals))
        return proposals

    def _first(self, taken: set[EncodeSettings], count: int) -> list[Proposal]:
        points = self.space.first_points()
        new = [each for each in points if each not in taken]
        room = min(count, len(points) - len(taken))
        return [
            Proposal(each, "optuna", f"one of {len(points)} points to begin with")
            for each in new[: max(room, 0)]
        ]


class _Search:
    """One study, made of what is known, that is asked for more."""

    def __init__(
        self, designer: OptunaDesigner, history: Sequence[Trial], running: Sequence[EncodeSettings]
    ) -> None:
        self._space, self._goal = designer.space, designer.goal
        self._distributions = _distributions(designer.space)
        # The same numbers for every round would tie the rounds' proposals to each other.
        seed = random.Random(f"{designer.seed} {len(history)} {len(running)}").getrandbits(32)
        self._random = random.Random(seed)
        self._study = _study(designer.goal, seed)
        results = [each.result for each in history if each.result is not None]
        kept = sum(self._goal.feasible(each) for each in results)
        self._why = f"TPE over {len(results)} results, {kept} of them within the bounds"
        worst = self._worst(history)
        for trial in history:
            if (params := self._params(trial.settings)) is not None:
                self._study.add_trial(self._ended(trial, params, worst))
        for settings in running:
            if (params := self._params(settings)) is not None:
                self._study.add_trial(self._running(params))

    def proposals(self, taken: set[EncodeSettings], count: int) -> list[Proposal]:
        """Up to `count` more that are not in `taken`."""
        made: list[Proposal] = []
        for _ in range(count):
            proposal = self._next(taken | {each.settings for each in made})
            if proposal is None:
                break
            made.append(proposal)
        return made

    def _next(self, taken: set[EncodeSettings]) -> Proposal | None:
        from optuna.trial import TrialState

        for _ in range(_MISSES):
            trial = self._study.ask(self._distributions)
            settings = self._settings(trial.params)
            if settings not in taken:
                return Proposal(settings, "optuna", self._why)
            self._study.tell(trial, state=TrialState.FAIL)
        near = next((each for each in self._space.nearest(settings) if each not in taken), None)
        if near is not None:
            self._add_running(near)
            return Proposal(near, "optuna", f"{self._why}; next to what it chose again")
        others = self._space.at_start()
        self._random.shuffle(others)
        for other in others:
            targets = self._space.nearest(other)
            rest = next((each for each in targets if each not in taken), None)
            if rest is not None:
                self._add_running(rest)
                return Proposal(rest, "optuna", "one of the few that are left")
        return None

    def _add_running(self, settings: EncodeSettings) -> None:
        if (params := self._params(settings)) is not None:
            self._study.add_trial(self._running(params))

    def _worst(self, history: Sequence[Trial]) -> list[float] | None:
        """The worst of each objective so far, None while nothing has succeeded."""
        values = [self._goal.values(each.result) for each in history if each.result is not None]
        worst = {"min": max, "max": min}
        return [
            worst[objective.direction](column)
            for objective, column in zip(
                self._goal.objectives, zip(*values, strict=True), strict=False
            )
        ] or None

    def _ended(
        self, trial: Trial, params: dict[str, Any], worst: list[float] | None
    ) -> FrozenTrial:
        from optuna.trial import TrialState, create_trial

        if trial.result is not None:
            lacks = self._goal.shortfalls(trial.result)
            constraints = {"ran": 0.0} | {str(i): lack for i, lack in enumerate(lacks)}
            values: list[float] | None = list(self._goal.values(trial.result))
        else:
            # It counts as the worst of all, so that what fails is not tried for ever.
            constraints, values = {"ran": _FAILED}, worst
        return create_trial(
            state=TrialState.COMPLETE if values else TrialState.FAIL,
            values=values,
            params=params,
            distributions=self._distributions,
            constraints=constraints if values else None,
        )

    def _running(self, params: dict[str, Any]) -> FrozenTrial:
        from optuna.trial import TrialState, create_trial

        return create_trial(
            state=TrialState.RUNNING, params=params, distributions=self._distributions
        )

    def _params(self, settings: EncodeSettings) -> dict[str, Any] | None:
        """What TPE calls the settings; None for those of another space."""
        try:
            point = dict(self._space.point(settings))
        except UnsupportedError:
            return None
        target = float(point.pop("target"))
        targets = self._space.targets
        nearest = min(range(len(targets)), key=lambda i: abs(targets[i] - target))
        return {"target": nearest} | {n: v for n, v in point.items() if n in self._distributions}

    def _settings(self, params: dict[str, Any]) -> EncodeSettings:
        usual = {name: values[0] for name, values in self._space.choices().items()}
        return self._space.settings(
            usual | params | {"target": self._space.targets[params["target"]]}
        )


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    # The target by its place among the targets: these may rise in equal steps or ratios.
    found: dict[str, BaseDistribution] = {"target": IntDistribution(0, len(space.targets) - 1)}
    for name, values in space.choices().items():
        if len(values) > 1:
            found[name] = CategoricalDistribution(values)
    return found


def _study(goal: Goal, seed: int) -> Study:
    import optuna
    from optuna.study import StudyDirection

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=_STARTUP, multivariate=True, constant_liar=True, seed=seed
        )
        return optuna.create_study(
            sampler=sampler,
            directions=[
                StudyDirection.MINIMIZE if each.direction == "min" else StudyDirection.MAXIMIZE
                for each in goal.objectives
            ],
        )
