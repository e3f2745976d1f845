"""Records: the framing of an `.ecv` stream, its checksums, and how to find the way after damage.

A record is `sync word | type | payload length u32 | CRC-32 of those 12 bytes | payload | CRC-32
of the payload`, little-endian. The header has its own CRC, so that a length is only believed if
it is whole, and so that a scan for the next record is not fooled by payload bytes.
"""

from __future__ import annotations

import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zlib import crc32

from .errors import BitstreamError, UnsupportedError
from .fields import Limits

SYNC = b"\x9fECV"
HEAD, NETW, AUXD, CHNK, INDX = b"HEAD", b"NETW", b"AUXD", b"CHNK", b"INDX"
FOOTER_MAGIC = b"ECVX"
HEADER_BYTES = 16
FRAMING_BYTES = HEADER_BYTES + 4
FOOTER_BYTES = 16
MAX_LISTED_DAMAGE = 4096
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
    """Bytes of a stream that could not be used, and why.

    `start` and `end` are seconds of the stream between which pictures are lost: both None where
    none are, or where that is not known; `end` None where the stream may have gone on for ever.
    """

    offset: int
    size: int
    what: str
    start: float | None = None
    end: float | None = None


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


def most_bytes(kind: bytes, limits: Limits) -> int:
    """The longest payload of a record that is believed, of a kind that is unknown too."""
    most = {
        HEAD: limits.max_header_bytes,
        NETW: limits.max_title_bytes,
        AUXD: limits.max_aux_bytes,
        INDX: limits.max_index_bytes,
    }
    return most.get(kind, limits.max_chunk_bytes)


def longest_record(limits: Limits) -> int:
    """The size of the longest record that is believed, and of what is read to see its end."""
    kinds = (HEAD, NETW, AUXD, CHNK, INDX)
    return max(most_bytes(kind, limits) for kind in kinds) + FRAMING_BYTES + HEADER_BYTES


def _parse_header(data: bytes, offset: int) -> Record | None:
    if len(data) < HEADER_BYTES or data[:4] != SYNC:
        return None
    if crc32(data[:12]) != int.from_bytes(data[12:16], "little"):
        return None
    _, kind, length = _HEADER.unpack_from(data)
    return Record(kind, offset, length)


def _parse_footer(data: bytes) -> int | None:
    """Where the index begins, or None if these 16 bytes are no footer."""
    if len(data) != FOOTER_BYTES or crc32(data[:12]) != int.from_bytes(data[12:], "little"):
        return None
    offset, magic = _FOOTER.unpack_from(data)
    return int(offset) if magic == FOOTER_MAGIC else None


class Records(ABC):
    """Reads records of a stream that may be damaged or hostile, and of which the end may not be
    there yet.

    `size` is how many bytes are there so far, `complete` whether no more will come.
    """

    size: int
    complete: bool

    @abstractmethod
    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes: fewer only at the end of what is there."""

    def forget(self, offset: int) -> None:
        """Bytes before `offset` will not be read again."""
        return

    def has(self, offset: int, size: int) -> bool:
        """Whether so many bytes are there, or will never be."""
        return self.complete or offset + size <= self.size

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
        if self.size < FOOTER_BYTES:
            return None
        offset = _parse_footer(self.read_at(self.size - FOOTER_BYTES, FOOTER_BYTES))
        return offset if offset is not None and offset < self.size else None

    def is_index(self, record: Record) -> bool:
        """Whether this is where the footer says that the index begins, and the footer follows."""
        at_end = record.end == self.size - FOOTER_BYTES
        return at_end and record.kind == INDX and record.offset == self.index_offset()

    def walk(self, offset: int, limits: Limits | None = None) -> Iterator[Record | Damage | None]:
        """Every record from `offset` on, with the bytes between that are none.

        None says that bytes are wanted that are not there yet: ask again when there are more. A
        record is given when all of it is there, but may still turn out damaged when its payload is
        read. One that is over the limits is given at once, and what follows is looked for within
        it, so that nobody has to keep it. Records may overlap where bytes are missing; once they
        add up to several times the stream so far, a hostile one, those in the way are passed over,
        so the time is linear in the stream's size whatever it holds.
        """
        limits, spent, reached = limits or Limits(), 0, 0
        while True:
            self.forget(offset)
            while not self.has(offset, HEADER_BYTES):
                yield None
            record = self.record_at(offset)
            if record is None:
                while self._may_be_footer(offset):
                    yield None
                if offset >= self._end():
                    return
                resume = yield from self._find(offset + 1)
                yield Damage(offset, resume - offset, f"no record at byte {offset}")
                offset = resume
                continue
            if offset >= self._end():
                return
            believed = record.length <= most_bytes(record.kind, limits)
            while believed and not self.has(offset, record.size):
                yield None
            # Of the stream only as far as records reach: all of it may not be there yet.
            if believed and record.end <= self.size:
                reached = max(reached, record.end)
                if spent + record.size > _MAX_OVERLAP * reached:
                    yield Damage(offset, record.size, "records lie inside each other")
                    offset = record.end
                    continue
                spent += record.size
            yield record
            if not believed:
                offset = yield from self._find(record.payload_offset)
                continue
            offset = record.end
            at_border = yield from self._is_border(offset)
            if not at_border and not self._is_intact(record):
                # Bytes may be missing from this record: the next one may begin before its end.
                offset = yield from self._find(record.payload_offset)

    def _end(self) -> int:
        """Where records end, as far as it is known: before the footer."""
        if not self.complete:
            return self.size
        return self.size - FOOTER_BYTES if self.index_offset() is not None else self.size

    def _may_be_footer(self, offset: int) -> bool:
        """Whether the last bytes so far are a footer, and only more bytes could say otherwise."""
        if self.complete or self.size != offset + FOOTER_BYTES:
            return False
        return _parse_footer(self.read_at(offset, FOOTER_BYTES)) is not None

    def _is_border(self, offset: int) -> Generator[None, None, bool]:
        """Whether a record, the footer or the stream ends here."""
        while not self.has(offset, HEADER_BYTES):
            yield None
        if self.record_at(offset) is not None:
            return offset < self._end()
        while self._may_be_footer(offset):
            yield None
        return self.complete and offset == self._end()

    def _is_intact(self, record: Record) -> bool:
        if record.end > self.size:
            return False
        checksum = 0
        for start in range(0, record.length, _BLOCK_BYTES):
            size = min(_BLOCK_BYTES, record.length - start)
            checksum = crc32(self.read_at(record.payload_offset + start, size), checksum)
        return self.read_at(record.end - 4, 4) == struct.pack("<I", checksum)

    def _find(self, offset: int) -> Generator[None, None, int]:
        """Where the first whole record header at or after `offset` begins, or records end."""
        while True:
            self.forget(offset)
            while not self.has(offset, HEADER_BYTES):
                yield None
            block = self.read_at(offset, _BLOCK_BYTES)
            if len(block) < HEADER_BYTES:
                return self._end()
            at = block.find(SYNC)
            while at != -1:
                if _parse_header(block[at : at + HEADER_BYTES], offset + at) is not None:
                    return offset + at
                at = block.find(SYNC, at + 1)
            offset += len(block) - HEADER_BYTES + 1


class RecordFile(Records):
    """The records of a seekable file.

    Methods may be called from several threads: one lock covers each seek and its read.
    """

    complete = True

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.size = file.seek(0, 2)

    def read_at(self, offset: int, size: int) -> bytes:
        """See `Records.read_at`."""
        size = max(0, min(size, self.size - offset))
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(size)
            while len(data) < size and (more := self._file.read(size - len(data))):
                data += more
        return data
