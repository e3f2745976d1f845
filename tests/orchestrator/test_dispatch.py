"""Submitting, tending and waiting, where no worker is needed to see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from edgecodec.orchestrator.broker.messages import Messages
from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.ledger import Claim, Ledger, Policy
from edgecodec.orchestrator.ledger.record import Job, State
from edgecodec.orchestrator.tables import Table, open_table
from edgecodec.orchestrator.tending import Tender

from .flaky import flaky


class Clock:
    """Unix seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(
        f"folder:{tmp_path}", f"sqlite:{tmp_path}/results.sqlite", f"file:{tmp_path}/media"
    )


@pytest.fixture
def table(deployment: Deployment) -> Iterator[Table]:
    opened = open_table(deployment.results)
    yield opened
    opened.close()


def job(number: int) -> Job:
    return Job("probe", f"job-{number}", {})


def test_a_known_job_sends_nothing(deployment: Deployment) -> None:
    with Dispatcher(deployment) as dispatcher:
        assert dispatcher.submit(job(1))
        assert not dispatcher.submit(job(1))
        assert dispatcher.messages.waiting() == 1


def test_waiting_gives_what_has_ended(deployment: Deployment, table: Table) -> None:
    ledger = Ledger(table)
    with Dispatcher(deployment) as dispatcher:
        for number in range(4):
            dispatcher.submit(job(number))
        ids = [job(number).id for number in range(4)]
        assert dispatcher.wait(ids, timeout_s=0.0) == {}
        claim = ledger.claim("job-0", "w")
        assert isinstance(claim, Claim)
        ledger.finish(claim, {"n": 0})
        dispatcher.cancel("job-1")
        claim = ledger.claim("job-2", "w")
        assert isinstance(claim, Claim)
        ledger.fail(claim, "no", final=True)
        ended = dispatcher.wait(ids, timeout_s=30.0, enough=2)
        assert {id: record.state for id, record in ended.items()} == {
            "job-0": State.DONE,
            "job-1": State.CANCELLED,
            "job-2": State.DEAD,
        }
        assert set(dispatcher.wait(ids, timeout_s=0.3)) == {"job-0", "job-1", "job-2"}
        assert dispatcher.wait([], timeout_s=30.0) == {}


def test_a_broker_that_is_away_costs_a_later_message_only(
    deployment: Deployment, redis_url: str
) -> None:
    with flaky(urlsplit(redis_url).port or 0) as way:
        queue = "dispatch-away"
        over = Deployment(
            f"redis://127.0.0.1:{way.port}/0", deployment.results, deployment.media, queue
        )
        with Dispatcher(over, Policy(lease_s=1.0)) as dispatcher:
            way.cut()
            assert dispatcher.submit(job(1))
            record = dispatcher.ledger.get("job-1")
            assert record is not None
            assert (record.state, record.sent) == (State.QUEUED, None)
            dispatcher.tend()
            way.mend()
            assert dispatcher.wait(["job-1"], timeout_s=1.0) == {}
            assert dispatcher.messages.waiting() == 1
            record = dispatcher.ledger.get("job-1")
            assert record is not None
            assert record.sent is not None


def test_a_retried_job_is_sent_again(deployment: Deployment) -> None:
    with Dispatcher(deployment) as dispatcher:
        dispatcher.submit(job(1))
        assert not dispatcher.retry("job-1")
        assert dispatcher.cancel("job-1")
        assert dispatcher.retry("job-1")
        assert dispatcher.messages.waiting() == 2
        record = dispatcher.ledger.get("job-1")
        assert record is not None
        assert record.state is State.QUEUED


@pytest.fixture
def tenders(
    deployment: Deployment, table: Table
) -> Iterator[tuple[list[Tender], Ledger, Messages, Clock]]:
    clock = Clock()
    ledger = Ledger(table, Policy(lease_s=60.0, resend_s=100.0), clock)
    messages = Messages(deployment)
    yield [Tender(table, ledger, messages, clock) for _ in range(3)], ledger, messages, clock
    messages.close()


def test_tenders_take_turns(tenders: tuple[list[Tender], Ledger, Messages, Clock]) -> None:
    (first, second, third), ledger, messages, clock = tenders
    ledger.add(job(1))
    assert [first.tend(), second.tend(), first.tend()] == [1, 0, 0]
    ledger.add(job(2))
    ledger.add(job(3))
    assert third.tend() == 0
    clock.now += first.every_s
    assert [second.tend(), first.tend()] == [2, 0]
    assert messages.waiting() == 3


def test_a_lost_message_is_sent_again_and_one_that_waits_is_not(
    tenders: tuple[list[Tender], Ledger, Messages, Clock], tmp_path: Path
) -> None:
    (first, _, _), ledger, messages, clock = tenders
    ledger.add(job(1))
    assert first.tend() == 1
    clock.now += 1000.0
    assert first.tend() == 0
    (lost,) = (tmp_path / "broker").iterdir()
    lost.unlink()
    clock.now += first.every_s
    assert first.tend() == 1
    assert messages.waiting() == 1


def test_a_job_whose_worker_is_lost_is_sent_again(
    tenders: tuple[list[Tender], Ledger, Messages, Clock],
) -> None:
    (first, _, _), ledger, _, clock = tenders
    ledger.add(job(1))
    ledger.claim("job-1", "w")
    assert first.tend() == 0
    clock.now += 61.0
    assert first.tend() == 1


def test_a_clock_that_was_ahead_stops_nobody_from_tending(
    tenders: tuple[list[Tender], Ledger, Messages, Clock],
) -> None:
    (first, second, _), ledger, _, clock = tenders
    clock.now += 86400.0
    assert first.tend() == 0
    clock.now -= 86400.0
    ledger.add(job(1))
    assert second.tend() == 1
    ledger.add(job(2))
    ledger.add(job(3))
    clock.now += second.every_s
    assert first.tend() == 2
