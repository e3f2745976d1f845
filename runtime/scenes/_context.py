"""What every scene decoder needs to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..container import Limits
from ..frames import PictureFormat
from ..motion_tables import MotionTables, find_motion
from ..prior import Prior, find_prior
from ..sessions import NetworkPool
from ..title import TitleWeights
from ..workers import Workers


@dataclass(frozen=True)
class SceneContext:
    """Geometry of the video, the networks to draw on, decoder threads (0: all), limits, the
    stream's title weights by number, the threads that mend frames, and how priors and motion tables
    are found by their ids."""

    format: PictureFormat
    networks: NetworkPool
    threads: int = 0
    limits: Limits = field(default_factory=Limits)
    titles: Mapping[int, TitleWeights] = field(default_factory=dict)
    workers: Workers = field(default_factory=lambda: Workers("mend"))
    priors: Callable[[str], Prior] = find_prior
    motion: Callable[[str], MotionTables] = find_motion
