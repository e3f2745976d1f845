"""When a run of experiments ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..runtime.errors import UnsupportedError

# When so many failed and none succeeded, the rest will fail too.
_HOPELESS = 3


class Rule(StrEnum):
    """Why a run ended."""

    COUNT = "count"
    BUDGET = "budget"
    HOURS = "hours"
    TARGET = "target"
    PATIENCE = "patience"
    FAILING = "failing"
    USED_UP = "used up"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Stop:
    """`rule` says no more is begun; `why` says it in figures."""

    rule: Rule
    why: str

    @property
    def at_once(self) -> bool:
        """Whether what runs is stopped too: where its further cost would break the rule."""
        return self.rule in (Rule.BUDGET, Rule.HOURS, Rule.CANCELLED)


@dataclass(frozen=True)
class Standing:
    """Where a run stands.

    `begun` counts its experiments but those that were called off; `in_flight` of them have not
    ended, `failed` ended without a result. Money: `spent` is what
    all attempts have cost so far, `expected` what those in flight will likely cost yet, `next_cost`
    what one more experiment will, 0 where nothing is known. `hours` count from this sitting's
    begin, `without_progress` counts results.
    """

    begun: int
    in_flight: int
    results: int
    failed: int
    spent: float
    expected: float
    next_cost: float
    hours: float
    reached: bool
    without_progress: int


@dataclass(frozen=True)
class StopRules:
    """A run ends where one holds; None: that one never does.

    `count` experiments at most, earlier sittings' among them. `budget` in the money of the price,
    of the whole run. `hours` of this sitting. `patience` results without progress.
    `until_reached`: as soon as a result reaches the goal. Where the first few all failed it ends
    in any case. Raises UnsupportedError for limits that allow nothing.
    """

    count: int | None = 25
    budget: float | None = None
    hours: float | None = None
    patience: int | None = None
    until_reached: bool = True
    currency: str = "USD"

    def __post_init__(self) -> None:
        for name in ("count", "budget", "hours", "patience"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UnsupportedError(f"stop rule {name} {value}: it must be above 0")

    def stop(self, standing: Standing) -> Stop | None:
        """The rule that ends the run here, the strictest first; None: it goes on."""
        if self.budget is not None and standing.spent >= self.budget:
            return Stop(
                Rule.BUDGET,
                f"{standing.spent:.2f} of {self.budget:.2f} {self.currency} are spent",
            )
        if self.hours is not None and standing.hours >= self.hours:
            return Stop(Rule.HOURS, f"it has gone on for {standing.hours:.2f} of {self.hours:g} h")
        if standing.failed >= _HOPELESS and not standing.results:
            return Stop(Rule.FAILING, f"the first {standing.failed} experiments failed")
        if self.until_reached and standing.reached:
            return Stop(Rule.TARGET, "a result reaches the goal")
        if self.patience is not None and standing.without_progress >= self.patience:
            return Stop(
                Rule.PATIENCE, f"the last {standing.without_progress} results were no progress"
            )
        if self.count is not None and standing.begun >= self.count and not standing.in_flight:
            return Stop(Rule.COUNT, f"all {self.count} experiments have ended")
        if self._unaffordable(standing) and not standing.in_flight:
            return Stop(
                Rule.BUDGET,
                f"{standing.spent:.2f} of {self.budget:.2f} {self.currency} are spent, and one"
                f" more experiment costs about {standing.next_cost:.2f}",
            )
        return None

    def room(self, standing: Standing, parallel: int) -> int:
        """How many more may begin now, with `parallel` in flight at most."""
        room = parallel - standing.in_flight
        if self.count is not None:
            room = min(room, self.count - standing.begun)
        if self._unaffordable(standing):
            return 0
        if self.budget is not None and standing.next_cost > 0:
            left = self.budget - standing.spent - standing.expected
            room = min(room, int(left / standing.next_cost))
        return max(room, 0)

    def _unaffordable(self, standing: Standing) -> bool:
        return (
            self.budget is not None
            and standing.spent + standing.expected + standing.next_cost > self.budget
        )
