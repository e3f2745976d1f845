"""Records: the framing of an `.ecv` stream, its checksums, and how to find the way after damage.

A record is `sync word | type | payload length u32 | CRC-32 of those 12 bytes | payload | CRC-32
of the payload`, little-endian. The header has its own CRC, so that a length is only believed if
it is whole, and so that a scan for the next record is not fooled by payload bytes.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zlib import crc32

from .errors import BitstreamError, UnsupportedError

SYNC = b"\x9fECV"
HEAD, NETW, AUXD, CHNK, INDX = b"HEAD", b"NETW", b"AUXD", b"CHNK", b"INDX"
FOOTER_MAGIC = b"ECVX"
HEADER_BYTES = 16
FRAMING_BYTES = HEADER_BYTES + 4
FOOTER_BYTES = 16
_HEADER = struct.Struct("<4s4sI")
_FOOTER = struct.Struct("<Q4s")
_BLOCK_BYTES = 1 << 20
_MAX_OVERLAP = 4


@dataclass(frozen=True)
class Record:
    """Where a record whose header is whole lies; `length` is its payload's."""

    kind: bytes
    offset: int
    length: int

    @property
    def payload_offset(self) -> int:
        return self.offset + HEADER_BYTES

    @property
    def size(self) -> int:
        return self.length + FRAMING_BYTES

    @property
    def end(self) -> int:
        return self.offset + self.size

    def __str__(self) -> str:
        return f"{self.kind.decode('latin-1')} record at byte {self.offset}"


@dataclass(frozen=True)
class Damage:
    """Bytes of a stream that could not be used, and why."""

    offset: int
    size: int
    what: str


def write_record(file: BinaryIO, kind: bytes, payload: bytes) -> int:
    """Append a record and return its size in bytes."""
    if len(payload) >= 1 << 32:
        raise UnsupportedError(f"a record holds less than 4 GiB, not {len(payload)} bytes")
    head = _HEADER.pack(SYNC, kind, len(payload))
    file.write(head + struct.pack("<I", crc32(head)))
    file.write(payload)
    file.write(struct.pack("<I", crc32(payload)))
    return len(payload) + FRAMING_BYTES


def pack_footer(index_offset: int) -> bytes:
    """The last 16 bytes of a finished stream, which say where its index begins."""
    body = _FOOTER.pack(index_offset, FOOTER_MAGIC)
    return body + struct.pack("<I", crc32(body))


def _parse_header(data: bytes, offset: int) -> Record | None:
    if len(data) < HEADER_BYTES or data[:4] != SYNC:
        return None
    if crc32(data[:12]) != int.from_bytes(data[12:16], "little"):
        return None
    _, kind, length = _HEADER.unpack_from(data)
    return Record(kind, offset, length)


class RecordFile:
    """Reads records of a seekable file that may be damaged or hostile.

    Methods may be called from several threads: one lock covers each seek and its read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.size = file.seek(0, 2)

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes: fewer only at the file's end."""
        size = max(0, min(size, self.size - offset))
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(size)
            while len(data) < size and (more := self._file.read(size - len(data))):
                data += more
        return data

    def record_at(self, offset: int) -> Record | None:
        """The record whose header begins at `offset`, or None if no whole header does."""
        return _parse_header(self.read_at(offset, HEADER_BYTES), offset)

    def payload(self, record: Record, most: int) -> bytes:
        """A record's checked payload. BitstreamError if over `most` bytes, cut off or damaged."""
        if record.length > most:
            raise BitstreamError(
                f"{record}: {record.length} bytes are over the limit of {most}; "
                "if the file can be trusted, open it with larger Limits"
            )
        if record.end > self.size:
            raise BitstreamError(f"{record}: cut off, the file ends {record.end - self.size} early")
        data = self.read_at(record.payload_offset, record.length + 4)
        payload = data[: record.length]
        if len(data) != record.length + 4 or crc32(payload) != int.from_bytes(data[-4:], "little"):
            raise BitstreamError(f"{record}: its checksum does not match, the bytes are damaged")
        return payload

    def index_offset(self) -> int | None:
        """Where the footer says that the index begins, or None without a whole footer."""
        data = self.read_at(self.size - FOOTER_BYTES, FOOTER_BYTES) if self.size >= 16 else b""
        if len(data) != FOOTER_BYTES or crc32(data[:12]) != int.from_bytes(data[12:], "little"):
            return None
        offset, magic = _FOOTER.unpack_from(data)
        return offset if magic == FOOTER_MAGIC and offset < self.size else None

    def walk(self, offset: int) -> Iterator[Record | Damage]:
        """Every record from `offset` on, with the bytes between that are none.

        A record may still turn out damaged when its payload is read. Records may overlap where
        bytes are missing; once they add up to several times the file, a hostile one, it stops
        there, so the time is linear in the file's size whatever it holds.
        """
        end = self.size - FOOTER_BYTES if self.index_offset() is not None else self.size
        budget = _MAX_OVERLAP * self.size
        while offset < end:
            record = self.record_at(offset)
            if record is None:
                found = self._find(offset + 1)
                resume = found.offset if found else end
                yield Damage(offset, resume - offset, f"no record at byte {offset}")
                offset = resume
                continue
            budget -= min(record.size, self.size - offset)
            if budget < 0:
                yield Damage(offset, end - offset, "records lie inside each other")
                return
            yield record
            offset = record.end
            at_border = offset == end or (offset < end and self.record_at(offset) is not None)
            if not at_border and not self._is_intact(record):
                # Bytes may be missing from this record: the next one may begin before its end.
                found = self._find(record.payload_offset)
                offset = found.offset if found else end

    def _is_intact(self, record: Record) -> bool:
        if record.end > self.size:
            return False
        checksum = 0
        for start in range(0, record.length, _BLOCK_BYTES):
            size = min(_BLOCK_BYTES, record.length - start)
            checksum = crc32(self.read_at(record.payload_offset + start, size), checksum)
        return self.read_at(record.end - 4, 4) == struct.pack("<I", checksum)

    def _find(self, offset: int) -> Record | None:
        """The first record with a whole header at or after `offset`."""
        while offset + HEADER_BYTES <= self.size:
            block = self.read_at(offset, _BLOCK_BYTES)
            at = block.find(SYNC)
            while at != -1:
                record = _parse_header(block[at : at + HEADER_BYTES], offset + at)
                if record is not None:
                    return record
                at = block.find(SYNC, at + 1)
            if len(block) < HEADER_BYTES:
                return None
            offset += len(block) - HEADER_BYTES + 1
        return None
