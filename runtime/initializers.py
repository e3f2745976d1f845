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

_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_NAME = 8
_TENSOR_RAW_DATA = 9
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}


def replace_initializers(model: bytes, values: Mapping[str, NDArray[Any]]) -> bytes:
    """The ONNX file `model` with the initialisers of those names holding `values`.

    They keep their type and size. Raises ModelError for a name that the graph lacks, another number
    of bytes than it has there, and a file that is none or keeps its tensors elsewhere.
    """
    changed = bytearray(model)
    places = _raw_data(memoryview(model))
    for name, value in values.items():
        start, end = places.get(name, (0, 0))
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
    places = {}
    for number, graph_start, graph_end in _fields(model, 0, len(model)):
        if number != _MODEL_GRAPH:
            continue
        for number, start, end in _fields(model, graph_start, graph_end):
            if number == _GRAPH_INITIALIZER:
                parts = {field: place for field, *place in _fields(model, start, end)}
                if _TENSOR_NAME in parts and _TENSOR_RAW_DATA in parts:
                    first, last = parts[_TENSOR_NAME]
                    data_start, data_end = parts[_TENSOR_RAW_DATA]
                    places[str(model[first:last], "utf-8")] = (data_start, data_end)
    return places


def _fields(data: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each length-delimited field of the message in data[at:end]."""
    while at < end:
        key, at = _varint(data, at, end)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, at = _varint(data, at, end)
            continue
        if kind == _BYTES:
            size, at = _varint(data, at, end)
        elif kind in _FIXED_SIZES:
            size = _FIXED_SIZES[kind]
        else:
            raise ModelError(f"byte {at}: no ONNX file (wire type {kind})")
        if size > end - at:
            raise ModelError(f"byte {at}: no ONNX file, or one that was cut off")
        if kind == _BYTES:
            yield number, at, at + size
        at += size


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """A number in groups of seven bits, and where it ends."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ModelError(f"byte {at}: no ONNX file, or one that was cut off")
