"""Trials that earlier experiments of this worker made: those of one clip are often the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_LOCK = ".lock"


@contextmanager
def trial_folder(parent: Path, limit_bytes: int) -> Iterator[Path]:
    """A folder in `parent` for `EncodeOptions.cache` that is nobody else's while it is open.

    Whoever comes first gets the first: a worker alone always has the same one, workers that share
    `parent` one each, for what one would clear away another may be reading. Before it is given it
    is cut down to `limit_bytes`; the oldest files go first. Raises OSError where it cannot be
    made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        folder = parent / str(number)
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            number += 1
    try:
        cut_down(folder, limit_bytes)
        yield folder
    finally:
        lock.release()


def cut_down(folder: Path, limit_bytes: int) -> None:
    """Delete the oldest files until the rest take at most `limit_bytes`."""
    found = [(path, path.stat()) for path in folder.rglob("*") if path.is_file()]
    files = [(path, stat) for path, stat in found if path.name != _LOCK]
    files.sort(key=lambda each: each[1].st_mtime_ns)
    total = sum(stat.st_size for _, stat in files)
    for path, stat in files:
        if total <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        total -= stat.st_size
