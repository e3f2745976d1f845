"""Measured points on disk, so that no encode is made twice and a run that was cut off goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .atomic import write_text
from .points import MeasuredPoint, point_from_dict


def usual_cache_folder() -> Path:
    """`edgecodec/evaluate` in the user's folder for caches: `$XDG_CACHE_HOME`, or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    # The XDG specification ignores a relative path.
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return folder / "edgecodec" / "evaluate"


@dataclass(frozen=True)
class PointCache:
    """A folder with one JSON file for each point, named by the hash of its identity.

    An identity is everything that the point depends on, as a JSON object. What cannot be read,
    or is not what was written, counts as not there.
    """

    folder: Path

    def load(self, identity: Mapping[str, Any]) -> MeasuredPoint | None:
        """The point of this identity, None if it was not measured yet."""
        try:
            kept = json.loads(self.path(identity).read_text(encoding="utf-8"))
            if kept["identity"] != _as_json(identity) or kept["sha256"] != _digest(kept["point"]):
                return None
            return point_from_dict(kept["point"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, identity: Mapping[str, Any], point: MeasuredPoint) -> None:
        """Keep a point, in the place of an earlier one of the same identity."""
        values = _as_json(point.to_dict())
        content = {"identity": _as_json(identity), "point": values, "sha256": _digest(values)}
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.path(identity), text + "\n")

    def path(self, identity: Mapping[str, Any]) -> Path:
        """The file of an identity, whether it exists or not."""
        return self.folder / f"{_digest(_as_json(identity))}.json"


def _as_json(value: Mapping[str, Any]) -> Any:
    """A value as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(value))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
