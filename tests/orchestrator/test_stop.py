from __future__ import annotations

from dataclasses import replace

import pytest
from edgecodec.orchestrator.stop import Rule, Standing, StopRules
from edgecodec.runtime.errors import UnsupportedError

START = Standing(
    begun=0,
    in_flight=0,
    results=0,
    failed=0,
    spent=0.0,
    expected=0.0,
    next_cost=0.0,
    hours=0.0,
    reached=False,
    without_progress=0,
)


def test_a_run_goes_on_until_its_last_experiment_has_ended() -> None:
    rules = StopRules(count=3)
    assert rules.stop(START) is None
    assert rules.room(START, parallel=2) == 2
    two = replace(START, begun=2, in_flight=1)
    assert rules.room(two, parallel=5) == 1
    full = replace(START, begun=3, in_flight=1)
    assert rules.room(full, parallel=5) == 0
    assert rules.stop(full) is None
    stop = rules.stop(replace(full, in_flight=0))
    assert stop is not None
    assert (stop.rule, stop.at_once) == (Rule.COUNT, False)


def test_money_that_is_spent_ends_it_at_once() -> None:
    stop = StopRules(budget=5.0).stop(replace(START, spent=5.01, in_flight=3))
    assert stop is not None
    assert (stop.rule, stop.at_once) == (Rule.BUDGET, True)
    assert "5.01 of 5.00 USD" in stop.why


def test_nothing_begins_that_the_budget_will_not_pay_for() -> None:
    rules = StopRules(budget=5.0)
    standing = replace(START, begun=4, spent=3.0, next_cost=0.8)
    assert rules.room(standing, parallel=10) == 2
    busy = replace(standing, in_flight=1, expected=0.8)
    assert rules.room(busy, parallel=10) == 1
    broke = replace(standing, spent=4.5, in_flight=1, expected=0.3)
    assert rules.room(broke, parallel=10) == 0
    assert rules.stop(broke) is None
    stop = rules.stop(replace(broke, in_flight=0, expected=0.0))
    assert stop is not None
    assert stop.rule is Rule.BUDGET


def test_before_anything_is_known_of_the_cost_the_budget_does_not_hinder() -> None:
    assert StopRules(budget=5.0).room(START, parallel=3) == 3


@pytest.mark.parametrize(
    ("rules", "standing", "rule", "at_once"),
    [
        (StopRules(hours=2), replace(START, hours=2.0, in_flight=1), Rule.HOURS, True),
        (StopRules(), replace(START, reached=True, in_flight=1), Rule.TARGET, False),
        (StopRules(), replace(START, failed=3), Rule.FAILING, False),
        (StopRules(patience=4), replace(START, without_progress=4), Rule.PATIENCE, False),
    ],
)
def test_each_rule_ends_it(rules: StopRules, standing: Standing, rule: Rule, at_once: bool) -> None:
    stop = rules.stop(standing)
    assert stop is not None
    assert (stop.rule, stop.at_once) == (rule, at_once)


def test_rules_that_are_not_asked_for_never_hold() -> None:
    far = replace(START, begun=900, spent=1e6, hours=1e3, without_progress=500, reached=True)
    assert StopRules(count=None, until_reached=False).stop(far) is None


def test_failures_beside_results_end_nothing() -> None:
    assert StopRules().stop(replace(START, begun=8, failed=7, results=1)) is None


@pytest.mark.parametrize("name", ["count", "budget", "hours", "patience"])
def test_a_limit_that_allows_nothing_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        StopRules(**{name: 0})
