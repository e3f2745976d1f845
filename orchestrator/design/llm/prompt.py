"""What a language model is told: fixed texts from files, and what is known as quoted data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from ....runtime.errors import UnsupportedError
from ...records import EncodeSettings, Result
from ..base import Trial
from ..goal import Goal
from ..space import Space

_PROMPTS = Path(__file__).parent.parent / "prompts"
# So many experiments are told, and so much of a text that others wrote.
_MOST_TRIALS = 60
_MOST_TEXT = 120


def system_prompt() -> str:
    """Who the model is and what it must keep to."""
    return (_PROMPTS / "system.md").read_text(encoding="utf-8")


def request_prompt(
    space: Space,
    goal: Goal,
    history: Sequence[Trial],
    pending: Sequence[EncodeSettings],
    count: int,
) -> str:
    """The question. What comes from outside (names of clips, errors) stands in it as JSON only,
    out of which no text can break."""
    told = _told(goal, history)
    return Template((_PROMPTS / "request.md").read_text(encoding="utf-8")).substitute(
        count=count,
        goal=str(goal),
        choices=_quoted(space.json_schema()["properties"]),
        trials=_lines([_trial(each, space, goal) for each in told]),
        left_out=len(history) - len(told),
        pending=_lines([_settings(each, space) for each in pending]),
    )


def again_prompt(problems: Sequence[str], count: int) -> str:
    """What was wrong with an answer."""
    return Template((_PROMPTS / "again.md").read_text(encoding="utf-8")).substitute(
        count=count, problems=_lines([each[:400] for each in problems[:10]])
    )


def answer_schema(space: Space) -> dict[str, Any]:
    """JSON Schema of an answer."""
    proposal = {
        "type": "object",
        "properties": {
            "why": {"type": "string", "description": "one sentence: what it is to show"},
            "settings": space.json_schema(),
        },
        "required": ["why", "settings"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"proposals": {"type": "array", "items": proposal}},
        "required": ["proposals"],
        "additionalProperties": False,
    }


def _told(goal: Goal, history: Sequence[Trial]) -> list[Trial]:
    """The best and the latest, in their order."""
    if len(history) <= _MOST_TRIALS:
        return list(history)
    results = [each.result for each in history if each.result is not None]
    best = [
        i
        for i, each in enumerate(history)
        if each.result is not None
        and not any(goal.dominates(other, each.result) for other in results)
    ]
    latest = range(len(history) - 1, -1, -1)
    told = list(dict.fromkeys([*best[-_MOST_TRIALS // 2 :], *latest]))[:_MOST_TRIALS]
    return [history[i] for i in sorted(told)]


def _trial(trial: Trial, space: Space, goal: Goal) -> dict[str, Any]:
    settings = _settings(trial.settings, space)
    if trial.result is None:
        return {"settings": settings, "failed": trial.error[:_MOST_TEXT]}
    return {"settings": settings} | _figures(trial.result, goal)


def _settings(settings: EncodeSettings, space: Space) -> Mapping[str, Any]:
    try:
        return space.point(settings)
    except UnsupportedError:
        return settings.to_dict()


def _figures(result: Result, goal: Goal) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "keeps_bounds": goal.feasible(result),
        "bitrate_mbps": _short(result.bitrate_mbps),
        "psnr": _short(result.psnr),
        "ssim": _short(result.ssim),
        "ms_ssim": _short(result.ms_ssim),
        "tops_per_frame": _short(result.tops_per_frame),
        "verdict": result.verdict,
        "worker_seconds": _short(result.seconds),
    }
    if result.vmaf is not None:
        figures["vmaf"] = _short(result.vmaf)
    figures["clips"] = [
        {
            "name": clip.clip[:_MOST_TEXT],
            "bitrate_mbps": _short(clip.bitrate_mbps),
            "psnr": _short(clip.psnr),
            "frames_by_strategy": {name[:40]: n for name, n in clip.strategies.items()},
        }
        for clip in result.clips[:10]
    ]
    return figures


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _lines(values: Sequence[Any]) -> str:
    return "\n".join(map(_quoted, values)) or "(none)"


def _quoted(value: Any) -> str:
    # Without "<" nothing inside can look like the tag that ends the data.
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e")
