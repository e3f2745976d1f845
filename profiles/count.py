"""Multiply-accumulates, parameters and activation traffic, counted from an ONNX graph.

The number of record: QDQ and QOperator graphs count like the float graph that they came from.
Nothing is estimated: a node that may hold multiply-accumulates and that this module does not
know is an error, not a zero.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runtime.errors import ModelError, UnsupportedError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

Shape = tuple[int, ...]

# NPUs store tensors so many channels deep.
LANES = 32

# Where a node that multiplies and accumulates takes its data and its weights from.
_DATA_AND_WEIGHT = {
    "Conv": (0, 1),
    "ConvTranspose": (0, 1),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearConv": (0, 3),
    "QLinearMatMul": (0, 3),
}
# Counting these as zero would be wrong, and no network of ours needs them.
_UNCOUNTED = frozenset(
    {"Attention", "DeformConv", "Einsum", "GRU", "If", "LSTM", "Loop", "RNN", "Scan"}
)
# Ops that targets fold into the node before them, or that only rename a tensor: no traffic.
_FREE = frozenset(
    {
        *("Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish", "HardSigmoid", "BatchNormalization"),
        *("Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear"),
        *("Reshape", "Flatten", "Squeeze", "Unsqueeze"),
    }
)
_NORMALISATIONS = frozenset(
    {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"}
)


@dataclass(frozen=True)
class LayerCost:
    """What one node costs after the fusions that targets make.

    `macs` is 0 for nodes that only move data. `weights`, `input_elements` and `output_elements`
    are numbers of elements (weights without the bias, inputs without constants). `in_channels`
    and `out_channels` count all groups together; for a matrix product they are its K and N.
    """

    name: str
    op: str
    macs: int
    weights: int
    input_elements: int
    output_elements: int
    in_channels: int
    out_channels: int
    groups: int

    @property
    def activation_elements(self) -> int:
        """Elements read and written, weights not counted."""
        return self.input_elements + self.output_elements


@dataclass(frozen=True)
class GraphCost:
    """What one call of a graph costs.

    `precision` is `w8a8`, `w8a16` (by the graph's own quantisation) or `float`;
    `activation_bytes_each` is the size of one activation element in that graph.
    `boundary_padding`: inputs and outputs stored `LANES` channels deep, over their elements.
    """

    layers: tuple[LayerCost, ...]
    parameters: int
    input_elements: int
    output_elements: int
    precision: str
    activation_bytes_each: int
    boundary_padding: float = 1.0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one call; one of them is 2 operations."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activation_elements(self) -> int:
        """Activation elements that the layers read and write."""
        return sum(layer.activation_elements for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Activation traffic of one call: bytes that the layers read and write."""
        return self.activation_elements * self.activation_bytes_each


def count_model(file: Path, input_shapes: Mapping[str, Shape]) -> GraphCost:
    """`count_graph` of an ONNX file; `ModelError` where it cannot be read."""
    import onnx

    try:
        model = onnx.load(str(file))
    except Exception as error:  # protobuf's own errors have no class that can be named here
        raise ModelError(f"{file}: not a readable ONNX file: {error}") from error
    try:
        return count_graph(model, input_shapes)
    except (ModelError, UnsupportedError) as error:
        raise type(error)(f"{file}: {error}") from error


def count_graph(model: ModelProto, input_shapes: Mapping[str, Shape]) -> GraphCost:
    """Count `model` with its inputs at `input_shapes` (all of them, NCHW as the graph has them).

    `model` is left as it is. Raises `ModelError` where names or shapes do not fit the graph, and
    `UnsupportedError` where a node cannot be counted.
    """
    graph = _with_shapes(model, input_shapes)
    shapes, types = _tensors(graph)
    constants = _constant_tensors(graph)
    layers = []
    for node in graph.node:
        if node.op_type in _FREE or all(name in constants for name in node.output if name):
            continue
        layers.append(_layer(node, shapes, constants))
    precision, element_bytes = _precision(graph, types, constants)
    return GraphCost(
        layers=tuple(layers),
        parameters=_parameters(graph, shapes, constants),
        input_elements=sum(_elements(shapes, name) for name in input_shapes),
        output_elements=sum(_elements(shapes, value.name) for value in graph.output),
        precision=precision,
        activation_bytes_each=element_bytes,
        boundary_padding=_padding(shapes, (*input_shapes, *(item.name for item in graph.output))),
    )


def _with_shapes(model: ModelProto, input_shapes: Mapping[str, Shape]) -> GraphProto:
    import onnx
    import onnx.inliner

    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    if fixed.functions:
        fixed = onnx.inliner.inline_local_functions(fixed)
    _check_nodes(fixed.graph.node)
    weights = {initializer.name for initializer in fixed.graph.initializer}
    inputs = [value for value in fixed.graph.input if value.name not in weights]
    if {value.name for value in inputs} != set(input_shapes):
        have = ", ".join(value.name for value in inputs)
        raise ModelError(f"its inputs are {have}, but shapes were given for {sorted(input_shapes)}")
    for value in inputs:
        _fix(value, input_shapes[value.name])
    # Shapes of another size, symbolic or fixed, would contradict the ones to be inferred.
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True).graph
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(f"shapes {dict(input_shapes)} do not fit the graph: {error}") from error


