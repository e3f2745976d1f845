"""How a worker works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WorkerOptions:
    """`folder` holds scratch files and the cache of videos, which takes up to `cache_bytes`.

    `gpu` is the number of the GPU that jobs see, None for none. A job is asked to stop after
    `soft_limit_s` and killed after `hard_limit_s`, both in seconds. `once`: one job, then end.
    `idle_s`: end when there was nothing to do for so long, None for never. `name` tells workers
    apart; workers that share a folder need different ones.
    """

    folder: Path
    name: str
    gpu: int | None = None
    cache_bytes: int = 20_000_000_000
    soft_limit_s: float = 6 * 3600.0
    hard_limit_s: float = 6.5 * 3600.0
    once: bool = False
    idle_s: float | None = None


def users_folder() -> Path:
    """Where this user's workers keep what they need, if nothing else is said."""
    from platformdirs import user_cache_path

    return user_cache_path("edgecodec", appauthor=False) / "worker"
