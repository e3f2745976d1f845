"""Clips through systems at several rates: every point is encoded, decoded and measured once."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from ..encoder.vmaf import VmafMeter
from ..runtime.errors import EdgecodecError, UnsupportedError
from .clips import Clip, load_clip
from .digests import clip_digest
from .environment import hardware
from .metrics import measure_sequence
from .point_cache import PointCache
from .points import MeasuredPoint
from .report_data import SystemKind
from .systems import Advance, Encode, System

VIDEO_SUFFIXES = frozenset(
    (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm", ".wmv", ".y4m")
)


@dataclass(frozen=True)
class EvaluateOptions:
    """How clips are measured: the first `frames` of each (None: all), with VMAF or without, and
    where measured points are kept."""

    cache: PointCache
    frames: int | None = 60
    vmaf: bool = True


@dataclass(frozen=True)
class SystemResult:
    """One system's points on one clip, in the order in which they were asked for.

    `failures` says for each encode that did not come to a point what went wrong.
    """

    name: str
    kind: SystemKind
    points: tuple[MeasuredPoint, ...]
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClipResult:
    """What all systems made of one clip; `sha256` identifies the frames that were compared."""

    name: str
    sha256: str
    width: int
    height: int
    bit_depth: int
    frames: int
    frame_rate: float
    systems: tuple[SystemResult, ...]

    @property
    def seconds(self) -> float:
        """How long the compared frames are shown."""
        return self.frames / self.frame_rate


@dataclass(frozen=True)
class Evaluation:
    """All clips that could be read, and for the others what was wrong."""

    clips: tuple[ClipResult, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[str, ...]:
        """Everything that could not be measured, one line each."""
        encodes = [
            f"{clip.name}: {system.name}: {failure}"
            for clip in self.clips
            for system in clip.systems
            for failure in system.failures
        ]
        return (*self.unreadable, *encodes)


@dataclass(frozen=True)
class EvaluateProgress:
    """Where an evaluation stands.

    `done` of `total` encodes are measured, which counts the share of the one that runs; `doing`
    names that one, "" at the end.
    `finished` tells about the last one that was measured just now, "" where it was kept from
    before. `seconds_left` is None before there is anything to estimate it from.
    """

    done: float
    total: int
    doing: str
    finished: str = ""
    seconds_left: float | None = None


ProgressCallback = Callable[[EvaluateProgress], None]


def find_clips(paths: Sequence[Path]) -> list[Path]:
    """The files among the paths, and the videos that lie in the folders among them, by name.

    What does not exist is left in the list: reading it says so. Raises UnsupportedError for a
    folder that holds no video.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        videos = sorted(
            each
            for each in path.iterdir()
            if each.suffix.lower() in VIDEO_SUFFIXES and each.is_file()
        )
        if not videos:
            raise UnsupportedError(
                f"{path}: the folder holds no video ({', '.join(sorted(VIDEO_SUFFIXES))}); "
                "name one that does, or the files themselves"
            )
        found += videos
    return list(dict.fromkeys(found))


def evaluate(
    paths: Sequence[Path],
    systems: Sequence[System],
    options: EvaluateOptions,
    progress: ProgressCallback | None = None,
) -> Evaluation:
    """Encode each clip with every system, decode the bytes, and compare the frames.

    One clip is in memory at a time; decoded frames are compared as they come. A clip that cannot
    be read and an encode that fails cost only themselves. Points are kept in the cache as soon
    as they are measured, so that a run that was cut off goes on there.
    """
    run = _Run(options, progress or (lambda _: None), _TimeLeft(len(paths), systems))
    clips = []
    unreadable = []
    for path, name in zip(paths, distinct_names(paths), strict=True):
        try:
            # A function of its own: its clip is gone before the next one is read.
            clips.append(_clip_result(path, name, systems, run))
        except _Unreadable as error:
            unreadable.append(str(error))
            run.time_left.skip_clip(systems)
    run.tell("")
    return Evaluation(tuple(clips), tuple(unreadable))


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its own, or its whole path where two are called the same."""
    count = Counter(path.name for path in paths)
    return [path.name if count[path.name] == 1 else path.as_posix() for path in paths]


class _Unreadable(Exception):
    """A clip that cannot be compared with anything."""


@dataclass
class _TimeLeft:
    """An estimate from the encodes so far: each system's mean, over what it still has to do."""

    clips: int
    systems: Sequence[System]
    spent: dict[str, list[float]] = field(default_factory=dict)
    done: int = 0
    left: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for system in self.systems:
            self.left[system.name] = self.clips * len(system.encodes)

    @property
    def total(self) -> int:
        return self.done + self.left.total()

    def finish(self, system: str, seconds: float | None) -> None:
        """Count an encode; `seconds` is None where it was kept from before."""
        self.left[system] -= 1
        self.done += 1
        if seconds is not None:
            self.spent.setdefault(system, []).append(seconds)

    def skip_clip(self, systems: Sequence[System]) -> None:
        """Count a clip's encodes as done: it cannot be read."""
        for system in systems:
            self.left[system.name] -= len(system.encodes)
            self.done += len(system.encodes)

    def estimate(self) -> float | None:
        every = [seconds for spent in self.spent.values() for seconds in spent]
        if not every:
            return None
        usual = sum(every) / len(every)
        means = {name: sum(spent) / len(spent) for name, spent in self.spent.items()}
        return sum(count * means.get(name, usual) for name, count in self.left.items())


