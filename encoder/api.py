"""`encode`: a video in, the smallest stream that meets the target out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ..runtime.chunks import Codec, StrategyId
from ..runtime.container import Limits
from ..runtime.errors import EdgecodecError, UnsupportedError
from ..runtime.payloads import Body, HybridBody, ProceduralBody, parse_body
from ..runtime.video import open as open_stream
from .adaptation import Adaptation
from .bench import Bench
from .draft import Draft, until
from .effort import Effort, Search
from .explore import Explored
from .goal import BestTrade, Budget, EachScore, Goal, MeanScore
from .laboratory import Laboratory
from .local_bench import local_bench, usual_jobs, usual_threads
from .media import SourceInfo, open_source, read_aux
from .passes import ScenePasses
from .quality import SequenceQuality
from .report import EncodeProgress, EncodeReport, SceneReport, TrialReport, within
from .rounds import Rounds
from .store import TrialStore
from .strategies import Candidate
from .targets import (
    BitrateTarget,
    Metric,
    MetricTarget,
    QualityTarget,
    Scope,
    SizeTarget,
    Target,
)
from .title_store import TitleStore
from .title_task import TitleTuning, usual_steps
from .title_worth import title_bits
from .titles import TitleSettings, fit_titles
from .verdict import AIM_OF_TOLERANCE, RATE_AIM, SIZE_AIM, TOLERANCES, judge, mean_score
from .ways import SIZES, check_device, ways
from .workspace import Workspace

ProgressCallback = Callable[[EncodeProgress], None]
# Of the work on scenes, what comes before weights of the title's own.
_PLAIN_SHARE = 0.5


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode.

    `strategies` are the ways that scenes may be coded in, none for all that this video can have.
    `effort` says which presets the standard codecs run with, `search` how many ways are tried.
    `tier` names the networks that the player will need, `device` ("cpu" or "cuda") is where the
    encoder's own networks run. `codecs` are the standard codecs that may be used. `frames` is how
    many frames of the source are encoded, None for all.

    `sizes` ("full", "half") are those that a standard codec's layer may have against the video.
    `adapt` says how far streams may be fitted to the title, None for what the effort affords:
    filters of scenes when it is to be fast, weights of the title's own too otherwise.
    `title_steps` is how many steps such weights are searched with, None for what suits the effort.

    `tune` is the measure by which ways are compared and, where the tier can, latents are made: None
    for that of the target if it has one, else PSNR.

    `jobs` is how many trials are encoded at a time, `threads` how many threads each may use; 0 is
    chosen by the cores. More than one job runs in processes of their own: a script that asks for
    it needs Python's usual `if __name__ == "__main__":`. Neither changes the stream.

    `cache` is a folder that keeps every trial by its content for other encodes; without it they
    are kept until this one is complete.
    """

    strategies: tuple[str, ...] = ()
    target: Target = QualityTarget(50.0)  # noqa: RUF009 (it is frozen)
    effort: Effort = Effort.NORMAL
    search: Search = Search.PRUNED
    tier: str = "nano"
    device: str = "cpu"
    codecs: tuple[Codec, ...] = (Codec.AV1, Codec.H265, Codec.H264, Codec.VVC)
    threads: int = 0
    jobs: int = 1
    frames: int | None = None
    cache: Path | None = None
    adapt: Adaptation | None = None
    sizes: tuple[str, ...] = tuple(SIZES)
    title_steps: int | None = None
    tune: Metric | None = None

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames < 1:
            raise ValueError(f"the first {self.frames} frames: at least one is wanted")
        if not self.sizes:
            raise ValueError(f"no sizes: choose of {', '.join(SIZES)}")
        if self.title_steps is not None and self.title_steps < 1:
            raise ValueError(f"{self.title_steps} steps for title weights: at least one is wanted")
        if isinstance(self.target, MetricTarget) and self.tune not in (None, self.target.metric):
            raise ValueError(
                f"a target of {self.target.metric.name} is reached by {self.target.metric.name}, "
                f"not by {self.tune.name}"
            )

    @property
    def metric(self) -> Metric:
        """What ways to code a scene are compared by."""
        if isinstance(self.target, MetricTarget):
            return self.target.metric
        return self.tune or Metric.PSNR

    @property
    def adaptation(self) -> Adaptation:
        """How far the stream is fitted to the title."""
        if self.adapt is not None:
            return self.adapt
        return Adaptation.FILTER if self.effort is Effort.FAST else Adaptation.TITLE

    @property
    def tuning(self) -> TitleTuning:
        """How title weights are searched."""
        return TitleTuning(steps=self.title_steps or usual_steps(self.effort))


