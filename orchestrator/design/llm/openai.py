"""OpenAI's Responses API with structured outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .model import CutOff, Turn, Unanswered
from .service import Service, inside, one_line

USUAL_MODEL = "gpt-5.5"
_MOST_TOKENS = 16_000


@dataclass(frozen=True)
class OpenAI:
    """A model behind POST /responses."""

    service: Service
    model: str = USUAL_MODEL

    @property
    def name(self) -> str:
        """See `LanguageModel.name`."""
        return f"openai:{self.model}"

    def answer(self, system: str, turns: Sequence[Turn], schema: Mapping[str, Any]) -> str:
        """See `LanguageModel.answer`."""
        body = {
            "model": self.model,
            "instructions": system,
            "input": [{"role": each.role, "content": each.text} for each in turns],
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "proposals",
                    "strict": True,
                    "schema": schema,
                }
            },
            "max_output_tokens": _MOST_TOKENS,
            "store": False,
        }
        headers = {"authorization": f"Bearer {self.service.key}"}
        return _text(self.service.post("/responses", headers, body))


def _text(response: Any) -> str:
    """The answer in a response. Reasoning may come before it."""
    output = inside(response, "output")
    if not isinstance(output, list):
        raise Unanswered("sent no response")
    status = inside(response, "status")
    if status == "incomplete":
        reason = inside(response, "incomplete_details", "reason")
        if reason == "max_output_tokens":
            raise CutOff(f"was cut off after {_MOST_TOKENS} tokens")
        raise Unanswered(f"did not finish ({one_line(reason) or 'without a reason'})")
    if status == "failed":
        why = inside(response, "error", "message")
        raise Unanswered(f"failed ({one_line(why) or 'without a reason'})")
    contents = [inside(each, "content") for each in output if inside(each, "type") == "message"]
    parts = [part for each in contents if isinstance(each, list) for part in each]
    for part in parts:
        if inside(part, "type") == "refusal":
            why = one_line(inside(part, "refusal"))
            raise Unanswered(f"refused ({why or 'without a reason'})")
    return "".join(
        str(inside(part, "text") or "") for part in parts if inside(part, "type") == "output_text"
    )
