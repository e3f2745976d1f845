"""Latents as a way to code a scene. torch is loaded when the first one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ...runtime.chunks import StrategyId
from ...runtime.latent_body import LatentBody, pack_latents
from ...runtime.latents import STEPS_Q16
from ..effort import Effort
from ..resources import Resources
from ..scene import Scene
from ._base import Candidate, candidate

FINEST_QUALITY = len(STEPS_Q16) - 1
# How far I-frames may be apart in `i_frame_interpolation`, of which the best is taken, and steps of
# descent of each I-frame's latents in `semantic_latent`.
_INTERVALS = {Effort.FAST: (8,), Effort.NORMAL: (8, 16), Effort.HIGH: (4, 8, 16, 32)}
_REFINEMENT = {Effort.FAST: 0, Effort.NORMAL: 0, Effort.HIGH: 60}


@dataclass(frozen=True)
class LatentTrial:
    """A scene in latents; the setting, rounded, is 63 minus the quality index.

    `device` is where the analysis runs, a torch device, `effort` how much is searched.
    """

    strategy: StrategyId
    tier: str
    device: str
    effort: Effort = Effort.FAST

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

        interpolates = self.strategy is StrategyId.I_FRAME_INTERPOLATION
        refinement = 0 if interpolates else _REFINEMENT[self.effort]
        coder = resources.latent_coder(self.tier, self.device, refinement)
        quality = FINEST_QUALITY - round(setting)
        # Scenes that are shorter than an interval are the same with a longer one.
        longest = max(1, len(scene.frames) - 1)
        intervals = sorted({min(each, longest) for each in _INTERVALS[self.effort]})
        ways = [
            code_scene(coder, self.strategy, scene, quality, interval)
            for interval in (intervals if interpolates else intervals[:1])
        ]
        body, quality_db = min(ways, key=lambda way: _cost(way[0], way[1], scene, quality))
        made = candidate(scene, self.strategy, None, self.name, setting, body, quality_db)
        return (made,)


def _cost(body: LatentBody, quality_db: Sequence[float], scene: Scene, quality: int) -> float:
    """Mean squared error, in squared grey levels, and what the bits of a pixel cost: the price is
    that of the networks' training."""
    # torch takes seconds to load, and code_scene has done it.
    from ..training.latent import price_of_bits

    error = fmean(255.0**2 * 10 ** (-each / 10) for each in quality_db)
    pixels = scene.format.width * scene.format.height * len(scene.frames)
    return error + price_of_bits(quality) * 8 * len(pack_latents(body)) / pixels
