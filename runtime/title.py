"""Title weights: what a stream changes in the integers of a network that every player has.

Each tensor of the network's template gets a symbol of -127 to 127 for each integer, and a step: the
integer goes up by symbol * 2**step. The symbols of a tensor share one of the 64 integer tables.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError
from .fields import Cursor, Limits, pack_fields, pack_unsigned, parse_fields
from .header import MODEL_ID_BYTES, pack_model_ids, parse_model_ids
from .range_coder import RunDecoder, encode_runs, fit_table, symbol_bits
from .scale_tables import MAX_SYMBOL, TABLES

__all__ = [
    "TensorDelta",
    "TitleWeights",
    "fit_table",
    "pack_title",
    "parse_title",
    "symbol_bits",
]

MAX_STEP = 24
MAX_TENSORS = 4096
_TENSOR_BYTES = 3
_CHECKSUM = struct.Struct("<I")
MAX_TITLE_ID = 0xFFFF
_ID, _DATA = 0x8001, 0x8002


@dataclass(frozen=True, eq=False)
class TensorDelta:
    """What is added to a tensor's integers: `symbols` (int8, flat in C order, -127 to 127) times 2
    to the `step` (0 to 24). `table` (0 to 63) codes them; it is 0 only if all are zero."""

    step: int
    table: int
    symbols: NDArray[np.int8]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorDelta)
            and (self.step, self.table) == (other.step, other.table)
            and np.array_equal(self.symbols, other.symbols)
        )

    def __hash__(self) -> int:
        return hash((self.step, self.table, self.symbols.tobytes()))


@dataclass(frozen=True)
class TitleWeights:
    """Deltas in the order of the template of network `template`, a model id of 16 hexadecimal
    digits."""

    template: str
    deltas: tuple[TensorDelta, ...]

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal digits, of what the weights change and in which network."""
        state = hashlib.sha256(self.template.encode())
        for delta in self.deltas:
            state.update(struct.pack("<IQ", delta.step, delta.symbols.size))
            state.update(np.ascontiguousarray(delta.symbols).data)
        return state.hexdigest()


def pack_title(title: TitleWeights) -> bytes:
    """Title weights in bytes. ValueError if a value is out of its range."""
    if len(title.deltas) > MAX_TENSORS:
        raise ValueError(f"{len(title.deltas)} tensors, at most {MAX_TENSORS} are allowed")
    parts = [pack_model_ids((title.template,)), pack_unsigned(len(title.deltas))]
    for number, delta in enumerate(title.deltas):
        _check_delta(delta, f"tensor {number}")
        parts += (pack_unsigned(delta.symbols.size), bytes((delta.step, delta.table)))
    coded = [(delta.table, delta.symbols) for delta in title.deltas if delta.table]
    parts += (_CHECKSUM.pack(_checksum(title.deltas)), encode_runs(coded))
    return b"".join(parts)


def parse_title(data: bytes | memoryview, limits: Limits, what: str) -> TitleWeights:
    """What `pack_title` wrote.

    Raises BitstreamError if it is damaged or has more than `limits.max_title_symbols`.
    """
    cursor = Cursor(data, what)
    (template,) = parse_model_ids(cursor.take(MODEL_ID_BYTES), what)
    shapes: list[tuple[int, int, int]] = []
    left = limits.max_title_symbols
    for _ in range(cursor.count(_TENSOR_BYTES, MAX_TENSORS)):
        size = cursor.unsigned(left + 1)
        left -= size
        step, table = cursor.take(2)
        if step > MAX_STEP or table >= TABLES:
            raise cursor.fail(
                f"step {step} and table {table}: at most {MAX_STEP} and {TABLES - 1} are allowed"
            )
        shapes.append((size, step, table))
    (checksum,) = _CHECKSUM.unpack(cursor.take(_CHECKSUM.size))
    decoder = RunDecoder(cursor.take(cursor.remaining), f"{what}: symbols")
    deltas = tuple(
        TensorDelta(step, table, _frozen(decoder, size, table)) for size, step, table in shapes
    )
    if _checksum(deltas) != checksum:
        raise BitstreamError(f"{what}: its symbols do not match their checksum")
    return TitleWeights(template, deltas)


def pack_title_record(number: int, title: TitleWeights) -> bytes:
    """The payload of a `NETW` record: the title that scenes refer to as `number`."""
    return pack_fields([(_ID, pack_unsigned(number)), (_DATA, pack_title(title))])


def parse_title_record(payload: bytes, limits: Limits, what: str) -> tuple[int, TitleWeights]:
    """What `pack_title_record` wrote.

    Raises BitstreamError if it breaks the format or `limits`, UnsupportedError if it needs a later
    version.
    """
    fields = parse_fields(payload, (_ID, _DATA), what)
    (number,) = fields.integers(_ID, MAX_TITLE_ID + 1)
    return number, parse_title(fields.one(_DATA), limits, what)


def _check_delta(delta: TensorDelta, what: str) -> None:
    symbols = delta.symbols
    if symbols.dtype != np.int8 or symbols.ndim != 1 or symbols.min(initial=0) < -MAX_SYMBOL:
        raise ValueError(f"{what}: flat int8 symbols of -{MAX_SYMBOL} to {MAX_SYMBOL} are wanted")
    if not 0 <= delta.step <= MAX_STEP or not 0 <= delta.table < TABLES:
        raise ValueError(f"{what}: step {delta.step} or table {delta.table} is out of range")
    if delta.table == 0 and symbols.any():
        raise ValueError(f"{what}: table 0 codes nothing, and not all symbols are zero")


def _checksum(deltas: tuple[TensorDelta, ...]) -> int:
    value = 0
    for delta in deltas:
        value = crc32(np.ascontiguousarray(delta.symbols).data, value)
    return value


def _frozen(decoder: RunDecoder, size: int, table: int) -> NDArray[np.int8]:
    symbols = decoder.decode(table, size) if table and size else np.zeros(size, np.int8)
    symbols.flags.writeable = False
    return symbols
