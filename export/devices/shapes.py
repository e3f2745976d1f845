"""Fixed shapes: what compilers for devices take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from ...decoder.networks import NetworkSpec
from ...runtime.errors import ExportError
from ..sizes import Size, port_shape


def fix_size(model: onnx.ModelProto, spec: NetworkSpec, size: Size) -> onnx.ModelProto:
    """`model`, the graph of `spec`, with the shapes that its ports have for pictures of `size`.

    Shapes of inner tensors are inferred again. Raises `ExportError` where the graph's ports are not
    those of `spec`.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    ports = {port.name: port for port in (*spec.inputs, *spec.outputs)}
    for value in (*fixed.graph.input, *fixed.graph.output):
        if value.name not in ports:
            raise ExportError(
                f"{spec.name} has no port '{value.name}': the graph is of another network"
            )
        shape = port_shape(ports[value.name], spec, size)
        for dimension, length in zip(value.type.tensor_type.shape.dim, shape, strict=True):
            dimension.dim_value = length
    fixed.graph.ClearField("value_info")
    return onnx.shape_inference.infer_shapes(fixed, check_type=True, strict_mode=True)


@dataclass(frozen=True)
class GraphSize:
    """Nodes of a graph, and those of them that are convolutions with quantised weights."""

    nodes: int
    int8_convolutions: int


def measure_graph(path: Path) -> GraphSize:
    """What the graph in `path` asks of a device.

    `ExportError` where it cannot be read, or where an input's shape is not fixed.
    """
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's DecodeError is not importable by a stable name
        raise ExportError(f"{path} is no ONNX file that can be read: {error}") from error
    for value in graph.input:
        if any(not d.HasField("dim_value") for d in value.type.tensor_type.shape.dim):
            raise ExportError(
                f"{path.name}: input '{value.name}' has no fixed shape, and devices need one:"
                " export with --size, such as --size 1080p"
            )
    dequantized = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    convolutions = sum(n.op_type == "Conv" and n.input[1] in dequantized for n in graph.node)
    return GraphSize(len(graph.node), convolutions)
