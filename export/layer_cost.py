"""What each convolution of a graph costs, whatever the size of the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import onnx

from ..decoder.networks import PER_SCENE, NetworkSpec


def macs_per_pixel(model: onnx.ModelProto, spec: NetworkSpec) -> Mapping[str, float]:
    """Multiply-accumulates per luma pixel of each convolution, by layer, in the graph's order.

    Follows the resolution from the ports' strides through strided convolutions and DepthToSpace;
    every other node keeps that of its inputs.
    """
    shapes = {i.name: tuple(i.dims) for i in model.graph.initializer}
    strides = {p.name: Fraction(p.stride) for p in spec.inputs if p.stride != PER_SCENE}
    costs: dict[str, float] = {}
    for node in model.graph.node:
        known = [strides[name] for name in node.input if name in strides]
        if not known:
            continue
        stride = known[0]
        if node.op_type == "DepthToSpace":
            stride /= _attribute(node, "blocksize")
        if node.op_type == "Conv":
            stride *= _attribute(node, "strides")
            layer = node.input[1].removesuffix(".weight")
            costs[layer] = float(math.prod(shapes[node.input[1]]) / stride**2)
        strides[node.output[0]] = stride
    return costs


def _attribute(node: onnx.NodeProto, name: str) -> int:
    """An integer, or the first of several; 1 where the node does not say."""
    for attribute in node.attribute:
        if attribute.name == name:
            return int(attribute.ints[0] if attribute.ints else attribute.i)
    return 1
