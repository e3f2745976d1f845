"""What the architecture says about a float graph: its layers, and the range of every activation.

The architecture fixes every activation's range (`decoder.networks`), so no calibration data is
needed, and what calibration may narrow is known:

- a graph input or output has the scale and zero point of its port;
- after ReLU6, [0, 6]; calibration may give less, down to [0, high];
- Concat and DepthToSpace move levels and keep the quantisation of what they move.

A graph with anything else in it is refused: a node without a fixed range would silently become a
float island.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ...decoder.networks import NetworkSpec
from ...runtime.errors import ExportError
from .recipe import Affine, Recipe

RELU6_MAX = 6.0
LEVELS = 255
_MOVES_LEVELS = ("Concat", "DepthToSpace")
_COMPUTES = ("Conv", "Mul", "Add")


@dataclass(frozen=True)
class Convolution:
    """A convolution of a float graph: `weight` float32 [O, I, kH, kW], `bias` float32 [O].

    `name` is that of its weight without ".weight". The exporter drops biases of zeros; they are
    here, under the name that torch gives them, because a title may change them.
    """

    name: str
    weight_name: str
    weight: NDArray[np.float32]
    bias_name: str
    bias: NDArray[np.float32]


def layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the convolutions of a float graph, in its order: "stem", "body.0", "head"."""
    return tuple(layer_name(node) for node in model.graph.node if node.op_type == "Conv")


def layer_name(node: onnx.NodeProto) -> str:
    """The name of a convolution."""
    return str(node.input[1]).removesuffix(".weight")


def convolution(node: onnx.NodeProto, constants: Mapping[str, NDArray[np.float32]]) -> Convolution:
    """The parameters of a Conv node; `ExportError` names one that is no constant or not finite."""
    weight = _finite(node.input[1], constants)
    if len(node.input) > 2:
        bias_name, bias = node.input[2], _finite(node.input[2], constants)
    else:
        bias_name = f"{node.input[1].removesuffix('weight')}bias"
        bias = np.zeros(len(weight), np.float32)
    return Convolution(layer_name(node), node.input[1], weight, bias_name, bias)


def corrected(conv: Convolution, recipe: Recipe) -> Convolution:
    """`conv` with the recipe's correction added to its bias."""
    correction = recipe.bias_corrections.get(conv.name)
    if correction is None:
        return conv
    added = np.array(correction, np.float32)
    if added.shape != conv.bias.shape or not np.isfinite(added).all():
        raise ExportError(
            f"quantise: the bias correction of {conv.name} has {added.size} values; a finite"
            f" one for each of {len(conv.bias)} channels is wanted"
        )
    return replace(conv, bias=conv.bias + added)


def activations(model: onnx.ModelProto, spec: NetworkSpec) -> Mapping[str, tuple[float, float]]:
    """Inner activations of a float graph that may be calibrated, with the architecture's range.

    They are what ReLU6 gives, save for what must keep its range: ports, what is joined with a port,
    and what a scene's code scales or shifts, since a code may reach all of it.
    """
    fixed = {port.name for port in (*spec.inputs, *spec.outputs)}
    nodes = model.graph.node
    for node in nodes:
        if node.op_type in ("Mul", "Add"):
            fixed.update((*node.input, *node.output))
    # Two ways, so that what is beside or before a fixed tensor becomes fixed as well.
    ties = [node for node in nodes if node.op_type in _MOVES_LEVELS]
    clipped = {node.output[0]: node.input[0] for node in nodes if node.op_type == "Clip"}
    for _ in ties:
        for node in ties:
            tied = {*node.input, *node.output}
            if tied & fixed:
                fixed |= tied
    free = [name for name, source in clipped.items() if not {name, source} & fixed]
    joined = [node for node in ties if node.op_type == "Concat" and set(node.input) & set(free)]
    if any(len(set(node.input)) > 1 for node in joined):
        # Levels of several activations in one tensor need one scale: leave them the architecture's.
        free = [name for name in free if not any(name in node.input for node in joined)]
    return {name: (0.0, RELU6_MAX) for name in free}


