"""Latency on a device from what a graph costs: a roofline fitted to public measurements.

    t = fixed + io / bandwidth + sum over layers of (max(compute, memory) + per_op)
    compute = 2 MACs / (alignment x peak), alignment = channels / channels padded to 16
    memory  = (weights + spill x activations, where they exceed the on-chip memory) / bandwidth

`docs/profiles.md` tells where the parameters come from and where the model fails.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from ..runtime.errors import DeviceError, UnsupportedError
from .count import GraphCost, LayerCost
from .device import Basis, DeviceProfile
from .fitted import FittedDevice, MeasuredNetwork, RooflineParameters, load_fitted, load_transfer

# The interval runs from the 10th to the 90th percentile of the errors.
COVERAGE = 0.8
_NEAREST = 3
# Bytes of one weight and of one activation element on the device.
_BYTES = {"w8a8": (1, 1), "float": (2, 2)}
# A grouped convolution with fewer input channels than this in a group runs on the slow path.
_DEPTHWISE_BELOW = 8


@dataclass(frozen=True)
class Interval:
    """A latency in milliseconds that lies between `low` and `high` with `coverage` (None: exact).

    `basis` tells in words how it is known.
    """

    low: float
    mid: float
    high: float
    basis: str
    coverage: float | None


@dataclass(frozen=True)
class LayerTime:
    """Where one layer's milliseconds go: the longer of compute and memory, then the overhead."""

    layer: LayerCost
    compute_ms: float
    memory_ms: float
    overhead_ms: float

    @property
    def ms(self) -> float:
        """Milliseconds of the layer."""
        return max(self.compute_ms, self.memory_ms) + self.overhead_ms

    @property
    def bound(self) -> str:
        """What it waits for: `compute`, `memory` or `overhead`."""
        if self.overhead_ms > max(self.compute_ms, self.memory_ms):
            return "overhead"
        return "compute" if self.compute_ms >= self.memory_ms else "memory"


@dataclass(frozen=True)
class Prediction:
    """A graph's predicted latency, layer by layer.

    `dispatch_ms`: the fixed cost of one call. `io_ms`: inputs and outputs through memory.
    `nearest`: public networks of the most similar size and traffic, with the fit's error on each.
    """

    interval: Interval
    layers: tuple[LayerTime, ...]
    dispatch_ms: float
    io_ms: float
    nearest: tuple[MeasuredNetwork, ...]

    @property
    def bound(self) -> str:
        """What most of the time goes to: `compute`, `memory`, `overhead` or `dispatch`."""
        shares = {"dispatch": self.dispatch_ms, "memory": self.io_ms}
        for layer in self.layers:
            shares[layer.bound] = shares.get(layer.bound, 0.0) + layer.ms
        return max(shares, key=lambda name: shares[name])


def predict(cost: GraphCost, device: DeviceProfile) -> Prediction:
    """One call of a graph on `device`, whose basis must not be `measured`.

    Raises `UnsupportedError` where the device has no parameters for the graph's precision.
    """
    if device.parameters is None:
        raise DeviceError(f"{device.name} has no parameters to predict from: it is measured")
    fitted = load_fitted(device.parameters)
    parameters = fitted.precisions.get(cost.precision)
    if parameters is None or cost.precision not in _BYTES:
        known = " or ".join(fitted.precisions)
        raise UnsupportedError(
            f"{device.name} has no parameters for a {cost.precision} graph, only for {known}: "
            "export the networks with --int8"
        )
    if device.basis is Basis.LABEL_SCALED:
        parameters = _scaled(parameters, device)
    weight_bytes, activation_bytes = _BYTES[cost.precision]
    layers = tuple(
        _layer_time(layer, parameters, weight_bytes, activation_bytes) for layer in cost.layers
    )
    dispatch_ms = parameters.fixed_us * 1e-3
    io_bytes = (cost.input_elements + cost.output_elements) * activation_bytes
    io_ms = io_bytes / (parameters.dram_gbps * 1e6)
    mid = dispatch_ms + io_ms + sum(layer.ms for layer in layers)
    interval = _interval(mid, device, fitted, parameters, cost.precision)
    return Prediction(interval, layers, dispatch_ms, io_ms, _nearest(cost, parameters))


