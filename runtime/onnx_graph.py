"""The graph of an ONNX file, as far as the player rewrites one: nodes, stored tensors and ports.

Field numbers are those of onnx.proto: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .errors import ModelError
from .protobuf import Field, Wire, parse_message, read_varint, write_message, write_varint

_MODEL_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INTS, _ATTRIBUTE_TYPE = 1, 8, 20
_INTS = 7
_TENSOR_DIMS, _TENSOR_NAME, _TENSOR_RAW_DATA = 1, 8, 9
_PORT_NAME, _PORT_TYPE = 1, 2
_TYPE_TENSOR = 1
_TENSOR_TYPE_ELEMENT, _TENSOR_TYPE_SHAPE = 1, 2
_SHAPE_DIM = 1
_DIM_VALUE = 1
_UINT8 = 2


@dataclass(frozen=True)
class Node:
    """One operation; `others` are its name and attributes as they were."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    others: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Stored:
    """A tensor of the file; `data` is empty where its values are not kept as raw bytes."""

    name: str
    dims: tuple[int, ...]
    data: bytes
    others: tuple[Field, ...]


@dataclass(frozen=True)
class GraphPort:
    """An input or an output; a side is None where it may have any length."""

    name: str
    dims: tuple[int | None, ...]
    described: bytes


