"""The first look at a scene: which ways of coding it stay in the race."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..runtime.chunks import Codec, StrategyId
from .bench import Failure, Request
from .classify import SceneClass
from .curves import PER_OCTAVE, fit, measured_slope, trade
from .laboratory import Laboratory
from .lineup import lineup
from .scene_file import SceneFile
from .strategies import SETTING_STEP, Candidate, StandardTrial, Trial
from .targets import Metric

# Slopes of quality over bits, in units of the usual one, that scenes are known to have.
_SLOPES = (0.6, 1.0, 2.0, 3.0)
# A way this far behind at any of these slopes does not catch up (in usual octaves of bits).
_HOPELESS_OCTAVES = 0.2
# Coding half the samples pays only where the picture is coarse already.
_HALVES_FROM_OCTAVES = 0.8
# What the latents' networks reach is below this; and how many frames show it.
_LATENTS_BELOW_DB = 34.0
_PROBE_FRAMES = 9
# Candidates nearer than this in bits are compared as they are.
_LIKE_OCTAVES = 0.08
_SETTLING_ENCODES = 2
_QUICKEST_FIRST = (Codec.H264, Codec.H265, Codec.AV1, Codec.VVC)


@dataclass(frozen=True)
class Explored:
    """What is known of a scene: all `candidates` so far, and the trials that are still `alive`.

    `skipped` says which ways were not followed, and why. `digest` names the source's frames (see
    `SceneFile`).
    """

    index: int
    start: int
    pts: tuple[int, ...]
    scene_class: SceneClass
    candidates: tuple[Candidate, ...]
    alive: tuple[Trial, ...]
    skipped: tuple[str, ...] = field(repr=False)
    digest: str = field(default="", repr=False)

    def of(self, trial: Trial) -> list[Candidate]:
        """The candidates that a trial made."""
        return [each for each in self.candidates if each.trial == trial.name]

    def with_more(self, made: Sequence[Candidate], skipped: Sequence[str]) -> Explored:
        """The same with what another round brought."""
        return replace(
            self,
            candidates=(*self.candidates, *made),
            skipped=(*self.skipped, *skipped),
        )


def setting_at(trial: Trial, octaves: float) -> float:
    """The setting that many octaves of bits below the trial's usual one, within its range."""
    lowest, highest = trial.settings
    wanted = trial.usual_setting + octaves * trial.settings_per_octave
    steps = round(wanted / SETTING_STEP)
    return min(max(steps * SETTING_STEP, lowest), highest)


