"""What a worker gets when it asks for a job: a hold on it, or why it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .record import Job, Record, State


@dataclass(frozen=True)
class Policy:
    """How patient the ledger is; times in seconds.

    A worker that was not heard of for `lease_s` has lost its job. After `most_attempts` that
    failed or were lost a job is dead. Between failed attempts lie `backoff_s`, doubled each time
    up to `longest_backoff_s`. A queued job about which nobody was told for `resend_s` needs
    another message.
    """

    lease_s: float = 60.0
    most_attempts: int = 4
    backoff_s: float = 5.0
    longest_backoff_s: float = 300.0
    resend_s: float = 120.0

    def pause_s(self, tries: int) -> float:
        """How long to wait after so many failed attempts, at least one."""
        return min(self.backoff_s * 2.0 ** min(tries - 1, 60), self.longest_backoff_s)


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a job: attempt `number`, until `lease_until` (Unix seconds) if it is not
    renewed. `token` is what the ledger knows it by."""

    job: Job
    worker: str
    number: int
    token: str
    lease_until: float

    def holds(self, record: Record) -> bool:
        """Whether the job is still this claim's."""
        return record.state is State.RUNNING and self._is_last(record)

    def ended(self, record: Record) -> bool:
        """Whether it is this claim that ended the job as done."""
        return record.state is State.DONE and self._is_last(record)

    def _is_last(self, record: Record) -> bool:
        return record.attempts[-1].token == self.token


class Reason(StrEnum):
    """Why a job cannot be had."""

    DONE = "done"
    HELD = "held"
    DEAD = "dead"
    CANCELLED = "cancelled"
    NOT_BEFORE = "not before"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Refusal:
    """`until` (Unix seconds) is when it may be asked for again, for HELD and NOT_BEFORE. `died`
    says that this very look made it DEAD: its last worker was lost. `record` is None if UNKNOWN."""

    reason: Reason
    until: float | None
    died: bool
    record: Record | None


def refusal(record: Record | None, *, died: bool) -> Refusal:
    """Why nobody gets the job of this record now."""
    if record is None:
        return Refusal(Reason.UNKNOWN, None, False, None)
    match record.state:
        case State.QUEUED:
            return Refusal(Reason.NOT_BEFORE, record.not_before, False, record)
        case State.RUNNING:
            return Refusal(Reason.HELD, record.lease_until, False, record)
        case _:
            return Refusal(Reason(record.state.value), None, died, record)
