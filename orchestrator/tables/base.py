"""What keeps the state of a fleet: rows that change by compare-and-swap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Row:
    """`value` has JSON types only; `version` counts the changes, from 1."""

    value: Mapping[str, Any]
    version: int


class Table(Protocol):
    """Rows by group and name, which several processes and machines may change at once.

    Every method raises DispatchError, with what to do, where the store cannot be reached, is not
    there or does not allow it.
    """

    @property
    def url(self) -> str:
        """What `open_table` opens it by, without passwords."""

    def get(self, group: str, name: str) -> Row | None:
        """The row as it is now, None if there is none."""

    def get_many(self, group: str, names: Iterable[str]) -> dict[str, Row]:
        """Those of the rows that are there, in few round trips."""

    def put(self, group: str, name: str, value: Mapping[str, Any], expected: int | None) -> bool:
        """Write the row if its version is still `expected`, with None if there is no such row.

        False where somebody else was faster: nothing is written then. The new version is
        `expected + 1`, a new row's 1. Raises UnsupportedError for a value that JSON cannot hold
        or that is too long for the store.
        """

    def scan(self, group: str) -> Iterator[tuple[str, Row]]:
        """The rows of a group, by name; rows that change meanwhile may come in either state."""

    def delete(self, group: str, name: str) -> None:
        """Take a row away; nothing happens if there is none."""

    def close(self) -> None:
        """Let go of connections."""
