"""What every scene decoder needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..container import Limits
from ..frames import PictureFormat
from ..sessions import NetworkPool


@dataclass(frozen=True)
class SceneContext:
    """Geometry of the video, the networks to draw on, decoder threads (0: all), and limits."""

    format: PictureFormat
    networks: NetworkPool
    threads: int = 0
    limits: Limits = field(default_factory=Limits)
