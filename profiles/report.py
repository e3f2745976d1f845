"""One profile: every network of a folder counted, predicted for a device and timed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..runtime.errors import GateError
from ..runtime.models import ModelEntry
from .advice import Advice, advise
from .counted import CountedModels, CountedNetwork, count_models
from .device import Basis, DeviceProfile
from .entropy import entropy_interval, entropy_rate
from .frame import FrameTime, Stage, Verdict, base_stage, interval_dict, sustained_interval
from .network import NetworkProfile
from .predictor import Predictor, predictor
from .providers import Measured, Progress, TimedNetwork, measure_networks
from .roofline import Interval
from .size import FrameSize
from .timing import Measurement, MeasureOptions
from .uncounted import uncounted_stages

FORMAT = 1
# What the project set out with for one frame on a device of the 40-TOPS class.
SEED_TERA_OPERATIONS = (1.1, 1.2)


@dataclass(frozen=True)
class ProfileReport:
    """The profile of a folder's networks on a device, for frames of `size` at `target_fps`.

    For any one frame exactly one of the networks runs, so the slowest of the frames decides.
    `sustained` is the share of its short-run speed that the device is taken to keep, None for all.
    `missing` says for each provider that measured nothing why not.
    """

    device: DeviceProfile
    models: Path
    tier: str
    size: FrameSize
    target_fps: float
    networks: tuple[NetworkProfile, ...]
    advice: tuple[Advice, ...]
    sustained: float | None
    missing: Mapping[str, str]

    @property
    def uncounted(self) -> tuple[Stage, ...]:
        """What some streams ask for beside their networks, which the verdict leaves out."""
        return uncounted_stages(self.size)

    @property
    def slowest(self) -> NetworkProfile:
        """The network whose frames take longest (middle estimates)."""
        return max(self.networks, key=lambda network: network.frame.interval.mid)

    @property
    def tops_per_frame(self) -> float:
        """Tera-operations (2 x MACs) of the frame with the most of them."""
        return max(network.tops for network in self.networks)

    @property
    def fps(self) -> float:
        """Frames per second of the slowest frames (middle estimate)."""
        return 1000.0 / self.slowest.frame.interval.mid

    @property
    def headroom(self) -> float:
        """How many times faster than asked, by the middle estimate; below 1 it falls short."""
        return self.fps / self.target_fps

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all frames."""
        order = list(Verdict)
        verdicts = (network.frame.verdict(self.target_fps) for network in self.networks)
        return max(verdicts, key=order.index)

    @property
    def passes(self) -> bool:
        """Whether the middle estimate meets the target and the device decodes the base."""
        return self.verdict.passes

    def to_dict(self) -> dict[str, Any]:
        """JSON types; scripts rely on these names."""
        slowest = self.slowest
        low, high = SEED_TERA_OPERATIONS
        return {
            "format": FORMAT,
            "device": self.device.name,
            "device_profile": self.device.to_dict(),
            "models": str(self.models),
            "tier": self.tier,
            "size": {"width": self.size.width, "height": self.size.height},
            "target_fps": self.target_fps,
            "sustained": self.sustained,
            "operations_per_mac": 2,
            "networks": [network.to_dict() for network in self.networks],
            "slowest_network": slowest.name,
            "tops_per_frame": self.tops_per_frame,
            "seed_tops_per_frame": {"low": low, "high": high},
            "predicted_ms": interval_dict(slowest.predicted),
            "measured_ms": slowest.measured.to_dict() if slowest.measured else None,
            "frame_ms": interval_dict(slowest.frame.interval),
            "bottleneck": slowest.frame.bottleneck.name,
            "fps": self.fps,
            "headroom": self.headroom,
            "verdict": self.verdict.value,
            "passes": self.passes,
            "not_counted": [each.to_dict() for each in self.uncounted],
            "advice": [each.to_dict() for each in self.advice],
            "providers_missing": dict(self.missing),
        }


