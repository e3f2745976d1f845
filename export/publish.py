"""A folder that appears whole or not at all, whoever is killed in between."""

from __future__ import annotations

import ctypes
import getpass
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..runtime.errors import ExportError, ModelError, UnsupportedError
from .manifest import FILE_NAME, Manifest

# From Linux' fcntl.h and fs.h.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def check_replaceable(folder: Path) -> None:
    """Raises `UnsupportedError` unless `folder` is absent, empty, or an export of ours."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UnsupportedError(f"{folder} is a file; name a folder")
    if not any(folder.iterdir()):
        return
    advice = "name another folder or remove it yourself"
    if not (folder / FILE_NAME).exists():
        raise UnsupportedError(
            f"{folder} holds something else than an export (it holds no manifest); {advice}"
        )
    try:
        Manifest.load(folder)
    except ModelError as error:
        raise UnsupportedError(
            f"{folder} holds something else than an export ({error}); {advice}"
        ) from error


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`, on its file system; removed with whatever is left in it.

    One process of a user at a time has it: raises `ExportError` where another one exports to
    `folder`. What a killed one left there is cleared away.
    """
    staging = folder.parent / f".{folder.name}.part"
    lock = _lock(folder)
    try:
        lock.acquire()
    except Timeout:
        raise ExportError(
            f"another process is exporting to {folder}: wait for it, or name another folder"
        ) from None
    try:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _restore(folder)
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
        except OSError as error:
            raise ExportError(f"cannot write beside {folder}: {error}") from error
        try:
            yield staging
        except OSError as error:
            raise ExportError(f"cannot write {folder}: {error}") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        lock.release()


def publish(staging: Path, folder: Path) -> None:
    """Put the finished folder `staging` in the place of `folder`; an older export there goes away.

    At every moment `folder` is the old export or the new one, where the system can exchange two
    folders (Linux); elsewhere a process that is killed between two renames leaves the old one
    beside, from where the next export brings it back.
    """
    check_replaceable(folder)
    older = _older(folder)
    try:
        if not folder.exists():
            os.rename(staging, folder)
        elif _exchange(staging, folder):
            shutil.rmtree(staging, ignore_errors=True)  # by now the older export
        else:
            os.rename(folder, older)
            try:
                os.rename(staging, folder)
            except OSError:
                os.rename(older, folder)
                raise
    except OSError as error:
        raise ExportError(f"cannot put the export at {folder}: {error}") from error
    shutil.rmtree(older, ignore_errors=True)


def _lock(folder: Path) -> FileLock:
    """Freed by the system however its process ends; it lies where it is in nobody's way."""
    place = hashlib.sha256(f"{getpass.getuser()}:{folder.resolve()}".encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir(), f"edgecodec-export-{place}.lock"), timeout=0)


def _older(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.old"


def _restore(folder: Path) -> None:
    """Bring back the export that a process killed between two renames left beside, if any."""
    older = _older(folder)
    if older.exists() and not folder.exists():
        os.rename(older, folder)
    shutil.rmtree(older, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step; False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):  # in turn: no library, no function, Windows
        return False
    paths = (os.fsencode(one), os.fsencode(other))
    done: int = renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
    return done == 0
