"""Media in a folder, of one machine or of a file system that all of them mount."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...runtime.errors import DispatchError
from ..records.result import Artefact
from .base import PIECE, check_name, file_sha256

_ABANDONED_S = 24 * 3600.0


@dataclass(frozen=True)
class FolderStore:
    """Files below `root`; see `MediaStore`. What begins with a dot is not finished, or not ours."""

    root: Path

    @property
    def url(self) -> str:
        """`file:PATH`."""
        return f"file:{self.root}"

    def put(self, path: Path, name: str) -> Artefact:
        """Store a file, whole or not at all."""
        target = self._path(name)
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            try:
                sha256 = _sha256_if_long(target, size)
                if sha256 is None or sha256 != file_sha256(path):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    size, sha256 = _copy(source, target, self._partial())
            except OSError as error:
                raise self._error(f"cannot store {name}", error) from error
        return Artefact(name, f"file:{target}", size, sha256)

    def get(self, name: str, path: Path) -> None:
        """Fetch a file to `path`, whole or not at all."""
        try:
            source = self._path(name).open("rb")
        except OSError as error:
            raise self._absent(name, error) from error
        with source:
            _copy(source, path, path.with_name(f".partial-{uuid.uuid4().hex}"))

    def size(self, name: str) -> int:
        """The file's length in bytes."""
        try:
            return self._path(name).stat().st_size
        except OSError as error:
            raise self._absent(name, error) from error

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        try:
            return self._path(name).is_file()
        except OSError as error:
            raise self._error(f"cannot look for {name}", error) from error

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names that begin with `prefix`, sorted."""

        def refuse(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # the folder comes with the first file
                raise self._error("cannot be listed", error) from error

        found = []
        for folder, folders, files in os.walk(self.root, onerror=refuse):
            folders[:] = [each for each in folders if not each.startswith(".")]
            within = Path(folder).relative_to(self.root)
            found += [(within / each).as_posix() for each in files if not each.startswith(".")]
        yield from sorted(name for name in found if name.startswith(prefix))

    def delete(self, name: str) -> None:
        """Take a file away; nothing happens if there is none."""
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._error(f"cannot delete {name}", error) from error

    def close(self) -> None:
        """Nothing is held open."""

    def _path(self, name: str) -> Path:
        return self.root.joinpath(*check_name(name).split("/"))

    def _partial(self) -> Path:
        """A name for a file that is being written. What a killed process left goes."""
        folder = self.root / ".partial"
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()
        return folder / uuid.uuid4().hex

    def _absent(self, name: str, error: OSError) -> DispatchError:
        if isinstance(error, FileNotFoundError):
            return DispatchError(
                f"media {self.url}: there is no {name}; put it there again, or check --media"
            )
        return self._error(f"cannot read {name}", error)

    def _error(self, what: str, error: OSError) -> DispatchError:
        return DispatchError(
            f"media {self.url}: {what}: {error.strerror or error}; check the folder, its room and "
            "its permissions"
        )


def _sha256_if_long(path: Path, size: int) -> str | None:
    """The hash of a file that is there and has that length."""
    try:
        return file_sha256(path) if path.stat().st_size == size else None
    except FileNotFoundError:
        return None


def _copy(source: BinaryIO, target: Path, temporary: Path) -> tuple[int, str]:
    """Copy to a temporary name and rename. Length and SHA-256 of what was read."""
    digest, size = hashlib.sha256(), 0
    try:
        # Not mkstemp: its files only their owner may read, and machines share these.
        with temporary.open("xb") as file:
            while piece := source.read(PIECE):
                digest.update(piece)
                size += len(piece)
                file.write(piece)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return size, digest.hexdigest()
