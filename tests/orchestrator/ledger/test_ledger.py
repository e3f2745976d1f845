"""A job's way through the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.orchestrator.ledger import (
    Claim,
    Job,
    Ledger,
    Outcome,
    Policy,
    Progress,
    Reason,
    Record,
    Refusal,
    State,
)
from edgecodec.orchestrator.tables import open_table
from edgecodec.runtime.errors import DispatchError, UnsupportedError

from ..memory_table import Clock, MemoryTable

JOB = Job("probe", "job-1", {"wait_s": 1.5, "clips": ["a"]})
POLICY = Policy(lease_s=60, most_attempts=3, backoff_s=5, longest_backoff_s=8, resend_s=900)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


@pytest.fixture
def ledger(table: MemoryTable, clock: Clock) -> Ledger:
    ledger = Ledger(table, POLICY, clock)
    ledger.add(JOB)
    return ledger


def claimed(ledger: Ledger, worker: str = "one", id: str = JOB.id) -> Claim:
    claim = ledger.claim(id, worker)
    assert isinstance(claim, Claim)
    return claim


def refused(ledger: Ledger, worker: str = "two", id: str = JOB.id) -> Refusal:
    refusal = ledger.claim(id, worker)
    assert isinstance(refusal, Refusal)
    return refusal


def known(ledger: Ledger, id: str = JOB.id) -> Record:
    record = ledger.get(id)
    assert record is not None
    return record


def test_a_job_is_added_once(ledger: Ledger, clock: Clock) -> None:
    assert not ledger.add(JOB)
    assert not ledger.add(Job("other", JOB.id, {}))
    record = known(ledger)
    assert (record.job, record.state, record.added) == (JOB, State.QUEUED, clock.now)
    assert (record.attempts, record.sent, record.result) == ((), None, None)
    assert list(ledger.records()) == [record]


def test_a_job_that_ended_is_still_known(ledger: Ledger) -> None:
    assert ledger.finish(claimed(ledger), {"psnr": 40.0})
    assert not ledger.add(JOB)
    assert known(ledger).result == {"psnr": 40.0}
    assert ledger.due() == []


def test_done(ledger: Ledger, clock: Clock) -> None:
    claim = claimed(ledger)
    assert (claim.job, claim.worker, claim.number) == (JOB, "one", 1)
    assert claim.lease_until == clock.now + 60
    clock.now += 12
    assert ledger.finish(claim, {"psnr": 40.0})
    record = known(ledger)
    assert (record.state, record.result, record.tries) == (State.DONE, {"psnr": 40.0}, 1)
    assert record.progress == Progress(1.0, "done")
    (attempt,) = record.attempts
    assert (attempt.outcome, attempt.seconds, attempt.error) == (Outcome.DONE, 12, "")
    assert refused(ledger) == Refusal(Reason.DONE, None, False, record)
    assert ledger.finish(claim, {"psnr": 0.0})
    assert ledger.fail(claim, "late") == record
    for late in (ledger.renew(claim), ledger.release(claim)):
        assert not late
    assert not ledger.cancel(JOB.id)
    assert not ledger.retry(JOB.id)
    assert known(ledger) == record


def test_a_job_that_is_held_is_nobody_else_s(ledger: Ledger, clock: Clock) -> None:
    claim = claimed(ledger)
    clock.now += 59
    refusal = refused(ledger)
    assert (refusal.reason, refusal.until, refusal.died) == (Reason.HELD, claim.lease_until, False)


def test_a_job_nobody_knows(ledger: Ledger) -> None:
    assert refused(ledger, id="job-2") == Refusal(Reason.UNKNOWN, None, False, None)
    assert ledger.get("job-2") is None
    assert not ledger.cancel("job-2")
    assert not ledger.retry("job-2")
    ledger.mark_sent("job-2")
    assert ledger.due(["job-2"]) == []
    assert [record.job.id for record in ledger.records(["job-2", JOB.id])] == [JOB.id]


def test_renewing_holds_the_job_and_tells_how_far_it_is(ledger: Ledger, clock: Clock) -> None:
    claim = claimed(ledger)
    clock.now += 50
    assert ledger.renew(claim, Progress(0.25, "scene 1 of 4"))
    clock.now += 50
    assert ledger.renew(claim)
    record = known(ledger)
    assert record.progress == Progress(0.25, "scene 1 of 4")
    assert record.lease_until == clock.now + 60
    assert record.attempts[-1].seconds == 100
    assert refused(ledger).reason is Reason.HELD


def test_a_lost_worker_s_job_is_taken_over(ledger: Ledger, clock: Clock) -> None:
    first = claimed(ledger)
    clock.now += 30
    ledger.renew(first)
    clock.now += 60
    second = claimed(ledger, "two")
    assert second.number == 2
    lost, running = known(ledger).attempts
    assert (lost.outcome, lost.worker, lost.seconds) == (Outcome.LOST, "one", 30)
    assert "worker one" in lost.error
    assert (running.outcome, running.worker) == (Outcome.RUNNING, "two")
    assert not ledger.renew(first)
    assert not ledger.finish(first, {"by": "one"})
    assert ledger.fail(first, "late").state is State.RUNNING
    assert not ledger.release(first)
    assert ledger.finish(second, {"by": "two"})
    assert known(ledger).result == {"by": "two"}


def test_a_late_worker_whom_nobody_missed_still_ends_its_job(ledger: Ledger, clock: Clock) -> None:
    claim = claimed(ledger)
    clock.now += 1000
    assert ledger.finish(claim, {})
    assert known(ledger).state is State.DONE


def test_a_worker_that_comes_back_for_its_own_job_is_another_attempt(
    ledger: Ledger, clock: Clock
) -> None:
    first = claimed(ledger, "one")
    clock.now += 60
    second = claimed(ledger, "one")
    assert not ledger.finish(first, {})
    assert ledger.finish(second, {})


def test_failing_pauses_longer_each_time_and_then_kills(ledger: Ledger, clock: Clock) -> None:
    for pause in (5, 8):  # 10, but for the longest
        record = ledger.fail(claimed(ledger), "no memory")
        assert (record.state, record.not_before) == (State.QUEUED, clock.now + pause)
        assert record.error == "no memory"
        refusal = refused(ledger)
        assert (refusal.reason, refusal.until) == (Reason.NOT_BEFORE, record.not_before)
        clock.now += pause
    record = ledger.fail(claimed(ledger), "no memory again")
    assert (record.state, record.tries, record.error) == (State.DEAD, 3, "no memory again")
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.ERROR] * 3
    refusal = refused(ledger)
    assert (refusal.reason, refusal.died) == (Reason.DEAD, False)
    assert ledger.due() == []


def test_ending_a_job_again_after_an_outage_is_no_second_end(
    ledger: Ledger, table: MemoryTable
) -> None:
    claim = claimed(ledger)

    def away(group: str, name: str) -> None:
        raise DispatchError("the table is away")

    table.before_delete = away
    assert ledger.finish(claim, {"a": 1})
    record = known(ledger)
    assert ledger.finish(claim, {"a": 2})
    assert known(ledger) == record
    assert record.result == {"a": 1}


def test_what_can_never_work_is_tried_once(ledger: Ledger) -> None:
    record = ledger.fail(claimed(ledger), "no such codec", final=True)
    assert (record.state, record.tries) == (State.DEAD, 1)


def test_a_job_that_loses_every_worker_is_dead(ledger: Ledger, clock: Clock) -> None:
    for _ in range(3):
        claimed(ledger)
        clock.now += 60
    refusal = refused(ledger)
    assert (refusal.reason, refusal.died) == (Reason.DEAD, True)
    assert known(ledger).state is State.DEAD
    assert [each.outcome for each in known(ledger).attempts] == [Outcome.LOST] * 3
    assert refused(ledger).died is False


def test_giving_back_does_not_count(ledger: Ledger, clock: Clock) -> None:
    for number in range(1, 6):
        claim = claimed(ledger)
        assert claim.number == number
        clock.now += 3
        assert ledger.release(claim)
        record = known(ledger)
        assert (record.state, record.tries, record.error) == (State.QUEUED, 0, "")
        assert record.attempts[-1].outcome is Outcome.RELEASED
        assert record.attempts[-1].seconds == 3
        assert ledger.due() == [JOB.id]


def test_what_is_given_back_may_be_had_by_a_machine_whose_clock_is_behind(
    ledger: Ledger, clock: Clock
) -> None:
    ledger.release(claimed(ledger))
    clock.now -= 30
    assert claimed(ledger, "two").number == 2


def test_a_result_that_json_cannot_hold_is_refused(tmp_path: Path, clock: Clock) -> None:
    table = open_table(f"sqlite:{tmp_path / 'results.sqlite'}")
    ledger = Ledger(table, POLICY, clock)
    ledger.add(JOB)
    claim = claimed(ledger)
    with pytest.raises(UnsupportedError, match="job job-1"):
        ledger.finish(claim, {"psnr": float("inf")})
    assert ledger.fail(claim, "a PSNR of infinity", final=True).state is State.DEAD
    table.close()


def test_cancelling_a_waiting_job(ledger: Ledger) -> None:
    assert ledger.cancel(JOB.id)
    assert known(ledger).state is State.CANCELLED
    assert refused(ledger).reason is Reason.CANCELLED
    assert ledger.due() == []
    assert not ledger.cancel(JOB.id)


def test_cancelling_a_running_job_stops_its_worker(ledger: Ledger, clock: Clock) -> None:
    claim = claimed(ledger)
    clock.now += 10
    ledger.renew(claim)
    assert ledger.cancel(JOB.id)
    assert not ledger.renew(claim)
    assert not ledger.finish(claim, {})
    (attempt,) = known(ledger).attempts
    assert (attempt.outcome, attempt.seconds) == (Outcome.CANCELLED, 10)


def test_retrying_begins_anew_and_keeps_what_was(ledger: Ledger, clock: Clock) -> None:
    ledger.fail(claimed(ledger), "broken", final=True)
    assert ledger.retry(JOB.id)
    record = known(ledger)
    assert (record.state, record.tries, len(record.attempts)) == (State.QUEUED, 0, 1)
    assert ledger.due() == [JOB.id]
    assert not ledger.retry(JOB.id)
    assert claimed(ledger).number == 2
    ledger.cancel(JOB.id)
    assert ledger.retry(JOB.id)
    assert ledger.finish(claimed(ledger), {})


def test_a_queued_job_needs_one_message_and_later_another(ledger: Ledger, clock: Clock) -> None:
    assert ledger.due() == [JOB.id]
    ledger.mark_sent(JOB.id)
    assert ledger.due() == []
    clock.now += 899
    assert ledger.due() == []
    clock.now += 1
    assert ledger.due() == [JOB.id]


def test_a_failed_job_needs_a_message_after_its_pause(ledger: Ledger, clock: Clock) -> None:
    ledger.mark_sent(JOB.id)
    ledger.fail(claimed(ledger), "x")
    assert ledger.due() == []
    clock.now += 5
    assert ledger.due() == [JOB.id]
    ledger.mark_sent(JOB.id)
    assert ledger.due() == []


def test_a_lost_worker_s_job_needs_one_message(ledger: Ledger, clock: Clock) -> None:
    ledger.mark_sent(JOB.id)
    claimed(ledger)
    clock.now += 59
    assert ledger.due() == []
    clock.now += 1
    assert ledger.due() == [JOB.id]
    ledger.mark_sent(JOB.id)
    assert ledger.due() == []
    clock.now += 900
    assert ledger.due() == [JOB.id]


def test_a_message_from_before_the_job_came_back_does_not_count(
    ledger: Ledger, clock: Clock
) -> None:
    sent_at = clock.now
    clock.now += 1
    ledger.release(claimed(ledger))
    ledger.mark_sent(JOB.id, sent_at)
    assert ledger.due() == [JOB.id]


def test_due_may_be_asked_of_some_jobs(ledger: Ledger) -> None:
    ledger.add(Job("probe", "job-2", {}))
    assert ledger.due() == ["job-1", "job-2"]
    assert ledger.due(["job-2", "job-3"]) == ["job-2"]


def test_long_errors_keep_their_end(ledger: Ledger) -> None:
    record = ledger.fail(claimed(ledger), "x" * 100_000 + "the end")
    assert len(record.error) < 10_000
    assert record.error.endswith("the end")


def test_a_clock_that_goes_back_gives_no_negative_time(ledger: Ledger, clock: Clock) -> None:
    claim = claimed(ledger)
    clock.now -= 100
    assert ledger.renew(claim)
    assert ledger.finish(claim, {})
    assert known(ledger).attempts[-1].seconds == 0


def test_a_record_of_a_later_version_is_refused(ledger: Ledger, table: MemoryTable) -> None:
    row = table.get("job", JOB.id)
    assert row is not None
    table.put("job", JOB.id, dict(row.value) | {"schema": 2}, row.version)
    with pytest.raises(UnsupportedError, match=r"job job-1: .*schema 2"):
        ledger.get(JOB.id)


def test_failing_a_job_whose_row_was_taken_away(ledger: Ledger, table: MemoryTable) -> None:
    claim = claimed(ledger)
    table.delete("job", JOB.id)
    with pytest.raises(DispatchError, match="submit it again"):
        ledger.fail(claim, "x")
