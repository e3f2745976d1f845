"""Graphs rewritten for the CPU: the same samples, to the bit, in less time.

A graph that is not of the form that they know is left as it is, which costs only time.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import replace

from .onnx_graph import GraphPort, Node, OnnxGraph, Stored, transpose, uint8_port
from .scene_code import BIAS_IDENTITY, GAIN_IDENTITY

# Integer kernels take channels in groups of four: 74 of them cost three times as much as 76.
_GROUP = 4
_REAL, _INTEGER = "DequantizeLinear", "QuantizeLinear"
_TO_CHANNELS_LAST, _TO_CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def without_scene_code(graph: OnnxGraph) -> OnnxGraph | None:
    """What the graph computes with the identity as its scene code, and no inputs for one; None
    where that is not sure.

    The identity multiplies by 1 and adds 0 between integers of one scale, which is nothing.
    """
    before = graph
    for port, operation, identity, value in (
        ("gain", "Mul", GAIN_IDENTITY, 1.0),
        ("bias", "Add", BIAS_IDENTITY, 0.0),
    ):
        if _real(before, port, identity) != value:
            return None
        shorter = _without_step(before, port, operation)
        if shorter is None:
            return None
        before = shorter
    return before


def with_whole_groups(graph: OnnxGraph) -> OnnxGraph:
    """The graph whose first layer has a whole number of groups of channels.

    It sees one of its inputs again, with weights of zero.
    """
    concat = next((node for node in graph.nodes if node.kind == "Concat"), None)
    if concat is None:
        return graph
    weight = _weight_behind(graph, concat)
    if weight is None:
        return graph
    outputs, channels, *kernel = weight.dims
    missing = -channels % _GROUP
    again = _input_of(graph, concat, missing)
    if not missing or again is None:
        return graph
    row, zeros = channels * math.prod(kernel), bytes(missing * math.prod(kernel))
    if len(weight.data) != outputs * row:
        return graph
    wider = replace(
        weight,
        dims=(outputs, channels + missing, *kernel),
        data=b"".join(weight.data[at * row : (at + 1) * row] + zeros for at in range(outputs)),
    )
    longer = replace(concat, inputs=(*concat.inputs, again))
    return replace(
        graph,
        nodes=tuple(longer if node is concat else node for node in graph.nodes),
        stored={**graph.stored, weight.name: wider},
    )


def with_channels_last(graph: OnnxGraph) -> OnnxGraph:
    """The graph whose pictures, in and out, are [1, h, w, C]: the kernels' own layout."""
    pictures = [port for port in (*graph.inputs, *graph.outputs) if is_picture(port)]
    inner = {port.name: f"{port.name}_channels_first" for port in pictures}
    into = [
        transpose(port.name, inner[port.name], _TO_CHANNELS_FIRST)
        for port in graph.inputs
        if port in pictures
    ]
    out = [
        transpose(inner[port.name], port.name, _TO_CHANNELS_LAST)
        for port in graph.outputs
        if port in pictures
    ]
    return replace(
        graph,
        nodes=(*into, *(_renamed(node, inner) for node in graph.nodes), *out),
        inputs=tuple(_channels_last(port) for port in graph.inputs),
        outputs=tuple(_channels_last(port) for port in graph.outputs),
    )


def is_picture(port: GraphPort) -> bool:
    """Whether the port is [1, C, h, w], rather than a value for each channel."""
    return len(port.dims) == 4 and port.dims[2:] != (1, 1)


def _without_step(graph: OnnxGraph, port: str, operation: str) -> OnnxGraph | None:
    """The graph without the step that brings `port` in, which is [DequantizeLinear], `operation`,
    QuantizeLinear, DequantizeLinear, all but the first of the scale that comes in."""
    levels = graph.taker(port)
    step = None if levels is None else graph.taker(levels.outputs[0])
    if (
        levels is None
        or step is None
        or (levels.kind, step.kind) != ("DequantizeLinear", operation)
    ):
        return None
    (source,) = [name for name in step.inputs if name != levels.outputs[0]] or [""]
    before, quantize = graph.maker(source), graph.taker(step.outputs[0])
    after = None if quantize is None else graph.taker(quantize.outputs[0])
    if before is None or quantize is None or after is None:
        return None
    kinds = (before.kind, quantize.kind, after.kind)
    if kinds != ("DequantizeLinear", "QuantizeLinear", "DequantizeLinear"):
        return None
    scales = {_scale(graph, node) for node in (before, quantize, after)}
    if len(scales) != 1 or None in scales:
        return None
    dropped = (levels, step, quantize, after)
    left = [node for node in graph.nodes if node not in dropped]
    return replace(
        graph,
        nodes=tuple(_renamed(node, {after.outputs[0]: source}) for node in left),
        inputs=tuple(each for each in graph.inputs if each.name != port),
    )


def _scale(graph: OnnxGraph, node: Node) -> tuple[bytes, bytes] | None:
    """Scale and zero point of a step into or out of integers, as they are stored."""
    if len(node.inputs) != 3:
        return None
    stored = [graph.stored.get(name) for name in node.inputs[1:]]
    first, second = (b"" if tensor is None else tensor.data for tensor in stored)
    return (first, second) if first and second else None


def _real(graph: OnnxGraph, port: str, level: int) -> float | None:
    """What that level of an input of bytes stands for."""
    levels = graph.taker(port)
    scale = None if levels is None else _scale(graph, levels)
    if scale is None or [len(part) for part in scale] != [4, 1]:
        return None
    (size,) = struct.unpack("<f", scale[0])
    return float(size) * (level - scale[1][0])


def _weight_behind(graph: OnnxGraph, concat: Node) -> Stored | None:
    """The integers of the convolution that takes what `concat` gives, if they are symmetric."""
    node: Node | None = concat
    for kind in (_INTEGER, _REAL, "Conv"):
        node = None if node is None else graph.taker(node.outputs[0])
        if node is None or node.kind != kind:
            return None
    levels = None if node is None else graph.maker(node.inputs[1])
    if levels is None or levels.kind != _REAL or len(levels.inputs) != 3:
        return None
    weight, _, zero = (graph.stored.get(name) for name in levels.inputs)
    if weight is None or zero is None or len(weight.dims) != 4 or any(zero.data or b"\1"):
        return None
    return weight


def _input_of(graph: OnnxGraph, concat: Node, channels: int) -> str | None:
    """What `concat` takes of an input of so many channels."""
    sides = {port.name: port.dims for port in graph.inputs}
    for name in concat.inputs:
        levels = graph.maker(name)
        source = levels.inputs[0] if levels is not None else ""
        if len(sides.get(source, ())) == 4 and sides[source][1] == channels:
            return name
    return None


def _channels_last(port: GraphPort) -> GraphPort:
    if not is_picture(port):
        return port
    return uint8_port(port.name, tuple(port.dims[axis] for axis in _TO_CHANNELS_LAST))


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    return replace(
        node,
        inputs=tuple(names.get(name, name) for name in node.inputs),
        outputs=tuple(names.get(name, name) for name in node.outputs),
    )
