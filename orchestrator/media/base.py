"""Where a fleet's videos, streams and logs lie: files by name, which every machine can reach."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ...runtime.errors import DispatchError
from ..records.result import Artefact

_LONGEST_NAME = 800  # S3 allows 1024 bytes, the store's prefix among them
_LONGEST_PART = 200  # file systems allow 255, of which a temporary name needs some
PIECE = 1 << 20


class MediaStore(Protocol):
    """Files by name; a name is parts joined by `/`, as `check_name` allows them.

    Every method raises DispatchError, with what to do, where the store cannot be reached, is not
    there or does not allow it, and where a name is not allowed.
    """

    @property
    def url(self) -> str:
        """What `open_media` opens it by, without passwords."""

    def put(self, path: Path, name: str) -> Artefact:
        """Store a file, whole or not at all. What was there under the name is replaced; the same
        content costs nothing. Raises OSError where `path` cannot be read."""

    def get(self, name: str, path: Path) -> None:
        """Fetch a file to `path`, whole or not at all.

        Raises DispatchError where there is none of that name, or where what came is not what was
        stored; OSError where `path` cannot be written (a full disk).
        """

    def size(self, name: str) -> int:
        """The file's length in bytes. Raises DispatchError where there is none of that name."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names that begin with `prefix`, sorted."""

    def delete(self, name: str) -> None:
        """Take a file away; nothing happens if there is none."""

    def close(self) -> None:
        """Let go of connections."""


def check_name(name: str) -> str:
    """The name itself. Raises DispatchError unless it is good on every store: parts joined by
    `/`, none empty or beginning with a dot, no backslash, colon or control character."""
    parts = name.split("/")
    wrong = (
        len(name.encode(errors="replace")) > _LONGEST_NAME
        or any(not part or part.startswith(".") for part in parts)
        or any(len(part.encode(errors="replace")) > _LONGEST_PART for part in parts)
        or any(character in "\\:" or not character.isprintable() for character in name)
    )
    if wrong:
        raise DispatchError(
            f"media name {name!r:.200}: a name is parts joined by '/', none of them empty, longer "
            f"than {_LONGEST_PART} bytes or beginning with a dot, without backslash, colon and "
            "control characters"
        )
    return name


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
