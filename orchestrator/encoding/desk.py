"""Jobs for which many threads wait, and the one thread that looks after all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING

from ...runtime.errors import DispatchError
from ..ledger.record import Job, Record, State

if TYPE_CHECKING:
    from ..dispatch import Dispatcher

# Of jobs that somebody else takes back while we wait for them.
_MOST_RETRIES = 2
_CLOSING_S = 30.0


@dataclass(frozen=True)
class Patience:
    """How often jobs are looked at, and how long what is waited for; all in seconds.

    They are looked at every `poll_s`. Where no worker took one for `quiet_s`, that is said, and
    after `most_s` waiting ends. A broker or a store may be away for `away_s`.
    """

    poll_s: float = 0.5
    quiet_s: float = 60.0
    most_s: float = 24 * 3600.0
    away_s: float = 600.0


@dataclass
class Errand:
    """A job that was handed in; `wait` may be called from any number of threads."""

    job: Job
    sent: bool = False
    retries: int = 0
    record: Record | None = None
    error: BaseException | None = None
    ended: Event = field(default_factory=Event)

    def wait(self) -> Record:
        """The job's record when it has ended, be it done, dead or cancelled.

        Raises KeyboardInterrupt once the desk is closed, DispatchError where it could not go on.
        """
        self.ended.wait()
        if isinstance(self.error, DispatchError):
            raise DispatchError(str(self.error)) from self.error
        if self.error is not None:
            raise self.error
        assert self.record is not None
        return self.record


class JobDesk:
    """Hands jobs to a dispatcher that `connect` makes and that one thread alone talks to.

    At most `most` are open at a time. `tell` is called by that thread with what there is to be
    said while nothing goes on, and with "" when it does again. Raises what `connect` raises.
    """

    def __init__(
        self,
        connect: Callable[[], Dispatcher],
        most: int,
        patience: Patience,
        tell: Callable[[str], None],
    ) -> None:
        self._connect = connect
        self._most = most
        self._patience = patience
        self._tell = tell
        self._changed = Condition()
        self._open: dict[str, Errand] = {}
        self._closed = False
        self._broken: BaseException | None = None
        self._said = ""
        self._active = time.monotonic()
        self._away: float | None = None
        connected = Event()
        self._thread = Thread(target=self._serve, args=(connected,), name="jobs", daemon=True)
        self._thread.start()
        connected.wait()
        if self._broken is not None:
            raise self._broken

    def hand_in(self, job: Job) -> Errand:
        """Have a job done; whoever hands in one that is open already waits for the same.

        Waits where too many are open. Raises as `Errand.wait`.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: job.id in self._open or len(self._open) < self._most or self._over
            )
            if self._broken is not None:
                raise DispatchError(str(self._broken)) from self._broken
            if self._closed:
                raise KeyboardInterrupt
            errand = self._open.setdefault(job.id, Errand(job))
            self._changed.notify_all()
        return errand

    def close(self) -> None:
        """Take back the jobs that no worker has begun. Whoever waits gets KeyboardInterrupt."""
        with self._changed:
            self._closed = True
            for errand in self._open.values():
                errand.error = errand.error or KeyboardInterrupt()
                errand.ended.set()
            self._changed.notify_all()
        self._thread.join(_CLOSING_S)

    @property
    def _over(self) -> bool:
        return self._closed or self._broken is not None

    def _serve(self, connected: Event) -> None:
        try:
            with self._connect() as dispatcher:
                connected.set()
                try:
                    while not self._closed:
                        self._turn(dispatcher)
                finally:
                    with suppress(DispatchError):
                        self._take_back(dispatcher)
        except BaseException as error:  # raised again where it is waited for
            self._break(error)
        finally:
            connected.set()

    def _turn(self, dispatcher: Dispatcher) -> None:
        with self._changed:
            errands = list(self._open.values())
        try:
            records = self._look(dispatcher, errands)
            self._away = None
        except DispatchError as error:
            now = time.monotonic()
            self._away = self._away or now
            if now - self._away >= self._patience.away_s:
                raise
            self._say(f"waiting for the broker: {error}")
        else:
            self._say_if_quiet(records)
        with self._changed:
            if not self._closed and len(self._open) == len(errands):
                self._changed.wait(self._patience.poll_s)

    def _look(self, dispatcher: Dispatcher, errands: Sequence[Errand]) -> list[Record]:
        """The jobs as they are now; those that have ended are said to have."""
        for errand in errands:
            if not errand.sent:
                _submit(dispatcher, errand.job)
                errand.sent = True
        dispatcher.tend()
        ids = [errand.job.id for errand in errands]
        known = {record.job.id: record for record in dispatcher.ledger.records(ids)}
        for errand in errands:
            record = known.get(errand.job.id)
            if record is None:
                errand.sent = False  # somebody deleted it
            elif record.state is State.CANCELLED and errand.retries < _MOST_RETRIES:
                errand.retries += 1
                dispatcher.retry(errand.job.id)
            elif not record.state.open:
                self._end(errand, record)
        return list(known.values())

    def _end(self, errand: Errand, record: Record) -> None:
        with self._changed:
            errand.record = record
            del self._open[errand.job.id]
            errand.ended.set()
            self._changed.notify_all()

    def _say_if_quiet(self, records: Sequence[Record]) -> None:
        now, clock = time.monotonic(), time.time()
        if not records or any(_goes_on(each, clock) for each in records):
            self._active = now
        quiet = now - self._active
        if quiet >= self._patience.most_s:
            raise DispatchError(
                f"no worker took any of {len(records)} jobs for {_minutes(quiet)}: start one with "
                "edgecodec worker, and do the same again: it goes on where it stopped"
            )
        if quiet < self._patience.quiet_s:
            self._say("")
            return
        jobs = f"any of {len(records)} jobs"
        self._say(f"waiting for workers: none took {jobs} for {_minutes(quiet)}")

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._tell(text)

    def _take_back(self, dispatcher: Dispatcher) -> None:
        """What a worker has begun may end: its result is kept for whoever asks next."""
        with self._changed:
            ids = [each.job.id for each in self._open.values() if each.sent]
        for record in list(dispatcher.ledger.records(ids)):
            if record.state is State.QUEUED:
                dispatcher.cancel(record.job.id)

    def _break(self, error: BaseException) -> None:
        with self._changed:
            self._broken = error
            for errand in self._open.values():
                errand.error = errand.error or error
                errand.ended.set()
            self._changed.notify_all()


def _submit(dispatcher: Dispatcher, job: Job) -> None:
    """Have the job done, even if it was given up or taken back before."""
    if dispatcher.submit(job):
        return
    record = dispatcher.ledger.get(job.id)
    if record is not None and record.state in (State.DEAD, State.CANCELLED):
        dispatcher.retry(job.id)


def _goes_on(record: Record, clock: float) -> bool:
    """Whether somebody is at it, has ended it, or is to leave it alone for a while."""
    if record.state is State.RUNNING:
        return record.lease_until > clock
    return record.state is not State.QUEUED or record.not_before > clock


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds // 60:.0f} min"
