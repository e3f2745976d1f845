"""The export: every network through its stages, and a folder of what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..runtime.errors import GateError
from .calibration import RangeMethod
from .entry import network_entry
from .gates import gate_failures
from .job import NetworkJob
from .manifest import FILE_NAME, Manifest, MeasuredOn, NetworkEntry
from .network_stages import network_stages
from .options import ExportOptions, Precision
from .origin import tool_versions
from .plan import network_jobs
from .publish import publish, staging_folder
from .records import ClipFile, Gates
from .rounded import Rounding
from .sample_sets import ClipSamples
from .samples import SampleSource
from .stages import StageRunner

_BY_NETWORK = "by network"
# What decides the bytes of an export, or measured it.
_TOOLS = (
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxsim",
    "onnxruntime-qnn",
    "onnxruntime-openvino",
    "tensorrt-rtx",
    "pytorch-msssim",
)


@dataclass(frozen=True)
class Progress:
    """One stage of one network that begins, or with a `note` one that ended and what came of it.

    `done` is the fraction of the whole export, 0 to 1.
    """

    network: str
    stage: str
    note: str
    done: float


def export_networks(
    options: ExportOptions,
    samples: SampleSource | None = None,
    progress: Callable[[Progress], None] | None = None,
    calibration: SampleSource | None = None,
) -> Manifest:
    """Export and publish the folder `options.directory`; nothing of it appears where this raises.

    `samples` gives real inputs for the loss of INT8; a network for which it gives none is measured
    on synthetic inputs, which says less, is marked so and passes no `max_drop_db`. `calibration`
    gives those that decide ranges, where the architecture does not, and exact rounding, where the
    nearest steps lose too much; the same ones where it is None.

    Raises `ExportError` where a stage fails, `GateError` where a gate of `options` does,
    `ModelError` for missing or broken weights, `ProviderError` where a compiler is not installed,
    `UnsupportedError` for a target, tier, network, device or size that does not exist, and what
    `samples` raises.
    """
    jobs = network_jobs(options, samples, calibration)
    stages = [network_stages(job) for job in jobs]
    reporter = _Reporter(progress, sum(map(len, stages)))
    entries = []
    with staging_folder(options.directory) as staging:
        for job, its_stages in zip(jobs, stages, strict=True):
            name = job.network.name
            begin, note = partial(reporter.begin, name), partial(reporter.note, name)
            runner = StageRunner(options.cache, options.remake_from, begin, note)
            entries.append(network_entry(job, runner.run(its_stages), staging))
            job.validation.forget()
            job.calibration.forget()
        manifest = _manifest(options, jobs, entries)
        failures = "; ".join(gate_failures(manifest))
        if failures and not options.keep_failed:
            raise GateError(f"{failures}; nothing was written (--keep-failed keeps it)")
        (staging / FILE_NAME).write_text(manifest.to_json(), "utf-8")
        publish(staging, options.directory)
    if options.cache:
        options.cache.prune()
    if failures:
        raise GateError(f"{failures}; the export was kept in {options.directory}")
    return manifest


class _Reporter:
    """Counts stages for the caller's callback."""

    def __init__(self, callback: Callable[[Progress], None] | None, stages: int) -> None:
        self._callback = callback
        self._stages = stages
        self._begun = 0

    def begin(self, network: str, stage: str) -> None:
        self._send(network, stage, "")
        self._begun += 1

    def note(self, network: str, stage: str, note: str) -> None:
        self._send(network, stage, note)

    def _send(self, network: str, stage: str, note: str) -> None:
        if self._callback:
            self._callback(Progress(network, stage, note, self._begun / self._stages))


def _manifest(
    options: ExportOptions, jobs: Sequence[NetworkJob], entries: Sequence[NetworkEntry]
) -> Manifest:
    int8 = options.precision is Precision.INT8
    calibrated = int8 and (
        options.ranges is not RangeMethod.ARCHITECTURE
        or any(entry.rounding == Rounding.TO_OUTPUTS for entry in entries)
    )
    clips = dict.fromkeys(clip.name for entry in entries for clip in entry.clips)
    return Manifest(
        target=options.target,
        precision=options.precision.value,
        tier=options.tier,
        size=options.size,
        tools=tool_versions(_TOOLS),
        measured_on=MeasuredOn(
            tuple(clips),
            sum(entry.frames for entry in entries),
            _files([job.validation.source for job in jobs]) if int8 else (),
        ),
        networks=tuple(entries),
        arithmetic=options.arithmetic.value if options.arithmetic else _BY_NETWORK,
        calibrated_on=_files([job.calibration.source for job in jobs]) if calibrated else (),
        gates=Gates(
            options.max_drop_db if int8 else None, options.placement_percent, options.max_bytes
        ),
    )


def _files(sources: Sequence[SampleSource | None]) -> tuple[ClipFile, ...]:
    files = (file for s in sources if isinstance(s, ClipSamples) for file in s.files)
    return tuple(dict.fromkeys(files))
