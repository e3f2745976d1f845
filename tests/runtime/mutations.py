"""Ways to damage a stream, with its checksums left broken or repaired."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
from edgecodec.runtime.records import CHNK, INDX, Record, RecordFile, pack_footer, write_record

Mutation = Callable[[np.random.Generator, bytes], bytes]
_HUGE = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 9 + b"\x01")


def flip_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    """One to eight bytes replaced by others."""
    damaged = bytearray(data)
    for at in rng.integers(0, len(data), rng.integers(1, 9)) if data else []:
        damaged[at] = rng.integers(256)
    return bytes(damaged)


def flip_bit(rng: np.random.Generator, data: bytes) -> bytes:
    """One bit, often of the first bytes, where the fields' own headers are."""
    damaged = bytearray(data)
    if data:
        at = int(rng.integers(min(len(data), 24) if rng.random() < 0.5 else len(data)))
        damaged[at] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def truncate(rng: np.random.Generator, data: bytes) -> bytes:
    """Cut off anywhere."""
    return data[: int(rng.integers(len(data) + 1))]


def remove(rng: np.random.Generator, data: bytes) -> bytes:
    """Up to 40 bytes taken out."""
    at = int(rng.integers(len(data) + 1))
    return data[:at] + data[at + int(rng.integers(1, 41)) :]


def insert(rng: np.random.Generator, data: bytes) -> bytes:
    """Up to 40 arbitrary bytes put in."""
    at = int(rng.integers(len(data) + 1))
    return data[:at] + rng.bytes(int(rng.integers(1, 41))) + data[at:]


def splice(rng: np.random.Generator, data: bytes) -> bytes:
    """The beginning of the data followed by another stretch of it."""
    first, start, stop = sorted(int(at) for at in rng.integers(0, len(data) + 1, 3))
    return data[:stop] + data[first:] if rng.random() < 0.5 else data[:first] + data[start:]


def enlarge(rng: np.random.Generator, data: bytes) -> bytes:
    """An integer somewhere replaced by a huge one."""
    huge = _HUGE[int(rng.integers(len(_HUGE)))]
    at = int(rng.integers(len(data) + 1))
    return data[:at] + huge + data[at + len(huge) :]


RAW: tuple[Mutation, ...] = (flip_bytes, flip_bit, truncate, remove, insert, splice, enlarge)


def _split_fields(data: bytes) -> list[tuple[int, bytes]] | None:
    fields, at = [], 0
    while at < len(data):
        if len(data) - at < 6:
            return None
        field, length = struct.unpack_from("<HI", data, at)
        if length > len(data) - at - 6:
            return None
        fields.append((field, data[at + 6 : at + 6 + length]))
        at += 6 + length
    return fields


def any_raw(rng: np.random.Generator, data: bytes) -> bytes:
    """One of `RAW`."""
    return RAW[int(rng.integers(len(RAW)))](rng, data)


def inside_fields(rng: np.random.Generator, data: bytes, mutate_value: Mutation = any_raw) -> bytes:
    """A mutation of one field's value, at any depth, all lengths around it repaired."""
    fields = _split_fields(data)
    if not fields or rng.random() < 0.1:
        return mutate_value(rng, data)
    sizes = np.array([1 + len(value) for _, value in fields]) ** 0.5
    chosen = int(rng.choice(len(fields), p=sizes / sizes.sum()))
    fields[chosen] = (fields[chosen][0], inside_fields(rng, fields[chosen][1], mutate_value))
    return b"".join(struct.pack("<HI", field, len(value)) + value for field, value in fields)


def _split_records(data: bytes) -> list[tuple[bytes, bytes]]:
    file = RecordFile(io.BytesIO(data))
    records = [record for record in file.walk(0) if isinstance(record, Record)]
    return [(each.kind, file.read_at(each.payload_offset, each.length)) for each in records]


def repaired(rng: np.random.Generator, data: bytes, mutate_value: Mutation = any_raw) -> bytes:
    """A mutation inside one record, every checksum right; half of them without an index.

    What has no whole record is mutated as it is.
    """
    records = _split_records(data)
    if not records:
        return mutate_value(rng, data)
    chunks = [number for number, (kind, _) in enumerate(records) if kind == CHNK]
    in_chunk = bool(chunks) and rng.random() < 0.6
    chosen = int(rng.choice(chunks) if in_chunk else rng.integers(len(records)))
    kind, payload = records[chosen]
    if rng.random() < 0.8:
        records[chosen] = kind, inside_fields(rng, payload, mutate_value)
    else:
        records[chosen] = kind, mutate_value(rng, payload)
    with_index = rng.random() < 0.5
    out = io.BytesIO()
    for kind, payload in records:
        offset = out.tell()
        if kind != INDX or with_index:
            write_record(out, kind, payload)
            footer = pack_footer(offset)
    return out.getvalue() + (footer if with_index else b"")
