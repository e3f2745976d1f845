"""Float ONNX graph to integers in QDQ form, by a recipe.

Activations are uint8 here, weights int8; `symmetric` is for targets that want int8 activations.
uint8 saturation does ReLU6's clipping, so the Clip node goes away, whether a convolution is clipped
or features that a scene's code scales or shifts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from ...decoder.networks import NetworkSpec
from ...runtime.errors import ExportError, UnsupportedError
from . import symmetric
from .arithmetic import Steps, quantize_bias, quantize_weight, weight_scale
from .builder import GraphBuilder
from .recipe import Activations, Affine, Arithmetic, LayerPrecision, Preset, Recipe
from .structure import (
    activation_affines,
    activations,
    constants,
    consumers,
    convolution,
    corrected,
    layer_name,
    layers,
)

__all__ = ["QuantizedConv", "activations", "layers", "quantize", "quantize_conv", "uint8_boundary"]

# A uint16 level is a 257th of a uint8 one: 65535 = 255 * 257.
_WIDE = 257
_WIDE_OPSET = 21


@dataclass(frozen=True)
class QuantizedConv:
    """Integer parameters of one convolution.

    `weight` int8 [O, I, kH, kW], `weight_scale` float32 [O], `bias` int32 [O] in steps of
    `bias_scale` float32 [O] = input scale * weight scale. In exact arithmetic the scales are labels
    of the graph, powers of two, not real values.
    """

    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    bias_scale: NDArray[np.float32]


def quantize(model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe) -> onnx.ModelProto:
    """`model` (float, opset 20) in QDQ form, its inputs and outputs still float.

    Raises `ExportError` where a weight is not finite, a node has no fixed range, or the recipe
    names what the graph does not have; `UnsupportedError` for a precision that the target or exact
    arithmetic does not have.
    """
    _check_recipe(model, spec, recipe)
    if recipe.preset.activations is Activations.S8:
        return symmetric.quantize(model, spec, recipe)
    return _Uint8Graph(model, spec, recipe).build()


def uint8_boundary(qdq: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe) -> onnx.ModelProto:
    """`qdq` as `quantize` made it by `recipe`, with uint8 tensors for its inputs and outputs.

    With uint8 activations the outermost QuantizeLinear and DequantizeLinear go away; else casts are
    put in. The ports' names stay.
    """
    if recipe.preset.activations is Activations.S8:
        return symmetric.uint8_boundary(qdq, spec)
    inputs = {p.name for p in spec.inputs}
    outputs = {p.name for p in spec.outputs}
    boundary = onnx.ModelProto()
    boundary.CopyFrom(qdq)
    boundary.graph.ClearField("node")
    for node in qdq.graph.node:
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


def quantize_conv(
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    source: Affine,
    result: Affine,
    preset: Preset,
) -> QuantizedConv:
    """Integers of a convolution between activations `source` and `result`.

    `weight` is float32 [O, I, kH, kW], `bias` float32 [O]. Raises ValueError for weights that exact
    arithmetic cannot hold.
    """
    arithmetic = preset.arithmetic
    real, shift = torch.tensor(weight), torch.tensor(bias)
    steps = Steps(source.scale, result.scale)
    scale = weight_scale(real, shift, steps, arithmetic, per_channel=preset.per_channel)
    source_label, result_label = label(source, arithmetic), label(result, arithmetic)
    # One label for both sides of a ratio: what an output is of an accumulator stays as it is.
    relabelled = (source.scale / source_label.scale) * (result_label.scale / result.scale)
    weight_label = (scale * relabelled).float()
    bias_label = np.float32(source_label.scale) * weight_label.numpy()
    unit = scale * source.scale
    if arithmetic is Arithmetic.FAST:
        unit = torch.from_numpy(bias_label).double()
    return QuantizedConv(
        quantize_weight(real, scale, arithmetic).numpy().astype(np.int8),
        weight_label.numpy(),
        quantize_bias(shift, unit, arithmetic).numpy().astype(np.int32),
        bias_label,
    )


def label(affine: Affine, arithmetic: Arithmetic) -> Affine:
    """What the graph says of a tensor: in exact arithmetic the nearest power of two as its scale.

    All that integers depend on is ratios of scales, and those are kept: tensors of one scale have
    one label, and a convolution's weights take up what its input and output differ by. So that a
    kernel that computes with the labels meets powers of two only, which no float rounds.
    """
    if arithmetic is Arithmetic.FAST:
        return affine
    return Affine(2.0 ** round(math.log2(affine.scale)), affine.zero_point)


class _Uint8Graph:
    """A QDQ graph with uint8 activations, while it is made."""

    def __init__(self, model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe) -> None:
        self._model = model
        self._spec = spec
        self._recipe = recipe
        self._arithmetic = recipe.preset.arithmetic
        self._affines = activation_affines(model, spec, recipe.ranges)
        self._constants = constants(model)
        self._precision = _precisions(model, spec, recipe)
        self._wide = {n for n, each in self._precision.items() if each is LayerPrecision.A16W8}
        self._wide_tensors: set[str] = set()
        self._graph = GraphBuilder()

    def build(self) -> onnx.ModelProto:
        graph = self._graph
        clipped = {n.input[0]: n.output[0] for n in self._model.graph.node if n.op_type == "Clip"}
        outputs = {p.name for p in self._spec.outputs}
        for port in self._spec.inputs:
            self._store(port.name, port.name, enters=True)
        for node in self._model.graph.node:
            if node.op_type == "Clip":
                continue
            stored = clipped.get(node.output[0], node.output[0])
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.output[:] = [f"{stored}_float"]
            if node.op_type == "Conv":
                wide = layer_name(node) in self._wide
                copy.input[:] = [self._read(node.input[0], wide=wide)]
                copy.input.extend(self._parameters(node, stored))
                if self._precision.get(layer_name(node)) is LayerPrecision.FLOAT:
                    copy.input[0] = graph.read_in_float(copy.input[0])
            else:
                wide = False
                copy.input[:] = [self._read(name, wide=False) for name in node.input]
                self._require_exact(node, stored)
            graph.nodes.append(copy)
            source = f"{stored}_float"
            if wide and stored in outputs:
                # A port has 8 bits; a convolution cannot read 16 and write 8 at once.
                source, wide = self._through_wide(source, stored), False
            self._store(source, stored, wide=wide)
            if stored in outputs:
                self._leave(stored)
        quantized = graph.finish(self._model, outputs)
        if self._wide:
            quantized.opset_import[0].version = max(_WIDE_OPSET, quantized.opset_import[0].version)
        return quantized

    def _store(self, source: str, tensor: str, *, enters: bool = False, wide: bool = False) -> None:
        real = self._affines[tensor]
        stated = label(real, self._arithmetic)
        if wide:
            self._wide_tensors.add(tensor)
            self._graph.quantize(source, tensor, stated.scale / _WIDE, _wide_zero(stated))
            self._graph.dequantize(tensor, stated.scale / _WIDE)
            return
        if enters and stated != real:
            # What comes in is real; the graph goes on with its labels.
            name = f"{tensor}_port_scale"
            self._graph.quantize(source, tensor, real.scale, np.uint8(real.zero_point), name)
        else:
            self._graph.quantize(source, tensor, stated.scale, np.uint8(real.zero_point))
        self._graph.dequantize(tensor, stated.scale)

    def _through_wide(self, source: str, tensor: str) -> str:
        """Float tensor `source`, the value of `tensor`, rounded to 16 bits; its name."""
        affine = self._affines[tensor]
        scale = affine.scale / _WIDE
        self._graph.quantize(source, f"{tensor}_wide", scale, _wide_zero(affine))
        return self._graph.dequantize(f"{tensor}_wide", scale)

    def _leave(self, tensor: str) -> None:
        """Its own node: the uint8 boundary removes it and leaves the one that feeds the graph."""
        real = self._affines[tensor]
        stated = label(real, self._arithmetic)
        scale_name = "" if stated == real else f"{tensor}_port_scale"
        name = f"{tensor}_output_DequantizeLinear"
        self._graph.dequantize(tensor, real.scale, tensor, name, scale_name)

    def _read(self, tensor: str, *, wide: bool) -> str:
        """The dequantised form of a stored tensor, from 16 bits or from 8."""
        if wide is (tensor in self._wide_tensors):
            return f"{tensor}_dequantized"
        other = f"{tensor}_{'wide' if wide else 'narrow'}"
        if f"{other}_scale" in self._graph.initializers:
            return f"{other}_dequantized"
        if wide:
            return self._through_wide(f"{tensor}_dequantized", tensor)
        affine = self._affines[tensor]
        zero_point = np.uint8(affine.zero_point)
        self._graph.quantize(f"{tensor}_dequantized", other, affine.scale, zero_point)
        return self._graph.dequantize(other, affine.scale)

    def _parameters(self, node: onnx.NodeProto, stored: str) -> list[str]:
        """Names of a convolution's weight and bias, as float tensors."""
        graph, preset = self._graph, self._recipe.preset
        conv = corrected(convolution(node, self._constants), self._recipe)
        if self._precision.get(conv.name) is LayerPrecision.FLOAT:
            return [
                graph.constant(conv.weight_name, conv.weight),
                graph.constant(conv.bias_name, conv.bias),
            ]
        source, result = self._affines[node.input[0]], self._affines[stored]
        if conv.name in self._wide:
            source = Affine(source.scale / _WIDE, source.zero_point * _WIDE)
        try:
            integers = quantize_conv(conv.weight, conv.bias, source, result, preset)
        except ValueError as error:
            raise ExportError(f"quantise {self._spec.name}, {conv.name}: {error}") from error
        weight = graph.dequantized_constant(
            conv.weight_name, integers.weight, integers.weight_scale
        )
        if not preset.quantized_bias:
            return [weight, graph.constant(conv.bias_name, conv.bias)]
        bias = graph.dequantized_constant(conv.bias_name, integers.bias, integers.bias_scale)
        return [weight, bias]

    def _require_exact(self, node: onnx.NodeProto, stored: str) -> None:
        """A sum is exact where all three scales are one; what moves levels always is."""
        if self._arithmetic is Arithmetic.EXACT and node.op_type == "Add":
            scales = {self._affines[name].scale for name in (*node.input, stored)}
            if len(scales) > 1:
                raise ExportError(
                    f"quantise {self._spec.name}: {node.op_type} '{node.name}' has the scales"
                    f" {sorted(scales)}; exact arithmetic adds levels of one scale only"
                )


