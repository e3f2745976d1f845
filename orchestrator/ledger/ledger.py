"""The truth about jobs: one record each, changed by compare-and-swap, whatever the broker does.

A message only says "look at this job". Whoever works holds a lease which it renews; a job ends
once, because only the holder of the last lease can end it and a record that has ended takes no
second end. So messages may be lost, come twice or come late.

Leases are measured by the clocks of those who look. A clock that is ahead by more than the time
between two renewals takes a living worker's job away: that costs the work twice, and an attempt.
One that is behind picks up a dead worker's job that much later, and a pause before another attempt
is wrong by as much as the clock of who set it. Neither makes a job end twice or get lost.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ...runtime.errors import DispatchError
from ..tables.base import Row, Table
from .claims import Claim, Policy, Refusal, refusal
from .record import Job, Outcome, Progress, Record, State
from .steps import begun, closed, ended, heard, queued

__all__ = ["Ledger"]

_JOBS = "job"
# Names of jobs that are open, so that nobody reads all that ever ended. It may hold too much,
# never too little: a name comes in before its job opens and goes out after it ended.
_OPEN = "open"
_MOST_COLLISIONS = 200
_LONGEST_PAUSE_S = 0.02
_USUAL = Policy()
# The field of a row that tells one write from another.
_MARK = "mark"


class Ledger:
    """Jobs and how they stand, in a table.

    Every method raises DispatchError where the table cannot be reached or changes too often, and
    UnsupportedError for records of a later version. `clock` gives Unix seconds.
    """

    def __init__(
        self,
        table: Table,
        policy: Policy = _USUAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._policy = policy
        self._clock = clock

    @property
    def policy(self) -> Policy:
        """What it was made with."""
        return self._policy

    def add(self, job: Job) -> bool:
        """Put a job in the queue; False if it is known already, whatever its state."""
        if self._table.get(_JOBS, job.id) is not None:
            return False
        self._mark_open(job.id)
        now = self._clock()
        record = Record(job, State.QUEUED, added=now, queued=now)
        return self._table.put(_JOBS, job.id, record.to_dict(), None)

    def get(self, id: str) -> Record | None:
        """The record as it is now."""
        row = self._table.get(_JOBS, id)
        return None if row is None else _record(id, row)

    def records(self, ids: Iterable[str] | None = None) -> Iterator[Record]:
        """Those of the jobs that are known, or all there are, by id."""
        if ids is None:
            rows = self._table.scan(_JOBS)
        else:
            rows = iter(sorted(self._table.get_many(_JOBS, ids).items()))
        for id, row in rows:
            yield _record(id, row)

    def claim(self, id: str, worker: str) -> Claim | Refusal:
        """Take a job for `lease_s`, or learn why not.

        A job whose worker's lease ran out is taken over; that attempt is lost and counts. If it
        was the last the job is dead.
        """
        token = uuid.uuid4().hex

        def take(record: Record) -> Record | None:
            now = self._clock()
            until = now + self._policy.lease_s
            if record.state is State.QUEUED and now >= record.not_before:
                return begun(record, worker, token, now, until)
            if record.state is State.RUNNING and now >= record.lease_until:
                error = f"nothing was heard of worker {record.worker}, its lease ran out"
                lost = ended(record, Outcome.LOST, error)
                if lost.tries >= self._policy.most_attempts:
                    return closed(lost, State.DEAD)
                return begun(lost, worker, token, now, until)
            return None

        record, changed = self._change(id, take)
        if record is not None and changed and record.state is State.RUNNING:
            number = record.attempts[-1].number
            return Claim(record.job, worker, number, token, record.lease_until)
        return refusal(record, died=changed)

    def renew(self, claim: Claim, progress: Progress | None = None) -> bool:
        """Hold the job for another `lease_s` and say how far it is; False if it is no longer this
        claim's: another's, ended or cancelled. Then stop."""

        def hold(record: Record) -> Record | None:
            if not claim.holds(record):
                return None
            now = self._clock()
            return replace(
                heard(record, now),
                lease_until=now + self._policy.lease_s,
                progress=progress or record.progress,
            )

        return self._change(claim.job.id, hold)[1]

    def finish(self, claim: Claim, result: Mapping[str, Any]) -> bool:
        """End the job with a result of JSON types; raises UnsupportedError for any other.

        False if the job is no longer this claim's: drop the result. A second call is True again
        and changes nothing: so call it again where the table was away.
        """

        def end(record: Record) -> Record | None:
            if not claim.holds(record):
                return None
            done = closed(ended(heard(record, self._clock()), Outcome.DONE), State.DONE)
            return replace(done, result=result, progress=Progress(1.0, "done"))

        record, changed = self._change(claim.job.id, end)
        return changed or (record is not None and claim.ended(record))

    def fail(self, claim: Claim, error: str, *, final: bool = False) -> Record:
        """The attempt failed: the job is queued again after a pause, or dead if it was the last
        attempt or `final`, where another would fail alike. A job that is no longer this claim's
        stays as it is. Gives the record afterwards."""

        def end(record: Record) -> Record | None:
            if not claim.holds(record):
                return None
            now = self._clock()
            failed = ended(heard(record, now), Outcome.ERROR, error)
            if final or failed.tries >= self._policy.most_attempts:
                return closed(failed, State.DEAD)
            return queued(failed, now, self._policy.pause_s(failed.tries))

        record, _ = self._change(claim.job.id, end)
        if record is None:
            raise DispatchError(
                f"job {claim.job.id} is no longer in the ledger {self._table.url}: somebody took"
                " its row away; submit it again"
            )
        return record

    def release(self, claim: Claim) -> bool:
        """Give the job back unfinished, at once to be had; the attempt does not count. False if it
        is no longer this claim's."""

        def give(record: Record) -> Record | None:
            if not claim.holds(record):
                return None
            now = self._clock()
            back = ended(heard(record, now), Outcome.RELEASED)
            return replace(queued(back, now), tries=back.tries - 1)

        return self._change(claim.job.id, give)[1]

    def cancel(self, id: str) -> bool:
        """End an open job; who works on it learns so when it renews. False if it is not open."""

        def end(record: Record) -> Record | None:
            if record.state is State.RUNNING:
                record = ended(record, Outcome.CANCELLED)
            elif record.state is not State.QUEUED:
                return None
            return closed(record, State.CANCELLED)

        return self._change(id, end)[1]

    def retry(self, id: str) -> bool:
        """Queue a dead or cancelled job again with a fresh count; its attempts stay on record.
        False in any other state."""

        def again(record: Record) -> Record | None:
            if record.state not in (State.DEAD, State.CANCELLED):
                return None
            return replace(queued(record, self._clock()), tries=0)

        record = self.get(id)
        if record is None or again(record) is None:
            return False
        self._mark_open(id)
        changed = self._change(id, again)[1]
        # Whoever ended the job may have taken its name out in between.
        if changed:
            self._mark_open(id)
        return changed

    def mark_sent(self, id: str, at: float | None = None) -> None:
        """A message about the job went out, now or at `at` (Unix seconds).

        Give the time from before it was sent: a worker may have had it, and put the job back in
        the queue, before this is called; the job then still needs another message.
        """
        sent = self._clock() if at is None else at

        def told(record: Record) -> Record | None:
            return replace(record, sent=sent) if record.state.open else None

        self._change(id, told)

    def due(self, ids: Iterable[str] | None = None) -> list[str]:
        """Open jobs that need a message now, of `ids` or of all: queued ones whose pause is over
        and about which nobody was told for `resend_s`, and ones whose lease ran out."""
        names = [name for name, _ in self._table.scan(_OPEN)] if ids is None else ids
        due = []
        for record in self.records(names):
            if record.state.open and self._is_due(record):
                due.append(record.job.id)
            elif ids is None and not record.state.open:
                self._tidy(record.job.id)
        return due

    def _is_due(self, record: Record) -> bool:
        now = self._clock()
        if now < (record.not_before if record.state is State.QUEUED else record.lease_until):
            return False
        return not record.told or now - (record.sent or 0.0) >= self._policy.resend_s

    def _change(
        self, id: str, step: Callable[[Record], Record | None]
    ) -> tuple[Record | None, bool]:
        """Do one step unless it says None: the record afterwards, and whether the step was done.

        Each write carries a mark of its own, so that one whose answer got lost is recognised when
        the write is tried again.
        """
        mark = uuid.uuid4().hex
        for _ in range(_MOST_COLLISIONS):
            row = self._table.get(_JOBS, id)
            if row is None:
                return None, False
            record = _record(id, row)
            if row.value.get(_MARK) == mark:
                break
            changed = step(record)
            if changed is None:
                return record, False
            value = changed.to_dict() | {_MARK: mark}
            if self._table.put(_JOBS, id, value, row.version):
                record = replace(changed, version=row.version + 1)
                break
            time.sleep(random.uniform(0, _LONGEST_PAUSE_S))
        else:
            raise DispatchError(
                f"job {id} in {self._table.url}: {_MOST_COLLISIONS} attempts to write its record"
                " met somebody else's: too many workers look at one job"
            )
        if not record.state.open:
            # The record has ended already, and the next look tidies as well.
            with suppress(DispatchError):
                self._tidy(id)
        return record, True

    def _mark_open(self, id: str) -> None:
        self._table.put(_OPEN, id, {}, None)

    def _tidy(self, id: str) -> None:
        """Take the name of an ended job from the open ones. A retry may come between the look and
        the deletion: so look again."""
        record = self.get(id)
        if record is None or record.state.open:
            return
        self._table.delete(_OPEN, id)
        record = self.get(id)
        if record is not None and record.state.open:
            self._mark_open(id)


def _record(id: str, row: Row) -> Record:
    value = {name: each for name, each in row.value.items() if name != _MARK}
    return Record.from_dict(id, value, row.version)
