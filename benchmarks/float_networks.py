"""The networks in FP32 behind the player's own interface: bytes in, bytes out, floats between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from edgecodec.decoder.networks import PortSpec, spec
from edgecodec.export.graph import to_onnx
from edgecodec.export.weights import load_network
from edgecodec.runtime.models import ModelEntry
from edgecodec.runtime.network import Network
from edgecodec.runtime.sessions import NetworkPool
from edgecodec.runtime.title import TitleWeights
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


class FloatPool(NetworkPool):
    """Gives every network that a stream names in FP32, as it was trained."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads=threads)
        self._floats: dict[str, Network] = {}

    def network(self, model_id: str, title: TitleWeights | None = None) -> Network:
        if model_id not in self._floats:
            entry = super().network(model_id).entry
            self._floats[model_id] = _FloatNetwork(entry)
        return self._floats[model_id]


class _FloatNetwork(Network):
    """As the player runs those that mend: each frame in one thread, several at a time."""

    def __init__(self, entry: ModelEntry) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        graph = byte_ports(entry.name, entry.tier).SerializeToString()
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        super().__init__(entry, session)

    def _run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        whole = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        outputs: list[NDArray[np.uint8]] = self._session.run(self._outputs, whole)
        return outputs


def byte_ports(name: str, tier: str) -> onnx.ModelProto:
    """The float graph of a network of any size, with a step from bytes before it and one to bytes
    behind it."""
    network = spec(name, tier)
    model = to_onnx(load_network(name, tier, None).module, network, None)
    graph = model.graph
    before, after = [], []
    for port in network.inputs:
        graph.initializer.extend(_scale(port))
        names = [port.name, f"{port.name}_scale", f"{port.name}_zero"]
        before.append(helper.make_node("DequantizeLinear", names, [f"{port.name}_real"]))
        _rename(graph, port.name, f"{port.name}_real")
    for port in network.outputs:
        graph.initializer.extend(_scale(port))
        names = [f"{port.name}_real", f"{port.name}_scale", f"{port.name}_zero"]
        after.append(helper.make_node("QuantizeLinear", names, [port.name]))
        _rename(graph, port.name, f"{port.name}_real")
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.elem_type = TensorProto.UINT8
    return model


def _scale(port: PortSpec) -> list[onnx.TensorProto]:
    return [
        numpy_helper.from_array(np.array(port.scale, np.float32), f"{port.name}_scale"),
        numpy_helper.from_array(np.array(port.zero_point, np.uint8), f"{port.name}_zero"),
    ]


def _rename(graph: Any, old: str, new: str) -> None:
    """In the graph's nodes only: ports keep their names."""
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
