"""Finished scenes on disk, so that an encode that was cut off goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.chunks import Codec, StrategyId
from ..runtime.errors import UnsupportedError
from .strategies import Candidate


def _is_ours(path: Path) -> bool:
    return path.name == "key" or path.name.startswith("scene-")


class Workspace:
    """A folder beside the output, `OUT.ecv.parts`, with a file for each finished scene.

    `key` says what is encoded and how: the scenes of another key are thrown away. All that is
    kept is checked by hash when it is read; what does not fit counts as not there.
    """

    def __init__(self, output: Path, key: str) -> None:
        self.folder = output.with_name(output.name + ".parts")
        self._key = hashlib.sha256(key.encode()).hexdigest().encode()
        note = self.folder / "key"
        if self.folder.exists() and any(not _is_ours(path) for path in self.folder.iterdir()):
            raise UnsupportedError(
                f"{self.folder} is where finished scenes are kept, and holds something else: "
                "move it away, or choose another name for the stream"
            )
        if self.folder.exists() and (not note.is_file() or note.read_bytes() != self._key):
            shutil.rmtree(self.folder)
        self.folder.mkdir(exist_ok=True)
        note.write_bytes(self._key)

    def load(self, scene: int) -> tuple[list[Candidate], list[str]] | None:
        """A finished scene's candidates and notes, None if it is not finished."""
        try:
            about, _, bodies = (self._path(scene)).read_bytes().partition(b"\n")
            digest, _, text = about.partition(b" ")
            if hashlib.sha256(text + bodies).hexdigest() != digest.decode():
                return None
            described: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            return None
        candidates: list[Candidate] = []
        for entry in described["candidates"]:
            body, bodies = bodies[: entry["bytes"]], bodies[entry["bytes"] :]
            candidates.append(
                Candidate(
                    StrategyId[entry["strategy"]],
                    None if entry["codec"] is None else Codec[entry["codec"]],
                    entry["setting"],
                    entry["bits"],
                    tuple(entry["frame_psnr"]),
                    body,
                )
            )
        return candidates, list(described["notes"])

    def save(self, scene: int, candidates: Sequence[Candidate], notes: Sequence[str]) -> None:
        """Keep a finished scene."""
        described = {
            "notes": list(notes),
            "candidates": [
                {
                    "strategy": each.strategy.name,
                    "codec": each.codec.name if each.codec else None,
                    "setting": each.setting,
                    "bits": each.bits,
                    "frame_psnr": each.frame_psnr,
                    "bytes": len(each.body),
                }
                for each in candidates
            ],
        }
        text = json.dumps(described).encode()
        bodies = b"".join(each.body for each in candidates)
        digest = hashlib.sha256(text + bodies).hexdigest().encode()
        path = self._path(scene)
        temporary = path.with_suffix(".partial")
        temporary.write_bytes(digest + b" " + text + b"\n" + bodies)
        os.replace(temporary, path)

    def remove(self) -> None:
        """Delete the folder: the output is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, scene: int) -> Path:
        return self.folder / f"scene-{scene:06d}"
