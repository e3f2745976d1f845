"""Decode a stream in every way that there is here, and compare."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from ...runtime import errors
from ...runtime.replay import FrameDifference, Recording, SceneReplay, Variant
from ..devices.socs import Soc
from .certificate import Absent, Certificate, PixelDifference, StrategyReport, Witness
from .plan import REFERENCE, CertifyOptions, Job, chosen_socs, jobs
from .processes import Refused, Replayed, replays

Progress = Callable[[float, str], None]


def certify(stream: Path, options: CertifyOptions, progress: Progress) -> Certificate:
    """Decode `stream` on the reference, then on everything that `options` name.

    `progress` takes the share done (0 to 1) and what is next. All decoded samples are kept in a
    temporary file meanwhile. Raises what decoding on the reference raises (BitstreamError,
    UnsupportedError, ModelError, OSError). What does not load is part of the result:
    `check_loaded` says whether the options named it.
    """
    with stream.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    planned = list(jobs(options))
    total = 1 + sum(len(job.variants) for job in planned)
    witnesses: list[Witness] = []
    absent: list[Absent] = []
    with TemporaryDirectory(prefix="edgecodec-certify-") as folder:
        samples = Path(folder, "samples")
        samples.touch()
        progress(0.0, "the reference")
        reference = _reference(stream, options, Recording(samples, write=True))
        expected = {scene.start_frame: scene for scene in reference.scenes}
        described = _Describer(chosen_socs(options), expected)
        witnesses.append(described.witness(Path(sys.executable), reference))
        for job in planned:
            recording = Recording(samples, write=False)
            timeout = options.timeout_seconds
            for found in replays(job, stream, options.models, recording, timeout):
                done = len(witnesses) + len(absent)
                progress(done / total, f"{found.variant.provider} {found.variant.optimization}")
                if isinstance(found, Replayed):
                    witnesses.append(described.witness(job.python, found))
                else:
                    absent.append(described.absent(job.python, found))
    return Certificate(stream, digest, tuple(witnesses), tuple(absent))


def check_loaded(certificate: Certificate, options: CertifyOptions) -> None:
    """Raises ProviderError where a provider, an interpreter or a chip that `options` name decoded
    nothing."""
    providers = {witness.variant.provider for witness in certificate.witnesses}
    environments = {witness.environment for witness in certificate.witnesses}
    chips = {witness.variant.soc_model for witness in certificate.witnesses}
    named = set(options.providers) - providers
    pythons = {str(python) for python in options.interpreters} - environments
    socs = {soc.soc_model for soc in options.socs} - chips
    reasons = dict.fromkeys(
        f"{absent.variant.provider} in {absent.environment}: {absent.reason}"
        for absent in certificate.absent
        if absent.variant.provider in named
        or absent.environment in pythons
        or absent.variant.soc_model in socs
    )
    if reasons:
        raise errors.ProviderError(f"asked for, but not there: {'; '.join(reasons)}")


def _reference(stream: Path, options: CertifyOptions, recording: Recording) -> Replayed:
    job = Job(Path(sys.executable), (REFERENCE,), options.frames)
    (found,) = replays(job, stream, options.models, recording, options.timeout_seconds)
    if isinstance(found, Replayed):
        return found
    kind = getattr(errors, found.error, errors.ExportError)
    raise kind(f"the stream does not decode on the reference, the CPU: {found.reason}")


class _Describer:
    """Turns what processes answered into parts of a certificate."""

    def __init__(self, socs: Sequence[Soc], expected: dict[int, SceneReplay]) -> None:
        self._socs = {soc.soc_model: soc for soc in socs}
        self._expected = expected

    def witness(self, python: Path, found: Replayed) -> Witness:
        scenes = sorted(found.scenes, key=lambda scene: scene.strategy)
        return Witness(
            variant=found.variant,
            device=self._device(found.variant),
            environment=str(python),
            tool=found.tool,
            seconds=found.seconds,
            strategies=tuple(
                self._report(strategy, list(group))
                for strategy, group in groupby(scenes, key=lambda scene: scene.strategy)
            ),
        )

    def absent(self, python: Path, found: Refused) -> Absent:
        """A process that ends while it loads a provider is what a provider without its driver looks
        like; one on the CPU has no such excuse."""
        unloaded = found.error == "ProviderError" or (
            not found.error and found.variant.provider != "cpu"
        )
        return Absent(
            found.variant, self._device(found.variant), str(python), found.reason, not unloaded
        )

    def _device(self, variant: Variant) -> str:
        soc = self._socs.get(variant.soc_model or 0)
        return f"{soc.name} ({soc.part})" if soc else ""

    def _report(self, strategy: str, scenes: Sequence[SceneReplay]) -> StrategyReport:
        runs = sum(len(scene.symbols) for scene in scenes)
        # A session that decodes fewer frames runs the same networks first.
        same = all(
            scene.symbols == self._expected[scene.start_frame].symbols[: len(scene.symbols)]
            for scene in scenes
        )
        return StrategyReport(
            strategy=strategy,
            feeds_references=any(scene.feeds_references for scene in scenes),
            frames=sum(scene.frames for scene in scenes),
            network_runs=runs,
            symbols_identical=same if runs else None,
            pixels=_pixels(scenes),
            symbols_sha256=_sha256(digest for scene in scenes for digest in scene.symbols),
            pixels_sha256=_sha256(scene.pixels_sha256 for scene in scenes),
        )


def _pixels(scenes: Sequence[SceneReplay]) -> PixelDifference:
    none = FrameDifference(0, 0, 0)  # the reference is compared with nothing
    frames = [each for scene in scenes for each in scene.differences or (none,) * scene.frames]
    samples = sum(scene.samples for scene in scenes)
    return PixelDifference(
        share=sum(frame.differing for frame in frames) / samples,
        largest=max((frame.largest for frame in frames), default=0),
        mean=sum(frame.total for frame in frames) / samples,
        largest_by_frame=tuple(frame.largest for frame in frames),
    )


def _sha256(digests: Iterable[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()
