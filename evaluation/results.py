"""A report's figures as JSON, for scripts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from .atomic import write_text
from .report_data import ReportData

FORMAT = 1


def write_results(path: Path, data: ReportData, step_seconds: Mapping[str, float]) -> None:
    """Write all of a report but its pictures, and how long each step took.

    The names are those of `ReportData`, beside `format` and `step_seconds`. A reader never sees
    half of the file.
    """
    content = {
        "format": FORMAT,
        **{
            field.name: _plain(getattr(data, field.name))
            for field in dataclasses.fields(data)
            if field.name != "comparisons"
        },
        "step_seconds": dict(step_seconds),
    }
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """Dataclasses, enumerations and tuples as what JSON knows."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
