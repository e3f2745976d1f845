"""What a language model is to us: text in, JSON text of a schema out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ....runtime.errors import DispatchError


class Unanswered(DispatchError):
    """The service gave no answer that helps, now; the message follows "the language model"."""


class CutOff(Unanswered):
    """The answer reached the most tokens that it may have."""


@dataclass(frozen=True)
class Turn:
    """What one side said."""

    role: Literal["user", "assistant"]
    text: str


class LanguageModel(Protocol):
    """A model of a service."""

    @property
    def name(self) -> str:
        """Service and model: "anthropic:MODEL"."""

    def answer(self, system: str, turns: Sequence[Turn], schema: Mapping[str, Any]) -> str:
        """The model's next turn, which should be JSON of that schema, but may be anything.

        Raises Unanswered where there is none for the moment (overload, time-out, refusal),
        CutOff where it is not complete, and DispatchError for what the user has to mend: a wrong
        key, an unknown model, a request that the service does not take.
        """
