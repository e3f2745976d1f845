"""A table in a file: for one machine, any number of processes.

The file must lie on a disk of that machine: SQLite's log does not work over network file systems.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...runtime.errors import DispatchError
from .base import Row
from .row_text import to_text, to_value

_LAYOUT = 1
_BUSY_LIMIT_S = 60.0
_PAGE = 200
_CREATE = """
CREATE TABLE IF NOT EXISTS edgecodec_rows (
    "group" TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY ("group", name)
) WITHOUT ROWID
"""
_INSERT = 'INSERT INTO edgecodec_rows VALUES (?, ?, 1, ?) ON CONFLICT ("group", name) DO NOTHING'
_UPDATE = """
UPDATE edgecodec_rows SET value = ?, version = version + 1
WHERE "group" = ? AND name = ? AND version = ?
"""
_SELECT = 'SELECT name, version, value FROM edgecodec_rows WHERE "group" = ?'


def open_sqlite(url: str) -> SqliteTable:
    """`sqlite:PATH`; the file and its folder are made where there are none."""
    path = url.partition(":")[2]
    if not path:
        raise DispatchError(f"results {url!r}: name a file, as in sqlite:results.sqlite")
    return SqliteTable(Path(path))


class SqliteTable:
    """Rows in a SQLite file. Threads may share it; processes open one each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(
                path, timeout=_BUSY_LIMIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._file.close()
                raise

    @property
    def url(self) -> str:
        return f"sqlite:{self._path}"

    def get(self, group: str, name: str) -> Row | None:
        return self.get_many(group, [name]).get(name)

    def get_many(self, group: str, names: Iterable[str]) -> dict[str, Row]:
        wanted, rows = list(names), {}
        for start in range(0, len(wanted), _PAGE):
            page = wanted[start : start + _PAGE]
            marks = ", ".join("?" * len(page))
            rows.update(self._select(group, f"{_SELECT} AND name IN ({marks})", group, *page))
        return rows

    def put(self, group: str, name: str, value: Mapping[str, Any], expected: int | None) -> bool:
        text = to_text(value, self._where(group, name))
        with self._explained(), self._lock:
            if expected is None:
                changed = self._file.execute(_INSERT, (group, name, text))
            else:
                changed = self._file.execute(_UPDATE, (text, group, name, expected))
            return changed.rowcount == 1

    def scan(self, group: str) -> Iterator[tuple[str, Row]]:
        last = ""
        page = f"{_SELECT} AND name > ? ORDER BY name LIMIT {_PAGE}"
        while rows := self._select(group, page, group, last):
            yield from rows.items()
            last = next(reversed(rows))

    def delete(self, group: str, name: str) -> None:
        with self._explained(), self._lock:
            self._file.execute(
                'DELETE FROM edgecodec_rows WHERE "group" = ? AND name = ?', (group, name)
            )

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def _select(self, group: str, query: str, *parameters: str) -> dict[str, Row]:
        with self._explained(), self._lock:
            found = self._file.execute(query, parameters).fetchall()
        return {
            name: Row(to_value(text, self._where(group, name)), version)
            for name, version, text in found
        }

    def _prepare(self) -> None:
        layout = self._file.execute("PRAGMA user_version").fetchone()[0]
        if layout > _LAYOUT:
            raise DispatchError(
                f"{self.url}: a later version of edgecodec made this file; install that version"
            )
        self._write_ahead()
        # So that what was told to somebody outlives a power cut.
        self._file.execute("PRAGMA synchronous = FULL")
        if layout < _LAYOUT:
            self._file.execute(_CREATE)
            self._file.execute(f"PRAGMA user_version = {_LAYOUT}")

    def _write_ahead(self) -> None:
        """SQLite does not wait by itself where two processes do this to a new file at once."""
        give_up = time.monotonic() + _BUSY_LIMIT_S
        while True:
            try:
                self._file.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > give_up:
                    raise
            time.sleep(0.02)

    def _where(self, group: str, name: str) -> str:
        return f"{self.url}, {group} {name}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise DispatchError(f"{self.url}: {error}; {_remedy(error)}") from error


def _remedy(error: sqlite3.Error | OSError) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return "make room on the disk, then go on: nothing is lost"
    if code == sqlite3.SQLITE_BUSY:
        return f"somebody held the file for {_BUSY_LIMIT_S:g} s: end that process"
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return "give another file, or bring this one back from a copy"
    return "see that the folder is there and may be written, on a disk of this machine"
