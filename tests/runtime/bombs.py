"""Streams of few bytes that ask for much, every checksum right."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from zlib import crc32

from edgecodec.runtime.auxiliary import AuxPacket, pack_aux_packets
from edgecodec.runtime.chunks import IndexEntry, pack_index
from edgecodec.runtime.container import StrategyId
from edgecodec.runtime.fields import MAX_FIELDS, Limits, pack_fields, pack_signed, pack_unsigned
from edgecodec.runtime.header import pack_header
from edgecodec.runtime.records import AUXD, CHNK, HEAD, INDX, NETW, SYNC, pack_footer, write_record

from .ecv_samples import sample_header

HUGE = 1 << 40
LIMITS = Limits()
CHUNK_FIELDS = [(0x8001, b"\x04"), (0x8002, b"\x00\x00")]
LONG_TIMELINE = pack_signed(0) + pack_unsigned(1, HUGE)


def record(kind: bytes, fields: list[tuple[int, bytes]]) -> bytes:
    file = io.BytesIO()
    write_record(file, kind, pack_fields(fields))
    return file.getvalue()


def sample_head(**changes: object) -> bytes:
    file = io.BytesIO()
    write_record(file, HEAD, pack_header(sample_header(**changes)))
    return file.getvalue()


def declared(kind: bytes, length: int) -> bytes:
    """A record whose header, checksum and all, declares `length` bytes that are not there."""
    head = SYNC + kind + struct.pack("<I", length)
    return head + struct.pack("<I", crc32(head)) + b"few bytes"


def picture(width: int, height: int) -> bytes:
    rate = pack_unsigned(25, 1)
    size = pack_unsigned(width, height, 8)
    return record(HEAD, [(0x8001, b"\x01"), (0x8002, size), (0x8003, rate), (0x0004, rate)])


def chunk_of(body: list[tuple[int, bytes]], strategy: int) -> bytes:
    fields = [(0x8001, pack_unsigned(strategy)), (0x8002, b"\0\0"), (0x8003, pack_signed(0))]
    return sample_head() + record(CHNK, [*fields, (0x8004, pack_fields(body))])


def index_of(entries: bytes) -> bytes:
    head = sample_head()
    return head + record(INDX, [(0x8001, entries)]) + pack_footer(len(head))


def base_of(fields: list[tuple[int, bytes]], size: tuple[int, int] = (96, 80)) -> bytes:
    picture = pack_unsigned(*size, 8, 100)
    return pack_fields([(0x8001, b"\x01"), (0x8002, picture), *fields])


def classical_of(fields: list[tuple[int, bytes]], size: tuple[int, int] = (96, 80)) -> bytes:
    return chunk_of([(0x8001, base_of(fields, size))], StrategyId.CLASSICAL)


def title_of(tensors: bytes, titles: int = 1) -> bytes:
    data = bytes(8) + tensors + bytes(4)
    return sample_head(titles=titles) + record(NETW, [(0x8001, b"\0"), (0x8002, data)]) * titles


def latents_of(packet_bytes: int) -> bytes:
    table = pack_unsigned(0, 0, packet_bytes)
    fields = [(0x8001, bytes(8)), (0x8002, bytes(48)), (0x8003, table), (0x8004, b"")]
    return chunk_of(fields, StrategyId.SEMANTIC_LATENT)


def procedural_of(still: bytes, program: bytes) -> bytes:
    return chunk_of([(0x8001, program), (0x8002, still)], StrategyId.PROCEDURAL)


SMALL: dict[str, Callable[[], bytes]] = {
    "header length": lambda: declared(HEAD, 0xFFFFFFF0),
    "picture": lambda: picture(2**31 - 1, 2**31 - 1),
    "chunk length": lambda: sample_head() + declared(CHNK, 0xFFFFFFF0),
    "chunk length within the limit": lambda: sample_head() + declared(CHNK, 200 << 20),
    "packets' length": lambda: sample_head() + declared(AUXD, 60 << 20),
    "index length": lambda: sample_head() + declared(INDX, 15 << 20) + pack_footer(100),
    "field length": lambda: sample_head() + record(CHNK, [])[:-8] + struct.pack("<HI", 1, 1 << 31),
    "timeline": lambda: sample_head() + record(CHNK, [*CHUNK_FIELDS, (0x8003, LONG_TIMELINE)]),
    "titles": lambda: title_of(pack_unsigned(HUGE)),
    "title symbols": lambda: title_of(pack_unsigned(1, HUGE) + b"\0\1"),
    "title symbols of zero": lambda: title_of(pack_unsigned(1, HUGE) + b"\0\0"),
    "index": lambda: index_of(pack_unsigned(HUGE)),
    "packets": lambda: sample_head() + record(AUXD, [(0x8001, pack_unsigned(HUGE)), (0x8002, b"")]),
    "base picture": lambda: classical_of([], (1 << 30, 1 << 30)),
    "base timeline": lambda: classical_of([(0x8004, LONG_TIMELINE)]),
    "base packet": lambda: classical_of(
        [(0x8004, pack_signed(0)), (0x8005, pack_unsigned(HUGE + 1, 0)), (0x8006, b"")]
    ),
    "latent packet": lambda: latents_of(HUGE),
    "still": lambda: procedural_of(
        pack_fields([(0x8001, pack_unsigned(HUGE, HUGE)), (0x8002, base_of([], (96, 80)))]), b""
    ),
    "segment": lambda: procedural_of(b"", pack_unsigned(HUGE, 0, 0, 0, 0, 0)),
}
"""A kilobyte at most, with one value that is enormous."""


def _full_index() -> bytes:
    """As many chunks as fit, each of which would need 20 bytes that are there."""
    head, size, count = sample_head(), 25, LIMITS.max_chunks
    entries = [
        IndexEntry(len(head) + size * n, size, HUGE + n * 4096, 4096, HUGE + n)
        for n in range(count)
    ]
    file = io.BytesIO(head + bytes(size * count))
    offset = file.seek(0, 2)
    write_record(file, INDX, pack_index(entries))
    return file.getvalue() + pack_footer(offset)


def _empty_packets() -> bytes:
    """Packets of no bytes."""
    packets = [AuxPacket(1, n, n, 1000, True, b"") for n in range(4096)]
    file = io.BytesIO()
    write_record(file, AUXD, pack_aux_packets(packets))
    return sample_head() + file.getvalue() * 20


def _tiny_records(kind: bytes) -> bytes:
    return sample_head() + record(kind, []) * 10_000


LARGE: dict[str, Callable[[], bytes]] = {
    "an index of all chunks that are allowed": _full_index,
    "packets of no bytes": _empty_packets,
    "chunks of nothing": lambda: _tiny_records(CHNK),
    "records of packets of nothing": lambda: _tiny_records(AUXD),
    "indices of nothing": lambda: _tiny_records(INDX),
    "title weights of nothing": lambda: title_of(pack_unsigned(1, 16 << 20) + b"\0\0", 64),
    "fields": lambda: sample_head() + record(CHNK, [(1, b"")] * MAX_FIELDS) * 40,
    "junk": lambda: sample_head() + (SYNC + CHNK) * 200_000,
}
"""Some megabytes of what costs a few bytes each."""
