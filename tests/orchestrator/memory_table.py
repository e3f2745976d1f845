"""A table in memory whose clock and misfortunes a test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from edgecodec.orchestrator.tables import Row


class MemoryTable:
    """Rows in a dictionary.

    `before_put` and `before_delete` are called before each such call, with the row's group and
    name, and may use the table themselves: what others do meanwhile. With `loses_answers` every
    write happens and says that it did not.
    """

    url = "memory:"

    def __init__(self) -> None:
        self.before_put: Callable[[str, str], None] = lambda group, name: None
        self.before_delete: Callable[[str, str], None] = lambda group, name: None
        self.loses_answers = False
        self._rows: dict[tuple[str, str], tuple[str, int]] = {}

    def get(self, group: str, name: str) -> Row | None:
        held = self._rows.get((group, name))
        return None if held is None else Row(json.loads(held[0]), held[1])

    def get_many(self, group: str, names: Iterable[str]) -> dict[str, Row]:
        found = {name: self.get(group, name) for name in names}
        return {name: row for name, row in found.items() if row is not None}

    def put(self, group: str, name: str, value: Mapping[str, Any], expected: int | None) -> bool:
        self.before_put(group, name)
        held = self._rows.get((group, name))
        if (None if held is None else held[1]) != expected:
            return False
        self._rows[group, name] = (json.dumps(value, allow_nan=False), (expected or 0) + 1)
        return not self.loses_answers

    def scan(self, group: str) -> Iterator[tuple[str, Row]]:
        names = [name for held, name in self._rows if held == group]
        yield from sorted(self.get_many(group, names).items())

    def delete(self, group: str, name: str) -> None:
        self.before_delete(group, name)
        self._rows.pop((group, name), None)

    def close(self) -> None:
        pass


class Clock:
    """Stands still until it is told."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
