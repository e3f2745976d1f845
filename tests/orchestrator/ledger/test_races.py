"""What others do to a job between a look at its record and the write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edgecodec.orchestrator.ledger import (
    Claim,
    Job,
    Ledger,
    Outcome,
    Policy,
    Reason,
    Refusal,
    State,
)
from edgecodec.runtime.errors import DispatchError

from ..memory_table import Clock, MemoryTable

JOB = Job("probe", "job-1", {})


class Scene:
    """A ledger with one job, and somebody who comes in between once."""

    def __init__(self) -> None:
        self.table, self.clock = MemoryTable(), Clock()
        self.ledger = Ledger(self.table, Policy(most_attempts=2, backoff_s=0), self.clock)
        self.ledger.add(JOB)

    def claim(self, worker: str = "one") -> Claim:
        claim = self.ledger.claim(JOB.id, worker)
        assert isinstance(claim, Claim)
        return claim

    def before_the_next_put(self, act: Callable[[], object], group: str = "job") -> None:
        def once(of: str, name: str) -> None:
            if of == group:
                self.table.before_put = lambda group, name: None
                act()

        self.table.before_put = once

    def before_the_next_delete(self, act: Callable[[], object]) -> None:
        def once(group: str, name: str) -> None:
            self.table.before_delete = lambda group, name: None
            act()

        self.table.before_delete = once

    @property
    def state(self) -> State:
        record = self.ledger.get(JOB.id)
        assert record is not None
        return record.state


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_of_two_who_claim_one_gets_it(scene: Scene) -> None:
    claims: list[Claim] = []
    scene.before_the_next_put(lambda: claims.append(scene.claim("fast")))
    slow = scene.ledger.claim(JOB.id, "slow")
    assert isinstance(slow, Refusal)
    assert slow.reason is Reason.HELD
    assert scene.ledger.finish(claims[0], {})


def test_of_two_who_add_one_does(scene: Scene) -> None:
    other = Job("probe", "job-2", {"by": "slow"})
    scene.before_the_next_put(lambda: scene.ledger.add(Job("probe", "job-2", {"by": "fast"})))
    assert not scene.ledger.add(other)
    record = scene.ledger.get("job-2")
    assert record is not None
    assert record.job.payload == {"by": "fast"}


def test_a_job_that_is_cancelled_just_before_it_is_done_stays_cancelled(scene: Scene) -> None:
    claim = scene.claim()
    scene.before_the_next_put(lambda: scene.ledger.cancel(JOB.id))
    assert not scene.ledger.finish(claim, {})
    assert scene.state is State.CANCELLED


def test_a_job_that_is_done_just_before_it_is_cancelled_stays_done(scene: Scene) -> None:
    claim = scene.claim()
    scene.before_the_next_put(lambda: scene.ledger.finish(claim, {"a": 1}))
    assert not scene.ledger.cancel(JOB.id)
    assert scene.state is State.DONE


def test_a_job_that_is_taken_over_just_before_it_is_done_is_the_other_s(scene: Scene) -> None:
    first = scene.claim()
    scene.clock.now += 60
    claims: list[Claim] = []
    scene.before_the_next_put(lambda: claims.append(scene.claim("two")))
    assert not scene.ledger.finish(first, {"by": "one"})
    assert scene.ledger.finish(claims[0], {"by": "two"})


def test_a_message_that_is_marked_meanwhile_changes_nothing_else(scene: Scene) -> None:
    claim = scene.claim()
    scene.before_the_next_put(lambda: scene.ledger.mark_sent(JOB.id))
    assert scene.ledger.finish(claim, {})
    assert scene.state is State.DONE


@pytest.mark.parametrize("act", ["claim", "finish", "fail", "release", "cancel"])
def test_a_write_whose_answer_gets_lost_counts_once(scene: Scene, act: str) -> None:
    """DynamoDB's and Redis's clients write again where no answer came, and are told no."""
    if act == "claim":
        scene.table.loses_answers = True
        claim = scene.claim()
        scene.table.loses_answers = False
        assert scene.ledger.finish(claim, {})
    else:
        claim = scene.claim()
        scene.table.loses_answers = True
        done = {
            "finish": lambda: scene.ledger.finish(claim, {}),
            "fail": lambda: scene.ledger.fail(claim, "x").state is State.QUEUED,
            "release": lambda: scene.ledger.release(claim),
            "cancel": lambda: scene.ledger.cancel(JOB.id),
        }[act]()
        assert done
    record = scene.ledger.get(JOB.id)
    assert record is not None
    assert len(record.attempts) == 1
    assert record.attempts[0].outcome is not Outcome.RUNNING


def test_a_retry_while_the_end_is_being_tidied_is_not_forgotten(scene: Scene) -> None:
    claim = scene.claim()
    scene.before_the_next_delete(lambda: scene.ledger.retry(JOB.id))
    scene.ledger.fail(claim, "x", final=True)
    assert scene.state is State.QUEUED
    assert scene.ledger.due() == [JOB.id]


def test_tidying_while_a_retry_is_under_way_does_not_forget_it(scene: Scene) -> None:
    scene.ledger.cancel(JOB.id)
    scene.before_the_next_put(lambda: scene.ledger.due())
    assert scene.ledger.retry(JOB.id)
    assert scene.ledger.due() == [JOB.id]


def test_a_retry_that_is_cut_off_is_not_forgotten(scene: Scene) -> None:
    scene.ledger.cancel(JOB.id)

    def die_once_queued(group: str, name: str) -> None:
        if group == "open" and scene.state is State.QUEUED:
            raise KeyboardInterrupt

    scene.table.before_put = die_once_queued
    with pytest.raises(KeyboardInterrupt):
        scene.ledger.retry(JOB.id)
    assert scene.ledger.due() == [JOB.id]


def test_an_end_that_was_not_tidied_is_tidied_by_the_next_look(scene: Scene) -> None:
    claim = scene.claim()

    def die() -> None:
        raise KeyboardInterrupt

    scene.before_the_next_delete(die)
    with pytest.raises(KeyboardInterrupt):
        scene.ledger.finish(claim, {})
    assert scene.state is State.DONE
    assert [name for name, _ in scene.table.scan("open")] == [JOB.id]
    assert scene.ledger.due() == []
    assert list(scene.table.scan("open")) == []


def test_a_name_whose_job_never_came_harms_nobody(scene: Scene) -> None:
    scene.table.put("open", "job-2", {}, None)
    assert scene.ledger.due() == [JOB.id]
    assert scene.ledger.add(Job("probe", "job-2", {}))
    assert scene.ledger.due() == [JOB.id, "job-2"]


def test_a_record_that_never_stands_still_is_given_up_on(scene: Scene) -> None:
    def meddle(group: str, name: str) -> None:
        scene.table.before_put = lambda group, name: None
        scene.ledger.mark_sent(JOB.id)
        scene.table.before_put = meddle

    scene.table.before_put = meddle
    with pytest.raises(DispatchError, match="too many workers"):
        scene.ledger.claim(JOB.id, "one")
