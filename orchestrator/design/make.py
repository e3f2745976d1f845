"""A designer by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from .base import Designer
from .goal import Goal
from .space import Space


def designer(
    name: Literal["optuna", "llm"],
    *,
    space: Space,
    goal: Goal,
    seed: int = 1,
    llm: Literal["anthropic", "openai"] | None = None,
    model: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Designer:
    """The designer of that name; proposals of the same `seed` and history are the same with
    "optuna".

    For "llm", the service is `llm` or the one whose key `environ` has (ANTHROPIC_API_KEY,
    OPENAI_API_KEY), the model is `model` or a usual one of the service. Raises DispatchError where
    a key is missing or it is not clear which service is meant.
    """
    from .optuna_designer import OptunaDesigner

    statistics = OptunaDesigner(space, goal, seed)
    if name == "optuna":
        return statistics
    from .llm import LanguageModelDesigner, language_model

    return LanguageModelDesigner(language_model(llm, model, environ), space, goal, statistics)
