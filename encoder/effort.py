"""How much computing an encode may spend: on each trial, and on how many trials."""

from __future__ import annotations

from enum import Enum


class Effort(Enum):
    """Which presets the standard codecs run with: a slower one finds a smaller stream of the same
    quality. How a stream plays does not depend on it."""

    FAST = "fast"
    NORMAL = "normal"
    HIGH = "high"


class Search(Enum):
    """Which ways of coding a scene are tried: those that its class and its first trials leave in
    the race, or all of them."""

    PRUNED = "pruned"
    EXHAUSTIVE = "exhaustive"
