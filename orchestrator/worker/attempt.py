"""One message about a job: claim it, do it, and enter what came of it."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...runtime.errors import DispatchError, UnsupportedError
from ..ledger import Claim, Record, Refusal, State
from .desk import Desk
from .outcome import Done, Failed, GivenUp, Outcome, TakenAway
from .supervision import LOG, supervise

_log = logging.getLogger(__name__)
# A store that is away for so long is away: what was done is then done again.
_CLAIM_LIMIT_S, _FINISH_LIMIT_S, _SEND_LIMIT_S = 300.0, 3600.0, 60.0
_LONGEST_LOG = 1 << 20


def look_at(id: str, desk: Desk, beat: Callable[[], None]) -> Record | None:
    """Do the job if it is to be had: its record afterwards, None if it was not.

    `beat` is called every third of a lease. Raises DispatchError where the ledger cannot be
    reached for long; a later message makes up for it.
    """
    if desk.stop.asked:
        desk.patiently(lambda: desk.messages.send(id), _SEND_LIMIT_S)
        return None
    claim = desk.patiently(lambda: desk.ledger.claim(id, desk.options.name), _CLAIM_LIMIT_S)
    if isinstance(claim, Refusal):
        _log.info("job %s: nothing to do, %s", id, claim.reason.value)
        if claim.died and claim.record is not None:
            _bury(claim.record, desk)
        return claim.record if claim.died else None
    _log.info("job %s: attempt %d", id, claim.number)
    try:
        outcome = _do(claim, desk, beat)
    except OSError as error:  # a full disk, no more processes: another worker may have room
        outcome = Failed(f"worker {desk.options.name}: {error}")
    _enter(claim, outcome, desk)
    return desk.patiently(lambda: desk.ledger.get(id), _CLAIM_LIMIT_S)


def _do(claim: Claim, desk: Desk, beat: Callable[[], None]) -> Outcome:
    folder = Path(tempfile.mkdtemp(dir=desk.scratch))
    try:
        outcome = supervise(claim, desk, folder, beat)
        if isinstance(outcome, Done | Failed):
            outcome = _with_log(outcome, _kept_log(claim, folder / LOG, desk))
        return outcome
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _enter(claim: Claim, outcome: Outcome, desk: Desk) -> None:
    """Tell the ledger, which takes it only if the job is still this claim's."""
    id, ledger = claim.job.id, desk.ledger
    match outcome:
        case Done(result):
            try:
                kept = desk.patiently(lambda: ledger.finish(claim, result), _FINISH_LIMIT_S)
            except UnsupportedError as error:  # not a number, or too long for the store's rows
                return _enter(claim, Failed(f"its result cannot be kept: {error}", True), desk)
            if not kept:
                _log.warning("job %s: done, but it was another's or cancelled by then", id)
        case Failed(error, final):
            _log.warning("job %s: attempt %d failed: %s", id, claim.number, error)
            record = desk.patiently(lambda: ledger.fail(claim, error, final=final), _FINISH_LIMIT_S)
            ours = bool(record.attempts) and record.attempts[-1].token == claim.token
            if ours and record.state is State.DEAD:
                _bury(record, desk)
        case GivenUp():
            if desk.patiently(lambda: ledger.release(claim), _FINISH_LIMIT_S):
                at = time.time()
                desk.patiently(lambda: desk.messages.send(id), _SEND_LIMIT_S)
                desk.patiently(lambda: ledger.mark_sent(id, at), _SEND_LIMIT_S)
        case TakenAway():
            _log.info("job %s: cancelled, or another's by now", id)


def _bury(record: Record, desk: Desk) -> None:
    _log.error("job %s is dead: %s", record.job.id, record.error)
    try:
        desk.patiently(lambda: desk.messages.bury(record), _SEND_LIMIT_S)
    except DispatchError as error:
        # The ledger has it all; the letter is for those who watch the queue.
        _log.error("job %s: no dead letter: %s", record.job.id, error)


def _kept_log(claim: Claim, log: Path, desk: Desk) -> Mapping[str, Any] | None:
    """The log's artefact; None where nothing was printed or it could not be stored."""
    try:
        size = log.stat().st_size
        if not size:
            return None
        if size > _LONGEST_LOG:
            with log.open("rb+") as file:
                file.seek(size - _LONGEST_LOG)
                end = file.read()
                file.seek(0)
                file.write(end)
                file.truncate()
        name = f"logs/{claim.job.id}/{claim.number}-{claim.token[:8]}.log"
        return asdict(desk.media.put(log, name))
    except (OSError, DispatchError) as error:
        _log.warning("job %s: its log is lost: %s", claim.job.id, error)
        return None


def _with_log(outcome: Done | Failed, log: Mapping[str, Any] | None) -> Outcome:
    if log is None:
        return outcome
    if isinstance(outcome, Failed):
        return Failed(f"{outcome.error}\nlog: {log['name']}", outcome.final)
    if "log" in outcome.result and outcome.result["log"] is None:
        return Done({**outcome.result, "log": log})
    return outcome
