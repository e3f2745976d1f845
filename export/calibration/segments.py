"""Runs a graph piece by piece, so that only the tensors that are still to be read stay in memory.

Asking one session for all inner tensors would hold all of them at once: 350 MB for the enhancer of
tier edge at 1080p. Here the graph is cut at the tensors that somebody wants to see. Each piece is
a session of its own, and a tensor goes when the last piece that reads it has run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper

from ...decoder.networks import (
    BIAS_IDENTITY,
    GAIN_IDENTITY,
    PER_SCENE,
    NetworkSpec,
    PortSpec,
)
from ...runtime.cores import onnxruntime_threads
from ...runtime.errors import ExportError
from ..check import to_real
from ..graph import to_bytes

Sample = Mapping[str, NDArray[np.uint8]]
"""uint8 [1, C, h, w] by input port; a scene's code may be absent and is then the one that changes
nothing."""

_IDENTITY = {"gain": GAIN_IDENTITY, "bias": BIAS_IDENTITY}


@dataclass(frozen=True)
class _Piece:
    """What computes `wanted` from `reads`, and which of them all nothing reads after it."""

    wanted: str
    reads: tuple[str, ...]
    finished: tuple[str, ...]
    model: onnx.ModelProto
    session: ort.InferenceSession

    def compute(self, live: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """`wanted`, float32 [1, C, h, w], from `live`, which has all that is read."""
        # In a buffer of NumPy's: ONNX Runtime would take an aligned one, and glibc 2.36 did not
        # find such again once they were freed. Every 1080p sample took hundreds of megabytes more.
        output = np.empty(_output_shape(self.model, live), np.float32)
        binding = self.session.io_binding()
        for name in self.reads:
            binding.bind_cpu_input(name, live[name])
        binding.bind_output(self.wanted, "cpu", 0, np.float32, output.shape, output.ctypes.data)
        self.session.run_with_iobinding(binding)
        return output


class SegmentedGraph:
    """A graph with float inputs and outputs, of any size, that shows the tensors `wanted`."""

    def __init__(self, model: onnx.ModelProto, spec: NetworkSpec, wanted: Sequence[str]) -> None:
        self._spec = spec
        self._ports = {port.name: port for port in spec.inputs}
        order = {node.output[0]: i for i, node in enumerate(model.graph.node)}
        unknown = [name for name in wanted if name not in order]
        if unknown:
            raise ExportError(f"{spec.name} computes no tensor {', '.join(map(repr, unknown))}")
        cuts = sorted(set(wanted), key=order.__getitem__)
        available = set(self._ports)
        parts = []
        for cut in cuts:
            parts.append(_cut(model, available, cut))
            available.add(cut)
        last = {name: i for i, part in enumerate(parts) for name in _inputs(part)}
        self._pieces = tuple(
            _Piece(
                cut,
                _inputs(part),
                tuple(name for name in (*_inputs(part), cut) if last.get(name, i) == i),
                part,
                _open(part),
            )
            for i, (cut, part) in enumerate(zip(cuts, parts, strict=True))
        )

    def run(self, sample: Sample) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Name and values, float32 [1, C, h, w], of every wanted tensor, in the graph's order.

        Raises `ExportError` where the sample lacks an input or has one of another shape.
        """
        live: dict[str, NDArray[np.float32]] = {}
        for piece in self._pieces:
            for name in piece.reads:
                if name not in live:
                    live[name] = real_input(self._spec, self._ports[name], sample)
            live[piece.wanted] = self._compute(piece, live)
            yield piece.wanted, live[piece.wanted]
            for name in piece.finished:
                del live[name]

    def _compute(
        self, piece: _Piece, live: Mapping[str, NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        try:
            return piece.compute(live)
        except Exception as error:  # those of ONNX and ONNX Runtime share no base but Exception
            raise ExportError(
                f"{self._spec.name} does not run on a calibration sample: {str(error).strip()}"
            ) from error


def _cut(model: onnx.ModelProto, available: set[str], wanted: str) -> onnx.ModelProto:
    """The part of `model` that makes `wanted` of constants and the tensors `available`."""
    needed = {wanted}
    nodes = []
    for node in reversed(model.graph.node):
        if node.output[0] in needed and node.output[0] not in available:
            nodes.append(node)
            needed.update(node.input)
    constants = [i for i in model.graph.initializer if i.name in needed]
    named = {i.name for i in constants}
    read = [n for n in dict.fromkeys(name for node in reversed(nodes) for name in node.input) if n]
    graph = helper.make_graph(
        list(reversed(nodes)),
        model.graph.name,
        [_any_size(name) for name in read if name in available and name not in named],
        [_any_size(wanted)],
        constants,
    )
    return helper.make_model(
        graph, ir_version=model.ir_version, opset_imports=list(model.opset_import)
    )


def _output_shape(
    model: onnx.ModelProto, live: Mapping[str, NDArray[np.float32]]
) -> tuple[int, ...]:
    """Of the one output of `model` for inputs as they are in `live`."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for value in sized.graph.input:
        for dim, side in zip(value.type.tensor_type.shape.dim, live[value.name].shape, strict=True):
            dim.dim_value = side
    inferred = onnx.shape_inference.infer_shapes(sized, strict_mode=True, data_prop=True)
    (output,) = inferred.graph.output
    return tuple(dim.dim_value for dim in output.type.tensor_type.shape.dim)


def _any_size(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * 4)


def _inputs(model: onnx.ModelProto) -> tuple[str, ...]:
    return tuple(value.name for value in model.graph.input)


def _open(model: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = onnxruntime_threads()
    # Either would keep, for each piece, the memory that its largest run took.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # The level above copies tensors to another layout for each piece, and back.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])


def real_input(spec: NetworkSpec, port: PortSpec, sample: Sample) -> NDArray[np.float32]:
    """Real values, float32 [1, C, h, w], of one input; `ExportError` where it is not there."""
    array = sample.get(port.name)
    if array is None and port.stride == PER_SCENE and port.name in _IDENTITY:
        array = np.full((1, port.channels, 1, 1), _IDENTITY[port.name], np.uint8)
    if array is None or array.ndim != 4 or array.shape[:2] != (1, port.channels):
        found = "nothing" if array is None else f"shape {array.shape}"
        raise ExportError(
            f"calibrate {spec.name}: a sample has {found} for input '{port.name}', which takes"
            f" [1, {port.channels}, h, w]"
        )
    return to_real(array, port)
