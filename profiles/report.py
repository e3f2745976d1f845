"""One profile: every network of a folder counted, predicted for a device and timed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.errors import DeviceError, GateError, ModelError
from ..runtime.models import ModelEntry, read_models
from .count import GraphCost, count_model
from .device import Basis, DeviceProfile
from .input_shapes import input_shapes
from .measure import MeasureOptions, Placement, Timing, measure
from .roofline import Interval, Prediction, predict
from .size import FrameSize

_DEFAULT_SIZE = FrameSize(1920, 1080)

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class NetworkProfile:
    """One network at one frame size.

    `prediction` is None where the device is this machine: then `predicted` repeats the timing.
    `measured` and `placement` are None where nothing was timed.
    """

    name: str
    cost: GraphCost
    pixels: int
    predicted: Interval
    prediction: Prediction | None
    measured: Timing | None
    placement: Placement | None

    @property
    def tops(self) -> float:
        """Tera-operations of one frame; 1 MAC is 2 operations."""
        return 2 * self.cost.macs * 1e-12

    @property
    def macs_per_pixel(self) -> float:
        """Multiply-accumulates for each luma pixel that is displayed."""
        return self.cost.macs / self.pixels

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "name": self.name,
            "macs": self.cost.macs,
            "macs_per_pixel": self.macs_per_pixel,
            "tops": self.tops,
            "parameters": self.cost.parameters,
            "activation_bytes": self.cost.activation_bytes,
            "precision": self.cost.precision,
            "predicted_ms": _interval_dict(self.predicted),
            "measured_ms": self.measured.to_dict() if self.measured else None,
            "placement": self.placement.to_dict() if self.placement else None,
            "bound": self.prediction.bound if self.prediction else None,
            "dispatch_ms": self.prediction.dispatch_ms if self.prediction else None,
            "layers": _layer_dicts(self.prediction, self.cost),
            "nearest": [
                {
                    "network": network.network,
                    "input": network.input,
                    "gmacs": network.gmacs,
                    "predicted_over_measured": network.predicted_over_measured,
                }
                for network in (self.prediction.nearest if self.prediction else ())
            ],
        }


@dataclass(frozen=True)
class ProfileReport:
    """The profile of a folder's networks on a device, for frames of `size` at `target_fps`.

    For any one frame exactly one of the networks runs, so the slowest of them decides.
    """

    device: DeviceProfile
    models: Path
    tier: str
    size: FrameSize
    target_fps: float
    networks: tuple[NetworkProfile, ...]

    @property
    def slowest(self) -> NetworkProfile:
        """The network whose frames take longest by prediction."""
        return max(self.networks, key=lambda network: network.predicted.mid)

    @property
    def tops_per_frame(self) -> float:
        """Tera-operations (2 x MACs) of the frame with the most of them."""
        return max(network.tops for network in self.networks)

    @property
    def fps(self) -> float:
        """Frames per second that the slowest network is predicted to sustain (middle estimate)."""
        return 1000.0 / self.slowest.predicted.mid

    @property
    def passes(self) -> bool:
        """Whether the middle estimate meets the target."""
        return self.fps >= self.target_fps

    def to_dict(self) -> dict[str, Any]:
        """JSON types; scripts rely on these names."""
        slowest = self.slowest
        return {
            "device": self.device.name,
            "device_profile": self.device.to_dict(),
            "models": str(self.models),
            "tier": self.tier,
            "size": {"width": self.size.width, "height": self.size.height},
            "target_fps": self.target_fps,
            "operations_per_mac": 2,
            "networks": [network.to_dict() for network in self.networks],
            "slowest_network": slowest.name,
            "tops_per_frame": self.tops_per_frame,
            "predicted_ms": _interval_dict(slowest.predicted),
            "measured_ms": slowest.measured.to_dict() if slowest.measured else None,
            "fps": self.fps,
            "passes": self.passes,
        }


def profile_models(
    models_dir: Path,
    device: DeviceProfile,
    size: FrameSize | None = None,
    fps: float = 30.0,
    measurement: MeasureOptions | None = None,
    progress: Progress | None = None,
) -> ProfileReport:
    """Profile the networks that the manifest in `models_dir` names.

    `size` None takes the models' own, or 1080p where they are dynamic. `measurement` None times
    nothing. `progress` hears the fraction done and what is being done.

    Raises `ModelError` for a folder or file that is not what it should be, `UnsupportedError` for
    a graph that cannot be counted or predicted, `ProviderError` where the provider did not load,
    and `DeviceError` where the device is this machine and timing was not asked for.
    """
    if device.basis is Basis.MEASURED and measurement is None:
        raise DeviceError(f"{device.name} is known by measuring only: ask for the measurement")
    folder = read_models(models_dir)
    if not folder.networks:
        raise ModelError(f"{models_dir}: the manifest names no networks")
    size = size or (FrameSize(*folder.size) if folder.size else _DEFAULT_SIZE)
    networks = []
    for index, network in enumerate(folder.networks):
        if progress:
            progress(index / len(folder.networks), network.name)
        networks.append(_profile(network, device, size, measurement))
    return ProfileReport(device, models_dir, folder.tier, size, fps, tuple(networks))


def check_min_fps(report: ProfileReport, min_fps: float) -> None:
    """Raise `GateError` where the predicted frame rate (middle estimate) is below `min_fps`."""
    if report.fps < min_fps:
        interval = report.slowest.predicted
        raise GateError(
            f"{report.device.name}, {report.size}: {report.slowest.name} is predicted to run at"
            f" {report.fps:.1f} frames/s ({1000 / interval.high:.1f} to {1000 / interval.low:.1f}),"
            f" below --min-fps {min_fps:g}: take a lighter tier, a smaller size or a faster device"
        )


def _profile(
    network: ModelEntry,
    device: DeviceProfile,
    size: FrameSize,
    measurement: MeasureOptions | None,
) -> NetworkProfile:
    network.read()  # refuses a file that is not the manifest's
    shapes = input_shapes(network, size)
    cost = count_model(network.file, shapes)
    measured: Timing | None = None
    placement: Placement | None = None
    if measurement:
        result = measure(network.file, shapes, measurement)
        measured, placement = result.timing, result.placement
    prediction = predict(cost, device) if device.basis is not Basis.MEASURED else None
    if prediction:
        predicted = prediction.interval
    else:
        assert measured is not None
        predicted = _measured_interval(measured)
    return NetworkProfile(
        name=network.name,
        cost=cost,
        pixels=size.pixels,
        predicted=predicted,
        prediction=prediction,
        measured=measured,
        placement=placement,
    )


def _measured_interval(timing: Timing) -> Interval:
    basis = (
        f"measured on this machine with {timing.provider}:"
        f" fastest, p50 and p99 of {timing.runs} runs"
    )
    return Interval(timing.fastest_ms, timing.p50_ms, timing.p99_ms, basis, None)


def _interval_dict(interval: Interval) -> dict[str, Any]:
    return {
        "low": interval.low,
        "mid": interval.mid,
        "high": interval.high,
        "basis": interval.basis,
        "coverage": interval.coverage,
    }


def _layer_dicts(prediction: Prediction | None, cost: GraphCost) -> list[dict[str, Any]]:
    times = prediction.layers if prediction else (None,) * len(cost.layers)
    return [
        {
            "name": layer.name,
            "op": layer.op,
            "macs": layer.macs,
            "weights": layer.weights,
            "activation_bytes": layer.activation_elements * cost.activation_bytes_each,
            "predicted_ms": time.ms if time else None,
            "bound": time.bound if time else None,
        }
        for layer, time in zip(cost.layers, times, strict=True)
    ]
