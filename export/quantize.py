"""Float ONNX graph to INT8 in QDQ form: uint8 activations, int8 weights for each output channel.

The architecture fixes every activation's range (`decoder.networks`), so no calibration data is
needed and the same weights always give the same graph:

- a graph input or output has the scale and zero point of its port;
- after ReLU6, [0, 6]: uint8 saturation does the clipping, so the Clip node goes away, whether a
  convolution is clipped or features that a scene's code scales or shifts;
- Concat and DepthToSpace move bytes and keep the parameters of what they move.

A graph with anything else in it is refused: a node without a fixed range would silently become a
float island.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..decoder.networks import RELU6_SCALE, NetworkSpec
from ..runtime.errors import ExportError

_MOVES_BYTES = ("Concat", "DepthToSpace")
_COMPUTES = ("Conv", "Mul", "Add")
_WEIGHT_MAX = 127
# Bias and accumulator share 32 bits: a bias of at most 2^30 leaves room for 33,000 products.
_BIAS_MAX = 2.0**30


@dataclass(frozen=True)
class Affine:
    """uint8 quantisation of one tensor: `real = (uint8 - zero_point) * scale`."""

    scale: float
    zero_point: int


_RELU6 = Affine(RELU6_SCALE, 0)


@dataclass(frozen=True)
class QuantizedConv:
    """Integer parameters of one convolution.

    `weight` int8 [O, I, kH, kW] in -127..127, `weight_scale` float32 [O], `bias` int32 [O] in steps
    of `bias_scale` float32 [O] = input scale * weight scale.
    """

    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    bias_scale: NDArray[np.float32]


def quantize_conv(
    weight: NDArray[np.float32], bias: NDArray[np.float32], input_scale: float
) -> QuantizedConv:
    """Symmetric int8 for each output channel: scale = max|w| / 127; bias in accumulator steps.

    A channel whose weights are so small that its bias would overflow int32 gets a larger scale, and
    a channel of zeros the scale 1. `weight` is float32 [O, I, kH, kW], `bias` float32 [O].
    """
    peak = np.abs(weight).max(axis=(1, 2, 3)).astype(np.float64)
    scale = peak / _WEIGHT_MAX
    scale = np.maximum(scale, np.abs(bias.astype(np.float64)) / (input_scale * _BIAS_MAX))
    scale = np.where(scale > np.finfo(np.float32).tiny, scale, 1.0).astype(np.float32)
    integers = np.rint(weight.astype(np.float64) / scale[:, None, None, None])
    bias_scale = np.float32(input_scale) * scale
    return QuantizedConv(
        np.clip(integers, -_WEIGHT_MAX, _WEIGHT_MAX).astype(np.int8),
        scale,
        np.rint(bias.astype(np.float64) / bias_scale).astype(np.int32),
        bias_scale,
    )


def activation_ranges(model: onnx.ModelProto, spec: NetworkSpec) -> dict[str, Affine]:
    """Quantisation of every activation of `model` that is stored as uint8, by tensor name.

    The input of a Clip is absent: it is never stored. Raises `ExportError` for an operator whose
    output has no range that the architecture fixes.
    """
    outputs = {p.name: Affine(p.scale, p.zero_point) for p in spec.outputs}
    ranges = {p.name: Affine(p.scale, p.zero_point) for p in spec.inputs}
    consumers = _consumers(model)
    constants = _constants(model)
    for node in model.graph.node:
        (output,) = node.output
        users = {n.op_type for n in consumers.get(output, ())}
        if node.op_type == "Clip":
            _require_relu6(node, constants)
            ranges[output] = _RELU6
        elif node.op_type in _MOVES_BYTES:
            ranges[output] = _common_range(node, ranges)
        elif output in outputs and node.op_type == "Conv":
            ranges[output] = outputs[output]
        elif not (node.op_type in _COMPUTES and users == {"Clip"}):
            raise ExportError(
                f"quantise {spec.name}: the output of {node.op_type} '{node.name}' (into"
                f" {', '.join(sorted(users)) or 'nothing'}) has no range that the architecture"
                " fixes; give it a ReLU6, or teach export.quantize its range"
            )
        if output in outputs and ranges.get(output) != outputs[output]:
            raise ExportError(
                f"quantise {spec.name}: output '{output}' has {ranges.get(output)} in the graph,"
                f" but its port says {outputs[output]}"
            )
    return ranges


def quantize(model: onnx.ModelProto, spec: NetworkSpec) -> onnx.ModelProto:
    """`model` (float, opset 20) in QDQ form, its inputs and outputs still float.

    Raises `ExportError` where a weight is not finite or a node has no fixed range.
    """
    ranges = activation_ranges(model, spec)
    constants = _constants(model)
    clipped = {n.input[0]: n.output[0] for n in model.graph.node if n.op_type == "Clip"}
    outputs = {p.name for p in spec.outputs}

    graph = _GraphBuilder()
    for port in spec.inputs:
        graph.quantize(port.name, port.name, ranges[port.name])
    for node in model.graph.node:
        if node.op_type == "Clip":
            continue
        stored = clipped.get(node.output[0], node.output[0])
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.output[:] = [f"{stored}_float"]
        activations = node.input[:1] if node.op_type == "Conv" else node.input
        copy.input[:] = [f"{name}_dequantized" for name in activations]
        if node.op_type == "Conv":
            copy.input.extend(_conv_constants(graph, node, constants, ranges[node.input[0]]))
        graph.nodes.append(copy)
        graph.quantize(f"{stored}_float", stored, ranges[stored])
        if stored in outputs:
            # Its own node: the uint8 boundary removes it and leaves the one that feeds the graph.
            graph.dequantize(stored, stored, f"{stored}_output_DequantizeLinear")

    quantized = onnx.ModelProto()
    quantized.CopyFrom(model)
    quantized.graph.ClearField("node")
    quantized.graph.ClearField("initializer")
    quantized.graph.node.extend(graph.used_nodes(outputs))
    quantized.graph.initializer.extend(graph.initializers)
    return quantized


def uint8_boundary(model: onnx.ModelProto, spec: NetworkSpec) -> onnx.ModelProto:
    """`model` as `quantize` made it, with uint8 tensors for its inputs and outputs.

    The outermost QuantizeLinear and DequantizeLinear go away, the ports' names stay.
    """
    inputs = {p.name for p in spec.inputs}
    outputs = {p.name for p in spec.outputs}
    boundary = onnx.ModelProto()
    boundary.CopyFrom(model)
    boundary.graph.ClearField("node")
    for node in model.graph.node:
        leaves = node.op_type == "DequantizeLinear" and node.output[0] in outputs
        enters = node.op_type == "QuantizeLinear" and node.input[0] in inputs
        if leaves or enters:
            continue
        kept = boundary.graph.node.add()
        kept.CopyFrom(node)
        kept.input[:] = [_port_name(n, inputs | outputs) for n in node.input]
        kept.output[:] = [_port_name(n, outputs) for n in node.output]
    for value in (*boundary.graph.input, *boundary.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    used = {name for node in boundary.graph.node for name in node.input}
    initializers = [i for i in boundary.graph.initializer if i.name in used]
    boundary.graph.ClearField("initializer")
    boundary.graph.initializer.extend(initializers)
    return boundary


def _port_name(tensor: str, ports: set[str]) -> str:
    port = tensor.removesuffix("_quantized")
    return port if port in ports and port != tensor else tensor


class _GraphBuilder:
    """Collects the nodes and initialisers of a QDQ graph."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def quantize(self, source: str, tensor: str, affine: Affine) -> None:
        """Float tensor `source` to `<tensor>_quantized`, and that to `<tensor>_dequantized`."""
        scale = self.constant(f"{tensor}_scale", np.array(affine.scale, np.float32))
        zero_point = self.constant(f"{tensor}_zero_point", np.array(affine.zero_point, np.uint8))
        self.nodes.append(
            helper.make_node(
                "QuantizeLinear",
                [source, scale, zero_point],
                [f"{tensor}_quantized"],
                name=f"{tensor}_QuantizeLinear",
            )
        )
        self.dequantize(tensor, f"{tensor}_dequantized", f"{tensor}_DequantizeLinear")

    def dequantize(self, tensor: str, output: str, name: str) -> None:
        """`<tensor>_quantized`, whose constants exist already, to float tensor `output`."""
        inputs = [f"{tensor}_quantized", f"{tensor}_scale", f"{tensor}_zero_point"]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [output], name=name))

    def dequantized_constant(
        self, name: str, value: NDArray[np.generic], scale: NDArray[np.float32]
    ) -> str:
        """An integer constant with one scale for each entry of axis 0, as a float tensor."""
        inputs = [
            self.constant(f"{name}_quantized", value),
            self.constant(f"{name}_scale", scale),
            self.constant(f"{name}_zero_point", np.zeros(len(scale), value.dtype)),
        ]
        output = f"{name}_dequantized"
        node_name = f"{name}_DequantizeLinear"
        self.nodes.append(
            helper.make_node("DequantizeLinear", inputs, [output], name=node_name, axis=0)
        )
        return output

    def used_nodes(self, outputs: set[str]) -> Iterator[onnx.NodeProto]:
        """Nodes in order, without those whose result nothing reads."""
        read = outputs | {name for node in self.nodes for name in node.input}
        return (n for n in self.nodes if n.output[0] in read)