def activation_affines(
    model: onnx.ModelProto, spec: NetworkSpec, ranges: Mapping[str, tuple[float, float]]
) -> dict[str, Affine]:
    """uint8 quantisation of every activation of `model` that is stored, by tensor.

    The input of a Clip is absent: it is never stored. `ranges` narrow the architecture's. Raises
    `ExportError` for an operator whose output has no range that the architecture fixes.
    """
    unknown = set(ranges) - set(activations(model, spec))
    if unknown:
        raise ExportError(
            f"quantise {spec.name}: {', '.join(sorted(unknown))} cannot be calibrated: it is no"
            " inner activation, or it must keep the architecture's range"
        )
    outputs = {p.name: Affine(p.scale, p.zero_point) for p in spec.outputs}
    affines = {p.name: Affine(p.scale, p.zero_point) for p in spec.inputs}
    users = consumers(model)
    known = constants(model)
    for node in model.graph.node:
        (output,) = node.output
        kinds = {n.op_type for n in users.get(output, ())}
        if node.op_type == "Clip":
            _require_relu6(node, known)
            affines[output] = _after_relu6(output, ranges)
        elif node.op_type in _MOVES_LEVELS:
            affines[output] = _common_affine(node, affines)
        elif output in outputs and node.op_type == "Conv":
            affines[output] = outputs[output]
        elif not (node.op_type in _COMPUTES and kinds == {"Clip"}):
            raise ExportError(
                f"quantise {spec.name}: the output of {node.op_type} '{node.name}' (into"
                f" {', '.join(sorted(kinds)) or 'nothing'}) has no range that the architecture"
                " fixes; give it a ReLU6, or teach export.quantization its range"
            )
        if output in outputs and affines.get(output) != outputs[output]:
            raise ExportError(
                f"quantise {spec.name}: output '{output}' has {affines.get(output)} in the graph,"
                f" but its port says {outputs[output]}"
            )
    return affines


def constants(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Values of the initialisers of `model`, by name."""
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def consumers(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    """The nodes that read each tensor, by its name."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    return users


def _after_relu6(tensor: str, ranges: Mapping[str, tuple[float, float]]) -> Affine:
    if tensor not in ranges:
        return Affine(RELU6_MAX / LEVELS, 0)
    low, high = ranges[tensor]
    # Zero is padding's value, so it must be a level; and nothing is below it, or above 6.
    high = min(float(high), RELU6_MAX)
    if not (np.isfinite(low) and high > 0.0):
        raise ExportError(f"quantise: '{tensor}' cannot have the range [{low}, {high}]")
    return Affine(high / LEVELS, 0)


def _common_affine(node: onnx.NodeProto, affines: Mapping[str, Affine]) -> Affine:
    moved = {affines.get(name) for name in node.input}
    first = moved.pop()
    if moved or first is None:
        raise ExportError(
            f"quantise: {node.op_type} '{node.name}' joins {', '.join(node.input)}, whose ranges"
            f" differ: {[affines.get(n) for n in node.input]}"
        )
    return first


def _require_relu6(node: onnx.NodeProto, known: Mapping[str, NDArray[np.float32]]) -> None:
    bounds = [float(known[name]) for name in node.input[1:] if name in known]
    if bounds != [0.0, RELU6_MAX]:
        raise ExportError(
            f"quantise: Clip '{node.name}' has the bounds {bounds}; only ReLU6, [0, 6], is known"
        )


def _finite(name: str, known: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    if name not in known:
        raise ExportError(f"quantise: '{name}' must be a constant of the graph, and is not")
    value = known[name]
    if not np.isfinite(value).all():
        raise ExportError(f"quantise: '{name}' holds NaN or infinity; train the network again")
    return value
