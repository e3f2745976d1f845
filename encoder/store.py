"""Trials that were encoded, on disk by what they were made of."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.chunks import Codec, StrategyId
from .scene_file import SceneFile
from .strategies import Candidate, StoredBytes, chunk_bits

TRIAL_SUFFIX = ".trial"


@dataclass(frozen=True)
class TrialStore:
    """A folder with one file for each trial: its candidates, or that there are none.

    Files are found by a key that the caller makes of everything that the trial depends on. What
    is kept is checked by hash when it is loaded; what does not fit counts as not there.
    """

    folder: Path

    def load(self, key: str, scene: SceneFile) -> tuple[Candidate, ...] | None:
        """A finished trial's candidates, their bits counted for where this scene stands; None if
        there is no such trial. Bodies stay on disk."""
        path = self.path(key)
        try:
            data = path.read_bytes()
            about, _, rest = data.partition(b"\n")
            digest, _, text = about.partition(b" ")
            if hashlib.sha256(text + rest).hexdigest() != digest.decode():
                return None
            described: list[dict[str, Any]] = json.loads(text)
        except (OSError, ValueError):
            return None
        offset = len(about) + 1
        candidates = []
        for entry in described:
            strategy, size = StrategyId[entry["strategy"]], entry["bytes"]
            candidates.append(
                Candidate(
                    strategy,
                    None if entry["codec"] is None else Codec[entry["codec"]],
                    entry["trial"],
                    entry["setting"],
                    chunk_bits(scene.index, scene.start, scene.pts, strategy, size),
                    tuple(entry["frame_psnr"]),
                    StoredBytes(path, offset, size),
                    tuple(entry["frame_scores"]),
                )
            )
            offset += size
        return tuple(candidates)

    def save(self, key: str, candidates: Sequence[Candidate]) -> None:
        """Keep a finished trial."""
        bodies = [each.read_body() for each in candidates]
        described = [
            {
                "strategy": each.strategy.name,
                "codec": each.codec.name if each.codec else None,
                "trial": each.trial,
                "setting": each.setting,
                "frame_psnr": each.frame_psnr,
                "frame_scores": each.frame_scores,
                "bytes": len(body),
            }
            for each, body in zip(candidates, bodies, strict=True)
        ]
        text = json.dumps(described).encode()
        digest = hashlib.sha256(text + b"".join(bodies)).hexdigest().encode()
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=path.name, suffix=".partial", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines((digest, b" ", text, b"\n", *bodies))
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    def path(self, key: str) -> Path:
        """Where the trial of that key is, or would be."""
        return self.folder / trial_file(key)


def trial_file(key: str) -> str:
    """The name of the file of the trial of that key."""
    return hashlib.sha256(key.encode()).hexdigest() + TRIAL_SUFFIX
