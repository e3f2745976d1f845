"""Chunks, one scene each, and the index that finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from .errors import BitstreamError, UnsupportedError
from .fields import (
    FIELD_HEADER,
    FORMAT_VERSION,
    Cursor,
    Limits,
    pack_fields,
    pack_signed,
    pack_timeline,
    pack_unsigned,
    parse_fields,
    read_timeline,
)
from .records import FRAMING_BYTES


class StrategyId(IntEnum):
    """How a scene is coded, and so how `Chunk.body` reads."""

    SEMANTIC_LATENT = 1
    I_FRAME_INTERPOLATION = 2
    HYBRID_SEMANTIC = 3
    CLASSICAL = 4
    PROCEDURAL = 5


class Codec(IntEnum):
    """A standard codec."""

    AV1 = 1
    H265 = 2
    H264 = 3
    VVC = 4


@dataclass(frozen=True)
class Chunk:
    """One scene, decodable without any other.

    `start_frame` counts frames of the stream from 0; `pts` are in display order, strictly
    increasing, in the header's `time_base`. `body` is read by `payloads.parse_body`.
    """

    scene: int
    start_frame: int
    strategy: StrategyId
    pts: tuple[int, ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class IndexEntry:
    """Where a chunk lies: `size` bytes at `offset`, framing included."""

    offset: int
    size: int
    start_frame: int
    frames: int
    start_pts: int


class _ChunkField(IntEnum):
    STRATEGY = 0x8001
    PLACE = 0x8002
    TIMELINE = 0x8003
    BODY = 0x8004


class _IndexField(IntEnum):
    CHUNKS = 0x8001


def pack_chunk(chunk: Chunk) -> bytes:
    """The payload of a `CHNK` record. ValueError if `pts` do not increase."""
    return pack_fields(
        [
            (_ChunkField.STRATEGY, pack_unsigned(chunk.strategy)),
            (_ChunkField.PLACE, pack_unsigned(chunk.scene, chunk.start_frame)),
            (_ChunkField.TIMELINE, pack_timeline(chunk.pts)),
            (_ChunkField.BODY, chunk.body),
        ]
    )


def parse_chunk(payload: bytes, limits: Limits, what: str) -> Chunk:
    """What `pack_chunk` wrote.

    Raises BitstreamError if it breaks the format or `limits`, UnsupportedError if it needs a
    later version.
    """
    fields = parse_fields(payload, _ChunkField, what)
    (strategy,) = fields.integers(_ChunkField.STRATEGY, 1 << 16)
    try:
        known = StrategyId(strategy)
    except ValueError as error:
        raise UnsupportedError(
            f"{what}: format version {FORMAT_VERSION} has no strategy {strategy}, "
            "a later one is needed: update edgecodec"
        ) from error
    scene, start_frame = fields.integers(_ChunkField.PLACE, 1 << 63, 1 << 63)
    pts = read_timeline(fields.cursor(_ChunkField.TIMELINE), limits.max_frames_per_chunk)
    return Chunk(scene, start_frame, known, pts, bytes(fields.one(_ChunkField.BODY)))


def peek_times(start: bytes, limits: Limits) -> tuple[int, ...] | None:
    """The timeline of a chunk's payload by its first bytes, unchecked; None if it is not there."""
    position = 0
    while position + FIELD_HEADER.size <= len(start):
        field, length = FIELD_HEADER.unpack_from(start, position)
        position += FIELD_HEADER.size
        if field == _ChunkField.TIMELINE and position + length <= len(start):
            try:
                cursor = Cursor(start[position : position + length], "timeline")
                return read_timeline(cursor, limits.max_frames_per_chunk)
            except BitstreamError:
                return None
        position += length
    return None


def pack_index(entries: Sequence[IndexEntry]) -> bytes:
    """The payload of an `INDX` record, from entries in file order."""
    values = [pack_unsigned(len(entries))]
    offset = frame = pts = 0
    for entry in entries:
        values += (
            pack_unsigned(entry.offset - offset, entry.size, entry.start_frame - frame),
            pack_unsigned(entry.frames),
            pack_signed(entry.start_pts - pts),
        )
        offset, frame = entry.offset + entry.size, entry.start_frame + entry.frames
        pts = entry.start_pts
    return pack_fields([(_IndexField.CHUNKS, b"".join(values))])


def parse_index(payload: bytes, end: int, limits: Limits) -> tuple[IndexEntry, ...]:
    """Entries in file order, frame order and time order, none reaching past `end`."""
    cursor = parse_fields(payload, _IndexField, "index").cursor(_IndexField.CHUNKS)
    entries: list[IndexEntry] = []
    offset = frame = pts = 0
    for number in range(cursor.count(5, limits.max_chunks)):
        offset += cursor.unsigned()
        size = cursor.unsigned()
        frame += cursor.unsigned()
        frames = cursor.unsigned(limits.max_frames_per_chunk + 1)
        step = cursor.signed()
        pts += step
        if size <= FRAMING_BYTES or offset + size > end or not frames or (number and step <= 0):
            raise cursor.fail(f"entry {number} is out of place")
        entries.append(IndexEntry(offset, size, frame, frames, pts))
        offset, frame = offset + size, frame + frames
    cursor.finish()
    return tuple(entries)