def encode(
    source: Path,
    output: Path,
    options: EncodeOptions | None = None,
    progress: ProgressCallback | None = None,
    bench: Bench | None = None,
) -> EncodeReport:
    """Encode the video `source` into the stream `output`, which is replaced if it exists.

    Every scene is coded in several ways and decoded again by the player's own code; the choice is
    made over all scenes at once. `output` appears when it is complete. Finished trials are kept
    in `OUTPUT.parts` until then, so that an encode that was cut off goes on where it stopped.
    The same source and options give the same file. `bench` is where trials are made, None for
    `options.jobs` at a time on this machine; it is closed in the end, and neither it changes the
    stream.

    Raises FileNotFoundError, BitstreamError (a damaged source), UnsupportedError (what this
    version cannot code, with what to do), ModelError (a network is missing), ProviderError (no
    such device), EdgecodecError (every way to code a scene failed).
    """
    options = options or EncodeOptions()
    report = progress or (lambda _: None)
    began = time.perf_counter()
    _check_paths(source, output)
    check_device(options.device)
    with open_source(source) as video:
        info = video.info
    possible = ways(
        options.strategies,
        options.codecs,
        options.effort,
        options.tier,
        options.device,
        info.format,
        options.sizes,
        options.adaptation,
        options.metric,
    )
    aux_streams, aux_packets = read_aux(source)
    jobs = options.jobs or usual_jobs()
    metric = options.metric
    workspace = Workspace(output)
    store = TrialStore(options.cache or workspace.folder)
    threads = options.threads or usual_threads(jobs)
    expected = info.frame_count or 1 if options.frames is None else options.frames
    searched = _PLAIN_SHARE if options.adaptation is Adaptation.TITLE else 1.0
    apart = jobs > 1 or bench is not None
    bench = bench or local_bench(jobs, threads)
    with Laboratory(store, bench, metric) as laboratory:
        at_once = bench.scenes_at_once(info.format)
        passes = ScenePasses(source, workspace.folder, at_once, options.frames, laboratory.close)

        def rounds_telling(tell: ProgressCallback) -> Rounds:
            return Rounds(passes, laboratory, possible, metric, options.search, expected, tell)

        rounds = rounds_telling(within(report, 0.0, searched))
        try:
            scenes = rounds.explore(options.target, _claimed_seconds(info, options))
            draft = Draft(info, scenes, options.tier, aux_streams, aux_packets)
            if options.frames is not None:
                end = draft.scenes[-1].pts[-1] * info.time_base + 1 / info.frame_rate
                draft = replace(draft, aux_packets=until(end, aux_streams, aux_packets))
            plain = draft
            goal = _goal(options.target, plain, metric)
            scenes = rounds.steer(scenes, goal)
            if options.adaptation is Adaptation.TITLE:
                fitted = fit_titles(
                    scenes,
                    lambda titles: _goal(
                        options.target, replace(plain, titles=tuple(titles)), metric
                    ),
                    passes,
                    rounds_telling,
                    TitleSettings(
                        possible.trials,
                        options.tier,
                        info.format,
                        metric,
                        options.tuning,
                        options.device,
                        workspace.folder,
                        TitleStore(store.folder),
                        threads,
                        apart=apart,
                    ),
                    within(report, searched, 1.0),
                )
                scenes, goal = fitted.scenes, fitted.goal
                draft = replace(draft, titles=fitted.titles)
        finally:
            laboratory.close()
            workspace.leave()
        encodes = laboratory.encodes
    chosen = goal.choose([each.candidates for each in scenes])
    report(EncodeProgress("writing", 1.0))
    partial = output.with_name(output.name + ".partial")
    try:
        with partial.open("wb") as file:
            replace(draft, scenes=scenes).write(file, chosen)
        measured = _measure(source, partial, options, draft.frames, report)
        size = partial.stat().st_size
        os.replace(partial, output)
    finally:
        partial.unlink(missing_ok=True)
    rate = 8 * (size - draft.aux_bytes) / draft.duration_s
    verdict = judge(options.target, chosen, rate, size)
    reports = _scene_reports(scenes, chosen, info)
    workspace.remove()
    return EncodeReport(
        file=str(output),
        bytes=size,
        frames=measured.frames,
        duration_s=draft.duration_s,
        bitrate_mbps=rate / 1e6,
        other_streams_mbps=8 * draft.aux_bytes / draft.duration_s / 1e6,
        psnr=measured.psnr.weighted,
        ssim=measured.ssim.all,
        vmaf=mean_score(chosen) if metric is Metric.VMAF else None,
        encode_fps=measured.frames / (time.perf_counter() - began),
        trial_encodes=encodes,
        title_bytes=title_bits(draft.titles) // 8,
        target_met=verdict.met,
        note=verdict.note,
        scenes=reports,
    )


