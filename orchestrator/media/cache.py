"""A machine's own copies of a store's files, as many as it was given room for."""

from __future__ import annotations

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...runtime.errors import DispatchError
from .base import MediaStore, file_sha256

if TYPE_CHECKING:
    from filelock import BaseFileLock

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BOOKKEEPING_S = 60.0  # what happens under the lock of the whole cache takes far less
_PIN = ".pin"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class MediaCache:
    """Local files by the hash of their content, in `folder`, of at most `limit_bytes` together.

    What was used last stays longest. Several processes may share the folder. `wait_s` limits how
    long one waits for another to fetch the same file.

    Whoever uses a file holds a lock on a pin beside it, `<sha256>.<bytes>.<a name of its own>`. The
    system lets go of the lock when a process dies, however it dies, so no pin outlives its owner.
    """

    store: MediaStore
    folder: Path
    limit_bytes: int
    wait_s: float = 1800.0

    @contextmanager
    def fetch(self, name: str, sha256: str) -> Iterator[Path]:
        """The file's local copy, which stays as long as the context is open. Read it only.

        Raises DispatchError where it cannot be had, is not the content that `sha256` (hex) names,
        or where the cache or the disk has no room for it.
        """
        if not _SHA256.fullmatch(sha256):
            raise DispatchError(f"media {name}: {sha256!r:.80} is no SHA-256 in lower-case hex")
        for part in ("files", "pins", "locks", "incoming"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        path = self.folder / "files" / sha256
        pin = self._pin_if_here(path)
        if pin is None:
            size = self.store.size(name)
            with self._locked(f"{sha256}.lock", self.wait_s, f"another process to fetch {name}"):
                pin = self._pin_if_here(path) or self._pin_with_room(path, size, name)
                try:
                    if not path.exists():
                        self._bring(name, path, size)
                except BaseException:
                    _unpin(pin)
                    raise
        try:
            yield path
        finally:
            with suppress(OSError):
                os.utime(path)
            _unpin(pin)

    def _bring(self, name: str, path: Path, size: int) -> None:
        """Fetch from the store, check, and only then let it count as here."""
        folder = self.folder / "incoming" / f"{path.name}.{uuid.uuid4().hex}"
        incoming = folder / "file"
        try:
            folder.mkdir()
            self.store.get(name, incoming)
            found = file_sha256(incoming)
            if found != path.name:
                raise DispatchError(
                    f"media {self.store.url}: {name} has changed: its SHA-256 is {found}, but "
                    f"{path.name} was asked for; put the old file back, or ask for the new one"
                )
            os.replace(incoming, path)
        except OSError as error:
            if error.errno in _FULL:
                raise self._no_room(name, size, f"the disk is full ({error.strerror})") from error
            raise DispatchError(f"cache {self.folder}: cannot keep {name}: {error}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _pin_if_here(self, path: Path) -> BaseFileLock | None:
        with self._all_locked():
            try:
                size = path.stat().st_size
                os.utime(path)
            except FileNotFoundError:
                return None
            return self._pin(path.name, size)

    def _pin_with_room(self, path: Path, size: int, name: str) -> BaseFileLock:
        """Let go of the files unused for longest until one of `size` bytes fits, and say that it
        is coming."""
        with self._all_locked():
            pinned = self._living_pins()
            self._clear_incoming(pinned)
            files = {each.name: each.stat() for each in self._files()}
            used = sum(stat.st_size for stat in files.values())
            used += sum(bytes_ for sha256, bytes_ in pinned.items() if sha256 not in files)
            unused = sorted(
                (stat.st_mtime_ns, sha256, stat.st_size)
                for sha256, stat in files.items()
                if sha256 not in pinned
            )
            least = used - sum(each for _, _, each in unused)
            if least + size > self.limit_bytes:
                in_use = f", {least:,} of them in use" if least else ""
                limit = f"the cache may hold {self.limit_bytes:,} bytes{in_use}"
                raise self._no_room(name, size, limit)
            coming = sum(bytes_ for sha256, bytes_ in pinned.items() if sha256 not in files)
            for _, sha256, each in unused:
                free = shutil.disk_usage(self.folder).free - coming
                if used + size <= self.limit_bytes and free >= size:
                    break
                (self.folder / "files" / sha256).unlink()
                used -= each
            free = shutil.disk_usage(self.folder).free - coming
            if free < size:
                raise self._no_room(name, size, f"the disk has {max(free, 0):,} bytes free")
            return self._pin(path.name, size)

    def _pin(self, sha256: str, size: int) -> BaseFileLock:
        from filelock import FileLock

        lock = FileLock(self.folder / "pins" / f"{sha256}.{size}.{uuid.uuid4().hex}{_PIN}")
        lock.acquire(timeout=_BOOKKEEPING_S)
        return lock

    def _living_pins(self) -> dict[str, int]:
        """Bytes by SHA-256 of what somebody holds; pins of the dead are taken away."""
        from filelock import FileLock, Timeout

        living = {}
        for path in (self.folder / "pins").iterdir():
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                sha256, size, _ = path.name.split(".", 2)
                living[sha256] = int(size)
            else:
                _unpin(lock)
        return living

    def _clear_incoming(self, pinned: dict[str, int]) -> None:
        """What a process left behind that died while it fetched."""
        for path in (self.folder / "incoming").iterdir():
            if path.name.partition(".")[0] not in pinned:
                shutil.rmtree(path, ignore_errors=True)

    def _files(self) -> Iterator[Path]:
        return (self.folder / "files").iterdir()

    @contextmanager
    def _locked(self, lock: str, wait_s: float, what: str) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.folder / "locks" / lock).acquire(timeout=wait_s):
                yield
        except Timeout as error:
            raise DispatchError(
                f"cache {self.folder}: waited {wait_s:g} s for {what}; if none is at it, delete "
                "the cache"
            ) from error

    @contextmanager
    def _all_locked(self) -> Iterator[None]:
        with self._locked("all.lock", _BOOKKEEPING_S, "its bookkeeping"):
            yield

    def _no_room(self, name: str, size: int, why: str) -> DispatchError:
        return DispatchError(
            f"cache {self.folder}: no room for {name}: it needs {size:,} bytes, but {why}; free "
            "some, or give the worker another --folder or a larger --cache-size"
        )


def _unpin(lock: BaseFileLock) -> None:
    lock.release()
    with suppress(OSError):
        os.unlink(lock.lock_file)
