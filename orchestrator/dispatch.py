"""Handing jobs to workers, and waiting for what comes of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from types import TracebackType

from ..runtime.errors import DispatchError
from .broker.messages import Messages
from .deployment import Deployment
from .ledger import Job, Ledger, Policy, Record
from .tables import open_table
from .tending import Tender

_log = logging.getLogger(__name__)

# A store of one's own answers at once and for nothing; one that bills every look is asked less.
_LOOK_S, _BILLED_LOOK_S = 0.1, 1.0
_LONGEST_PAUSE_S, _PAUSE_TO_LOOK = 2.0, 10.0
_LONGEST_OUTAGE_S = 300.0


class Dispatcher:
    """Sends jobs and sees to it that none gets lost; use it as a context manager.

    Raises DispatchError where the broker or the ledger's store cannot be reached at the start.
    Afterwards a broker that is away for a while costs time only.
    """

    def __init__(self, deployment: Deployment, policy: Policy | None = None) -> None:
        with ExitStack() as stack:
            self._table = stack.enter_context(closing(open_table(deployment.results)))
            self._messages = stack.enter_context(closing(Messages(deployment)))
            self._messages.waiting()
            stack.pop_all()
        self._ledger = Ledger(self._table, policy or Policy())
        self._tender = Tender(self._table, self._ledger, self._messages)
        billed = deployment.results.startswith("dynamodb:")
        self._look_s = _BILLED_LOOK_S if billed else _LOOK_S

    @property
    def ledger(self) -> Ledger:
        """What is true of every job."""
        return self._ledger

    @property
    def messages(self) -> Messages:
        """What goes over the broker."""
        return self._messages

    def __enter__(self) -> Dispatcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections; what was submitted goes on."""
        self._messages.close()
        self._table.close()

    def submit(self, job: Job) -> bool:
        """Enter a job and send word of it. False where it is known already, in whatever state:
        that costs nothing. Raises DispatchError where it could not be entered."""
        if not self._ledger.add(job):
            return False
        self._tell(job.id)
        return True

    def tend(self) -> None:
        """Send word again of what is due and has none on its way; call it while waiting. It looks
        every few seconds only, whoever calls it and however often."""
        try:
            self._tender.tend()
        except DispatchError as error:
            _log.warning("%s; trying again", error)

    def wait(
        self, ids: Iterable[str], *, timeout_s: float, enough: int | None = None
    ) -> dict[str, Record]:
        """Tend until `enough` of these jobs (None: all) have ended or the time is up: those that
        have ended, be they done, dead or cancelled, by id.

        Raises DispatchError where the ledger's store was away for five minutes.
        """
        open_ids = set(ids)
        wanted = len(open_ids) if enough is None else min(enough, len(open_ids))
        ended: dict[str, Record] = {}
        heard = time.monotonic()
        give_up = heard + timeout_s
        while True:
            began = time.monotonic()
            try:
                ended |= self._ended(open_ids)
                heard = time.monotonic()
            except DispatchError as error:
                if time.monotonic() - heard > _LONGEST_OUTAGE_S:
                    raise
                _log.warning("%s; trying again", error)
            open_ids -= ended.keys()
            now = time.monotonic()
            if len(ended) >= wanted or now >= give_up:
                return ended
            self.tend()
            # Looking at many jobs takes a while: it may not take the machine from those who work.
            pause = max(self._look_s, min(_LONGEST_PAUSE_S, _PAUSE_TO_LOOK * (now - began)))
            time.sleep(max(0.0, min(pause, give_up - time.monotonic())))

    def _ended(self, ids: Iterable[str]) -> dict[str, Record]:
        records = self._ledger.records(ids)
        return {record.job.id: record for record in records if not record.state.open}

    def cancel(self, id: str) -> bool:
        """Take a job back: it is not begun, and a worker that is at it stops soon. False where it
        has ended or is not known."""
        return self._ledger.cancel(id)

    def retry(self, id: str) -> bool:
        """Begin a dead or cancelled job anew. False for others."""
        if not self._ledger.retry(id):
            return False
        self._tell(id)
        return True

    def _tell(self, id: str) -> None:
        """What fails here is made up for by whoever tends next."""
        try:
            at = time.time()
            self._messages.send(id)
            self._ledger.mark_sent(id, at)
        except DispatchError as error:
            _log.warning("job %s waits: %s", id, error)
