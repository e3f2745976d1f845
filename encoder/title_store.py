"""Title weights that were found, on disk by what they were made of."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..runtime.container import Limits
from ..runtime.errors import BitstreamError
from ..runtime.title import TitleWeights, pack_title, parse_title

TITLE_SUFFIX = ".title"


@dataclass(frozen=True)
class KeptTitle:
    """Finished weights, and the file that `pack_title` gave; `digest` is its SHA-256."""

    weights: TitleWeights
    path: Path
    digest: str


@dataclass(frozen=True)
class TitleStore:
    """A folder with one file for each set of title weights.

    Files are found by a key that the caller makes of everything that the weights depend on. A
    file's name has its content's hash: what does not fit counts as not there.
    """

    folder: Path

    def load(self, key: str) -> KeptTitle | None:
        """The weights of that key, None if there are none."""
        for path in sorted(self.folder.glob(f"{_name(key)}-*{TITLE_SUFFIX}")):
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            if path.stem.endswith(f"-{digest}"):
                try:
                    return KeptTitle(parse_title(data, Limits(), str(path)), path, digest)
                except BitstreamError:
                    continue
        return None

    def save(self, key: str, weights: TitleWeights) -> KeptTitle:
        """Keep finished weights."""
        data = pack_title(weights)
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / f"{_name(key)}-{digest}{TITLE_SUFFIX}"
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".partial", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        return KeptTitle(weights, path, digest)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
