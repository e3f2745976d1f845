"""Proposals out of a language model's answer, each checked before it costs anything."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ....runtime.errors import UnsupportedError
from ...records import EncodeSettings
from ...records.checking import Fields
from ..goal import Goal
from ..space import Space
from .service import one_line


@dataclass(frozen=True)
class Read:
    """The settings that hold, each with what the model says about it in one line, and what is
    wrong with the rest."""

    good: tuple[tuple[EncodeSettings, str], ...]
    problems: tuple[str, ...]


def read_answer(
    text: str, space: Space, goal: Goal, taken: set[EncodeSettings], count: int
) -> Read:
    """Up to `count` proposals that are of the space, not in `taken`, and can keep the goal's
    bounds."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Read((), (f"the answer is not JSON: {error!s:.200}",))
    try:
        fields = Fields(answer, "answer")
        items = fields.items("proposals")
        fields.end()
    except UnsupportedError as error:
        return Read((), (str(error),))
    good: dict[EncodeSettings, str] = {}
    problems: list[str] = [] if items else ["proposals is empty"]
    for number, item in enumerate(items[: 2 * count], start=1):
        if len(good) == count:
            break
        try:
            settings, why = _proposal(item, f"proposal {number}", space)
        except UnsupportedError as error:
            problems.append(str(error))
            continue
        if settings in taken or settings in good:
            problems.append(f"proposal {number}: these settings are not new")
        elif hopeless := goal.hopeless(settings):
            problems.append(f"proposal {number}: {hopeless}")
        else:
            good[settings] = why
    return Read(tuple(good.items()), tuple(problems))


def _proposal(item: object, where: str, space: Space) -> tuple[EncodeSettings, str]:
    fields = Fields(item, where)
    why = fields.text("why")
    settings = space.settings(fields.anything("settings"), f"{where}: settings")
    fields.end()
    return settings, one_line(why)
