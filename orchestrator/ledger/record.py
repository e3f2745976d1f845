"""A job's record in the ledger: what is to be done, how it stands, and who tried it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ..records.checking import Fields
from ..records.experiment import check_schema

SCHEMA = 1


class State(StrEnum):
    """How a job stands. QUEUED and RUNNING are open; of the others only DONE is for ever."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"

    @property
    def open(self) -> bool:
        """Whether there is still something to be done."""
        return self in (State.QUEUED, State.RUNNING)


class Outcome(StrEnum):
    """How an attempt ended: LOST, where its worker was not heard of for a lease; RELEASED, where
    its worker gave the job back."""

    RUNNING = "running"
    DONE = "done"
    ERROR = "error"
    LOST = "lost"
    RELEASED = "released"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Job:
    """What is to be done: `kind` says how `payload` (JSON types) is read; `id` is its content's
    hash, or whatever else is the same wherever the same job is asked for."""

    kind: str
    id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Progress:
    """`done` from 0 to 1; `text` says at what."""

    done: float
    text: str


@dataclass(frozen=True)
class Attempt:
    """One worker's go at a job.

    `number` counts from 1 over all of the job's life, `began` is in Unix seconds and `seconds` how
    long it took, both by the worker's clock; of one that runs or was lost, until it was last heard
    of. `error` is empty where nothing went wrong. `token` tells attempts of one worker apart.
    """

    number: int
    worker: str
    began: float
    seconds: float
    outcome: Outcome
    error: str
    token: str


@dataclass(frozen=True)
class Record:
    """A job as the ledger has it; times are Unix seconds.

    `tries` counts the attempts since it was added or retried, without those given back.
    `lease_until` is set while RUNNING; a QUEUED job is in the queue since `queued` and not begun
    before `not_before`. `sent` is when the last message about it went out, None if none did since
    it was put in the queue.
    `result` is there when DONE. `version` is the table row's.
    """

    job: Job
    state: State
    added: float
    attempts: tuple[Attempt, ...] = ()
    tries: int = 0
    lease_until: float = 0.0
    queued: float = 0.0
    not_before: float = 0.0
    sent: float | None = None
    progress: Progress | None = None
    result: Mapping[str, Any] | None = None
    version: int = 0

    @property
    def error(self) -> str:
        """What went wrong in the last attempt; empty if nothing did."""
        return self.attempts[-1].error if self.attempts else ""

    @property
    def worker(self) -> str:
        """Who has it or had it last; empty if nobody did."""
        return self.attempts[-1].worker if self.attempts else ""

    @property
    def told(self) -> bool:
        """Whether a message about it went out since it could last be had."""
        since = max(self.queued, self.not_before)
        if self.state is State.RUNNING:
            since = self.lease_until
        return self.sent is not None and self.sent >= since

    def to_dict(self) -> dict[str, Any]:
        """JSON types; without the version, which is the row's."""
        return {
            "schema": SCHEMA,
            "kind": self.job.kind,
            "payload": self.job.payload,
            "state": self.state.value,
            "added": self.added,
            "attempts": [asdict(attempt) for attempt in self.attempts],
            "tries": self.tries,
            "lease_until": self.lease_until,
            "queued": self.queued,
            "not_before": self.not_before,
            "sent": self.sent,
            "progress": asdict(self.progress) if self.progress else None,
            "result": self.result,
        }

    @classmethod
    def from_dict(cls, id: str, value: object, version: int) -> Record:
        """What `to_dict` gave. Raises UnsupportedError that names the job and the field."""
        where = f"job {id}"
        fields = Fields(value, where)
        check_schema(fields.integer("schema", 1), where)
        payload, result = fields.anything("payload"), fields.anything("result")
        progress = fields.anything("progress")
        record = cls(
            job=Job(fields.text("kind"), id, Fields(payload, f"{where}: payload").rest()),
            state=State(fields.text("state", tuple(State))),
            added=fields.number("added"),
            attempts=tuple(_attempt(each, where) for each in fields.items("attempts")),
            tries=fields.integer("tries"),
            lease_until=fields.number("lease_until"),
            queued=fields.number("queued"),
            not_before=fields.number("not_before"),
            sent=fields.optional_number("sent"),
            progress=None if progress is None else _progress(progress, where),
            result=None if result is None else Fields(result, f"{where}: result").rest(),
            version=version,
        )
        fields.end()
        return record


def _attempt(value: object, where: str) -> Attempt:
    fields = Fields(value, f"{where}: attempt")
    attempt = Attempt(
        fields.integer("number", 1),
        fields.text("worker"),
        fields.number("began"),
        fields.number("seconds"),
        Outcome(fields.text("outcome", tuple(Outcome))),
        fields.text("error"),
        fields.text("token"),
    )
    fields.end()
    return attempt


def _progress(value: object, where: str) -> Progress:
    fields = Fields(value, f"{where}: progress")
    progress = Progress(fields.number("done"), fields.text("text"))
    fields.end()
    return progress
