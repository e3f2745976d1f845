"""Anthropic's Messages API, version 2026-10-21, with structured outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .model import CutOff, Turn, Unanswered
from .service import Service, inside, one_line

USUAL_MODEL = "claude-sonnet-5-5"
_VERSION = "2026-10-21"
_MOST_TOKENS = 16_000


@dataclass(frozen=True)
class Anthropic:
    """A model behind POST /v1/messages."""

    service: Service
    model: str = USUAL_MODEL

    @property
    def name(self) -> str:
        """See `LanguageModel.name`."""
        return f"anthropic:{self.model}"

    def answer(self, system: str, turns: Sequence[Turn], schema: Mapping[str, Any]) -> str:
        """See `LanguageModel.answer`."""
        body = {
            "model": self.model,
            "max_tokens": _MOST_TOKENS,
            "system": system,
            "messages": [{"role": each.role, "content": each.text} for each in turns],
            "output_config": {"format": {"type": "json_schema", "schema": schema}},
        }
        headers = {"x-api-key": self.service.key, "anthropic-version": _VERSION}
        return _text(self.service.post("/v1/messages", headers, body))


def _text(message: Any) -> str:
    """The answer in a message. Thinking may come before it."""
    content = inside(message, "content")
    if not isinstance(content, list):
        raise Unanswered("sent no message")
    reason = inside(message, "stop_reason")
    if reason in ("max_tokens", "model_context_window_exceeded"):
        raise CutOff(f"was cut off after {_MOST_TOKENS} tokens")
    if reason == "refusal":
        why = one_line(inside(message, "stop_details", "explanation"))
        raise Unanswered(f"refused ({why or 'without a reason'})")
    return "".join(
        str(inside(block, "text") or "") for block in content if inside(block, "type") == "text"
    )
