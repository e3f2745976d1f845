"""Tagged fields and variable-length integers: the bytes inside every record of an `.ecv` stream.

A field is `id u16 | length u32 | value`, little-endian. The id says what a reader that does not
know the field must do: with the top bit set (required) it refuses, without it it skips. Bits 10
to 14 are the format version that introduced the field, less one, so that a refusal can name the
version that is needed. Integers inside values are LEB128, signed ones zig-zag first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from .errors import BitstreamError, UnsupportedError

FORMAT_VERSION = 1
REQUIRED = 0x8000
MAX_FIELDS = 4096
FIELD_HEADER = struct.Struct("<HI")
_INT64 = range(-(1 << 63), 1 << 63)
_MAX_VARINT_BYTES = 10


@dataclass(frozen=True)
class Limits:
    """The most a stream may ask of a reader; checked before anything is allocated.

    `max_pixels` bounds luma samples of a frame, `max_symbols_per_frame` latent symbols of one,
    `max_frames_held` decoded frames of latents that wait to be shown, those that are kept as
    references, and those whose symbols are kept for frames that continue them,
    `max_title_symbols` symbols of all title weights of a stream together.
    """

    max_pixels: int = 8192 * 4352
    max_header_bytes: int = 4 << 20
    max_index_bytes: int = 16 << 20
    max_chunks: int = 1 << 18
    max_chunk_bytes: int = 256 << 20
    max_frames_per_chunk: int = 4096
    max_symbols_per_frame: int = 64 << 20
    max_frames_held: int = 64
    max_aux_bytes: int = 64 << 20
    max_aux_streams: int = 256
    max_aux_packets_per_record: int = 4096
    max_titles: int = 64
    max_title_bytes: int = 16 << 20
    max_title_symbols: int = 16 << 20


def bounded(limits: Limits | None, max_frame_size: int | None) -> Limits:
    """`limits`, by default the usual ones, with frames of at most that many luma samples."""
    limits = limits or Limits()
    return limits if max_frame_size is None else replace(limits, max_pixels=max_frame_size)


def version_of(field: int) -> int:
    """The format version that introduced a field id."""
    return (field >> 10 & 31) + 1


def pack_fields(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """(id, value) pairs as bytes, in their order."""
    parts: list[bytes] = []
    for field, value in fields:
        if len(value) >= 1 << 32:
            raise UnsupportedError(f"field {field:#06x} of {len(value)} bytes: at most 4 GiB fit")
        parts += (FIELD_HEADER.pack(field, len(value)), value)
    return b"".join(parts)


@dataclass(frozen=True)
class Fields:
    """The fields of one payload, by id; `what` names the payload in messages."""

    what: str
    values: dict[int, list[memoryview]]

    def one(self, field: int) -> memoryview:
        """The value of a field that must be there exactly once."""
        value = self.optional(field)
        if value is None:
            raise BitstreamError(f"{self.what}: field {field:#06x} is missing")
        return value

    def optional(self, field: int) -> memoryview | None:
        """The value of a field that may be there at most once."""
        found = self.values.get(field, [])
        if len(found) > 1:
            raise BitstreamError(f"{self.what}: field {field:#06x} occurs {len(found)} times")
        return found[0] if found else None

    def cursor(self, field: int) -> Cursor:
        """A reader over the value of a field that must be there exactly once."""
        return Cursor(self.one(field), f"{self.what}, field {field:#06x}")

    def integers(self, field: int, *below: int) -> tuple[int, ...]:
        """The integers that a field consists of, each less than its bound."""
        cursor = self.cursor(field)
        values = tuple(cursor.unsigned(bound) for bound in below)
        cursor.finish()
        return values

    def integer(self, field: int, below: int) -> int:
        """An optional field of one integer; 0 if absent."""
        return 0 if self.optional(field) is None else self.integers(field, below)[0]

    def fraction(self, field: int) -> Fraction:
        """A field of a numerator and a denominator, both 1 to 2**31 - 1."""
        numerator, denominator = self.integers(field, 1 << 31, 1 << 31)
        if not numerator or not denominator:
            raise BitstreamError(
                f"{self.what}: {numerator}/{denominator} in field {field:#06x} is not positive"
            )
        return Fraction(numerator, denominator)

    def text(self, field: int) -> str:
        """A UTF-8 field of at most 255 bytes; empty if absent."""
        value = self.optional(field)
        if value is None:
            return ""
        if len(value) > 255:
            raise BitstreamError(f"{self.what}: text of {len(value)} bytes, at most 255 allowed")
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise BitstreamError(f"{self.what}: field {field:#06x} is not UTF-8") from error

    def raw(self, field: int) -> bytes:
        """A copy of an optional field's bytes; empty if absent."""
        value = self.optional(field)
        return b"" if value is None else bytes(value)


