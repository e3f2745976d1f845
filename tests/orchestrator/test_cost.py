from __future__ import annotations

import pytest
from edgecodec.orchestrator.cost import Price, cost, forecast
from edgecodec.orchestrator.ledger.record import Attempt, Job, Outcome, Record, State
from edgecodec.runtime.errors import UnsupportedError

PRICE = Price(3.6, "EUR")  # 0.001 a second


def record(state: State, *attempts: tuple[float, Outcome]) -> Record:
    return Record(
        Job("experiment", f"job-{state}-{len(attempts)}", {}),
        state,
        0.0,
        tuple(
            Attempt(number, "worker", 0.0, seconds, outcome, "", str(number))
            for number, (seconds, outcome) in enumerate(attempts, 1)
        ),
    )


DONE = record(State.DONE, (40.0, Outcome.LOST), (10.0, Outcome.ERROR), (100.0, Outcome.DONE))


def test_every_attempt_costs_those_that_came_to_nothing_too() -> None:
    running = record(State.RUNNING, (5.0, Outcome.RELEASED), (20.0, Outcome.RUNNING))
    cancelled = record(State.CANCELLED, (7.0, Outcome.CANCELLED))
    queued = record(State.QUEUED)
    spent = cost([DONE, running, cancelled, queued], PRICE)
    assert spent.attempts == 6
    assert spent.seconds == pytest.approx(182.0)
    assert spent.wasted_s == pytest.approx(62.0)
    assert spent.amount == pytest.approx(0.182)
    assert spent.wasted == pytest.approx(0.062)
    assert str(cost([record(State.DONE, (5400.0, Outcome.DONE))], PRICE)) == (
        "5.40 EUR for 1.50 worker hours in 1 attempt"
    )


def test_nothing_costs_nothing() -> None:
    spent = cost([], Price(2.5))
    assert (spent.amount, spent.attempts, spent.price.currency) == (0.0, 0, "USD")


def test_what_is_to_come_is_told_by_what_is_done() -> None:
    other = record(State.DONE, (50.0, Outcome.DONE))
    queued = record(State.QUEUED, (30.0, Outcome.LOST))
    running = record(State.RUNNING, (60.0, Outcome.RUNNING))
    late = record(State.RUNNING, (500.0, Outcome.RUNNING))
    dead = record(State.DEAD, (9.0, Outcome.ERROR))
    to_come = forecast([DONE, other, queued, running, late, dead], PRICE)
    assert to_come.one_more == pytest.approx(0.100)  # the mean of 150 s and 50 s
    assert to_come.in_flight == pytest.approx(0.100 + 0.040)


def test_before_anything_is_done_nothing_is_foretold() -> None:
    to_come = forecast([record(State.RUNNING, (60.0, Outcome.RUNNING))], PRICE)
    assert (to_come.one_more, to_come.in_flight) == (0.0, 0.0)


@pytest.mark.parametrize("per_hour", [-0.1, float("nan"), float("inf")])
def test_a_price_is_a_number_of_money(per_hour: float) -> None:
    with pytest.raises(UnsupportedError, match="price"):
        Price(per_hour)
