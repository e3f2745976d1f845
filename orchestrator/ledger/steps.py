"""The steps of a job's record, each from one record to the next; none looks at a clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .record import Attempt, Outcome, Record, State

_LONGEST_ERROR = 4000


def begun(record: Record, worker: str, token: str, now: float, lease_until: float) -> Record:
    """Another attempt runs."""
    attempt = Attempt(len(record.attempts) + 1, worker, now, 0.0, Outcome.RUNNING, "", token)
    return replace(
        record,
        state=State.RUNNING,
        attempts=(*record.attempts, attempt),
        tries=record.tries + 1,
        lease_until=lease_until,
        progress=None,
    )


def heard(record: Record, now: float) -> Record:
    """The last attempt's worker lives, by its own clock."""
    lasted = max(0.0, now - record.attempts[-1].began)
    return _with_last(record, seconds=lasted)


def ended(record: Record, outcome: Outcome, error: str = "") -> Record:
    """The last attempt is over; of a long error the end is kept."""
    return _with_last(record, outcome=outcome, error=error[-_LONGEST_ERROR:])


def queued(record: Record, now: float, pause_s: float = 0.0) -> Record:
    """The job waits for an attempt, and for a message.

    Without a pause anybody may have it, whatever their clock says.
    """
    return replace(
        record,
        state=State.QUEUED,
        lease_until=0.0,
        queued=now,
        not_before=now + pause_s if pause_s else 0.0,
        sent=None,
        progress=None,
    )


def closed(record: Record, state: State) -> Record:
    """The job is over."""
    return replace(record, state=state, lease_until=0.0, not_before=0.0)


def _with_last(record: Record, **changes: Any) -> Record:
    *others, last = record.attempts
    return replace(record, attempts=(*others, replace(last, **changes)))