def parse_fields(data: bytes | memoryview, known: Iterable[int], what: str) -> Fields:
    """Split a payload into its fields, without copying values.

    Raises BitstreamError where a length runs past the end, UnsupportedError for a required field
    outside `known`. Optional ones outside it are dropped.
    """
    view = memoryview(data)
    known_ids = frozenset(known)
    values: dict[int, list[memoryview]] = {}
    position = count = 0
    while position < len(view):
        count += 1
        if len(view) - position < FIELD_HEADER.size or count > MAX_FIELDS:
            raise BitstreamError(f"{what}: no field at its byte {position}")
        field, length = FIELD_HEADER.unpack_from(view, position)
        position += FIELD_HEADER.size
        if length > len(view) - position:
            raise BitstreamError(
                f"{what}: field {field:#06x} declares {length} bytes, "
                f"{len(view) - position} are left"
            )
        if field in known_ids:
            values.setdefault(field, []).append(view[position : position + length])
        elif field & REQUIRED:
            raise UnsupportedError(
                f"{what}: field {field:#06x} needs format version {version_of(field)} or later, "
                f"this reader knows {FORMAT_VERSION}: update edgecodec"
            )
        position += length
    return Fields(what, values)


class Cursor:
    """Reads integers and bytes off one value, front to back; BitstreamError past its end."""

    def __init__(self, data: bytes | memoryview, what: str) -> None:
        self._data = memoryview(data)
        self._position = 0
        self._what = what

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._position

    def fail(self, message: str) -> BitstreamError:
        """The error to raise for what was read last."""
        return BitstreamError(f"{self._what}, its byte {self._position}: {message}")

    def unsigned(self, below: int = 1 << 64) -> int:
        """The next LEB128 integer, which must be less than `below`."""
        value = 0
        for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
            if self._position >= len(self._data):
                raise self.fail("cut off in an integer")
            byte = self._data[self._position]
            self._position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= below:
                    raise self.fail(f"{value} is not below {below}")
                return value
        raise self.fail(f"an integer of more than {_MAX_VARINT_BYTES} bytes")

    def signed(self) -> int:
        """The next zig-zag LEB128 integer, -2**63 to 2**63 - 1."""
        value = self.unsigned()
        return -(value >> 1) - 1 if value & 1 else value >> 1

    def take(self, length: int) -> bytes:
        """A copy of the next `length` bytes."""
        if length > self.remaining:
            raise self.fail(f"{length} bytes wanted, {self.remaining} are left")
        self._position += length
        return bytes(self._data[self._position - length : self._position])

    def count(self, bytes_each: int, most: int) -> int:
        """A count of items of at least `bytes_each` bytes each that follow, checked to fit."""
        value = self.unsigned()
        if value > most or value * bytes_each > self.remaining:
            raise self.fail(f"a count of {value}: at most {most}, and {self.remaining} bytes left")
        return value

    def finish(self) -> None:
        """Check that everything was read."""
        if self.remaining:
            raise self.fail(f"{self.remaining} bytes too many")


def pack_unsigned(*values: int) -> bytes:
    """Integers of 0 to 2**64 - 1 as LEB128, 7 bits a byte, low bits first."""
    out = bytearray()
    for value in values:
        if not 0 <= value < 1 << 64:
            raise ValueError(f"{value} does not fit 64 bits unsigned")
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


def pack_signed(*values: int) -> bytes:
    """Integers of 64 bits as zig-zag (0, -1, 1, -2, ...) LEB128."""
    for value in values:
        if value not in _INT64:
            raise ValueError(f"{value} does not fit 64 bits signed")
    return pack_unsigned(*(-2 * value - 1 if value < 0 else 2 * value for value in values))


def pack_fraction(value: Fraction) -> bytes:
    """Numerator, then denominator."""
    return pack_unsigned(value.numerator, value.denominator)


def pack_timeline(times: Sequence[int]) -> bytes:
    """Strictly increasing times as the first, then runs of (step, how often).

    Raises ValueError if there are none or they do not increase.
    """
    runs: list[list[int]] = []
    for before, after in pairwise(times):
        if after <= before:
            raise ValueError(f"timestamps must increase: {after} follows {before}")
        if runs and runs[-1][0] == after - before:
            runs[-1][1] += 1
        else:
            runs.append([after - before, 1])
    if not times:
        raise ValueError("no timestamps")
    pack_signed(times[-1])
    return pack_signed(times[0]) + b"".join(pack_unsigned(*run) for run in runs)


def read_timeline(cursor: Cursor, most: int) -> tuple[int, ...]:
    """What `pack_timeline` wrote, up to the cursor's end: 1 to `most` times."""
    times = [cursor.signed()]
    while cursor.remaining:
        step, count = cursor.unsigned(), cursor.unsigned()
        last = times[-1] + step * count
        if not step or not 0 < count <= most - len(times) or last not in _INT64:
            raise cursor.fail(f"{count} steps of {step} after {len(times)} of {most} timestamps")
        times.extend(range(times[-1] + step, last + 1, step))
    return tuple(times)