def _check_nodes(nodes: Iterable[NodeProto]) -> None:
    for node in nodes:
        if node.op_type in _UNCOUNTED:
            raise UnsupportedError(f"node {node.name!r}: {node.op_type} cannot be counted")
        if node.domain not in {"", "ai.onnx"}:
            name = f"{node.domain}::{node.op_type}"
            raise UnsupportedError(
                f"node {node.name!r}: {name} is not standard ONNX and cannot be counted"
            )


def _fix(value: Any, shape: Shape) -> None:
    dims = value.type.tensor_type.shape.dim
    declared = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
    fits = len(declared) == len(shape) and all(
        have is None or have == want for have, want in zip(declared, shape, strict=True)
    )
    if not fits:
        raise ModelError(f"input {value.name!r} has shape {declared}, not {list(shape)}")
    for dim, extent in zip(dims, shape, strict=True):
        dim.dim_value = extent


def _tensors(graph: GraphProto) -> tuple[dict[str, Shape], dict[str, int]]:
    shapes: dict[str, Shape] = {}
    types: dict[str, int] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        dims = tensor.shape.dim
        types[value.name] = tensor.elem_type
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    for initializer in graph.initializer:
        shapes[initializer.name] = tuple(initializer.dims)
        types[initializer.name] = initializer.data_type
    return shapes, types


def _constant_tensors(graph: GraphProto) -> dict[str, str]:
    """Tensors that do not depend on an input, each with the stored tensor that it comes from."""
    roots = {initializer.name: initializer.name for initializer in graph.initializer}
    for node in graph.node:
        # A shape is fixed with the inputs' shapes, whatever tensor it is the shape of.
        inputs = [] if node.op_type == "Shape" else [name for name in node.input if name]
        if all(name in roots for name in inputs):
            for output in node.output:
                roots[output] = roots[inputs[0]] if inputs else output
    return roots


def _layer(node: NodeProto, shapes: dict[str, Shape], constants: Mapping[str, str]) -> LayerCost:
    data = [name for name in node.input if name and name not in constants]
    macs, weights, cin, cout, groups = _work(node, shapes, constants)
    return LayerCost(
        name=node.name or node.output[0],
        op=node.op_type,
        macs=macs,
        weights=weights,
        input_elements=sum(_elements(shapes, name) for name in data),
        output_elements=sum(_elements(shapes, name) for name in node.output if name),
        in_channels=cin,
        out_channels=cout,
        groups=groups,
    )


