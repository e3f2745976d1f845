"""How a job's process can end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """With a result."""

    result: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """With an error; `final`: another attempt would fail alike."""

    error: str
    final: bool = False


@dataclass(frozen=True)
class GivenUp:
    """Unfinished, as the worker is to stop."""


@dataclass(frozen=True)
class TakenAway:
    """Unfinished, as the job was cancelled or is another worker's by now."""


Outcome = Done | Failed | GivenUp | TakenAway