@dataclass
class _Run:
    """What stays the same from clip to clip."""

    options: EvaluateOptions
    progress: ProgressCallback
    time_left: _TimeLeft

    def tell(self, doing: str, finished: str = "", share: float = 0.0) -> None:
        left = self.time_left
        self.progress(
            EvaluateProgress(left.done + share, left.total, doing, finished, left.estimate())
        )


def _clip_result(path: Path, name: str, systems: Sequence[System], run: _Run) -> ClipResult:
    run.tell(f"{name}: reading")
    try:
        clip = load_clip(path, run.options.frames)
    except (EdgecodecError, OSError) as error:
        raise _Unreadable(str(error)) from error
    digest = clip_digest(clip)
    results = []
    with ExitStack() as stack:
        bench = _Bench(clip, path, name, digest, run, stack)
        for system in systems:
            points = []
            failures = []
            for encode in system.encodes:
                point = bench.point(system, encode)
                if isinstance(point, MeasuredPoint):
                    points.append(point)
                else:
                    failures.append(f"{encode.label}: {point}")
            results.append(SystemResult(system.name, system.kind, tuple(points), tuple(failures)))
    return ClipResult(
        name=name,
        sha256=digest,
        width=clip.format.width,
        height=clip.format.height,
        bit_depth=clip.format.bit_depth,
        frames=len(clip.frames),
        frame_rate=float(clip.frame_rate),
        systems=tuple(results),
    )


@dataclass
class _Bench:
    """One clip with what its encodes are measured with; `stack` closes it."""

    clip: Clip
    path: Path
    name: str
    digest: str
    run: _Run
    stack: ExitStack
    meter: VmafMeter | None = None

    def point(self, system: System, encode: Encode) -> MeasuredPoint | str:
        """The point of an encode, kept or measured now; why there is none where it failed."""
        doing = f"{self.name}: {system.name} {encode.label}"
        self.run.tell(doing)
        options, time_left = self.run.options, self.run.time_left
        identity = {"clip": self.digest, **encode.identity()}
        kept = options.cache.load(identity)
        if kept is not None and (kept.vmaf is not None or not options.vmaf):
            time_left.finish(system.name, None)
            return kept
        start = perf_counter()
        try:
            point = self._measure(encode, lambda share: self.run.tell(doing, share=share))
            options.cache.save(identity, point)
        except Exception as error:  # One encode's trouble, whatever it is, is not the others'.
            time_left.finish(system.name, None)
            reason = f"{type(error).__name__}: {error}"
            self.run.tell("", f"{doing}: failed: {reason}")
            return reason
        seconds = perf_counter() - start
        time_left.finish(system.name, seconds)
        self.run.tell("", f"{doing}: {_in_words(point)} ({seconds:.1f} s)")
        return point

    def _measure(self, encode: Encode, advance: Advance) -> MeasuredPoint:
        clip = self.clip
        with tempfile.TemporaryDirectory(prefix="edgecodec-evaluate-") as folder:
            coded = encode.run(clip, self.path, Path(folder), advance)
            quality = measure_sequence(
                clip.frames, coded.frames(), clip.format.bit_depth, self._vmaf_meter()
            )
        vmaf = quality.vmaf
        return MeasuredPoint(
            setting=encode.label,
            bytes=coded.bytes,
            bitrate_mbps=clip.bitrate_mbps(coded.bytes),
            psnr=quality.psnr.weighted,
            psnr_y=quality.psnr.y,
            psnr_u=quality.psnr.u,
            psnr_v=quality.psnr.v,
            ssim=quality.ssim.all,
            vmaf=vmaf.vmaf if vmaf else None,
            vmaf_neg=vmaf.vmaf_neg if vmaf else None,
            frames=quality.frames,
            encode_fps=coded.encode_fps,
            decode_fps=coded.decode_fps,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            hardware=hardware(),
            scenes=coded.scenes,
            trial_encodes=coded.trial_encodes,
            kept_trials=coded.kept_trials,
            note=coded.note,
            title_bytes=coded.title_bytes,
        )

    def _vmaf_meter(self) -> VmafMeter | None:
        """A meter that holds the clip, made when the first encode needs it."""
        if self.run.options.vmaf and self.meter is None:
            clip = self.clip
            self.meter = self.stack.enter_context(
                VmafMeter(clip.frames, clip.format, full_range=clip.color.full_range)
            )
        return self.meter


def _in_words(point: MeasuredPoint) -> str:
    words = f"{point.bitrate_mbps:.3f} Mb/s, {point.psnr:.2f} dB"
    return words if point.vmaf is None else f"{words}, VMAF {point.vmaf:.1f}"
