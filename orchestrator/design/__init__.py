"""Designers: who proposes the next experiments.

`designer` makes one by name: "optuna" searches by statistics, "llm" asks a language model.
"""

from .base import Designer, Proposal, Trial
from .goal import Goal, Objective
from .make import designer
from .space import Space
from .spaces import default_space, parse_space

__all__ = [
    "Designer",
    "Goal",
    "Objective",
    "Proposal",
    "Space",
    "Trial",
    "default_space",
    "designer",
    "parse_space",
]
