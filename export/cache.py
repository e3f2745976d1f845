"""What the stages of an export made before, found again by the content that it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from platformdirs import user_cache_path

# https://bford.info/cachedir/: programs that make backups leave such a folder out.
_TAG = "CACHEDIR.TAG"
_TAG_TEXT = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by edgecodec; safe to remove.\n"
_ABANDONED_SECONDS = 24 * 3600
MAX_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Product:
    """What one stage made: its files by name."""

    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the names and contents; their order does not matter."""
        content = hashlib.sha256()
        for name in sorted(self.files):
            content.update(hashlib.sha256(name.encode()).digest())
            content.update(hashlib.sha256(self.files[name]).digest())
        return content.hexdigest()


def default_cache_folder() -> Path:
    """EDGECODEC_CACHE, or the folder where the platform keeps a user's caches."""
    named = os.environ.get("EDGECODEC_CACHE")
    return Path(named) if named else user_cache_path("edgecodec", appauthor=False) / "export"


@dataclass(frozen=True)
class Cache:
    """Products by key in one folder, an uncompressed ZIP file each.

    Any number of processes may use the folder at once: a file appears whole or not at all, and two
    writers of one key write the same. A file that is damaged counts as absent. A folder that cannot
    be written keeps nothing and breaks nothing.
    """

    folder: Path
    max_bytes: int = MAX_BYTES

    def read(self, key: str) -> Product | None:
        """What was written for `key`; None if it was not, or did not survive."""
        path = self._path(key)
        try:
            with zipfile.ZipFile(path) as archive:
                product = Product({name: archive.read(name) for name in archive.namelist()})
        except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
            return None
        with contextlib.suppress(OSError):  # the order in which `prune` forgets
            os.utime(path)
        return product

    def write(self, key: str, product: Product) -> None:
        """Keep `product` for `key`."""
        path = self._path(key)
        part = path.with_name(f".{key}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            tag = self.folder / _TAG
            if not tag.exists():
                tag.write_text(_TAG_TEXT)
            part.write_bytes(_zipped(product))
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def prune(self) -> None:
        """Forget what was used least recently, until the rest is within `max_bytes`.

        Files that a killed process left half-written go too, after a day.
        """
        with contextlib.suppress(OSError):
            for part in self.folder.glob("*/.*.part"):
                if time.time() - part.stat().st_mtime > _ABANDONED_SECONDS:
                    part.unlink(missing_ok=True)
            entries = [(path.stat(), path) for path in self.folder.glob("*/*.zip")]
            excess = sum(stat.st_size for stat, _ in entries) - self.max_bytes
            for stat, path in sorted(entries, key=lambda entry: entry[0].st_mtime):
                if excess <= 0:
                    break
                path.unlink(missing_ok=True)
                excess -= stat.st_size

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.zip"


def _zipped(product: Product) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in product.files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()
