"""QDQ graphs with int8 activations and no zero points, as TensorRT wants them.

A uint8 level q of a tensor becomes int8 in one of two ways:

- q - 128, all 8 bits: for tensors that only convolutions without padding read, and for those whose
  zero is level 128 anyway. What the shift is worth goes into the next convolution's bias, exactly;
  int8 saturation then does ReLU6's clipping;
- about q / 2, 7 bits, from 0 to 127: for the others, since padding's zero must stay zero. There the
  Clip stays.

Biases are float, and so is what a scene's code scales and shifts: TensorRT fuses it into the
convolution before. Outputs keep the convolution's float result to the port.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from ...decoder.networks import NetworkSpec, PortSpec
from .arithmetic import Steps, quantize_weight, weight_scale
from .builder import GraphBuilder
from .recipe import Affine, LayerPrecision, Recipe
from .structure import (
    LEVELS,
    activation_affines,
    constants,
    consumers,
    convolution,
    corrected,
    layer_name,
)

_INT8_MAX = 127
_MIDDLE = 128
_MOVES_LEVELS = ("Concat", "DepthToSpace")
_CODE = ("Mul", "Add")


@dataclass(frozen=True)
class _Storage:
    """int8 form of a tensor: `real = int8 * scale + offset`."""

    scale: float
    offset: float


def quantize(model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe) -> onnx.ModelProto:
    """`model` (float) in QDQ form with int8 activations, its inputs and outputs still float.

    Raises what `quantizer.quantize` does.
    """
    return _Int8Graph(model, spec, recipe).build()


def uint8_boundary(qdq: onnx.ModelProto, spec: NetworkSpec) -> onnx.ModelProto:
    """`qdq` with uint8 inputs and outputs: casts and the ports' scales are put at its ends.

    TensorRT takes uint8 at a network's ends only, and only where it is cast at once.
    """
    result = onnx.ModelProto()
    result.CopyFrom(qdq)
    result.graph.ClearField("node")
    graph = GraphBuilder()
    inner = {p.name: f"{p.name}_real" for p in (*spec.inputs, *spec.outputs)}
    for port in spec.inputs:
        _enter(graph, port, inner[port.name])
    for node in qdq.graph.node:
        kept = onnx.NodeProto()
        kept.CopyFrom(node)
        kept.input[:] = [inner.get(name, name) for name in node.input]
        kept.output[:] = [inner.get(name, name) for name in node.output]
        graph.nodes.append(kept)
    for port in spec.outputs:
        _leave(graph, port, inner[port.name])
    result.graph.node.extend(graph.nodes)
    result.graph.initializer.extend(graph.initializers.values())
    for value in (*result.graph.input, *result.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    return result


def _enter(graph: GraphBuilder, port: PortSpec, real: str) -> None:
    name = port.name
    levels = f"{name}_levels"
    cast = onnx.helper.make_node(
        "Cast", [name], [levels], f"{name}_Cast", to=onnx.TensorProto.FLOAT
    )
    graph.nodes.append(cast)
    if port.zero_point:
        zero = graph.constant(f"{name}_port_zero_point", np.array(port.zero_point, np.float32))
        levels = graph.node("Sub", [levels, zero], f"{name}_centred", f"{name}_Sub")
    scale = graph.constant(f"{name}_port_scale", np.array(port.scale, np.float32))
    graph.node("Mul", [levels, scale], real, f"{name}_Mul")


def _leave(graph: GraphBuilder, port: PortSpec, real: str) -> None:
    name = port.name
    scale = graph.constant(f"{name}_port_scale", np.array(port.scale, np.float32))
    levels = graph.node("Div", [real, scale], f"{name}_levels", f"{name}_Div")
    levels = graph.node("Round", [levels], f"{name}_rounded", f"{name}_Round")
    if port.zero_point:
        zero = graph.constant(f"{name}_port_zero_point", np.array(port.zero_point, np.float32))
        levels = graph.node("Add", [levels, zero], f"{name}_shifted", f"{name}_Add")
    low = graph.constant("uint8_least", np.array(0.0, np.float32))
    high = graph.constant("uint8_most", np.array(LEVELS, np.float32))
    levels = graph.node("Clip", [levels, low, high], f"{name}_saturated", f"{name}_Clip")
    cast = onnx.helper.make_node(
        "Cast", [levels], [name], f"{name}_Cast", to=onnx.TensorProto.UINT8
    )
    graph.nodes.append(cast)


class _Int8Graph:
    """A QDQ graph with int8 activations, while it is made."""

    def __init__(self, model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe) -> None:
        self._model = model
        self._outputs = {p.name for p in spec.outputs}
        self._recipe = recipe
        affines = activation_affines(model, spec, recipe.ranges)
        self._storage = _storages(model, affines)
        self._constants = constants(model)
        self._clips = {n.input[0]: n for n in model.graph.node if n.op_type == "Clip"}
        readers = consumers(model)
        # What only a scene's code reads, or nothing, stays float.
        self._stored = {
            name for name in affines if any(n.op_type not in _CODE for n in readers.get(name, ()))
        }
        self._inputs = [port.name for port in spec.inputs]
        self._graph = GraphBuilder()

    def build(self) -> onnx.ModelProto:
        for name in self._inputs:
            if name in self._stored:
                self._store(self._shifted(name, name), name)
        for node in self._model.graph.node:
            if node.op_type == "Conv":
                self._convolve(node)
            elif node.op_type in _MOVES_LEVELS:
                self._move(node)
            elif node.op_type in _CODE:
                self._apply_code(node)
        return self._graph.finish(self._with_clip_bounds(), self._outputs)

    def _convolve(self, node: onnx.NodeProto) -> None:
        clip = self._clips.get(node.output[0])
        tensor = clip.output[0] if clip else node.output[0]
        stored = tensor in self._stored
        result = self._storage[tensor] if stored else _Storage(1.0, 0.0)
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [f"{node.input[0]}_dequantized", *self._parameters(node, tensor, result)]
        if self._recipe.precision.get(layer_name(node)) is LayerPrecision.FLOAT:
            copy.input[0] = self._graph.read_in_float(copy.input[0])
        saturates = stored and bool(result.offset)
        ends = not stored and clip is None
        copy.output[:] = [tensor if ends else f"{tensor}_sum"]
        self._graph.nodes.append(copy)
        if ends:
            return
        source = f"{tensor}_sum"
        if clip is not None and not saturates:
            target = f"{tensor}_float" if stored or tensor not in self._outputs else tensor
            self._graph.node("Clip", [source, *clip.input[1:]], target, clip.name)
            source = target
        if stored:
            self._store(source, tensor)
            if tensor in self._outputs:
                self._restore(tensor)

    def _move(self, node: onnx.NodeProto) -> None:
        (tensor,) = node.output
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [f"{name}_dequantized" for name in node.input]
        copy.output[:] = [f"{tensor}_float"]
        self._graph.nodes.append(copy)
        self._store(f"{tensor}_float", tensor)

    def _apply_code(self, node: onnx.NodeProto) -> None:
        clip = self._clips[node.output[0]]
        tensor = clip.output[0]
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [n if n in self._inputs else f"{n}_float" for n in node.input]
        copy.output[:] = [f"{tensor}_sum"]
        self._graph.nodes.append(copy)
        self._graph.node("Clip", [f"{tensor}_sum", *clip.input[1:]], f"{tensor}_float", clip.name)
        if tensor in self._stored:
            self._store(self._shifted(f"{tensor}_float", tensor), tensor)

    def _store(self, source: str, tensor: str) -> None:
        scale = self._storage[tensor].scale
        self._graph.quantize(source, tensor, scale, np.int8(0))
        self._graph.dequantize(tensor, scale)

    def _shifted(self, source: str, tensor: str) -> str:
        """Float tensor `source` without what its int8 form leaves out."""
        offset = self._storage[tensor].offset
        if not offset:
            return source
        constant = self._graph.constant(f"{tensor}_offset", np.array(offset, np.float32))
        return self._graph.node("Sub", [source, constant], f"{tensor}_centred", f"{tensor}_Sub")

    def _restore(self, tensor: str) -> None:
        """The output `tensor` of the graph, real, from its int8 form."""
        offset = np.array(self._storage[tensor].offset, np.float32)
        constant = self._graph.constant(f"{tensor}_offset", offset)
        inputs = [f"{tensor}_dequantized", constant]
        self._graph.node("Add", inputs, tensor, f"{tensor}_Add")

    def _parameters(self, node: onnx.NodeProto, tensor: str, result: _Storage) -> list[str]:
        graph, preset = self._graph, self._recipe.preset
        conv = corrected(convolution(node, self._constants), self._recipe)
        source = self._storage[node.input[0]]
        weight = conv.weight.astype(np.float64)
        if self._recipe.precision.get(conv.name) is LayerPrecision.FLOAT:
            name = graph.constant(conv.weight_name, conv.weight)
        else:
            real = torch.tensor(conv.weight)
            steps = Steps(source.scale, result.scale)
            scale = weight_scale(
                real, None, steps, preset.arithmetic, per_channel=preset.per_channel
            )
            integers = quantize_weight(real, scale, preset.arithmetic)
            weight = (integers * scale[:, None, None, None]).numpy()
            name = graph.dequantized_constant(
                conv.weight_name, integers.numpy().astype(np.int8), scale.float().numpy()
            )
        bias = _shifted_bias(weight, conv.bias, source.offset, result.offset)
        return [name, graph.constant(conv.bias_name, bias)]

    def _with_clip_bounds(self) -> onnx.ModelProto:
        for clip in self._clips.values():
            for name in clip.input[1:]:
                self._graph.initializers[name] = numpy_helper.from_array(
                    self._constants[name], name
                )
        return self._model


def _shifted_bias(
    weight: NDArray[np.float64], bias: NDArray[np.float32], before: float, after: float
) -> NDArray[np.float32]:
    """The bias that makes up for an input that lacks `before`, and leaves out `after`."""
    sums = weight.sum(axis=(1, 2, 3))
    shifted: NDArray[np.float32] = (bias + before * sums - after).astype(np.float32)
    return shifted


def _storages(model: onnx.ModelProto, affines: dict[str, Affine]) -> dict[str, _Storage]:
    """How each tensor is held in int8; tensors that moves join are held alike."""
    readers = consumers(model)
    padded = {name for name in affines if any(map(_needs_zero, readers.get(name, ())))}
    moves = [n for n in model.graph.node if n.op_type in _MOVES_LEVELS]
    for _ in moves:
        for node in moves:
            tied = {*node.input, *node.output}
            if tied & padded:
                padded |= tied
    return {name: _storage(affine, padded=name in padded) for name, affine in affines.items()}


def _needs_zero(node: onnx.NodeProto) -> bool:
    """Whether a node reads its input's zero as such: padding does, and so does a scene's code."""
    pads = [tuple(a.ints) for a in node.attribute if a.name == "pads"]
    automatic = [
        a.s for a in node.attribute if a.name == "auto_pad" and a.s not in (b"NOTSET", b"VALID")
    ]
    return node.op_type in _CODE or any(map(any, pads)) or bool(automatic)


def _storage(affine: Affine, *, padded: bool) -> _Storage:
    if affine.zero_point == _MIDDLE or not padded:
        return _Storage(affine.scale, (_MIDDLE - affine.zero_point) * affine.scale)
    return _Storage(affine.scale * LEVELS / _INT8_MAX, 0.0)
