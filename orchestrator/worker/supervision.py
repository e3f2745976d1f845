"""Watching over a job's process: its lease, its time limits, and whether it is still wanted."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...runtime.errors import DispatchError
from ..ledger import Claim, Progress
from .desk import Desk
from .job_process import JobProcess, last_lines
from .outcome import Done, Failed, GivenUp, Outcome, TakenAway

_log = logging.getLogger(__name__)
LOG = "log"
_LOOK_S = 0.2
_BEATS_A_LEASE = 3
_GRACE_S = 10.0
_SHOWN_LINES = 5


def supervise(claim: Claim, desk: Desk, folder: Path, beat: Callable[[], None]) -> Outcome:
    """Do a claimed job in a process of its own, which is gone afterwards.

    `folder` is for this attempt alone; afterwards the file `log` there holds what was printed.
    `beat` is called each time the lease is renewed. Raises OSError where the process cannot be
    started.
    """
    work, log, order = folder / "work", folder / LOG, folder / "order.json"
    work.mkdir()
    told = {
        "kind": claim.job.kind,
        "payload": dict(claim.job.payload),
        "folder": str(work),
        "media": desk.deployment.media,
        "cache": str(desk.options.folder / "media"),
        "cache_bytes": desk.options.cache_bytes,
        "gpu": desk.options.gpu,
        "worker": desk.options.name,
    }
    order.write_text(json.dumps(told), encoding="utf-8")
    with log.open("wb") as output:
        process = JobProcess(order, output, desk.options.gpu)
    try:
        with desk.stop.or_at_once(process.kill):
            return _Watch(claim, desk, process, log, beat).outcome()
    finally:
        process.kill()
        process.end(0.0)
        process.close()


class _Watch:
    def __init__(
        self, claim: Claim, desk: Desk, process: JobProcess, log: Path, beat: Callable[[], None]
    ) -> None:
        self._claim = claim
        self._desk = desk
        self._process = process
        self._log = log
        self._beat = beat
        self._progress: Progress | None = None
        self._answer: Outcome | None = None
        self._every_s = desk.ledger.policy.lease_s / _BEATS_A_LEASE

    def outcome(self) -> Outcome:
        """When it is gone."""
        options = self._desk.options
        began = time.monotonic()
        next_beat = began + self._every_s
        told_to_end = False
        while self._answer is None and not self._process.ended:
            self._hear(self._process.lines(_LOOK_S))
            now = time.monotonic()
            if self._desk.stop.asked:
                return self._ended_early(GivenUp())
            if now >= next_beat:
                next_beat = now + self._every_s
                if not self._is_still_ours():
                    return self._ended_early(TakenAway())
            if now - began >= options.hard_limit_s:
                self._process.kill()
            elif now - began >= options.soft_limit_s and not told_to_end:
                told_to_end = True
                self._process.terminate()
        self._hear(self._process.end(_GRACE_S))
        if isinstance(self._answer, Done | Failed):
            return self._answer
        if time.monotonic() - began >= options.soft_limit_s:
            return Failed(f"it took longer than the worker's limit of {options.soft_limit_s:g} s")
        lines = last_lines(self._log, _SHOWN_LINES)
        return Failed(f"the job's process ended {self._process.how_it_ended}\n{lines}".strip())

    def _ended_early(self, outcome: Outcome) -> Outcome:
        """What was finished at the last moment counts."""
        self._process.terminate()
        self._hear(self._process.end(_GRACE_S))
        return self._answer if isinstance(self._answer, Done) else outcome

    def _hear(self, said: list[dict[str, Any]]) -> None:
        for each in said:
            match each:
                case {"done": float() | int() as done, "text": str() as text}:
                    self._progress = Progress(float(done), text)
                case {"result": dict() as result}:
                    self._answer = Done(result)
                case {"error": str() as error, "final": bool() as final}:
                    self._answer = Failed(error, final)
                case _:
                    pass

    def _is_still_ours(self) -> bool:
        try:
            self._beat()
            return self._desk.ledger.renew(self._claim, self._progress)
        except DispatchError as error:
            # Perhaps it comes back before the lease runs out; if not, the ledger sorts it out.
            _log.warning("job %s goes on: %s", self._claim.job.id, error)
            return True
