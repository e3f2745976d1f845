"""What this machine's CPU is predicted to take for a graph, from a few small graphs timed just now.

    t = call + io x boundary + sum over layers of max(compute, memory)
    compute = MACs / rate of 3 x 3 convolutions
    memory  = elements read and written x time of one in an operator of that kind

The rates are those of `probe`; `docs/profiles.md` sets the result beside measured times.
"""

from __future__ import annotations

from .count import GraphCost, LayerCost
from .probe import HostRates
from .roofline import Interval, LayerTime, Prediction

# ONNX Runtime's integer kernels take so many channels at once; others are repacked.
_GROUP = 4
_COMBINING = frozenset({"Add", "Mul", "Sub", "Div"})


def predict_host(cost: GraphCost, rates: HostRates) -> Prediction:
    """One call of a graph on the CPU that `rates` were probed on, in their precision.

    The interval runs from the fastest to the slowest tenth of the probe's own runs; no coverage is
    claimed. Raises `ValueError` where graph and rates differ in precision.
    """
    if cost.precision != rates.precision:
        raise ValueError(f"rates of {rates.precision} do not predict a {cost.precision} graph")
    layers = tuple(_layer(layer, rates) for layer in cost.layers)
    io_ms = (cost.input_elements + cost.output_elements) * rates.boundary_ms
    fastest = rates.call_ms + io_ms + sum(layer.ms for layer in layers)
    threads = f"{rates.threads} threads" if rates.threads else "ONNX Runtime's choice of threads"
    basis = (
        f"measured: rates of this machine's CPU, timed just now on small {rates.precision} graphs"
        f" with {threads}; from the fastest run over the usual to the slowest tenth"
    )
    interval = Interval(fastest, fastest * rates.usual, fastest * rates.slow, basis, None)
    return Prediction(interval, layers, rates.call_ms, io_ms, ())


def _layer(layer: LayerCost, rates: HostRates) -> LayerTime:
    elements = layer.activation_elements
    memory_ms = elements * _element_ms(layer, rates)
    return LayerTime(layer, layer.macs / rates.macs_per_ms, memory_ms, 0.0)


def _element_ms(layer: LayerCost, rates: HostRates) -> float:
    if layer.macs:
        whole = layer.in_channels % _GROUP == 0 and layer.out_channels % _GROUP == 0
        return rates.conv_ms if whole else rates.odd_conv_ms
    if layer.op in _COMBINING:
        return rates.combining_ms
    return rates.concat_ms if layer.op == "Concat" else rates.moving_ms