def _check_paths(source: Path, output: Path) -> None:
    if output.exists() and source.exists() and output.samefile(source):
        raise UnsupportedError(f"{output} is the source itself: choose another name")
    if output.is_dir():
        raise UnsupportedError(f"{output} is a folder: name a file in it")


def _claimed_seconds(info: SourceInfo, options: EncodeOptions) -> float | None:
    """How long what is encoded is, by what the file claims."""
    if options.frames is None:
        return info.duration_s
    claimed = options.frames if info.frame_count is None else min(options.frames, info.frame_count)
    return float(claimed / info.frame_rate)


def _goal(target: Target, draft: Draft, metric: Metric) -> Goal:
    """What the target leaves for the scenes' chunks."""
    if isinstance(target, BitrateTarget):
        bits = target.bits_per_second * draft.duration_s - draft.other_bits()
        return Budget(bits, over=RATE_AIM, under=RATE_AIM)
    if isinstance(target, SizeTarget):
        bits = 8.0 * (target.bytes - draft.aux_bytes) - draft.other_bits()
        return Budget(bits, over=0.0, under=SIZE_AIM)
    if isinstance(target, MetricTarget):
        made = MeanScore if target.scope is Scope.MEAN else EachScore
        return made(target.value, AIM_OF_TOLERANCE * TOLERANCES[target.metric])
    return BestTrade(metric)


def _measure(
    source: Path,
    stream: Path,
    options: EncodeOptions,
    expected: int,
    report: ProgressCallback,
) -> SequenceQuality:
    """The finished file, decoded as a player does, against the source."""
    with open_source(source) as video, open_stream(stream, threads=options.threads) as decoded:
        quality = SequenceQuality(video.info.format.bit_depth)
        originals = islice(video.frames(), options.frames)
        for original, frame in zip(originals, decoded, strict=True):
            if frame.pts != original.pts:
                raise EdgecodecError(
                    f"{stream}: frame {quality.frames} decodes with pts {frame.pts}, the source "
                    f"has {original.pts}; this is a bug, please report it"
                )
            quality.add(original.planes, frame.planes)
            report(EncodeProgress("measuring", min(1.0, quality.frames / max(1, expected))))
        return quality


def _scene_reports(
    scenes: Sequence[Explored], chosen: Sequence[Candidate], info: SourceInfo
) -> tuple[SceneReport, ...]:
    first = scenes[0].pts[0]
    reports = []
    for scene, made in zip(scenes, chosen, strict=True):
        body = parse_body(made.strategy, made.read_body(), len(scene.pts), Limits())
        reports.append(
            SceneReport(
                start=float((scene.pts[0] - first) * info.time_base),
                frames=len(scene.pts),
                scene_class=scene.scene_class.name.lower(),
                strategy=_name(made.strategy),
                codec=made.codec.name.lower() if made.codec else None,
                way=made.trial,
                bits=made.bits,
                psnr=made.psnr,
                setting=made.setting,
                enhanced_frames=sum(body.enhanced) if isinstance(body, HybridBody) else 0,
                adaptation=_adaptation(body),
                trials=tuple(
                    TrialReport(
                        _name(each.strategy),
                        each.codec.name.lower() if each.codec else None,
                        each.trial,
                        each.setting,
                        each.bits,
                        each.psnr,
                    )
                    for each in scene.candidates
                ),
                skipped=scene.skipped,
            )
        )
    return tuple(reports)


def _adaptation(body: Body) -> str:
    if isinstance(body, ProceduralBody):
        return ""
    parts: dict[str, object] = {"filter": body.filter}
    if isinstance(body, HybridBody):
        parts = {"title": body.title, "code": body.scene_code, **parts}
    return "+".join(name for name, part in parts.items() if part is not None)


def _name(strategy: StrategyId) -> str:
    return strategy.name.lower()
