"""Many threads wait for jobs, one looks after them: whatever happens, nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import pytest
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.encoding.desk import JobDesk, Patience
from edgecodec.orchestrator.ledger import Claim, Job, Ledger, Record, State
from edgecodec.orchestrator.tables import Table, open_table
from edgecodec.runtime.errors import DispatchError

from .fleets import until

LIMIT_S = 30.0
PATIENCE = Patience(poll_s=0.01)


@dataclass
class Office:
    """A dispatcher without a broker: its ledger is there, and workers are what a test does."""

    ledger: Ledger
    broken: bool = False
    threads: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def submit(self, job: Job) -> bool:
        return self.ledger.add(job)

    def retry(self, id: str) -> bool:
        return self.ledger.retry(id)

    def cancel(self, id: str) -> bool:
        return self.ledger.cancel(id)

    def tend(self) -> None:
        self.threads.add(threading.get_ident())
        if self.broken:
            raise DispatchError("the broker is away")

    def state(self, id: str) -> State | None:
        record = self.ledger.get(id)
        return None if record is None else record.state

    def claim(self, id: str) -> Claim:
        until(lambda: self.state(id) is State.QUEUED, f"{id} is queued", LIMIT_S)
        claim = self.ledger.claim(id, "w")
        assert isinstance(claim, Claim)
        return claim

    def do(self, id: str, **result: Any) -> None:
        assert self.ledger.finish(self.claim(id), result)


def job(number: int = 0) -> Job:
    return Job("trial", f"trial-{number}", {"number": number})


@contextmanager
def desk(
    office: Office,
    most: int = 8,
    patience: Patience = PATIENCE,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[JobDesk]:
    made = JobDesk(lambda: cast("Dispatcher", office), most, patience, tell)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    with closing(open_table(f"sqlite:{tmp_path / 'ledger.sqlite'}")) as opened:
        yield opened


@pytest.fixture
def office(table: Table) -> Office:
    return Office(Ledger(table))


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def test_each_gets_what_its_job_came_to(office: Office, others: ThreadPoolExecutor) -> None:
    with desk(office) as made:
        waiting = [others.submit(made.hand_in(job(n)).wait) for n in range(5)]
        for number in reversed(range(5)):
            office.do(f"trial-{number}", was=number)
        records = [each.result(LIMIT_S) for each in waiting]
    assert [each.result for each in records] == [{"was": number} for number in range(5)]
    assert len(office.threads) == 1  # it alone talks to the dispatcher


def test_one_job_is_one_errand_for_all(office: Office, others: ThreadPoolExecutor) -> None:
    with desk(office) as made:
        waiting = [others.submit(made.hand_in(job()).wait) for _ in range(4)]
        office.do("trial-0")
        records = {each.result(LIMIT_S).version for each in waiting}
    assert len(records) == 1
    assert len(list(office.ledger.records())) == 1


def test_a_job_that_ended_before_costs_nothing(office: Office) -> None:
    office.submit(job())
    office.do("trial-0", made="before")
    with desk(office) as made:
        assert made.hand_in(job()).wait().result == {"made": "before"}


def test_what_was_given_up_before_is_tried_again(
    office: Office, others: ThreadPoolExecutor
) -> None:
    for number in (0, 1):
        office.submit(job(number))
    office.ledger.fail(office.claim("trial-0"), "no luck", final=True)
    office.cancel("trial-1")
    with desk(office) as made:
        waiting = [others.submit(made.hand_in(job(number)).wait) for number in (0, 1)]
        office.do("trial-0")
        office.do("trial-1")
        assert [each.result(LIMIT_S).state for each in waiting] == [State.DONE] * 2


def test_a_job_that_is_given_up_is_told(office: Office, others: ThreadPoolExecutor) -> None:
    with desk(office) as made:
        waiting = others.submit(made.hand_in(job()).wait)
        office.ledger.fail(office.claim("trial-0"), "no luck", final=True)
        record = waiting.result(LIMIT_S)
    assert (record.state, record.error) == (State.DEAD, "no luck")


def test_who_takes_a_job_back_has_to_mean_it(office: Office, others: ThreadPoolExecutor) -> None:
    """Another encode that was ended may have waited for the same job."""

    def taken_back() -> None:
        until(lambda: office.state("trial-0") is State.QUEUED, "it is queued", LIMIT_S)
        office.cancel("trial-0")

    with desk(office) as made:
        waiting = others.submit(made.hand_in(job()).wait)
        for _ in range(2):
            taken_back()
            assert not waiting.done()
        taken_back()
        assert waiting.result(LIMIT_S).state is State.CANCELLED


def test_a_record_that_somebody_deletes_is_entered_again(
    office: Office, table: Table, others: ThreadPoolExecutor
) -> None:
    with desk(office) as made:
        waiting = others.submit(made.hand_in(job()).wait)
        until(lambda: office.state("trial-0") is State.QUEUED, "it is queued", LIMIT_S)
        table.delete("job", "trial-0")
        office.do("trial-0")
        assert waiting.result(LIMIT_S).state is State.DONE


def test_no_more_than_so_many_are_open(office: Office, others: ThreadPoolExecutor) -> None:
    with desk(office, most=2) as made:
        waiting = [others.submit(lambda n=n: made.hand_in(job(n)).wait()) for n in range(6)]
        seen = 0
        while not all(each.done() for each in waiting):
            queued = [each.job.id for each in office.ledger.records() if each.state.open]
            assert len(queued) <= 2
            for id in queued:
                office.do(id)
                seen += 1
            # On a single core, who looks all the time keeps the desk from its work.
            time.sleep(PATIENCE.poll_s)
    assert seen == 6


def test_silence_is_said_and_so_is_its_end(office: Office, others: ThreadPoolExecutor) -> None:
    told: list[str] = []
    with desk(office, patience=Patience(0.01, quiet_s=0.05), tell=told.append) as made:
        waiting = others.submit(made.hand_in(job()).wait)
        until(lambda: bool(told), "it is said that nobody works", LIMIT_S)
        assert told[0].startswith("waiting for workers: none took any of 1 jobs")
        claim = office.claim("trial-0")
        until(lambda: told[-1] == "", "it goes on", LIMIT_S)
        office.ledger.finish(claim, {})
        waiting.result(LIMIT_S)


def test_nobody_waits_for_workers_for_ever(office: Office) -> None:
    with desk(office, patience=Patience(0.01, quiet_s=0.02, most_s=0.05)) as made:
        errand = made.hand_in(job())
        with pytest.raises(DispatchError, match="edgecodec worker"):
            errand.wait()
        with pytest.raises(DispatchError, match="edgecodec worker"):
            made.hand_in(job(1))


def test_a_broker_may_be_away_for_a_while(office: Office, others: ThreadPoolExecutor) -> None:
    office.broken = True
    told: list[str] = []
    with desk(office, tell=told.append) as made:
        waiting = others.submit(made.hand_in(job()).wait)
        until(lambda: "the broker is away" in "".join(told), "it is said", LIMIT_S)
        office.broken = False
        office.do("trial-0")
        assert waiting.result(LIMIT_S).state is State.DONE
    assert told[-1] == ""


def test_but_not_for_ever(office: Office) -> None:
    office.broken = True
    with desk(office, patience=Patience(0.01, away_s=0.05)) as made:
        errand = made.hand_in(job())
        with pytest.raises(DispatchError, match="the broker is away"):
            errand.wait()


def test_what_cannot_be_reached_at_the_start_is_said_at_once() -> None:
    def connect() -> Dispatcher:
        raise DispatchError("no such host")

    with pytest.raises(DispatchError, match="no such host"):
        JobDesk(connect, 8, PATIENCE, lambda _: None)


def test_closing_takes_back_what_nobody_has_begun(
    office: Office, others: ThreadPoolExecutor
) -> None:
    waiting: list[Future[Record]] = []
    with desk(office, most=2) as made:
        for number in (0, 1):
            waiting.append(others.submit(made.hand_in(job(number)).wait))
        waiting.append(others.submit(lambda: made.hand_in(job(2)).wait()))
        claim = office.claim("trial-0")
        until(lambda: office.state("trial-1") is State.QUEUED, "it is queued", LIMIT_S)
    for each in waiting:
        assert isinstance(each.exception(LIMIT_S), KeyboardInterrupt)
    assert office.state("trial-1") is State.CANCELLED
    assert office.state("trial-2") is None
    # What a worker has begun is of use to whoever encodes next.
    assert office.ledger.finish(claim, {})
    with pytest.raises(KeyboardInterrupt):
        made.hand_in(job(3))
