"""The book of a run: which experiments were proposed, by whom and why, in order."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..runtime.errors import DispatchError
from .records.checking import Fields
from .records.experiment import check_schema
from .tables.base import Row, Table

SCHEMA = 1
_RUNS = "run"
_MOST_COLLISIONS = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Entry:
    """One experiment of a run: `number` counts from 1, `by` says who designed it and `why` what
    for, `at` is when it was put down (Unix seconds)."""

    number: int
    experiment: str
    by: str
    why: str
    at: float


@dataclass(frozen=True)
class Run:
    """`goal` and `options` are what it was begun with (JSON types); `end` says why it ended, empty
    while it goes on. Times are Unix seconds."""

    name: str
    goal: str
    options: Mapping[str, Any]
    began: float
    ended: float | None
    end: str
    entries: tuple[Entry, ...]


class RunBook:
    """All runs, in the table that the ledger is in. Several processes may write at once.

    Raises DispatchError where the table cannot be reached, or a run is not there, or is there
    already.
    """

    def __init__(self, table: Table, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock

    def create(self, name: str, goal: str, options: Mapping[str, Any]) -> Run:
        """Begin a run. Raises DispatchError if there is one of that name."""
        if not _NAME.fullmatch(name):
            raise DispatchError(
                f"run {name!r:.200}: a name has up to 100 letters, digits, points, hyphens and"
                " underscores, and begins with a letter or a digit"
            )
        run = Run(name, goal, options, self._clock(), None, "", ())
        if not self._table.put(_RUNS, name, _head(run), None):
            raise DispatchError(
                f"run {name}: there is one of that name in {self._table.url}; go on with it, or"
                " choose another name"
            )
        return run

    def get(self, name: str) -> Run | None:
        """The run as it is now, None if there is none of that name."""
        row = self._table.get(_RUNS, name)
        return None if row is None else self._run(name, row)

    def list(self) -> tuple[Run, ...]:
        """All of them, by name."""
        return tuple(self._run(name, row) for name, row in self._table.scan(_RUNS))

    def append(self, name: str, experiment: str, by: str, why: str) -> Entry:
        """Put an experiment down as the run's next; one that is in it already keeps its entry."""
        for _ in range(_MOST_COLLISIONS):
            entries = self._known(name).entries
            for entry in entries:
                if entry.experiment == experiment:
                    return entry
            entry = Entry(len(entries) + 1, experiment, by, why, self._clock())
            # Where somebody else was faster, that number is taken: look again.
            if self._table.put(_group(name), _digits(entry.number), asdict(entry), None):
                return entry
        raise DispatchError(
            f"run {name} in {self._table.url}: {_MOST_COLLISIONS} attempts to write met somebody"
            " else's: too many processes write to one run"
        )

    def finish(self, name: str, reason: str) -> None:
        """The run is over."""
        self._end(name, self._clock(), reason)

    def resume(self, name: str) -> Run:
        """A run that was over goes on."""
        self._end(name, None, "")
        return self._known(name)

    def _known(self, name: str) -> Run:
        run = self.get(name)
        if run is None:
            raise DispatchError(
                f"run {name!r:.200}: {self._table.url} has no run of that name;"
                " `edgecodec experiments list` names those it has"
            )
        return run

    def _end(self, name: str, ended: float | None, reason: str) -> None:
        for _ in range(_MOST_COLLISIONS):
            row = self._table.get(_RUNS, name)
            if row is None:
                self._known(name)
                continue
            value = dict(row.value) | {"ended": ended, "end": reason}
            if dict(row.value) == value or self._table.put(_RUNS, name, value, row.version):
                return
        raise DispatchError(f"run {name} in {self._table.url}: too many processes end it at once")

    def _run(self, name: str, row: Row) -> Run:
        where = f"run {name}"
        fields = Fields(row.value, where)
        check_schema(fields.integer("schema", 1), where)
        options = fields.anything("options")
        run = Run(
            name,
            fields.text("goal"),
            Fields(options, f"{where}: options").rest(),
            fields.number("began"),
            fields.optional_number("ended"),
            fields.text("end"),
            tuple(_entry(each, where) for _, each in self._table.scan(_group(name))),
        )
        fields.end()
        return run


def _head(run: Run) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "goal": run.goal,
        "options": run.options,
        "began": run.began,
        "ended": run.ended,
        "end": run.end,
    }


def _entry(row: Row, where: str) -> Entry:
    fields = Fields(row.value, f"{where}: entry")
    entry = Entry(
        fields.integer("number", 1),
        fields.text("experiment"),
        fields.text("by"),
        fields.text("why"),
        fields.number("at"),
    )
    fields.end()
    return entry


def _group(name: str) -> str:
    return f"run {name}"


def _digits(number: int) -> str:
    """So that the order of names is that of numbers."""
    return f"{number:08d}"
