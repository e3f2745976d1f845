"""What every verb prints with: data to stdout, progress to stderr."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console

JsonValue = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None


def plain(value: object) -> JsonValue:
    """`value` as JSON types.

    Dataclasses become objects, enumerations their lower-case names, fractions "30000/1001", paths
    strings, and numbers that JSON cannot hold (infinities, not-a-number) null.
    """
    if isinstance(value, Enum):
        return value.name.lower()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (Fraction, Path)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_json(value: object) -> None:
    """Write `value` to stdout as one indented JSON document."""
    print(json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False))


def stdout_console() -> Console:
    """Where tables go; wide enough off a terminal that nothing wraps which need not."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)


class ShowProgress(Protocol):
    """Takes the share that is done (0 to 1), a short text and, if it is known, the time left."""

    def __call__(self, done: float, detail: str, seconds_left: float | None = None) -> None: ...


def time_left(seconds: float | None) -> str:
    """`2:10 left`, `1:02:10 left`, or nothing where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    minutes, second = divmod(math.ceil(max(seconds, 0)), 60)
    hours, minute = divmod(minutes, 60)
    clock = f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{clock} left"


@contextmanager
def progress_bar(title: str) -> Iterator[ShowProgress]:
    """A bar on stderr, drawn only where stderr is a terminal; it vanishes when the work ends."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(title, total=1.0, left="", detail="")

        def show(done: float, detail: str, seconds_left: float | None = None) -> None:
            left = time_left(seconds_left)
            progress.update(task, completed=done, left=left, detail=detail)

        yield show
