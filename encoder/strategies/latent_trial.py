"""Latents as a way to code a scene. torch is loaded when the first one is."""

from __future__ import annotations

from dataclasses import dataclass

from ...runtime.chunks import StrategyId
from ...runtime.latents import STEPS_Q16
from ..resources import Resources
from ..scene import Scene
from ._base import Candidate, candidate

FINEST_QUALITY = len(STEPS_Q16) - 1


@dataclass(frozen=True)
class LatentTrial:
    """A scene in latents; the setting, rounded, is 63 minus the quality index.

    `device` is where the analysis runs, a torch device.
    """

    strategy: StrategyId
    tier: str
    device: str

    @property
    def name(self) -> str:
        """See `Trial.name`."""
        return self.strategy.name.lower()

    @property
    def settings(self) -> tuple[float, float]:
        """See `Trial.settings`."""
        return 0.0, float(FINEST_QUALITY)

    @property
    def usual_setting(self) -> float:
        """See `Trial.usual_setting`."""
        # What there is of these networks is only of use at its lowest rates.
        return float(FINEST_QUALITY)

    @property
    def settings_per_octave(self) -> float:
        """See `Trial.settings_per_octave`."""
        return 20.0

    def encode(self, scene: Scene, setting: float, resources: Resources) -> tuple[Candidate, ...]:
        """See `Trial.encode`."""
        from .latent import code_scene

        coder = resources.latent_coder(self.tier, self.device)
        quality = FINEST_QUALITY - round(setting)
        body, quality_db = code_scene(coder, self.strategy, scene, quality)
        made = candidate(scene, self.strategy, None, self.name, setting, body, quality_db)
        return (made,)
