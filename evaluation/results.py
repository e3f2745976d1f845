"""A report's figures as JSON, for scripts."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from .report_data import ReportData

FORMAT = 1


def write_results(path: Path, data: ReportData, step_seconds: Mapping[str, float]) -> None:
    """Write all of a report but its pictures, and how long each step took.

    The names are those of `ReportData`, beside `format` and `step_seconds`. The file appears under
    a temporary name first.
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
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False, allow_nan=False)
            file.write("\n")
        # mkstemp keeps the file to its owner.
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
