"""The export: every network through its stages, each checked against the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnx
import onnxruntime
import torch

from ..decoder.networks import NetworkSpec, spec
from ..decoder.trained import LoadedNetwork
from ..runtime.errors import GateError
from .check import (
    Probe,
    make_probes,
    require_close,
    require_equal,
    require_like,
    run_bytes,
    run_real,
    run_torch,
)
from .graph import set_metadata, to_bytes, to_onnx
from .loss import LossSample, NetworkLoss, measure_agreement, measure_loss
from .manifest import FILE_NAME, Manifest, MeasuredOn, NetworkEntry, Placement, TemplateFile
from .placement import measure_placement
from .plan import ExportOptions, PlannedNetwork, Precision, plan_export
from .publish import publish, staging_folder
from .quantize import uint8_boundary
from .samples import SampleSource
from .simplify import simplify
from .sizes import Size
from .targets import Target, find_target
from .template import template_bytes, template_tensors
from .weights import load_network

# Two sizes, neither a multiple of the other, for graphs that must run any.
_DYNAMIC_PROBE_SIZES = (Size(96, 64), Size(80, 112))


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
) -> Manifest:
    """Export and publish the folder `options.directory`; nothing of it appears where this raises.

    `samples` gives real inputs for the loss of INT8; a network for which it gives none is measured
    on synthetic inputs, which says less and is marked so. Raises `ExportError` where a stage fails,
    `GateError` where a loss exceeds `max_drop_db`, `ModelError` for missing or broken weights, and
    `UnsupportedError` for a target, tier, network or size that does not exist.
    """
    planned = plan_export(options)
    reporter = _Reporter(progress, sum(len(network.stages) for network in planned))
    entries = []
    frames = 0
    with staging_folder(options.directory) as staging:
        for network in planned:
            real = samples(network.name) if samples else ()
            entries.append(_NetworkExport(options, network, staging, reporter).run(real))
            frames += len(real)
        manifest = _manifest(options, entries, frames)
        failure = _gate_failure(manifest, options.max_drop_db)
        if failure and not options.keep_failed:
            raise GateError(f"{failure}; nothing was written (--keep-failed keeps it)")
        (staging / FILE_NAME).write_text(manifest.to_json(), "utf-8")
        publish(staging, options.directory)
    if failure:
        raise GateError(f"{failure}; the export was kept in {options.directory}")
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


@dataclass(frozen=True)
class _NetworkExport:
    """One network's way through the stages."""

    options: ExportOptions
    planned: PlannedNetwork
    staging: Path
    reporter: _Reporter

    def run(self, samples: Sequence[LossSample]) -> NetworkEntry:
        """Writes the network's files to `staging` and describes them."""
        network = spec(self.planned.name, self.options.tier)
        trained = load_network(network.name, network.tier, self.options.weights)
        sizes = (self.options.size,) if self.options.size else _DYNAMIC_PROBE_SIZES
        probes = make_probes(network, sizes)
        floats = self._float_graph(network, trained, probes)
        metadata = {"network": network.name, "tier": network.tier, "model_id": trained.model_id}
        file = self.staging / self.planned.file
        if self.options.precision is Precision.FP32:
            _write(file, set_metadata(floats, metadata))
            loss = NetworkLoss(None, None, 0.0, ())
            return self._entry(trained, file, loss, self._placement(file), None)

        int8 = self._int8_graph(network, floats, probes)
        float_file = self.staging / f"{network.name}.fp32.onnx"
        _write(float_file, set_metadata(floats, metadata))
        _write(file, set_metadata(int8, metadata))
        template = self._template(int8) if network.adapts else None
        placement = self._placement(file)
        self._target.check_placement(network.name, placement)
        loss = self._loss(float_file, file, samples, probes)
        if not self.options.keep_float:
            float_file.unlink()
        return self._entry(trained, file, loss, placement, template)

    @property
    def _target(self) -> Target:
        return find_target(self.options.target)

    def _float_graph(
        self, network: NetworkSpec, trained: LoadedNetwork, probes: tuple[Probe, ...]
    ) -> onnx.ModelProto:
        self.reporter.begin(network.name, "onnx")
        graph = to_onnx(trained.module, network, self.options.size)
        for probe in probes:
            expected = run_torch(trained.module, network, probe)
            stage = f"torch to ONNX, {probe.name}"
            require_close(stage, network, expected, run_real(graph, network, probe))
        self.reporter.begin(network.name, "simplify")
        simplified = simplify(graph, network, probes)
        self.reporter.note(network.name, "simplify", simplified.note)
        return simplified.model

    def _int8_graph(
        self, network: NetworkSpec, floats: onnx.ModelProto, probes: tuple[Probe, ...]
    ) -> onnx.ModelProto:
        self.reporter.begin(network.name, "quantize")
        qdq = self._target.quantize(floats, network)
        self.reporter.begin(network.name, "uint8 boundary")
        int8 = uint8_boundary(qdq, network)
        for probe in probes:
            before = run_real(floats, network, probe)
            quantized = run_real(qdq, network, probe)
            require_like(f"quantise, {probe.name}", network, before, quantized)
            after = run_bytes(int8, network, probe)
            require_equal(f"uint8 boundary, {probe.name}", network, quantized, after)
        return int8

    def _template(self, int8: onnx.ModelProto) -> TemplateFile:
        data = template_bytes(template_tensors(int8))
        file = self.staging / f"{self.planned.name}.template.npz"
        file.write_bytes(data)
        return TemplateFile(file.name, hashlib.sha256(data).hexdigest())

    def _placement(self, file: Path) -> Placement:
        self.reporter.begin(self.planned.name, "placement")
        return measure_placement(file, self._target.provider)

    def _loss(
        self,
        float_file: Path,
        int8_file: Path,
        samples: Sequence[LossSample],
        probes: tuple[Probe, ...],
    ) -> NetworkLoss:
        self.reporter.begin(self.planned.name, "loss")
        if samples:
            return measure_loss(float_file, int8_file, samples)
        note = "measured on synthetic inputs only: there are no real samples for this network"
        self.reporter.note(self.planned.name, "loss", note)
        return measure_agreement(float_file, int8_file, probes)

    def _entry(
        self,
        trained: LoadedNetwork,
        file: Path,
        loss: NetworkLoss,
        placement: Placement,
        template: TemplateFile | None,
    ) -> NetworkEntry:
        return NetworkEntry(
            name=self.planned.name,
            file=self.planned.file,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            model_id=trained.model_id,
            parameters=sum(p.numel() for p in trained.module.parameters()),
            inputs=self.planned.inputs,
            outputs=self.planned.outputs,
            drop_db=loss.drop_db,
            psnr_fp32=loss.psnr_fp32,
            psnr_int8=loss.psnr_int8,
            clips=loss.clips,
            placement=placement,
            template=template,
        )


def _write(file: Path, model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    file.write_bytes(to_bytes(model))


def _manifest(options: ExportOptions, entries: Sequence[NetworkEntry], frames: int) -> Manifest:
    clips = dict.fromkeys(clip.name for entry in entries for clip in entry.clips)
    return Manifest(
        target=options.target,
        precision=options.precision.value,
        tier=options.tier,
        size=options.size,
        tools=_tools(),
        measured_on=MeasuredOn(tuple(clips), frames),
        networks=tuple(entries),
    )


def _gate_failure(manifest: Manifest, max_drop_db: float | None) -> str:
    if max_drop_db is None:
        return ""
    failures = []
    for network in manifest.networks:
        if network.drop_db is None:
            failures.append(f"{network.name} was measured on synthetic inputs only (give --clip)")
        elif network.drop_db > max_drop_db:
            failures.append(f"{network.name} loses {network.drop_db:.4f} dB")
    return (
        f"INT8 loss, at most {max_drop_db:g} dB allowed: {'; '.join(failures)}" if failures else ""
    )


def _tools() -> dict[str, str]:
    tools = {
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
    }
    try:
        return {**tools, "onnxsim": version("onnxsim")}
    except PackageNotFoundError:
        return tools
