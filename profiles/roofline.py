"""Latency on a device from what a graph costs: a roofline fitted to public measurements.

    t = fixed + boundary x io / dram + sum over layers of max(compute, memory) + overhead
    compute = 2 MACs / (peak x padding x cin / (cin + a) x cout / (cout + b) x n / (n + c))
    memory  = (weights + spilled activations) / dram, and what layers that do not multiply
              move / vector rate
    spilled = spill x activations / (1 + (on-chip memory / activations) ^ 3)

n is the number of output positions, channels are those of one group; depthwise convolutions have a
slowdown in place of the channels' terms. `docs/profiles.md` tells where the parameters come from
and where the model fails.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from ..runtime.errors import DeviceError, UnsupportedError
from .confidence import nearest, widening
from .count import LANES, GraphCost, LayerCost
from .device import Basis, DeviceProfile
from .fitted import (
    DEPTHWISE_BELOW,
    FittedDevice,
    MeasuredNetwork,
    RooflineParameters,
    Structure,
    load_fitted,
    load_transfer,
)

# Bytes of one weight and of one activation element on the device.
_BYTES = {"w8a8": (1, 1), "w8a16": (1, 2), "float": (2, 2)}


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
    layers = tuple(layer_time(layer, parameters, cost.precision) for layer in cost.layers)
    dispatch_ms = parameters.fixed_us * 1e-3
    io_ms = boundary_ms(cost, parameters)
    mid = dispatch_ms + io_ms + sum(layer.ms for layer in layers)
    interval = _interval(mid, cost, device, fitted, parameters)
    return Prediction(interval, layers, dispatch_ms, io_ms, nearest(cost, parameters.nearest))


def layer_time(layer: LayerCost, parameters: RooflineParameters, precision: str) -> LayerTime:
    """What one layer takes."""
    structure = parameters.structure
    weight_bytes, activation_bytes = _BYTES[precision]
    if not layer.macs:
        moved = layer.activation_elements * activation_bytes
        memory_ms = moved / (parameters.vector_gbps * 1e6)
        memory_ms += _spilled(moved, parameters) / (parameters.dram_gbps * 1e6)
        return LayerTime(layer, 0.0, memory_ms, parameters.per_op_us * structure.moving_ops * 1e-3)
    compute_ms = 2 * layer.macs / (_efficiency(layer, structure) * parameters.dense_tops * 1e9)
    stored = _stored(layer.input_elements, layer.in_channels)
    stored += _stored(layer.output_elements, layer.out_channels)
    spilled = _spilled(stored * activation_bytes, parameters)
    memory_ms = (layer.weights * weight_bytes + spilled) / (parameters.dram_gbps * 1e6)
    return LayerTime(layer, compute_ms, memory_ms, parameters.per_op_us * 1e-3)


def boundary_ms(cost: GraphCost, parameters: RooflineParameters) -> float:
    """What the graph's inputs and outputs take on their way through memory."""
    elements = (cost.input_elements + cost.output_elements) * cost.boundary_padding
    moved = elements * _BYTES[cost.precision][1] * parameters.structure.boundary
    return moved / (parameters.dram_gbps * 1e6)


def _efficiency(layer: LayerCost, structure: Structure) -> float:
    """Share of the peak that the layer's shape can reach."""
    cin, cout = layer.in_channels / layer.groups, layer.out_channels / layer.groups
    if layer.groups > 1 and cin < DEPTHWISE_BELOW:
        share = 1 / structure.depthwise_slowdown
    else:
        multiple = structure.channel_alignment
        share = cin * cout / (math.ceil(cin / multiple) * math.ceil(cout / multiple) * multiple**2)
        share *= cin / (cin + structure.half_in_channels)
        share *= cout / (cout + structure.half_out_channels)
    positions = layer.output_elements / layer.out_channels
    return share * positions / (positions + structure.half_positions)


def _stored(elements: int, channels: int) -> float:
    """Elements that a tensor takes `LANES` channels deep."""
    return elements / channels * math.ceil(channels / LANES) * LANES


def _spilled(moved: float, parameters: RooflineParameters) -> float:
    """Bytes of activations that leave the on-chip memory."""
    if not moved:
        return 0.0
    return parameters.spill * moved / (1 + (parameters.structure.on_chip_bytes / moved) ** 3)


def _scaled(parameters: RooflineParameters, device: DeviceProfile) -> RooflineParameters:
    """Another device's fit with this one's label, derated as labels have proved to need."""
    figures = device.dense_int8_tops, device.dram_gbps, device.dispatch_us
    peak, bandwidth, dispatch = (figure.value for figure in figures if figure)
    dense = peak * load_transfer().efficiency_mid
    return rescaled(parameters, dense, bandwidth, dispatch)


def rescaled(
    parameters: RooflineParameters, dense_tops: float, dram_gbps: float, fixed_us: float
) -> RooflineParameters:
    """The same structure on silicon of another speed.

    What is no memory and no call keeps its ratio to the peak.
    """
    faster = dense_tops / parameters.dense_tops
    return dataclasses.replace(
        parameters,
        dense_tops=dense_tops,
        vector_gbps=parameters.vector_gbps * faster,
        per_op_us=parameters.per_op_us / faster,
        dram_gbps=dram_gbps,
        fixed_us=fixed_us,
    )


def _interval(
    mid: float,
    cost: GraphCost,
    device: DeviceProfile,
    fitted: FittedDevice,
    parameters: RooflineParameters,
) -> Interval:
    wider = widening(cost, parameters.nearest, parameters.reach)
    if device.basis is Basis.FITTED:
        error, reach = parameters.error, parameters.reach
        basis = (
            f"fitted to {error.networks} public {cost.precision} latencies on {fitted.title},"
            f" leave-one-out median error {error.median:.0%};"
            f" {reach.coverage:.0%} of those networks lie in the interval"
        )
        if wider > 1:
            basis += f"; widened {wider:.1f} times, for this network is unlike them"
        return Interval(mid * reach.low**wider, mid, mid * reach.high**wider, basis, reach.coverage)
    transfer = load_transfer()
    low = mid * transfer.efficiency_mid / transfer.efficiency_high / transfer.p90**wider
    high = mid * transfer.efficiency_mid / transfer.efficiency_low / transfer.p10**wider
    basis = (
        f"label-scaled: the fit of {fitted.title} with this device's label at"
        f" {transfer.efficiency_mid:.0%} ({transfer.efficiency_low:.0%} to"
        f" {transfer.efficiency_high:.0%}); nothing was measured on it"
    )
    return Interval(low, mid, high, basis, None)
