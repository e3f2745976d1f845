"""The rounds of an encode: a look at every scene, its first trials, and more until all fit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..runtime.errors import EdgecodecError
from .bench import Failure, Request
from .classify import SceneClass, classify
from .effort import Search
from .explore import Exploration, Explored
from .features import features
from .goal import BestTrade, Goal
from .laboratory import Laboratory
from .passes import ScenePasses
from .pilot import pilot, predicted_octaves
from .report import EncodeProgress
from .scene_file import SceneFile
from .steer import next_requests
from .strategies import Candidate
from .targets import BitrateTarget, Metric, MetricTarget, QualityTarget, SizeTarget, Target
from .ways import Ways

_MOST_ROUNDS = 8
_USUAL_ROUNDS = 3
# A quality of 0 is AV1's crf 63, every point of it half a step less; 45 is AV1's usual setting,
# and 10 steps are an octave of bits.
_WORST_CRF, _CRF_PER_QUALITY, _USUAL_CRF, _CRF_PER_OCTAVE = 63.0, 0.5, 45.0, 10.0
# Of examples/media/bbb_720p.mp4 at AV1's usual setting (SVT-AV1 preset 4, 10 bits, 60 frames).
_DEMO_BITS_PER_PIXEL = 0.0237
# Where an exhaustive search that is to be steered looks at every way.
_STEERED_AROUND = (-1.0, 0.0, 1.0)


@dataclass(frozen=True)
class _Look:
    """A scene at first sight: its class, and about how many bits it needs at usual settings."""

    scene_class: SceneClass
    usual_bits: float


class Rounds:
    """Takes the scenes of `passes` through the laboratory.

    `frames` is about how many frames there are, for the progress that is reported.
    """

    def __init__(
        self,
        passes: ScenePasses,
        laboratory: Laboratory,
        possible: Ways,
        metric: Metric,
        search: Search,
        frames: int,
        report: Callable[[EncodeProgress], None],
    ) -> None:
        self._passes = passes
        self._laboratory = laboratory
        self._possible = possible
        self._metric = metric
        self._search = search
        self._progress = _Progress(frames, report)

    def explore(self, target: Target, duration_s: float | None) -> list[Explored]:
        """Every scene's first trials, about where the target will have them.

        Raises EdgecodecError where all ways to code a scene fail.
        """
        looks: dict[int, _Look] = {}
        if isinstance(target, BitrateTarget | SizeTarget):
            self._progress.begin("looking", 0)
            looks = self._passes.each(_look, lambda _: True, self._progress.advance)
        octaves = _octaves(target, duration_s, looks)
        steered = not isinstance(target, QualityTarget)
        around = _STEERED_AROUND if steered else (0.0,)
        self._progress.begin("trials", _USUAL_ROUNDS if steered else 1)

        def work(scene: SceneFile) -> Explored:
            return self._explored(scene, looks.get(scene.index), octaves, around)

        explored = self._passes.each(work, lambda _: True, self._progress.advance)
        return [explored[number] for number in sorted(explored)]

    def steer(self, scenes: Sequence[Explored], goal: Goal) -> list[Explored]:
        """More trials, until the scenes together meet the goal or nothing brings them nearer."""
        known = list(scenes)
        if isinstance(goal, BestTrade):
            return known
        failed: set[tuple[int, Request]] = set()
        for finished in range(_MOST_ROUNDS):
            wanted = next_requests(known, goal, self._metric, finished)
            requests = {n: each for n, each in wanted.items() if (n, each) not in failed}
            if not requests:
                break
            self._progress.begin(f"round {finished + 2}", max(1, _USUAL_ROUNDS - 1 - finished))
            brought = self._brought(requests)
            for number, (made, skipped) in brought.items():
                known[number] = known[number].with_more(made, skipped)
                if not made:
                    failed.add((number, requests[number]))
        return known

    def tried(self, scenes: Sequence[Explored], requests: Mapping[int, Request]) -> list[Explored]:
        """The scenes with these trials, by the scenes' numbers."""
        known = list(scenes)
        self._progress.begin("trials", _USUAL_ROUNDS)
        for number, (made, skipped) in self._brought(requests).items():
            known[number] = known[number].with_more(made, skipped)
        return known

    def _brought(
        self, requests: Mapping[int, Request]
    ) -> dict[int, tuple[list[Candidate], list[str]]]:
        more = partial(self._more, requests)
        return self._passes.each(more, requests.__contains__, self._progress.advance)

    def _explored(
        self, scene: SceneFile, look: _Look | None, octaves: float, around: Sequence[float]
    ) -> Explored:
        opened = scene.open()
        scene_class = (
            look.scene_class
            if look
            else classify(features(opened.frames, opened.format, opened.frame_rate))
        )
        trials = self._possible.trials
        exploration = Exploration(
            scene, self._laboratory, self._possible.wanted, self._metric, octaves
        )
        if self._search is Search.EXHAUSTIVE:
            exploration.everything(trials, around)
        else:
            exploration.pruned(trials, scene_class)
        if not exploration.made:
            said = "; ".join(exploration.skipped)
            raise EdgecodecError(
                f"scene {scene.index} (frames {scene.start} to "
                f"{scene.start + len(scene.pts) - 1}): every way to code it failed: {said}"
            )
        return Explored(
            scene.index,
            scene.start,
            scene.pts,
            scene_class,
            tuple(exploration.made),
            tuple(exploration.alive),
            (*self._possible.notes, *exploration.skipped),
            scene.digest,
        )

    def _more(
        self, requests: Mapping[int, Request], scene: SceneFile
    ) -> tuple[list[Candidate], list[str]]:
        request = requests[scene.index]
        (outcome,) = self._laboratory.run(scene, [request])
        if isinstance(outcome, Failure):
            return [], [f"{request.trial.name}: {outcome.reason}"]
        return [each for each in outcome if each.strategy in self._possible.wanted], []


