"""Messages of Protocol Buffers as lists of fields, for the little of ONNX that the player rewrites.

The encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from .errors import ModelError


class Wire(IntEnum):
    """How a field's value is written."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


_FIXED_SIZES = {Wire.FIXED64: 8, Wire.FIXED32: 4}


@dataclass(frozen=True)
class Place:
    """Where a field's value lies in a message: its bytes, of a `BYTES` field without the length."""

    number: int
    wire: Wire
    start: int
    end: int


@dataclass(frozen=True)
class Field:
    """A field of a message; `value` is what `Place` spans."""

    number: int
    wire: Wire
    value: bytes


def places(data: memoryview | bytes, at: int, end: int) -> Iterator[Place]:
    """The fields of the message in data[at:end]. Raises ModelError if it is none."""
    while at < end:
        key, start = read_varint(data, at, end)
        number, kind = key >> 3, key & 7
        if kind not in tuple(Wire):
            raise ModelError(f"byte {at}: no ONNX file (wire type {kind})")
        at = start
        if kind == Wire.VARINT:
            _, stop = read_varint(data, at, end)
            size = stop - at
        elif kind == Wire.BYTES:
            size, at = read_varint(data, at, end)
        else:
            size = _FIXED_SIZES[Wire(kind)]
        if size > end - at:
            raise ModelError(f"byte {at}: no ONNX file, or one that was cut off")
        yield Place(number, Wire(kind), at, at + size)
        at += size


def parse_message(data: bytes) -> list[Field]:
    """All fields of a message in their order. Raises ModelError if it is none."""
    return [
        Field(place.number, place.wire, data[place.start : place.end])
        for place in places(data, 0, len(data))
    ]


def write_message(fields: Iterable[Field]) -> bytes:
    """A message of those fields: `parse_message`'s inverse."""
    parts: list[bytes] = []
    for field in fields:
        parts.append(write_varint(field.number << 3 | field.wire))
        if field.wire is Wire.BYTES:
            parts.append(write_varint(len(field.value)))
        parts.append(field.value)
    return b"".join(parts)


def read_varint(data: memoryview | bytes, at: int, end: int) -> tuple[int, int]:
    """A number in groups of seven bits, and where it ends. Raises ModelError if there is none."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ModelError(f"byte {at}: no ONNX file, or one that was cut off")


def write_varint(value: int) -> bytes:
    """`read_varint`'s inverse, for numbers from 0 on."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