@dataclass(frozen=True)
class OnnxGraph:
    """A file's graph; `others` are its remaining fields, `model` those around it."""

    nodes: tuple[Node, ...]
    stored: Mapping[str, Stored]
    inputs: tuple[GraphPort, ...]
    outputs: tuple[GraphPort, ...]
    others: tuple[Field, ...]
    model: tuple[Field, ...]

    def maker(self, tensor: str) -> Node | None:
        """The node that gives that tensor."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def taker(self, tensor: str) -> Node | None:
        """The node that takes that tensor, if there is exactly one."""
        takers = [node for node in self.nodes if tensor in node.inputs]
        return takers[0] if len(takers) == 1 else None


def parse_graph(model: bytes) -> OnnxGraph:
    """The graph of an ONNX file. Raises ModelError if it is none."""
    around = parse_message(model)
    graphs = _values(around, _MODEL_GRAPH)
    if len(graphs) != 1:
        raise ModelError(f"no ONNX file: it has {len(graphs)} graphs")
    fields = parse_message(graphs[0])
    tensors = [_parse_stored(value) for value in _values(fields, _INITIALIZER)]
    # Not VALUE_INFO: what it says of inner tensors may not be true of a graph that was rewritten.
    known = (_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO)
    return OnnxGraph(
        nodes=tuple(_parse_node(value) for value in _values(fields, _NODE)),
        stored={tensor.name: tensor for tensor in tensors},
        inputs=tuple(_parse_port(value) for value in _values(fields, _INPUT)),
        outputs=tuple(_parse_port(value) for value in _values(fields, _OUTPUT)),
        others=_without(fields, *known),
        model=_without(around, _MODEL_GRAPH),
    )


def write_graph(graph: OnnxGraph) -> bytes:
    """The ONNX file of a graph, without the stored tensors that no node takes."""
    taken = {name for node in graph.nodes for name in node.inputs}
    fields = [
        *(_bytes(_NODE, _write_node(node)) for node in graph.nodes),
        *(
            _bytes(_INITIALIZER, _write_stored(tensor))
            for tensor in graph.stored.values()
            if tensor.name in taken
        ),
        *(_bytes(_INPUT, port.described) for port in graph.inputs),
        *(_bytes(_OUTPUT, port.described) for port in graph.outputs),
        *graph.others,
    ]
    return write_message([*graph.model, _bytes(_MODEL_GRAPH, write_message(fields))])


def transpose(source: str, target: str, order: Sequence[int]) -> Node:
    """A node that makes `target` of `source` by putting its axes into that order."""
    attribute = [
        _text(_ATTRIBUTE_NAME, "perm"),
        *(_number(_ATTRIBUTE_INTS, axis) for axis in order),
        _number(_ATTRIBUTE_TYPE, _INTS),
    ]
    others = (_bytes(_NODE_ATTRIBUTE, write_message(attribute)),)
    return Node("Transpose", (source,), (target,), others)


def uint8_port(name: str, dims: tuple[int | None, ...]) -> GraphPort:
    """A port of bytes."""
    sides = [
        _bytes(_SHAPE_DIM, b"" if side is None else write_message([_number(_DIM_VALUE, side)]))
        for side in dims
    ]
    tensor = [
        _number(_TENSOR_TYPE_ELEMENT, _UINT8),
        _bytes(_TENSOR_TYPE_SHAPE, write_message(sides)),
    ]
    kind = write_message([_bytes(_TYPE_TENSOR, write_message(tensor))])
    described = write_message([_text(_PORT_NAME, name), _bytes(_PORT_TYPE, kind)])
    return GraphPort(name, dims, described)


def _parse_node(data: bytes) -> Node:
    fields = parse_message(data)
    return Node(
        kind="".join(_texts(fields, _NODE_TYPE)),
        inputs=_texts(fields, _NODE_INPUT),
        outputs=_texts(fields, _NODE_OUTPUT),
        others=_without(fields, _NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE),
    )


def _write_node(node: Node) -> bytes:
    return write_message(
        [
            *(_text(_NODE_INPUT, name) for name in node.inputs),
            *(_text(_NODE_OUTPUT, name) for name in node.outputs),
            _text(_NODE_TYPE, node.kind),
            *node.others,
        ]
    )


def _parse_stored(data: bytes) -> Stored:
    fields = parse_message(data)
    return Stored(
        name="".join(_texts(fields, _TENSOR_NAME)),
        dims=_numbers(fields, _TENSOR_DIMS),
        data=b"".join(_values(fields, _TENSOR_RAW_DATA)),
        others=_without(fields, _TENSOR_NAME, _TENSOR_DIMS, _TENSOR_RAW_DATA),
    )


def _write_stored(tensor: Stored) -> bytes:
    data = [_bytes(_TENSOR_RAW_DATA, tensor.data)] if tensor.data else []
    return write_message(
        [
            *(_number(_TENSOR_DIMS, side) for side in tensor.dims),
            *tensor.others,
            _text(_TENSOR_NAME, tensor.name),
            *data,
        ]
    )


def _parse_port(data: bytes) -> GraphPort:
    fields = parse_message(data)
    shapes = [fields]
    for number in (_PORT_TYPE, _TYPE_TENSOR, _TENSOR_TYPE_SHAPE):
        shapes = [parse_message(value) for inner in shapes for value in _values(inner, number)]
    sides = [parse_message(value) for shape in shapes for value in _values(shape, _SHAPE_DIM)]
    dims = [next(iter(_numbers(side, _DIM_VALUE)), None) for side in sides]
    return GraphPort("".join(_texts(fields, _PORT_NAME)), tuple(dims), data)


def _values(fields: Iterable[Field], number: int) -> list[bytes]:
    """The byte strings and messages of that number."""
    return [field.value for field in fields if field.number == number and field.wire is Wire.BYTES]


def _texts(fields: Iterable[Field], number: int) -> tuple[str, ...]:
    return tuple(str(value, "utf-8", "replace") for value in _values(fields, number))


def _numbers(fields: Iterable[Field], number: int) -> tuple[int, ...]:
    """The numbers of that field, whether each is written on its own or all in one string."""
    found: list[int] = []
    for field in fields:
        at = 0
        while field.number == number and at < len(field.value):
            value, at = read_varint(field.value, at, len(field.value))
            found.append(value)
    return tuple(found)


def _without(fields: Iterable[Field], *numbers: int) -> tuple[Field, ...]:
    return tuple(field for field in fields if field.number not in numbers)


def _bytes(number: int, value: bytes) -> Field:
    return Field(number, Wire.BYTES, value)


def _text(number: int, value: str) -> Field:
    return _bytes(number, value.encode())


def _number(number: int, value: int) -> Field:
    return Field(number, Wire.VARINT, write_varint(value))