@dataclass
class Exploration:
    """One scene's first round in the laboratory.

    `wanted` are the strategies whose candidates count, `octaves` where to look: how far below the
    trials' usual settings.
    """

    scene: SceneFile
    laboratory: Laboratory
    wanted: frozenset[StrategyId]
    metric: Metric
    octaves: float
    made: list[Candidate] = field(default_factory=list)
    alive: list[Trial] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def everything(self, trials: Sequence[Trial], around: Sequence[float]) -> None:
        """All trials at each of these distances from `octaves`; nothing is dropped."""
        for offset in around:
            self._try(trials, self.octaves + offset)
        self._settle()

    def pruned(self, trials: Sequence[Trial], scene_class: SceneClass) -> None:
        """The trials that the class leaves, and of these the ones that keep up."""
        line = lineup(trials, scene_class)
        self.skipped += line.left_out
        self._try(line.first, self.octaves)
        if not self.made:
            # None of the likely ones could do it: whatever else there is comes in.
            others = [each for each in trials if each not in line.first]
            self._try(others, self.octaves)
        self._drop_hopeless()
        leader = self._leader()
        if leader is not None and self._is_coarse(leader):
            same = [each for each in line.halves if _codec(each) is _codec(leader)]
            self._try(same, self.octaves)
            self._drop_hopeless()
        for trial in line.latents:
            self._try_latent(trial)
        self._settle()

    def _try(self, trials: Sequence[Trial], octaves: float) -> None:
        self._run([Request(trial, setting_at(trial, octaves)) for trial in trials])

    def _run(self, requests: Sequence[Request]) -> None:
        outcomes = self.laboratory.run(self.scene, requests)
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, Failure):
                self.skipped.append(f"{request.trial.name}: {outcome.reason}")
                continue
            made = [each for each in outcome if each.strategy in self.wanted]
            known = {(each.trial, each.setting) for each in self.made}
            self.made += [each for each in made if (each.trial, each.setting) not in known]
            if made and request.trial not in self.alive:
                self.alive.append(request.trial)

    def _of(self, trial: Trial) -> list[Candidate]:
        return [each for each in self.made if each.trial == trial.name]

    def _best(self, trial: Trial, slope: float | None = None) -> Candidate:
        return max(self._of(trial), key=lambda each: trade(each, self.metric, slope))

    def _leader(self) -> Trial | None:
        return max(self.alive, key=lambda each: trade(self._best(each), self.metric), default=None)

    def _behind(self, trial: Trial) -> float:
        """How far the trial is behind another one, in octaves of bits, at whichever slope it
        looks best."""
        own = self._best(trial)
        worst = 0.0
        for rival in self.alive:
            other = self._best(rival)
            worst = max(worst, min(_octaves_behind(own, other, s, self.metric) for s in _SLOPES))
        return worst

    def _drop_hopeless(self) -> None:
        for trial in list(self.alive):
            behind = self._behind(trial)
            if behind > _HOPELESS_OCTAVES:
                self.alive.remove(trial)
                percent = 100 * (2**behind - 1)
                self.skipped.append(f"{trial.name}: needs {percent:.0f} % more bits or so")

    def _is_coarse(self, leader: Trial) -> bool:
        made = self._best(leader)
        octaves = (made.setting - leader.usual_setting) / leader.settings_per_octave
        return octaves >= _HALVES_FROM_OCTAVES

    def _try_latent(self, trial: Trial) -> None:
        leader = self._leader()
        if leader is None:
            self._try([trial], 0.0)
            return
        if leader == trial:
            return
        best = self._best(leader)
        if best.psnr >= _LATENTS_BELOW_DB:
            self.skipped.append(
                f"{trial.name}: not tried where {leader.name} is above {_LATENTS_BELOW_DB:g} dB"
            )
            return
        probes = (
            Request(leader, best.setting, _PROBE_FRAMES),
            Request(trial, trial.settings[1], _PROBE_FRAMES),
        )
        outcomes = self.laboratory.run(self.scene, probes)
        scores = []
        for probe, outcome in zip(probes, outcomes, strict=True):
            if isinstance(outcome, Failure):
                self.skipped.append(f"{probe.trial.name}: {outcome.reason}")
                return
            scores.append(max(outcome, key=lambda each: trade(each, self.metric)))
        reference, probed = scores
        behind = min(_octaves_behind(probed, reference, s, self.metric) for s in _SLOPES)
        if behind > _HOPELESS_OCTAVES:
            self.skipped.append(
                f"{trial.name}: {behind:.1f} octaves of bits behind on {_PROBE_FRAMES} frames"
            )
            return
        self._try([trial], 0.0)

    def _settle(self) -> None:
        """Bring the two best ways to like bits, by more encodes of the quicker one, so that what
        tells them apart is not the slope that was assumed."""
        for _ in range(_SETTLING_ENCODES):
            slope = measured_slope(self.made, self.metric)
            best = sorted(
                (self._best(each, slope) for each in self.alive),
                key=lambda each: -trade(each, self.metric, slope),
            )[:2]
            if len(best) < 2:
                return
            trials = {each.name: each for each in self.alive}
            quick, slow = sorted(best, key=lambda each: _slowness(trials[each.trial]))
            trial = trials[quick.trial]
            curve = fit(trial, self._of(trial), len(self.scene.pts), self.metric)
            off = min(abs(math.log2(each.bits / slow.bits)) for each in self._of(trial))
            if curve is None or off < _LIKE_OCTAVES:
                return
            nearest = int(abs(curve.log2_bits - math.log2(slow.bits)).argmin())
            setting = float(curve.settings[nearest])
            if setting in {each.setting for each in self._of(trial)}:
                return
            self._run([Request(trial, setting)])


def _octaves_behind(own: Candidate, other: Candidate, slope: float, metric: Metric) -> float:
    """By how many octaves of bits `own` is behind `other` if quality rises with `slope` times
    what is usual."""
    bits = math.log2(own.bits / other.bits)
    usual = trade(own, metric) - trade(other, metric)
    per_octave = PER_OCTAVE[metric]
    quality = (usual + per_octave * bits) / (per_octave * slope)
    return bits - quality


def _codec(trial: Trial) -> object:
    return trial.codec if isinstance(trial, StandardTrial) else None


def _slowness(trial: Trial) -> int:
    """Ranks trials by how long they take."""
    if not isinstance(trial, StandardTrial):
        return 1
    return _QUICKEST_FIRST.index(trial.codec)
