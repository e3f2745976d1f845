"""What experiments cost: the time that workers were at them, by the price of a worker's hour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..runtime.errors import UnsupportedError
from .ledger.record import Outcome, Record, State

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Price:
    """What an hour of one worker costs, 0 or more. Raises UnsupportedError for what is no price."""

    per_hour: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not 0 <= self.per_hour < float("inf"):
            raise UnsupportedError(f"a price of {self.per_hour} an hour: it must be 0 or more")

    def of(self, seconds: float) -> float:
        """The money for so many seconds of a worker."""
        return self.per_hour * seconds / _SECONDS_PER_HOUR


@dataclass(frozen=True)
class Cost:
    """What was spent so far.

    `seconds` is the time of workers over all `attempts`; `wasted_s` is what of it went into
    attempts that failed, were lost, given back or cancelled. Time in which workers wait for work
    is in neither.
    """

    price: Price
    attempts: int
    seconds: float
    wasted_s: float

    @property
    def amount(self) -> float:
        """Money, in the price's currency."""
        return self.price.of(self.seconds)

    @property
    def wasted(self) -> float:
        """Money that came to nothing."""
        return self.price.of(self.wasted_s)

    def __str__(self) -> str:
        hours, plural = self.seconds / _SECONDS_PER_HOUR, "" if self.attempts == 1 else "s"
        return (
            f"{self.amount:.2f} {self.price.currency} for {hours:.2f} worker hours in"
            f" {self.attempts} attempt{plural}"
        )


@dataclass(frozen=True)
class Forecast:
    """Money that is likely still to be spent: for one more job like those that are done, and for
    those that are open already. 0 where none is done yet to tell by."""

    one_more: float
    in_flight: float


def cost(records: Iterable[Record], price: Price) -> Cost:
    """What jobs have cost: every attempt counts, those that were lost too. One that runs counts
    until its worker was last heard of."""
    attempts = [attempt for record in records for attempt in record.attempts]
    useful = (Outcome.DONE, Outcome.RUNNING)
    return Cost(
        price=price,
        attempts=len(attempts),
        seconds=sum(each.seconds for each in attempts),
        wasted_s=sum(each.seconds for each in attempts if each.outcome not in useful),
    )


def forecast(records: Iterable[Record], price: Price) -> Forecast:
    """What is likely to come, by the mean of the jobs that are done with all their attempts."""
    known = list(records)
    done = [_seconds(record) for record in known if record.state is State.DONE]
    if not done:
        return Forecast(0.0, 0.0)
    usual = sum(done) / len(done)
    running = [_running_s(record) for record in known if record.state.open]
    return Forecast(price.of(usual), price.of(sum(max(0.0, usual - each) for each in running)))


def _seconds(record: Record) -> float:
    return sum(attempt.seconds for attempt in record.attempts)


def _running_s(record: Record) -> float:
    """How long the attempt that runs has run, 0 where none does."""
    last = record.attempts[-1] if record.attempts else None
    return last.seconds if last and last.outcome is Outcome.RUNNING else 0.0
