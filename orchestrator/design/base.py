"""What every designer does: propose settings from what is known so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..records import EncodeSettings, Result


@dataclass(frozen=True)
class Trial:
    """An experiment that has ended; `result` is None where it failed, and `error` says how."""

    settings: EncodeSettings
    result: Result | None
    error: str = ""


@dataclass(frozen=True)
class Proposal:
    """Settings worth an experiment.

    `by` names who proposed them: "optuna", "anthropic:MODEL" or "openai:MODEL". `why` is one line
    for people; a language model's is what it said, so show it as text only.
    """

    settings: EncodeSettings
    by: str
    why: str


class Designer(Protocol):
    """Proposes what to try next. It keeps nothing between calls: who has the same history gets
    as good a proposal, so a run goes on on any machine."""

    def propose(
        self, history: Sequence[Trial], pending: Sequence[EncodeSettings], count: int
    ) -> list[Proposal]:
        """Up to `count` settings that differ from each other, from all in `history` and from
        those in `pending`, which are being tried. Fewer, down to none, where the space is used up.

        Raises DispatchError where it cannot work at all, and says what to do.
        """
