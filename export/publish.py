"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..runtime.errors import ExportError, ModelError
from .manifest import Manifest


def check_replaceable(folder: Path) -> None:
    """Raises `ExportError` unless `folder` is absent, empty, or an export of ours."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExportError(f"{folder} is a file; name a folder")
    if not any(folder.iterdir()):
        return
    try:
        Manifest.load(folder)
    except ModelError as error:
        raise ExportError(
            f"{folder} holds something else than an export ({error}); name another folder or"
            " remove it yourself"
        ) from error


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, on its file system; removed with whatever is left in it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.part"
        staging.mkdir()
    except OSError as error:
        raise ExportError(f"cannot write beside {folder}: {error}") from error
    try:
        yield staging
    except OSError as error:
        raise ExportError(f"cannot write {folder}: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(staging: Path, folder: Path) -> None:
    """Put the finished folder `staging` in the place of `folder`.

    An older export there goes away only once the new one is in place. Raises `ExportError` where
    another process published into the same place in between; that one's folder then stays.
    """
    check_replaceable(folder)
    older = staging.with_suffix(".old")
    try:
        if folder.exists():
            os.rename(folder, older)
        try:
            os.rename(staging, folder)
        except OSError:
            if older.exists() and not folder.exists():
                os.rename(older, folder)
            raise
    except OSError as error:
        raise ExportError(f"cannot put the export at {folder}: {error}") from error
    finally:
        shutil.rmtree(older, ignore_errors=True)
