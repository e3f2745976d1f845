"""edgecodec itself as a system of an evaluation: real encodes, played by the real runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ..encoder.adaptation import Adaptation
from ..encoder.api import EncodeOptions, ProgressCallback
from ..encoder.api import encode as encode_video
from ..encoder.effort import Effort, Search
from ..encoder.report import EncodeReport, SceneReport
from ..encoder.store import TRIAL_SUFFIX
from ..encoder.targets import BitrateTarget, QualityTarget, Target
from ..encoder.ways import SIZES
from ..runtime.container import Codec
from .clips import Clip
from .digests import code_digest, library_versions
from .environment import ffmpeg_version
from .points import SceneChoice
from .report_data import SystemKind
from .streams import stream_frames, time_stream, video_bytes
from .systems import Advance, Coded, System

EDGECODEC_RECIPE = 1
"""To be raised with every change to how a stream of ours is measured; see `ANCHOR_RECIPE`. A
change to what encodes and plays is noticed by itself."""

QUALITIES = (5.0, 25.0, 45.0, 65.0, 85.0)
"""What is asked of `encode --quality` unless other rates are."""

PRESETS: Mapping[str, tuple[str, ...]] = {
    "auto": (),
    "auto-no-networks": ("classical", "procedural"),
}
"""The strategies of each named system; none named means all."""

OPTIONS = (
    *("effort", "search", "tier", "codecs", "strategies"),
    *("sizes", "adapt", "title-steps"),
)
"""What may stand behind a system's name, as `encode` has it; lists with + between."""

EncodeFunction = Callable[[Path, Path, EncodeOptions, ProgressCallback], EncodeReport]

_code_digest = cache(code_digest)


@dataclass(frozen=True)
class EdgecodecEncoding:
    """`encoder.encode` with these options; `frames` of them is set by the clip."""

    options: EncodeOptions
    encode: EncodeFunction = encode_video

    @property
    def label(self) -> str:
        """See `Encode.label`."""
        target = self.options.target
        if isinstance(target, QualityTarget):
            return f"quality {target.quality:g}"
        if isinstance(target, BitrateTarget):
            return f"{target.bits_per_second / 1000:g} kb/s"
        return str(target)

    def identity(self) -> Mapping[str, Any]:
        """See `Encode.identity`: every option but those that say how the work is shared out and
        where trials are kept, which change nothing in the stream."""
        options = self.options
        adaptation = options.adaptation
        return {
            "recipe": EDGECODEC_RECIPE,
            "strategies": options.strategies,
            "target": repr(options.target),
            "effort": options.effort.value,
            "search": options.search.value,
            "tier": options.tier,
            "device": options.device,
            "codecs": [codec.name for codec in options.codecs],
            "sizes": options.sizes,
            "adapt": adaptation.value,
            "title_steps": options.tuning.steps if adaptation is Adaptation.TITLE else None,
            "code": _code_digest(),
            "libraries": library_versions(),
            "ffmpeg": ffmpeg_version(),
        }

    def run(self, clip: Clip, path: Path, folder: Path, advance: Advance) -> Coded:
        """See `Encode.run`."""
        stream = folder / "stream.ecv"
        trials = self.options.cache
        before = _kept_trials(trials)
        options = replace(self.options, frames=len(clip.frames))
        report = self.encode(path, stream, options, lambda progress: advance(progress.done))
        made = _kept_trials(trials) - before
        threads = self.options.threads
        return Coded(
            bytes=video_bytes(stream),
            encode_fps=report.encode_fps,
            decode_fps=time_stream(stream, threads=threads).decode_fps,
            frames=lambda: stream_frames(stream, threads=threads),
            scenes=scene_choices(report.scenes),
            trial_encodes=report.trial_encodes,
            kept_trials=max(0, report.trial_encodes - made) if trials is not None else 0,
            note=report.note,
            title_bytes=report.title_bytes,
        )


def edgecodec_system(
    text: str,
    targets: Sequence[Target] | None = None,
    trials: Path | None = None,
    threads: int = 0,
    encode: EncodeFunction = encode_video,
) -> System:
    """A system by its name on the command line: `auto`, `auto:effort=high:codecs=av1+vvc`.

    The name is one of `PRESETS`, with any of `OPTIONS` behind it. `targets` are what its encodes
    aim at, None for the usual qualities; `trials` is a folder that keeps trial encodes. Raises
    ValueError for a name or an option that there is not.
    """
    base, *changes = text.split(":")
    if base not in PRESETS:
        raise ValueError(f"no system is called {base!r}: known are {', '.join(PRESETS)}")
    options = EncodeOptions(strategies=PRESETS[base], threads=threads, jobs=0, cache=trials)
    for change in changes:
        name, _, value = change.partition("=")
        options = _changed(options, name, value)
    aims = [QualityTarget(quality) for quality in QUALITIES] if targets is None else targets
    encodes = tuple(EdgecodecEncoding(replace(options, target=aim), encode) for aim in aims)
    return System(text, SystemKind.EDGECODEC, encodes)


def scene_choices(scenes: Sequence[SceneReport]) -> tuple[SceneChoice, ...]:
    """An encode's scenes, counted by how they were coded, the most frames first."""
    count: Counter[tuple[str, str, str, str, str]] = Counter()
    frames: Counter[tuple[str, str, str, str, str]] = Counter()
    for scene in scenes:
        way = (
            *(scene.strategy, scene.codec or "", scene.way),
            *(scene.scene_class, scene.adaptation),
        )
        count[way] += 1
        frames[way] += scene.frames
    return tuple(
        SceneChoice(*way[:4], scenes=count[way], frames=total, adaptation=way[4])
        for way, total in frames.most_common()
    )


def _changed(options: EncodeOptions, name: str, value: str) -> EncodeOptions:
    try:
        match name:
            case "effort":
                return replace(options, effort=Effort(value))
            case "search":
                return replace(options, search=Search(value))
            case "tier":
                return replace(options, tier=value)
            case "codecs":
                chosen = tuple(Codec[codec.upper()] for codec in value.split("+"))
                return replace(options, codecs=chosen)
            case "strategies":
                return replace(options, strategies=tuple(value.split("+")))
            case "sizes":
                sizes = tuple(value.split("+"))
                if not set(sizes) <= set(SIZES):
                    raise ValueError(f"known are {', '.join(SIZES)}")
                return replace(options, sizes=sizes)
            case "adapt":
                return replace(options, adapt=Adaptation(value))
            case "title-steps":
                return replace(options, title_steps=int(value))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{value!r} is no {name}") from error
    raise ValueError(f"{name!r} is no option of a system: known are {', '.join(OPTIONS)}")


def _kept_trials(folder: Path | None) -> int:
    """How many finished trials a folder holds; 0 where there is none."""
    if folder is None or not folder.is_dir():
        return 0
    return sum(1 for _ in folder.rglob(f"*{TRIAL_SUFFIX}"))
