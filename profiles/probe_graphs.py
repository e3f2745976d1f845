"""Small ONNX graphs whose times tell what this machine's CPU does in a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

_SCALE = 1 / 42.5  # 0..6, as a ReLU6 has it
_OPSET = 20


def conv_chain(
    depth: int, channels: int, kernel: int, cells: tuple[int, int], precision: str
) -> ModelProto:
    """`depth` convolutions of `channels` to as many, `kernel` x `kernel`, over `cells` (h, w).

    `precision` is `w8a8`, as our quantiser writes it, or `float`.
    """
    graph = _Graph(precision)
    tensor = graph.input("x", channels, cells)
    for index in range(depth):
        tensor = graph.conv(tensor, channels, kernel, f"conv{index}")
    return graph.model(tensor)


def multiply_chain(depth: int, channels: int, cells: tuple[int, int], precision: str) -> ModelProto:
    """`depth` multiplications by a number for each channel, as a scene's code has them."""
    graph = _Graph(precision)
    tensor = graph.input("x", channels, cells)
    for index in range(depth):
        tensor = graph.multiply(tensor, channels, f"mul{index}")
    return graph.model(tensor)


def concatenation(channels: int, cells: tuple[int, int], precision: str) -> ModelProto:
    """Two inputs of `channels` each, one behind the other."""
    graph = _Graph(precision)
    parts = [graph.input(name, channels, cells) for name in ("x", "y")]
    return graph.model(graph.node("Concat", parts, "cat", axis=1))


def depth_to_space(channels: int, cells: tuple[int, int], precision: str) -> ModelProto:
    """Channels to 2 x 2 cells."""
    graph = _Graph(precision)
    tensor = graph.input("x", channels, cells)
    return graph.model(graph.node("DepthToSpace", [tensor], "d2s", blocksize=2))


@dataclass
class _Graph:
    """A graph in the making; every tensor's name is that of its float side."""

    precision: str
    nodes: list[NodeProto] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    weights: list[TensorProto] = field(default_factory=list)

    @property
    def quantised(self) -> bool:
        return self.precision == "w8a8"

    def input(self, name: str, channels: int, cells: tuple[int, int]) -> str:
        from onnx import TensorProto, helper

        kind = TensorProto.UINT8 if self.quantised else TensorProto.FLOAT
        self.inputs.append(helper.make_tensor_value_info(name, kind, (1, channels, *cells)))
        return self._dequantized(name, np.uint8(0), _SCALE) if self.quantised else name

    def conv(self, tensor: str, channels: int, kernel: int, name: str) -> str:
        shape = channels, channels, kernel, kernel
        if self.quantised:
            ramp = (np.arange(np.prod(shape)) % 7 - 3).astype(np.int8).reshape(shape)
            weight = self._constant(f"{name}.w", ramp, np.full(channels, 1e-3, np.float32))
            zeros = np.zeros(channels, np.int32)
            bias = self._constant(
                f"{name}.b", zeros, np.full(channels, np.float32(1e-3) * np.float32(_SCALE))
            )
        else:
            weight = self._stored(f"{name}.w", np.full(shape, 1e-3, np.float32))
            bias = self._stored(f"{name}.b", np.zeros(channels, np.float32))
        pads = [kernel // 2] * 4
        return self.node("Conv", [tensor, weight, bias], name, pads=pads)

    def multiply(self, tensor: str, channels: int, name: str) -> str:
        shape = 1, channels, 1, 1
        if self.quantised:
            levels = np.full(shape, 60, np.uint8)
            gain = self._constant(f"{name}.g", levels, np.float32(_SCALE))
        else:
            gain = self._stored(f"{name}.g", np.ones(shape, np.float32))
        return self.node("Mul", [tensor, gain], name)

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [f"{name}.out"], name, **attributes))
        if not self.quantised:
            return f"{name}.out"
        return self._dequantized(self._quantized(f"{name}.out"), np.uint8(0), _SCALE)

    def model(self, tensor: str) -> ModelProto:
        from onnx import TensorProto, helper

        kind = TensorProto.UINT8 if self.quantised else TensorProto.FLOAT
        if self.quantised:  # the last tensor leaves as its integers
            last = self.nodes.pop()
            tensor = last.input[0]
        output = helper.make_tensor_value_info(tensor, kind, None)
        return helper.make_model(
            helper.make_graph(self.nodes, "probe", self.inputs, [output], self.weights),
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=10,
        )

    def _quantized(self, tensor: str) -> str:
        from onnx import helper

        scale = self._stored(f"{tensor}.s", np.float32(_SCALE))
        zero = self._stored(f"{tensor}.z", np.uint8(0))
        self.nodes.append(
            helper.make_node("QuantizeLinear", [tensor, scale, zero], [f"{tensor}.q"])
        )
        return f"{tensor}.q"

    def _dequantized(self, tensor: str, zero: Any, scale: Any) -> str:
        from onnx import helper

        names = self._stored(f"{tensor}.ds", np.float32(scale)), self._stored(f"{tensor}.dz", zero)
        self.nodes.append(helper.make_node("DequantizeLinear", [tensor, *names], [f"{tensor}.f"]))
        return f"{tensor}.f"

    def _constant(self, name: str, levels: Any, scale: Any) -> str:
        """A stored tensor of integers, seen as real numbers."""
        from onnx import helper

        names = (
            self._stored(name, levels),
            self._stored(f"{name}.s", scale),
            self._stored(f"{name}.z", np.zeros(np.shape(scale), levels.dtype)),
        )
        node = helper.make_node("DequantizeLinear", names, [f"{name}.f"])
        if np.ndim(scale):
            node.attribute.append(helper.make_attribute("axis", 0))
        self.nodes.append(node)
        return f"{name}.f"

    def _stored(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name