def _work(
    node: NodeProto, shapes: dict[str, Shape], constants: Mapping[str, str]
) -> tuple[int, int, int, int, int]:
    """Multiply-accumulates, weights, input and output channels, groups of a node."""
    if node.op_type not in _DATA_AND_WEIGHT:
        return 0, 0, 0, 0, 1
    data_index, weight_index = _DATA_AND_WEIGHT[node.op_type]
    data = _shape(shapes, node.input[data_index])
    weight = _shape(shapes, node.input[weight_index])
    out = _shape(shapes, node.output[0])
    weights = math.prod(weight) if node.input[weight_index] in constants else 0
    attributes = {item.name: item.i for item in node.attribute}
    groups = attributes.get("group", 1)
    if node.op_type == "ConvTranspose":
        # Every input element is multiplied into its own patch of the output, whatever the stride.
        macs = math.prod(data) * math.prod(weight[1:])
        return macs, weights, weight[0], weight[1] * groups, groups
    if "Conv" in node.op_type:
        return math.prod(out) * math.prod(weight[1:]), weights, data[1], weight[0], groups
    depth = data[0] if attributes.get("transA") else data[-1]
    return math.prod(out) * depth, weights, depth, out[-1], 1


def _parameters(graph: GraphProto, shapes: dict[str, Shape], constants: Mapping[str, str]) -> int:
    """Elements of the stored tensors that were learned: no scales, zero points, axes or bounds."""
    learned: dict[str, int] = {}
    for node in graph.node:
        for name in _learned_inputs(node):
            # A scalar that is added or multiplied was written in the code, not learned.
            scalar = node.op_type in {"Add", "Mul"} and _elements(shapes, name) == 1
            if name in constants and not scalar:
                learned[constants[name]] = _elements(shapes, name)
    return sum(learned.values())


def _learned_inputs(node: NodeProto) -> tuple[str, ...]:
    inputs = tuple(node.input)
    if node.op_type == "QLinearConv":
        return (inputs[3], *inputs[8:9])
    if node.op_type in _DATA_AND_WEIGHT:
        data, weight = _DATA_AND_WEIGHT[node.op_type]
        takes_bias = node.op_type in {"Conv", "ConvTranspose", "Gemm"}
        return (inputs[data], inputs[weight], *(inputs[2:3] if takes_bias else ()))
    if node.op_type in _NORMALISATIONS or node.op_type in {"PRelu", "Add", "Mul"}:
        return inputs
    return ()


def _precision(
    graph: GraphProto, types: Mapping[str, int], constants: Mapping[str, str]
) -> tuple[str, int]:
    """The graph's own precision and the bytes of one activation element in it."""
    import onnx

    def size(name: str) -> int:
        return int(onnx.helper.tensor_dtype_to_np_dtype(types[name]).itemsize)

    quantised: Counter[int] = Counter()
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants:
            quantised[size(node.output[0])] += 1
        if node.op_type == "DequantizeLinear" and node.input[0] not in constants:
            quantised[size(node.input[0])] += 1
        if node.op_type in {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}:
            quantised[size(node.input[0])] += 1
    if not quantised:
        return "float", size(graph.output[0].name)
    element_bytes = quantised.most_common(1)[0][0]
    return f"w8a{8 * element_bytes}", element_bytes


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    if name not in shapes:
        raise ModelError(f"the shape of tensor {name!r} could not be inferred")
    return shapes[name]


def _elements(shapes: Mapping[str, Shape], name: str) -> int:
    return math.prod(_shape(shapes, name))


def _padding(shapes: Mapping[str, Shape], names: Iterable[str]) -> float:
    """What padding the channels of tensors to `LANES` makes of their elements, as a factor."""
    elements, padded = 0, 0.0
    for name in names:
        shape, count = _shape(shapes, name), _elements(shapes, name)
        channels = max(1, shape[1] if len(shape) > 1 else 1)
        elements += count
        padded += count / channels * math.ceil(channels / LANES) * LANES
    return padded / elements if elements else 1.0