def profile_models(
    models_dir: Path,
    device: DeviceProfile,
    size: FrameSize | None = None,
    fps: float = 30.0,
    measurement: MeasureOptions | None = None,
    progress: Progress | None = None,
    *,
    providers: Sequence[str] = ("cpu",),
    sustained: float | None = None,
) -> ProfileReport:
    """Profile the networks that the manifest in `models_dir` names.

    `size` None takes the models' own, or 1080p where they are dynamic. `measurement` None times
    nothing; else `providers` are measured with those options (`providers.measure_networks`).
    `progress` hears the fraction done and what is being done. `sustained` is the share of its
    short-run speed that the device is taken to keep, above 0 and at most 1.

    A device that is known by measuring is this machine: it is probed for the prediction, and the
    verdict is that of the measurement where there is one.

    Raises `ModelError` for a folder or file that is not what it should be, `UnsupportedError` for
    a graph that cannot be counted or predicted, and `ProviderError` where a provider that was named
    did not load.
    """
    models = count_models(models_dir, size)
    predict = predictor(device, measurement.threads if measurement else 0)
    measured = Measured({}, {})
    if measurement:
        measured = measure_networks(
            [TimedNetwork(n.entry.name, n.entry.file, n.input_shapes) for n in models.networks],
            providers,
            measurement,
            progress,
        )
    report = report_on(models, device, fps, predict, measured, sustained=sustained)
    return replace(report, advice=advise(models, _heaviest(models, report.networks), predict))


def report_on(
    models: CountedModels,
    device: DeviceProfile,
    fps: float,
    predict: Predictor,
    measured: Measured,
    *,
    sustained: float | None = None,
) -> ProfileReport:
    """The report of networks that were counted, and measured or not, without advice."""
    here = device.basis is Basis.MEASURED
    probed = entropy_rate() if here else None
    networks = []
    for network in models.networks:
        entry = network.entry
        prediction = predict(network.cost)
        predicted = sustained_interval(prediction.interval, sustained)
        measurements = measured.networks.get(entry.name, ())
        on_device = _measured_interval(measurements) if here else None
        frame = _frame(entry, models.size, fps, device, on_device or predicted, probed)
        networks.append(
            NetworkProfile(
                name=entry.name,
                cost=network.cost,
                pixels=models.size.pixels,
                predicted=predicted,
                prediction=prediction,
                frame=frame,
                measurements=measurements,
            )
        )
    return ProfileReport(
        device=device,
        models=models.folder,
        tier=models.tier,
        size=models.size,
        target_fps=fps,
        networks=tuple(networks),
        advice=(),
        sustained=sustained,
        missing=measured.missing,
    )


def check_min_fps(report: ProfileReport, min_fps: float) -> None:
    """Raise `GateError` where the frame rate (middle estimate) is below `min_fps`."""
    frame = report.slowest.frame
    if report.fps < min_fps:
        interval = frame.interval
        raise GateError(
            f"{report.device.name}, {report.size}: {report.slowest.name} is predicted to run at"
            f" {report.fps:.1f} frames/s ({1000 / interval.high:.1f} to {1000 / interval.low:.1f};"
            f" {frame.bottleneck.name} decides), below --min-fps {min_fps:g}: take a lighter tier,"
            " a smaller size or a faster device"
        )


def _frame(
    entry: ModelEntry,
    size: FrameSize,
    fps: float,
    device: DeviceProfile,
    network: Interval,
    probed: float | None,
) -> FrameTime:
    entropy = entropy_interval(entry, size, device, probed=probed)
    stages = (
        base_stage(entry, size, fps, device),
        Stage("entropy decoding", "CPU", entropy, entropy.basis) if entropy else None,
        Stage("network", "accelerator", network, network.basis),
    )
    return FrameTime(tuple(stage for stage in stages if stage))


def _heaviest(models: CountedModels, networks: Sequence[NetworkProfile]) -> CountedNetwork:
    """The network that is predicted to take longest by itself: what can be changed about it."""
    index = max(range(len(networks)), key=lambda i: networks[i].predicted.mid)
    return models.networks[index]


def _measured_interval(measurements: Sequence[Measurement]) -> Interval | None:
    timing = next((each.timing for each in measurements if not each.timing.simulated), None)
    if timing is None:
        return None
    basis = (
        f"measured on this machine with {timing.provider}:"
        f" fastest, p50 and p99 of {timing.runs} runs"
    )
    return Interval(timing.fastest_ms, timing.p50_ms, timing.p99_ms, basis, None)