def _check_recipe(model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe) -> None:
    unknown = {*recipe.precision, *recipe.bias_corrections} - set(layers(model))
    if unknown:
        raise ExportError(
            f"quantise {spec.name}: there is no layer {', '.join(sorted(unknown))}: it has"
            f" {', '.join(layers(model))}"
        )
    wide = [n for n, each in recipe.precision.items() if each is LayerPrecision.A16W8]
    if wide and recipe.preset.activations is Activations.S8:
        raise UnsupportedError(
            f"quantise {spec.name}: {', '.join(sorted(wide))} cannot be a16w8 for"
            f" {recipe.preset.name}, which has no 16-bit activations; use float"
        )
    promoted = [n for n, each in recipe.precision.items() if each is not LayerPrecision.INT8]
    if promoted and recipe.preset.arithmetic is Arithmetic.EXACT:
        raise UnsupportedError(
            f"quantise {spec.name}: {', '.join(sorted(promoted))} cannot be"
            f" {recipe.precision[promoted[0]]} in exact arithmetic, which is of int8 layers only"
        )


def _precisions(
    model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe
) -> dict[str, LayerPrecision]:
    """How each layer that is not int8 computes.

    Beside what the recipe says: the layer whose result a 16-bit one reads has 16 bits as well,
    since a level that was rounded to 8 before would gain nothing; and a layer that writes a port
    and nothing else has float for 16 bits, which the port's 8 would lose (QNN refuses it, too).
    """
    outputs = {p.name for p in spec.outputs}
    readers = consumers(model)
    precisions: dict[str, LayerPrecision] = {
        n: p for n, p in recipe.precision.items() if p is not LayerPrecision.INT8
    }
    wide = {n for n, p in precisions.items() if p is LayerPrecision.A16W8}
    for node in model.graph.node:
        name = layer_name(node) if node.op_type == "Conv" else ""
        if name in wide and node.output[0] in outputs and not readers.get(node.output[0]):
            precisions[name] = LayerPrecision.FLOAT
        if not name or name in recipe.precision:
            continue
        clips = [n.output[0] for n in readers.get(node.output[0], ()) if n.op_type == "Clip"]
        stored = [tensor for tensor in clips if tensor not in outputs]
        after = [n for tensor in stored for n in readers.get(tensor, ()) if n.op_type == "Conv"]
        if wide & {layer_name(n) for n in after}:
            precisions[name] = LayerPrecision.A16W8
    return precisions


def _wide_zero(affine: Affine) -> np.uint16:
    return np.uint16(affine.zero_point * _WIDE)


def _port_name(tensor: str, ports: set[str]) -> str:
    port = tensor.removesuffix("_quantized")
    return port if port in ports and port != tensor else tensor
