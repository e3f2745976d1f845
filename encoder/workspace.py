"""The folder beside an output in which an encode keeps what it has so far."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..runtime.errors import UnsupportedError
from .base_store import BASE_SUFFIX
from .store import TRIAL_SUFFIX
from .title_store import TITLE_SUFFIX

_KEPT = (TRIAL_SUFFIX, BASE_SUFFIX, TITLE_SUFFIX)
_PASSING = (".raw", ".partial")


class Workspace:
    """`OUT.ecv.parts`: finished trials, base layers and title weights, by which an encode that was
    cut off goes on, and the frames of the scenes at work.

    Raises UnsupportedError if the folder holds what is not ours: it is deleted in the end.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output.with_name(output.name + ".parts")
        if self.folder.exists() and not self._is_ours():
            raise UnsupportedError(
                f"{self.folder} is where finished trials are kept, and holds something else: "
                "move it away, or choose another name for the stream"
            )
        self.folder.mkdir(exist_ok=True)
        self._forget_frames()

    def _is_ours(self) -> bool:
        return self.folder.is_dir() and all(
            path.is_file() and path.suffix in (*_KEPT, *_PASSING) for path in self.folder.iterdir()
        )

    def _forget_frames(self) -> None:
        """Delete all but what was encoded: frames are large and quickly decoded again."""
        for path in self.folder.iterdir():
            if path.suffix not in _KEPT:
                path.unlink()

    def leave(self) -> None:
        """Keep what an encode that goes on later needs, and nothing else."""
        self._forget_frames()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def remove(self) -> None:
        """Delete the folder: the output is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)