def _look(scene: SceneFile) -> _Look:
    opened = scene.open()
    found = features(opened.frames, opened.format, opened.frame_rate)
    small = pilot(opened)
    bits = _DEMO_BITS_PER_PIXEL * small.scene_pixels * 2 ** predicted_octaves(small, found)
    return _Look(classify(found), bits)


def _octaves(target: Target, duration_s: float | None, looks: dict[int, _Look]) -> float:
    """How far below the usual settings the target is likely to be met, in octaves of bits."""
    if isinstance(target, QualityTarget):
        crf = _WORST_CRF - _CRF_PER_QUALITY * target.quality
        return (crf - _USUAL_CRF) / _CRF_PER_OCTAVE
    if isinstance(target, MetricTarget):
        return 0.0
    bits = 8.0 * target.bytes if isinstance(target, SizeTarget) else 0.0
    if isinstance(target, BitrateTarget):
        bits = target.bits_per_second * (duration_s or 0.0)
    usual = math.fsum(look.usual_bits for look in looks.values())
    return math.log2(usual / bits) if bits > 0 and usual > 0 else 0.0


class _Progress:
    """Turns scenes that are done into a share of the whole, and a guess of the time left."""

    def __init__(self, frames: int, report: Callable[[EncodeProgress], None]) -> None:
        self._frames = max(1, frames)
        self._report = report
        self._stage = ""
        self._rounds_left = 1
        self._done = 0
        self._before = 0.0
        self._began = time.perf_counter()

    def begin(self, stage: str, rounds_left: int) -> None:
        """A new pass, after which so many less one are to come; 0: a quick one that counts not."""
        if self._done and self._rounds_left:
            self._before += (1 - self._before) / self._rounds_left
        self._stage, self._rounds_left, self._done = stage, rounds_left, 0
        self._tell("")

    def advance(self, scene: SceneFile) -> None:
        """One more scene is done."""
        self._done += len(scene.pts)
        self._tell(f"scene {scene.index + 1}")

    def _tell(self, detail: str) -> None:
        share = min(1.0, self._done / self._frames)
        done = self._before
        if self._rounds_left:
            done += (1 - self._before) / self._rounds_left * share
        elapsed = time.perf_counter() - self._began
        left = elapsed * (1 - done) / done if done > 0.02 else None
        self._report(EncodeProgress(self._stage, done, detail, left))