def _conv_constants(
    graph: _GraphBuilder,
    node: onnx.NodeProto,
    constants: dict[str, NDArray[np.float32]],
    source: Affine,
) -> list[str]:
    weight = _finite(node.input[1], constants)
    if len(node.input) > 2:
        name, bias = node.input[2], _finite(node.input[2], constants)
    else:
        # The exporter drops biases of zeros, but a title may change them.
        name, bias = _bias_name(node.input[1]), np.zeros(len(weight), np.float32)
    conv = quantize_conv(weight, bias, source.scale)
    return [
        graph.dequantized_constant(node.input[1], conv.weight, conv.weight_scale),
        graph.dequantized_constant(name, conv.bias, conv.bias_scale),
    ]


def _bias_name(weight: str) -> str:
    """What torch calls the bias that goes with a weight."""
    return f"{weight.removesuffix('weight')}bias"


def _finite(name: str, constants: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    if name not in constants:
        raise ExportError(f"quantise: '{name}' must be a constant of the graph, and is not")
    value = constants[name]
    if not np.isfinite(value).all():
        raise ExportError(f"quantise: '{name}' holds NaN or infinity; train the network again")
    return value


def _common_range(node: onnx.NodeProto, ranges: dict[str, Affine]) -> Affine:
    moved = {ranges.get(name) for name in node.input}
    first = moved.pop()
    if moved or first is None:
        raise ExportError(
            f"quantise: {node.op_type} '{node.name}' joins {', '.join(node.input)}, whose ranges"
            f" differ: {[ranges.get(n) for n in node.input]}"
        )
    return first


def _require_relu6(node: onnx.NodeProto, constants: dict[str, NDArray[np.float32]]) -> None:
    bounds = [float(constants[name]) for name in node.input[1:] if name in constants]
    if bounds != [0.0, 6.0]:
        raise ExportError(
            f"quantise: Clip '{node.name}' has the bounds {bounds}; only ReLU6, [0, 6], is known"
        )


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def _consumers(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    return consumers
