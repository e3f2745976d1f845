"""Sending word again of jobs whose message got lost, whose worker did, or whose pause is over."""

from __future__ import annotations

import time
from collections.abc import Callable

from .broker.messages import Messages
from .ledger import Ledger
from .tables.base import Table

_GROUP, _NAME = "fleet", "tended"


class Tender:
    """Looks at a fleet's open jobs, as one of many who do: every worker and every dispatcher.

    They take turns by a row of the table, so that a large fleet costs its store no more looks
    than a small one. `clock` gives Unix seconds.
    """

    def __init__(
        self,
        table: Table,
        ledger: Ledger,
        messages: Messages,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._ledger = ledger
        self._messages = messages
        self._clock = clock
        self._not_before = 0.0

    @property
    def every_s(self) -> float:
        """How long after one look comes the next."""
        return min(10.0, max(0.2, self._ledger.policy.lease_s / 6))

    def tend(self) -> int:
        """Send what is due if it is time to look: how many. Raises DispatchError."""
        now = self._clock()
        if now < self._not_before <= now + self.every_s:
            return 0
        self._not_before = now + self.every_s
        return self._send_due() if self._takes_turn(now) else 0

    def _takes_turn(self, now: float) -> bool:
        row = self._table.get(_GROUP, _NAME)
        if row is not None:
            until = float(row.value["until"])
            # A turn that ends later than any can was taken by a clock that is wrong.
            if now < until <= now + 2 * self.every_s:
                return False
        value = {"until": now + self.every_s}
        return self._table.put(_GROUP, _NAME, value, None if row is None else row.version)

    def _send_due(self) -> int:
        due = list(self._ledger.records(self._ledger.due()))
        told = [record for record in due if record.told]
        # Where so many messages are under way, none of these was lost: workers are busy, and more
        # messages would not make them faster.
        if told and self._messages.waiting() >= len(told):
            due = [record for record in due if not record.told]
        for record in due:
            # In this order a crash in between sends it twice, in the other not at all.
            at = self._clock()
            self._messages.send(record.job.id)
            self._ledger.mark_sent(record.job.id, at)
        return len(due)
