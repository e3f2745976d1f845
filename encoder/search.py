"""Finding the setting at which a scene meets an aim, by encoding it for real."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .scene import Scene
from .strategies import Candidate, Trial

_ENCODES = 4
_PSNR_PER_OCTAVE_DB = 3.0


@dataclass(frozen=True)
class BitsAim:
    """As near to `bits` for the scene as the trial's settings allow."""

    bits: float

    def octaves_off(self, made: Candidate) -> float:
        """How many times the bits must halve to get there; negative to grow."""
        return math.log2(made.bits / self.bits)

    tolerance_octaves: float = math.log2(1.02)


@dataclass(frozen=True)
class PsnrAim:
    """As near to a mean PSNR of `db` as the trial's settings allow."""

    db: float

    def octaves_off(self, made: Candidate) -> float:
        """See `BitsAim.octaves_off`: 3 dB are taken for one octave of bits."""
        return (made.psnr - self.db) / _PSNR_PER_OCTAVE_DB

    tolerance_octaves: float = 0.05 / _PSNR_PER_OCTAVE_DB


@dataclass(frozen=True)
class ShareAim:
    """The setting that lies `share` of the way from the worst (0) to the best (1)."""

    share: float


Aim = BitsAim | PsnrAim | ShareAim


def search(
    trial: Trial,
    scene: Scene,
    aim: Aim,
    begin: int | None = None,
    worth_going_on: Callable[[Sequence[Candidate]], bool] = lambda made: True,
) -> list[Candidate]:
    """Everything that was encoded on the way to `aim`, at most four settings.

    Starts at setting `begin`. `worth_going_on` is asked after each encode with its candidates.
    The first candidate of a setting is the one that is measured against the aim.
    """
    lowest, highest = trial.settings
    if isinstance(aim, ShareAim):
        return list(trial.encode(scene, round(highest - aim.share * (highest - lowest))))
    made: list[Candidate] = []
    seen: dict[int, float] = {}
    setting = min(max(trial.usual_setting if begin is None else begin, lowest), highest)
    while len(seen) < _ENCODES and setting not in seen:
        latest = trial.encode(scene, setting)
        made += latest
        seen[setting] = aim.octaves_off(latest[0])
        if abs(seen[setting]) <= aim.tolerance_octaves or not worth_going_on(latest):
            break
        setting = min(max(_next_setting(seen, trial.settings_per_octave), lowest), highest)
    return made


def _next_setting(seen: dict[int, float], settings_per_octave: float) -> int:
    """Where the aim lies by the settings tried: between two that enclose it, or beyond the nearest.

    Bits fall with the setting, nearly straight in logarithms.
    """
    above = [(setting, off) for setting, off in seen.items() if off >= 0]
    below = [(setting, off) for setting, off in seen.items() if off < 0]
    if above and below:
        low, high = max(above), min(below)
        if low[0] < high[0]:
            share = low[1] / (low[1] - high[1])
            return round(low[0] + share * (high[0] - low[0]))
    nearest = min(seen, key=lambda setting: abs(seen[setting]))
    step = round(seen[nearest] * settings_per_octave)
    if step == 0:
        step = 1 if seen[nearest] > 0 else -1
    return nearest + step
