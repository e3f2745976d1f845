"""Another set of integers in an ONNX file, written over those that are there.

Sessions take replacements of their own (`add_initializer`), but the providers of Qualcomm and of
OpenVINO compile the file's integers all the same, and say nothing. What is in the file reaches all.

Field numbers are those of onnx.proto: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from .errors import ModelError
from .protobuf import Place, Wire, places

_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_NAME = 8
_TENSOR_RAW_DATA = 9


def replace_initializers(model: bytes, values: Mapping[str, NDArray[Any]]) -> bytes:
    """The ONNX file `model` with the initialisers of those names holding `values`.

    They keep their type and size. Raises ModelError for a name that the graph lacks, another number
    of bytes than it has there, and a file that is none or keeps its tensors elsewhere.
    """
    changed = bytearray(model)
    stored = _raw_data(memoryview(model))
    for name, value in values.items():
        start, end = stored.get(name, (0, 0))
        data = value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
        if not data or end - start != len(data):
            raise ModelError(
                f"the graph has {end - start} bytes for initialiser {name}, {len(data)} are to "
                "replace them; export the network again"
            )
        changed[start:end] = data
    return bytes(changed)


def _raw_data(model: memoryview) -> dict[str, tuple[int, int]]:
    """Where the bytes of each initialiser lie, by its name."""
    found = {}
    for graph in _parts(model, 0, len(model), _MODEL_GRAPH):
        for tensor in _parts(model, graph.start, graph.end, _GRAPH_INITIALIZER):
            parts = {part.number: part for part in places(model, tensor.start, tensor.end)}
            if _TENSOR_NAME in parts and _TENSOR_RAW_DATA in parts:
                name, data = parts[_TENSOR_NAME], parts[_TENSOR_RAW_DATA]
                found[str(model[name.start : name.end], "utf-8")] = data.start, data.end
    return found


def _parts(model: memoryview, at: int, end: int, number: int) -> Iterator[Place]:
    """The messages of that field number in the message in model[at:end]."""
    for place in places(model, at, end):
        if place.number == number and place.wire is Wire.BYTES:
            yield place
