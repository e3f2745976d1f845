"""Goals as one line of text: "psnr>=38, verdict>=likely, bitrate min"."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from ...runtime.errors import UnsupportedError
from .goal import MEASURES, USUAL_OBJECTIVES, Goal, Objective

_SHORT = {"bitrate": "bitrate_mbps", "tops": "tops_per_frame"}
_LONG = {long: short for short, long in _SHORT.items()}
# How many of it are one Mb/s.
_UNITS = {"": 1, "k": 1000, "M": 1}
_BOUNDED = {each.name for each in fields(Goal)} - {"objectives", "needs_verdict"}
_HELP = 'write for example "psnr>=38, bitrate min" or "bitrate<=800k, psnr max, verdict>=likely"'


def parse_goal(text: str) -> Goal:
    """The goal that a text says.

    Its parts stand between commas: a bound (`psnr>=`, `ssim>=`, `vmaf>=`, `bitrate<=` in Mb/s or
    with k or M, `tops<=` in tera-operations a frame, `verdict>=pass|likely|unlikely`) or an
    objective (a measure and `min` or `max`). Without an objective, the bounds' own measures are
    to get better. Raises UnsupportedError that names the part.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UnsupportedError(f"the goal is empty: {_HELP}")
    bounds: dict[str, Any] = {}
    objectives: list[Objective] = []
    for part in parts:
        if match := re.fullmatch(r"(\w+)\s+(min|max)", part):
            objectives.append(_objective(match[1], match[2], part))
        elif match := re.fullmatch(r"(\w+)\s*(>=|<=)\s*(\S+)", part):
            name, value = _bound(match[1], match[2], match[3], part)
            if name in bounds:
                raise UnsupportedError(f"goal: {part!r:.80} is said twice")
            bounds[name] = value
        else:
            raise UnsupportedError(f"goal: {part!r:.80} is not understood: {_HELP}")
    if not objectives:
        measured = [name.partition("_")[2] for name in bounds if name in _BOUNDED]
        objectives = [Objective(name, MEASURES[name]) for name in measured]
    return Goal(tuple(objectives) or USUAL_OBJECTIVES, **bounds)


def format_goal(goal: Goal) -> str:
    """The text that `parse_goal` takes for this goal."""
    parts = []
    for each in fields(Goal):
        bound = getattr(goal, each.name)
        if bound is None or each.name not in _BOUNDED:
            continue
        side, _, name = each.name.partition("_")
        parts.append(f"{_LONG.get(name, name)}{'>=' if side == 'min' else '<='}{_number(bound)}")
    if goal.needs_verdict is not None:
        parts.append(f"verdict>={goal.needs_verdict}")
    parts += [f"{_LONG.get(each.name, each.name)} {each.direction}" for each in goal.objectives]
    return ", ".join(parts)


def _objective(name: str, direction: str, part: str) -> Objective:
    long = _SHORT.get(name, name)
    if long not in MEASURES:
        known = ", ".join(_LONG.get(each, each) for each in MEASURES)
        raise UnsupportedError(f"goal: {part!r:.80}: choose one of {known}")
    return Objective(long, "min" if direction == "min" else "max")


def _bound(name: str, sign: str, value: str, part: str) -> tuple[str, float | str]:
    if name == "verdict" and sign == ">=":
        return "needs_verdict", value
    field = f"{'min' if sign == '>=' else 'max'}_{_SHORT.get(name, name)}"
    if field not in _BOUNDED:
        raise UnsupportedError(f"goal: {part!r:.80} is no bound that can be kept: {_HELP}")
    match = re.fullmatch(r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)([kM]?)", value)
    if match is None or (match[2] and field != "max_bitrate_mbps"):
        raise UnsupportedError(f"goal: {part!r:.80}: {value!r:.40} is not a number")
    return field, float(match[1]) / _UNITS[match[2]]


def _number(value: float) -> str:
    """As short as it can be without becoming another number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
