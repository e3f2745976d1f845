"""Base layers that were encoded, on disk by what they were made of."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..runtime.base_stream import BaseStream, pack_base, parse_base
from ..runtime.container import Limits
from ..runtime.errors import BitstreamError, UnsupportedError

BASE_SUFFIX = ".base"
_HASH_BYTES = hashlib.sha256().digest_size


@dataclass(frozen=True)
class BaseStore:
    """A folder with one file for each base layer.

    Trials of one codec and setting that differ in what runs on top share it. Files are found by a
    key that the caller makes of everything that the layer depends on; what is kept is checked by
    hash when it is read, and what does not fit counts as not there.
    """

    folder: Path

    def get(self, key: str, frames: int, make: Callable[[], BaseStream]) -> BaseStream:
        """The layer of that key and so many frames, made and kept if there is none yet.

        Raises what `make` raises, and OSError if it cannot be kept.
        """
        path = self.folder / (hashlib.sha256(key.encode()).hexdigest() + BASE_SUFFIX)
        known = _read(path, frames)
        if known is not None:
            return known
        made = make()
        _write(path, pack_base(made))
        return made


def _read(path: Path, frames: int) -> BaseStream | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, packed = data[:_HASH_BYTES], data[_HASH_BYTES:]
    if hashlib.sha256(packed).digest() != digest:
        return None
    try:
        return parse_base(memoryview(packed), frames, Limits(), str(path))
    except (BitstreamError, UnsupportedError):
        return None


def _write(path: Path, packed: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=path.name, suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines((hashlib.sha256(packed).digest(), packed))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
