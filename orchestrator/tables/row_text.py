"""Rows as text, for stores that keep text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...runtime.errors import DispatchError, UnsupportedError


def to_text(value: Mapping[str, Any], where: str) -> str:
    """JSON, ASCII only. Raises UnsupportedError for what JSON cannot hold, such as infinity."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UnsupportedError(f"{where}: this cannot be kept as JSON ({error})") from error


def to_value(text: str, where: str) -> dict[str, Any]:
    """What `to_text` made of a value. Raises DispatchError for anything else."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DispatchError(f"{where}: the row is damaged ({error}); take it away") from error
    if not isinstance(value, dict):
        raise DispatchError(f"{where}: the row is damaged (no object); take it away")
    return value
