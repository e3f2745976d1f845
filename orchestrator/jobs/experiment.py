"""The job "experiment": clips are encoded, played again and measured, and their streams kept."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BitstreamError, UnsupportedError
from ..encode_options import encode_options
from ..records.experiment import Clip, Experiment
from ..records.result import ClipResult, Result

if TYPE_CHECKING:
    from ...encoder import EncodeProgress, EncodeReport
    from ...profiles.device import DeviceProfile
    from .base import JobContext

_VMAF = "vmaf"
# Of a clip's progress: what has been done when its trials are, and when its stream is written and
# the encoder has looked at it.
_TRIED, _ENCODED = 0.85, 0.9
_LAST_STAGE = "measuring"
# A part of the room that a worker gives its cached videos goes to trials beside them.
_TRIALS = 0.25
# Processes for trials take seconds to start: up to so many pixels in all they bring less.
_SMALL_CLIP = 1 << 23


def run(payload: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
    """Do what `experiment_job.experiment_job` asks for; a `Result` as a dictionary.

    VMAF is measured where it is asked for, and where the encode aims at one. The same experiment
    gives the same streams and figures but for `seconds` and the speeds, which tell of trials that
    were kept from earlier experiments too, and but for devices that are timed where it runs.

    Raises UnsupportedError for a payload or settings that this version does not do, BitstreamError
    for a damaged clip, DispatchError where clips or streams cannot be moved, and as
    `encoder.encode` does.
    """
    began = time.perf_counter()
    experiment, vmaf = _read(payload)
    from ...encoder.fingerprint import fingerprint
    from .device_check import known_device
    from .trial_cache import trial_folder

    if experiment.model not in ("", fingerprint()):
        raise UnsupportedError(
            f"experiment {experiment.id} is for an encoder of fingerprint"
            f" {experiment.model:.16}…, this worker ({context.worker}) has {fingerprint():.16}…:"
            " install the same version of edgecodec and its libraries on both sides"
        )
    bench = _Bench(experiment, known_device(experiment.device), context, vmaf)
    cached = context.cache.folder
    with trial_folder(
        cached.with_name(cached.name + "-trials"), int(_TRIALS * context.cache.limit_bytes)
    ) as trials:
        clips = tuple(bench.clip(number, trials) for number in range(len(experiment.clips)))
    return Result(
        experiment=experiment.id,
        clips=clips,
        seconds=time.perf_counter() - began,
        worker=context.worker,
        versions=_versions(),
    ).to_dict()


def stream_name(experiment: Experiment, number: int) -> str:
    """What the stream of an experiment's clip is called in the media store. A clip that has its
    last name in common with an earlier one gets its number before it."""
    names = [PurePosixPath(clip.name).name for clip in experiment.clips]
    own = names[number]
    prefix = f"{number}-" if own in names[:number] else ""
    return f"results/{experiment.id}/{prefix}{own}.ecv"


def _read(payload: Mapping[str, Any]) -> tuple[Experiment, bool]:
    fields = dict(payload)
    vmaf = fields.pop(_VMAF, False)
    if not isinstance(vmaf, bool):
        raise UnsupportedError(f"experiment: vmaf is {vmaf!r:.80}, but must be true or false")
    experiment = Experiment.from_dict(fields)
    return experiment, vmaf or experiment.settings.target.kind == _VMAF


@dataclass(frozen=True)
class _Bench:
    """One experiment at work."""

    experiment: Experiment
    device: DeviceProfile
    context: JobContext
    vmaf: bool

    def clip(self, number: int, trials: Path) -> ClipResult:
        clip = self.experiment.clips[number]
        stream = self.context.folder / f"{number}.ecv"
        with self.context.cache.fetch(clip.name, clip.sha256) as source:
            try:
                report = self._encode(number, source, stream, trials)
            except (BitstreamError, UnsupportedError) as error:
                # The cache has it under another name than who asked for it.
                raise type(error)(f"clip {clip.name}: {error}") from error
            return self._measure(number, source, stream, report)

    def _encode(self, number: int, source: Path, stream: Path, trials: Path) -> EncodeReport:
        from ...encoder import encode

        clip = self.experiment.clips[number]

        def advance(progress: EncodeProgress) -> None:
            words = f"{progress.stage} {progress.detail}".strip()
            first, last = (_TRIED, _ENCODED) if progress.stage == _LAST_STAGE else (0.0, _TRIED)
            self._tell(number, first + (last - first) * progress.done, words)

        options = encode_options(
            self.experiment.settings,
            frames=clip.frames,
            device="cpu" if self.context.gpu is None else "cuda",
            jobs=_jobs(source, clip),
            cache=trials,
        )
        return encode(source, stream, options, advance)

    def _measure(self, number: int, source: Path, stream: Path, report: EncodeReport) -> ClipResult:
        from .clip_measures import Comparison
        from .device_check import check_device
        from .stream_work import stream_work

        clip = self.experiment.clips[number]

        def advance(frames: int) -> None:
            share = _ENCODED + (1 - _ENCODED) * frames / report.frames
            self._tell(number, share, f"playing and measuring, frame {frames}")

        comparison = Comparison(source, stream, clip.frames, self.context.folder)
        measured = comparison.measure(advance, vmaf=self.vmaf)
        check = check_device(stream_work(stream), self.device)
        print(f"{clip.name}: {check.verdict} on {self.device.name}: {check.why}", file=sys.stderr)
        if report.note:
            print(f"{clip.name}: {report.note}", file=sys.stderr)
        artefact = self.context.media.put(stream, stream_name(self.experiment, number))
        strategies: Counter[str] = Counter()
        for scene in report.scenes:
            strategies[scene.strategy] += scene.frames
        return ClipResult(
            clip=clip.name,
            frames=measured.frames,
            duration_s=report.duration_s,
            bytes=report.bytes,
            bitrate_mbps=report.bitrate_mbps,
            psnr=measured.psnr,
            ssim=measured.ssim,
            ms_ssim=measured.ms_ssim,
            vmaf=measured.vmaf,
            encode_fps=report.encode_fps,
            decode_fps=measured.decode_fps,
            strategies=dict(sorted(strategies.items())),
            tops_per_frame=check.tops_per_frame,
            verdict=check.verdict,
            device_ms=check.device_ms,
            artefacts=(artefact,),
        )

    def _tell(self, number: int, share: float, words: str) -> None:
        count = len(self.experiment.clips)
        name = PurePosixPath(self.experiment.clips[number].name).name
        self.context.tell(min(1.0, (number + share) / count), f"{name}: {words}")


def _jobs(source: Path, clip: Clip) -> int:
    """Trials at a time, 0 for as many as suit the cores."""
    from ...encoder.media import open_source

    with open_source(source) as video:
        picture, claimed = video.info.format, video.info.frame_count
    frames = min((n for n in (claimed, clip.frames) if n is not None), default=None)
    if frames is None:
        return 0
    return 1 if frames * picture.width * picture.height <= _SMALL_CLIP else 0


def _versions() -> dict[str, str]:
    from ...encoder.fingerprint import fingerprint
    from ...evaluation.environment import hardware, versions

    return versions() | {"fingerprint": fingerprint(), "hardware": hardware()}
