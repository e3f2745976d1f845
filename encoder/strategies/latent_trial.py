"""Latents as a way to code a scene. torch is loaded when the first one is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from ...runtime.chunks import StrategyId
from ...runtime.latent_body import LatentBody, pack_latents
from ...runtime.latents import STEPS_Q16
from ...runtime.payloads import FrameKind
from ..adaptation import Adaptation
from ..detail_quality import FINEST_QUALITY as FINEST_DETAIL
from ..effort import Effort
from ..priors import coded_detail
from ..resources import Resources
from ..scene import Scene
from ..targets import Metric
from ._base import Candidate, candidate

if TYPE_CHECKING:
    from .latent import LatentCoder

FINEST_QUALITY = len(STEPS_Q16) - 1
"""Of latents."""
# How far I-frames may be apart in `i_frame_interpolation`, of which the best is taken.
_INTERVALS = {Effort.FAST: (8,), Effort.NORMAL: (8, 16), Effort.HIGH: (4, 8, 16, 32)}
# The same where frames continue others by motion (0: as far as the scene goes), and how far these
# reach back: frames that move on and on lose detail, which another I-frame brings back, and what
# moves unevenly is not between two frames that are far apart.
_MOVED = {
    Effort.FAST: ((0, 8),),
    Effort.NORMAL: ((0, 8), (0, 1), (16, 8)),
    Effort.HIGH: ((0, 8), (0, 1), (0, 4), (0, 16), (8, 8), (16, 8), (32, 8)),
}
# Steps of descent of each I-frame's latents in `semantic_latent`.
_REFINEMENT = {Effort.FAST: 0, Effort.NORMAL: 0, Effort.HIGH: 60}


@dataclass(frozen=True)
class LatentTrial:
    """A scene in latents; the setting, rounded, is `finest_quality` minus the quality index.

    `device` is where the analysis runs, a torch device, `effort` how much is searched. `tune` is
    the measure that latents are optimised for, of those that the tier has networks for. Scenes are
    filtered where `adapt` has filters.
    """

    strategy: StrategyId
    tier: str
    device: str
    effort: Effort = Effort.FAST
    tune: Metric = Metric.PSNR
    adapt: Adaptation = Adaptation.FILTER

    @property
    def name(self) -> str:
        """See `Trial.name`."""
        return self.strategy.name.lower()

    @property
    def finest_quality(self) -> int:
        """The finest quality index there is: that of latents, or beyond it that of detail."""
        is_semantic = self.strategy is StrategyId.SEMANTIC_LATENT
        has_detail = is_semantic and coded_detail(self.tier, self.tune) is not None
        return FINEST_DETAIL if has_detail else FINEST_QUALITY

    @property
    def settings(self) -> tuple[float, float]:
        """See `Trial.settings`."""
        return 0.0, float(self.finest_quality)

    @property
    def usual_setting(self) -> float:
        """See `Trial.usual_setting`."""
        # What there is of these networks is only of use at its lowest rates.
        return float(self.finest_quality)

    @property
    def settings_per_octave(self) -> float:
        """See `Trial.settings_per_octave`."""
        return 20.0

    def encode(self, scene: Scene, setting: float, resources: Resources) -> tuple[Candidate, ...]:
        """See `Trial.encode`."""
        from .latent_scene import code_scene

        interpolates = self.strategy is StrategyId.I_FRAME_INTERPOLATION
        refinement = 0 if interpolates else _REFINEMENT[self.effort]
        coder = resources.latent_coder(self.tier, self.device, refinement, self.tune, self.adapt)
        coder = coder.suited_to(scene)
        quality = self.finest_quality - round(setting)
        ways = [
            code_scene(coder, self.strategy, scene, quality, interval, reach)
            for interval, reach in self._ways(len(scene.frames), coder)
        ]
        if interpolates:
            body, quality_db = min(ways, key=lambda way: _cost(way[0], way[1], scene, quality))
        else:
            body, quality_db = max(ways, key=lambda way: _worth(way[0], way[1]))
        made = candidate(scene, self.strategy, None, self.name, setting, body, quality_db)
        return (made,)

    def _ways(self, frames: int, coder: LatentCoder) -> Sequence[tuple[int | None, int | None]]:
        """How far I-frames may be apart in a scene of so many frames, and how far others reach."""
        # Scenes that are shorter than a distance are the same with a longer one.
        longest = max(1, frames - 1)
        if self.strategy is StrategyId.I_FRAME_INTERPOLATION:
            apart = sorted({min(each, longest) for each in _INTERVALS[self.effort]})
            return [(interval, None) for interval in apart]
        if FrameKind.C not in coder.priors or coder.motion is None:
            return ((None, None),)
        reaches = dict.fromkeys(
            (interval if interval < frames else 0, min(reach, longest) if coder.has_between else 1)
            for interval, reach in _MOVED[self.effort]
        )
        return [(interval or None, reach) for interval, reach in reaches]


def _worth(body: LatentBody, quality_db: Sequence[float]) -> float:
    """Mean PSNR in dB, less what its bits usually bring. (The price that the networks were trained
    for is that of single pictures: with it, I-frames came in where they cost more than they
    brought.)"""
    # It needs this package.
    from ..curves import PER_OCTAVE

    return fmean(quality_db) - PER_OCTAVE[Metric.PSNR] * math.log2(len(pack_latents(body)))


def _cost(body: LatentBody, quality_db: Sequence[float], scene: Scene, quality: int) -> float:
    """Mean squared error, in squared grey levels, and what the bits of a pixel cost: the price is
    that of the networks' training."""
    # torch takes seconds to load, and code_scene has done it.
    from ..training.latent import price_of_bits

    error = fmean(255.0**2 * 10 ** (-each / 10) for each in quality_db)
    pixels = scene.format.width * scene.format.height * len(scene.frames)
    return error + price_of_bits(quality) * 8 * len(pack_latents(body)) / pixels