def _layer_time(
    layer: LayerCost, parameters: RooflineParameters, weight_bytes: int, activation_bytes: int
) -> LayerTime:
    compute_ms = 0.0
    if layer.macs:
        depthwise = layer.groups > 1 and layer.in_channels // layer.groups < _DEPTHWISE_BELOW
        peak = parameters.depthwise_tops if depthwise else parameters.dense_tops
        alignment = 1.0 if depthwise else _alignment(layer, parameters.channel_alignment)
        compute_ms = 2 * layer.macs / (alignment * peak * 1e9)
    activations = layer.activation_elements * activation_bytes
    spilled = parameters.spill * activations if activations > parameters.sram_bytes else 0.0
    memory_ms = (layer.weights * weight_bytes + spilled) / (parameters.dram_gbps * 1e6)
    overhead_ms = parameters.per_op_us * 1e-3 if layer.macs else 0.0
    return LayerTime(layer, compute_ms, memory_ms, overhead_ms)


def _alignment(layer: LayerCost, multiple: int) -> float:
    """Share of the multipliers that do work when channels are padded to `multiple`."""
    cin, cout = layer.in_channels / layer.groups, layer.out_channels / layer.groups
    padded = math.ceil(cin / multiple) * multiple * math.ceil(cout / multiple) * multiple
    return cin * cout / padded


def _scaled(parameters: RooflineParameters, device: DeviceProfile) -> RooflineParameters:
    """Another device's fit with this one's label, derated as labels have proved to need."""
    figures = device.dense_int8_tops, device.dram_gbps, device.dispatch_us
    peak, bandwidth, dispatch = (figure.value for figure in figures if figure)
    dense = peak * load_transfer().efficiency_mid
    return dataclasses.replace(
        parameters,
        dense_tops=dense,
        depthwise_tops=parameters.depthwise_tops * dense / parameters.dense_tops,
        dram_gbps=bandwidth,
        fixed_us=dispatch,
    )


def _interval(
    mid: float,
    device: DeviceProfile,
    fitted: FittedDevice,
    parameters: RooflineParameters,
    precision: str,
) -> Interval:
    if device.basis is Basis.FITTED:
        error = parameters.error
        basis = (
            f"fitted to {error.networks} public {precision} latencies on {fitted.title},"
            f" leave-one-out median error {error.median:.0%};"
            f" {COVERAGE:.0%} of those networks lie in the interval"
        )
        return Interval(mid / error.p90, mid, mid / error.p10, basis, COVERAGE)
    transfer = load_transfer()
    low = mid * transfer.efficiency_mid / transfer.efficiency_high / transfer.p90
    high = mid * transfer.efficiency_mid / transfer.efficiency_low / transfer.p10
    basis = (
        f"label-scaled: the fit of {fitted.title} with this device's label at"
        f" {transfer.efficiency_mid:.0%} ({transfer.efficiency_low:.0%} to"
        f" {transfer.efficiency_high:.0%}); nothing was measured on it"
    )
    return Interval(low, mid, high, basis, None)


def _nearest(cost: GraphCost, parameters: RooflineParameters) -> tuple[MeasuredNetwork, ...]:
    if not cost.macs:
        return ()

    def distance(network: MeasuredNetwork) -> float:
        size = math.log(cost.macs / (network.gmacs * 1e9))
        traffic = cost.activation_elements / cost.macs
        return math.hypot(size, math.log(traffic / network.activation_elements_per_mac))

    return tuple(sorted(parameters.nearest, key=distance)[:_NEAREST])
