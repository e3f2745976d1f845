"""What TensorRT would refuse, or silently run in float, said before its builder is asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_OPERATORS = {
    "Add",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Mul",
    "QuantizeLinear",
    "Round",
    "Sub",
}


def lint_tensorrt(model: onnx.ModelProto) -> tuple[str, ...]:
    """What is wrong with a QDQ graph for TensorRT, a sentence each; nothing where it is sound.

    TensorRT takes int8 with zero points of 0 only, no quantised bias, uint8 at the graph's ends
    only; and a convolution runs in int8 only where its input and its weight both come from a
    DequantizeLinear.
    """
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    found: list[str] = []
    for node in model.graph.node:
        if node.op_type not in _OPERATORS or node.domain not in ("", "ai.onnx"):
            found.append(
                f"{node.op_type} '{node.name}' is no operator that was tried with TensorRT"
            )
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            found += _of_steps(node, constants)
        elif node.op_type == "Conv":
            found += _of_convolution(node, producers)
    return (*found, *_of_ends(model))


def _of_steps(node: onnx.NodeProto, constants: dict[str, NDArray[np.generic]]) -> Iterator[str]:
    where = f"{node.op_type} '{node.name}'"
    scale, *rest = (constants.get(name) for name in node.input[1:])
    if scale is None or not (np.isfinite(scale).all() and (scale.astype(np.float64) > 0.0).all()):
        yield f"{where} has no constant, positive scale"
    for zero_point in rest:
        if zero_point is None or zero_point.dtype != np.int8:
            yield f"{where} is not int8: use the tensorrt preset"
        elif zero_point.any():
            yield f"{where} has a zero point that is not 0: use symmetric activations"
    source = constants.get(node.input[0])
    if source is not None and source.dtype != np.int8:
        yield f"{where} reads the {source.dtype} constant '{node.input[0]}': a bias must be float"


def _of_convolution(node: onnx.NodeProto, producers: dict[str, onnx.NodeProto]) -> Iterator[str]:
    def dequantized(name: str) -> bool:
        return name in producers and producers[name].op_type == "DequantizeLinear"

    activation, weight = (dequantized(name) for name in node.input[:2])
    if activation != weight:
        part = "weight" if weight else "input"
        yield f"Conv '{node.name}' would run in float: only its {part} is quantised"


def _of_ends(model: onnx.ModelProto) -> Iterator[str]:
    uint8 = onnx.TensorProto.UINT8
    inputs = {v.name for v in model.graph.input if v.type.tensor_type.elem_type == uint8}
    outputs = {v.name for v in model.graph.output if v.type.tensor_type.elem_type == uint8}
    for node in model.graph.node:
        if node.op_type == "Cast":
            continue
        for name in (*inputs.intersection(node.input), *outputs.intersection(node.output)):
            yield f"{node.op_type} '{node.name}' touches the uint8 port '{name}' without a Cast"
