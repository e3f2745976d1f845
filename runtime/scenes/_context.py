"""What every scene decoder needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..container import Limits
from ..frames import PictureFormat
from ..sessions import NetworkPool
from ..title import TitleWeights
from ..workers import Workers


@dataclass(frozen=True)
class SceneContext:
    """Geometry of the video, the networks to draw on, decoder threads (0: all), limits, the
    stream's title weights by number, and the threads that mend frames."""

    format: PictureFormat
    networks: NetworkPool
    threads: int = 0
    limits: Limits = field(default_factory=Limits)
    titles: Mapping[int, TitleWeights] = field(default_factory=dict)
    workers: Workers = field(default_factory=lambda: Workers("mend"))
