"""Nodes and initialisers of a QDQ graph, collected in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class GraphBuilder:
    """What a QDQ graph is made of.

    An activation `t` is stored as `t_quantized` and read as `t_dequantized`; an integer constant is
    named after the float one that it stands for in the same way.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """An initialiser, and its name; one that exists stays as it is."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(value, name)
        return name

    def node(self, kind: str, inputs: list[str], output: str, name: str) -> str:
        """An operator of one output, and the output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=name))
        return output

    def quantize(
        self, source: str, tensor: str, scale: float, zero_point: np.integer, scale_name: str = ""
    ) -> None:
        """Float tensor `source` to `<tensor>_quantized`, of the zero point's type.

        Its scale is the initialiser `scale_name`, `<tensor>_scale` by default.
        """
        inputs = [
            source,
            self.constant(scale_name or f"{tensor}_scale", np.array(scale, np.float32)),
            self.constant(f"{tensor}_zero_point", np.asarray(zero_point)),
        ]
        self.node("QuantizeLinear", inputs, f"{tensor}_quantized", f"{tensor}_QuantizeLinear")

    def dequantize(
        self, tensor: str, scale: float, output: str = "", name: str = "", scale_name: str = ""
    ) -> str:
        """`<tensor>_quantized`, whose zero point exists, to float tensor `output`,
        `<tensor>_dequantized` by default; its name."""
        inputs = [
            f"{tensor}_quantized",
            self.constant(scale_name or f"{tensor}_scale", np.array(scale, np.float32)),
            f"{tensor}_zero_point",
        ]
        output = output or f"{tensor}_dequantized"
        return self.node("DequantizeLinear", inputs, output, name or f"{tensor}_DequantizeLinear")

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

    def read_in_float(self, source: str) -> str:
        """`source` behind a Clip that changes nothing, for a convolution with float weights.

        Where such a one reads a DequantizeLinear directly, ONNX Runtime quantises its weights while
        it loads the graph, with one scale for all channels (its WeightBiasQuantization).
        """
        output = f"{source}_in_float"
        if not any(node.output[0] == output for node in self.nodes):
            most = np.array(np.finfo(np.float32).max / 2, np.float32)
            bounds = [
                self.constant("float_least", np.negative(most)),
                self.constant("float_most", most),
            ]
            self.node("Clip", [source, *bounds], output, f"{source}_Clip")
        return output

    def used_nodes(self, outputs: set[str]) -> Iterator[onnx.NodeProto]:
        """Nodes in order, without those whose result nothing reads."""
        kept: list[onnx.NodeProto] = []
        read = set(outputs)
        # Backwards, so that what fed only an unread node goes as well.
        for node in reversed(self.nodes):
            if node.output[0] in read:
                kept.append(node)
                read.update(node.input)
        return reversed(kept)

    def finish(self, model: onnx.ModelProto, outputs: set[str]) -> onnx.ModelProto:
        """`model` with these nodes and initialisers in place of its own."""
        result = onnx.ModelProto()
        result.CopyFrom(model)
        result.graph.ClearField("node")
        result.graph.ClearField("initializer")
        nodes = list(self.used_nodes(outputs))
        read = {name for node in nodes for name in node.input}
        result.graph.node.extend(nodes)
        result.graph.initializer.extend(i for n, i in self.initializers.items() if n in read)
        return result
