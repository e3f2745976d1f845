"""Figures and states as a run's tables show them."""

from __future__ import annotations

import time

from ..analysis import Outcome
from ..ledger import State

NOTHING = "–"  # noqa: RUF001 (an en dash is meant)


def number(value: float | None, digits: int) -> str:
    """A figure; None becomes a dash."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """`8.2 s`, `12 min 5 s` or `3 h 7 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute} min" if hours else f"{minute} min {second} s"


def moment(unix_s: float) -> str:
    """A date and time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix_s))


def state(outcome: Outcome) -> str:
    """How an experiment stands, in a word or two."""
    if outcome.trouble:
        return "unreadable"
    if outcome.record.state is State.DONE and not outcome.attempts:
        return "known before"
    return {"dead": "failed"}.get(outcome.record.state.value, outcome.record.state.value)
