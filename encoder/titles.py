"""Weights of a title's own: whether and which, decided on whole streams as they would be."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..runtime.base_stream import BaseStream, pack_base
from ..runtime.chunks import StrategyId
from ..runtime.container import Limits
from ..runtime.errors import EdgecodecError
from ..runtime.frames import PictureFormat
from ..runtime.models import ModelEntry, packaged_models, read_models
from ..runtime.payloads import ClassicalBody, HybridBody, parse_body
from ..runtime.title import TitleWeights
from ..runtime.upsample import Upsampling
from .adaptation import TitleFile
from .bench import Request
from .curves import PER_OCTAVE, measured_slope
from .explore import Explored
from .fingerprint import fingerprint
from .goal import Goal
from .passes import ScenePasses
from .report import EncodeProgress, within
from .rounds import Rounds
from .scene_file import SceneFile
from .strategies import Candidate, StandardTrial, Trial
from .targets import Metric
from .title_process import tune_apart
from .title_samples import SampleFile, crop_cells, plan_samples, scene_samples
from .title_store import KeptTitle, TitleStore
from .title_task import TitleTuning, TuningTask
from .title_worth import Fitted, is_better, title_bits

_STANDARD = (StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC)
_CHANNELS = {Upsampling.NONE: 24, Upsampling.EIGHT_TAP: 6}
# What little weights gain such scenes is not worth the minutes that they take.
_LEAST_BITS = 400_000
# Twice the bits are so many halvings of the distortion in dB.
_DB_PER_HALVING = 10 * math.log10(2)
# Of the work on one network's weights: samples, then the tuning, then trials with the result.
_SAMPLED, _TUNED = 0.1, 0.7


@dataclass(frozen=True)
class TitleSettings:
    """How an encode searches weights of its own.

    `trials` are all of the encode's, `tier` that of its networks, `device` torch's. `folder` is
    where samples lie meanwhile, `store` where finished weights are kept. `threads` decode, and
    with `apart` the tuning runs in a process of its own.
    """

    trials: Sequence[Trial]
    tier: str
    picture: PictureFormat
    metric: Metric
    tuning: TitleTuning
    device: str
    folder: Path
    store: TitleStore
    threads: int
    apart: bool


def fit_titles(
    scenes: Sequence[Explored],
    goal_with: Callable[[Sequence[TitleWeights]], Goal],
    passes: ScenePasses,
    rounds_telling: Callable[[Callable[[EncodeProgress], None]], Rounds],
    settings: TitleSettings,
    report: Callable[[EncodeProgress], None],
) -> Fitted:
    """Fit each network that the scenes as chosen now may use to its scenes, and see what it gives.

    `scenes` have met `goal_with(())` as far as they can; `goal_with` says what a stream with such
    weights leaves for the scenes. `rounds_telling` makes rounds that report to what it is given.
    Every set of weights is tried with real encodes, steered to what is left beside it, and kept if
    the whole stream is better for it.
    """
    known = Fitted(list(scenes), goal_with(()))
    groups = _groups(known, settings)
    for number, group in enumerate(groups):
        tell = within(report, number / len(groups), (number + 1) / len(groups))
        try:
            title = _tuned(group, known.scenes, passes, settings, within(tell, 0.0, _TUNED))
        except EdgecodecError as error:
            known = replace(known, scenes=_noted(known.scenes, group, f"title weights: {error}"))
            continue
        titles = (*known.titles, title.weights)
        goal = goal_with(titles)
        rounds = rounds_telling(within(tell, _TUNED, 1.0))
        file = TitleFile(title.path, title.digest, len(known.titles))
        tried = Fitted(_titled(known.scenes, group, file, rounds, goal), goal, titles)
        if is_better(tried, known, settings.metric):
            known = tried
        else:
            size = title_bits((title.weights,)) // 8
            why = f"title weights: {size:,} bytes of them do not pay"
            known = replace(known, scenes=_noted(known.scenes, group, why))
    return known


@dataclass(frozen=True)
class _Member:
    """A scene as it is coded now: the trial that did it, at which setting, and its base."""

    trial: StandardTrial
    made: Candidate
    base: BaseStream


@dataclass(frozen=True)
class _Group:
    """Scenes by their number whose bases are of one size, and what a network for them is told."""

    network: ModelEntry
    upsampling: Upsampling
    members: Mapping[int, _Member]

    @property
    def bits(self) -> int:
        """Of all its scenes."""
        return sum(each.made.bits for each in self.members.values())


def _groups(known: Fitted, settings: TitleSettings) -> list[_Group]:
    """The largest in bits comes first."""
    trials = {each.name: each for each in settings.trials}
    members: dict[Upsampling, dict[int, _Member]] = {}
    networks: dict[Upsampling, str] = {}
    chosen = known.goal.choose([each.candidates for each in known.scenes])
    for scene, made in zip(known.scenes, chosen, strict=True):
        trial = trials.get(made.trial)
        if made.strategy not in _STANDARD or not isinstance(trial, StandardTrial):
            continue
        body = parse_body(made.strategy, made.read_body(), len(scene.pts), Limits())
        if trial.enhancer and isinstance(body, ClassicalBody | HybridBody):
            member = _Member(trial, made, body.base)
            members.setdefault(trial.upsampling, {})[scene.index] = member
            networks[trial.upsampling] = trial.enhancer
    models = read_models(packaged_models(settings.tier)).networks if members else ()
    entries = {each.model_id: each for each in models if each.template is not None}
    groups = [
        _Group(entries[networks[upsampling]], upsampling, of_size)
        for upsampling, of_size in members.items()
        if networks[upsampling] in entries
    ]
    worth_it = [group for group in groups if group.bits >= _LEAST_BITS]
    return sorted(worth_it, key=lambda group: -group.bits)


def _tuned(
    group: _Group,
    scenes: Sequence[Explored],
    passes: ScenePasses,
    settings: TitleSettings,
    report: Callable[[EncodeProgress], None],
) -> KeptTitle:
    """The weights for a group, found in the store or made and put there."""
    price = _price(group, scenes, settings.metric)
    made_of = [
        (scenes[number].digest, hashlib.sha256(pack_base(member.base)).hexdigest())
        for number, member in group.members.items()
    ]
    template = group.network.template
    about = (group.network.model_id, template and template.sha256, settings.device)
    key = repr((about, made_of, price, settings.tuning, fingerprint()))
    known = settings.store.load(key)
    if known is not None:
        return known
    path = settings.folder / f"samples-{group.upsampling.name.lower()}.raw"
    try:
        sampling = within(report, 0.0, _SAMPLED)
        samples = _sampled(group, scenes, passes, settings, path, sampling)
        task = TuningTask(
            samples,
            settings.tier,
            group.network.name,
            price,
            settings.tuning,
            settings.device,
        )
        tuning = within(report, _SAMPLED, 1.0)
        weights = _run(task, settings.apart, lambda done: tuning(EncodeProgress("tuning", done)))
    finally:
        path.unlink(missing_ok=True)
    return settings.store.save(key, weights)


def _run(task: TuningTask, apart: bool, tell: Callable[[float], None]) -> TitleWeights:
    if apart:
        return tune_apart(task, tell)
    # Imported here, or every encode would wait for torch.
    from .title_tuning import tune

    return tune(task, tell)


def _sampled(
    group: _Group,
    scenes: Sequence[Explored],
    passes: ScenePasses,
    settings: TitleSettings,
    path: Path,
    report: Callable[[EncodeProgress], None],
) -> SampleFile:
    """Samples of all scenes of the group, drawn as they pass."""
    picture, tuning = settings.picture, settings.tuning
    numbers = list(group.members)
    plan = plan_samples(
        [len(scenes[number].pts) for number in numbers], picture, tuning.crop, tuning.samples
    )
    file = SampleFile(
        path, plan.count, _CHANNELS[group.upsampling], *crop_cells(picture, tuning.crop)
    )
    file.create()
    finished = 0

    def work(scene: SceneFile) -> None:
        place = numbers.index(scene.index)
        if plan.of(place):
            base = group.members[scene.index].base
            records = scene_samples(
                scene.open(), base, group.upsampling, plan.of(place), file, settings.threads
            )
            file.write(plan.starts[place], records)

    def advance(scene: SceneFile) -> None:
        nonlocal finished
        finished += 1
        report(EncodeProgress("tuning", finished / len(numbers), f"scene {scene.index + 1}"))

    passes.each(work, group.members.__contains__, advance)
    return file


def _price(group: _Group, scenes: Sequence[Explored], metric: Metric) -> float:
    """What share of the base's distortion a bit of weights must take away: as much as the same bit
    would if the scenes had it."""
    usual = PER_OCTAVE[Metric.PSNR]
    slopes = [
        measured_slope(scenes[number].candidates, metric) if metric is Metric.PSNR else usual
        for number in group.members
    ]
    frames = [len(scenes[number].pts) for number in group.members]
    slope = sum(map(math.prod, zip(slopes, frames, strict=True))) / sum(frames)
    return slope / _DB_PER_HALVING / group.bits


def _titled(
    scenes: Sequence[Explored], group: _Group, file: TitleFile, rounds: Rounds, goal: Goal
) -> list[Explored]:
    """The scenes with trials that use the weights, as near to the goal as they come."""
    requests = {
        number: Request(replace(member.trial, title=file), member.made.setting)
        for number, member in group.members.items()
    }
    tried = rounds.tried(scenes, requests)
    for number, request in requests.items():
        scene = tried[number]
        if scene.of(request.trial):
            plain = group.members[number].trial
            others = [each for each in scene.alive if each.name != plain.name]
            tried[number] = replace(scene, alive=(request.trial, *others))
    return rounds.steer(tried, goal)


def _noted(scenes: Sequence[Explored], group: _Group, note: str) -> list[Explored]:
    return [
        scene.with_more((), (note,)) if scene.index in group.members else scene for scene in scenes
    ]
