"""The container: a file read by `Reader`, and the same bytes pushed in pieces."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from zlib import crc32

import numpy as np
from edgecodec.runtime.auxiliary import AuxPacket, AuxStream
from edgecodec.runtime.chunks import Chunk, StrategyId, pack_chunk
from edgecodec.runtime.collect import PlacedChunk
from edgecodec.runtime.container import Reader, Writer
from edgecodec.runtime.demux import Demuxer
from edgecodec.runtime.errors import BitstreamError, EdgecodecError, UnsupportedError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.header import Header, pack_header
from edgecodec.runtime.playing import with_times
from edgecodec.runtime.records import (
    AUXD,
    CHNK,
    FOOTER_BYTES,
    HEAD,
    NETW,
    SYNC,
    Record,
    RecordFile,
    write_record,
)
from edgecodec.runtime.stream_info import arriving_info, indexed_info
from edgecodec.runtime.title import TensorDelta, TitleWeights, fit_table

from ..runtime import mutations
from ..runtime.ecv_samples import MODEL
from ..runtime.golden_streams import GOLDEN
from .harness import Harness

LIMITS = Limits(
    max_pixels=1 << 16,
    max_header_bytes=1 << 10,
    max_index_bytes=1 << 10,
    max_chunks=6,
    max_chunk_bytes=1 << 11,
    max_frames_per_chunk=64,
    max_aux_bytes=1 << 10,
    max_aux_streams=3,
    max_aux_packets_per_record=16,
    max_titles=4,
    max_title_bytes=1 << 11,
    max_title_symbols=1 << 11,
)
"""So small that streams of a few kB go over them."""

Found = tuple[list[Chunk], list[AuxPacket], list[tuple[int, int, str]], dict[int, TitleWeights]]


def run(data: bytes) -> str:
    """Reads the stream by its index, and front to back, as a file and in pieces: both must find the
    same."""
    outcome = _read_by_index(data)
    # Without a footer there is no index, and a file says what pieces say.
    for stream in {data, _without_footer(data)}:
        pulled = _pulled(stream)
        if pulled is not None:
            pushed = _pushed(stream)
            assert pushed == pulled, f"pushed {pushed!r}\npulled {pulled!r}"
    _jump(data)
    return outcome


def _read_by_index(data: bytes) -> str:
    try:
        reader = Reader(io.BytesIO(data), LIMITS)
    except UnsupportedError:
        return "unsupported"
    except BitstreamError:
        return "refused"
    index = reader.index
    indexed_info(reader.header, "cpu", index, reader.last_pts(index[-1]) if index else 0)
    lost = 0
    for entry in index:
        try:
            chunk = reader.chunk(entry)
            assert (len(chunk.pts), chunk.pts[0]) == (entry.frames, entry.start_pts)
        except BitstreamError:
            lost += 1
            assert entry.offset in {damage.offset for damage in reader.damage}
        except UnsupportedError:
            lost += 1
    for packet in reader.aux_packets():
        assert packet.stream in {stream.index for stream in reader.header.aux_streams}
    for damage in with_times(reader.damage, index, reader.header):
        assert damage.start is None or damage.end is None or damage.start <= damage.end
    return "lost chunks" if lost else "damaged" if reader.damage else "whole"


def _without_footer(data: bytes) -> bytes:
    while RecordFile(io.BytesIO(data)).index_offset() is not None:
        data = data[:-FOOTER_BYTES]
    return data


def _pulled(data: bytes) -> Found | str | None:
    """What a file gives that is read front to back; None where it has an index."""
    try:
        reader = Reader(io.BytesIO(data), LIMITS)
    except EdgecodecError as error:
        return str(error)
    offset = RecordFile(io.BytesIO(data)).index_offset()
    if offset is not None and not any("no index" in each.what for each in reader.damage):
        return None
    chunks = [reader.chunk(entry) for entry in reader.index]
    packets = list(reader.aux_packets())
    damage = sorted((each.offset, each.size, each.what) for each in reader.damage)
    return chunks, packets, damage, dict(reader.titles)


def _pushed(data: bytes) -> Found | str:
    demuxer = Demuxer(LIMITS, keep_packets=True)
    chunks: list[Chunk] = []
    packets: list[AuxPacket] = []
    try:
        for piece in _pieces(data):
            if piece is None:
                demuxer.finish()
            else:
                demuxer.send(piece)
            while (event := demuxer.next_event()) is not None:
                if isinstance(event, PlacedChunk):
                    chunks.append(event.chunk)
            packets += demuxer.take_packets()
    except EdgecodecError as error:
        return str(error)
    assert demuxer.header is not None
    arriving_info(demuxer.header, "cpu")
    for timed in with_times(demuxer.damage, demuxer.index, demuxer.header):
        assert timed.start is None or timed.end is None or timed.start <= timed.end
    damage = sorted((each.offset, each.size, each.what) for each in demuxer.damage)
    return chunks, packets, damage, dict(demuxer.titles)


def _jump(data: bytes) -> None:
    """Somewhere else once the header is there, and to the end."""
    demuxer, position = Demuxer(LIMITS), crc32(data) % (len(data) + 1)
    try:
        demuxer.send(data)
        if demuxer.header is None:
            return
        demuxer.next_event()
        demuxer.flush(position)
        demuxer.send(data[position:])
        demuxer.finish()
    except EdgecodecError:
        return
    while (event := demuxer.next_event()) is not None:
        if isinstance(event, PlacedChunk):
            assert event.entry.offset >= position


def _pieces(data: bytes) -> Iterator[bytes | None]:
    """The stream in pieces that depend on it, then None."""
    size = 1 + len(data) // (1 + crc32(data) % 60)
    for at in range(0, len(data), size):
        yield data[at : at + size]
    yield None


def seeds() -> Iterator[bytes]:
    """A whole stream, and a small one of all that a container has."""
    yield (GOLDEN / "codecs_1.ecv").read_bytes()
    small = _small_stream()
    yield small
    yield from _hostile(_without_footer(small))


def _hostile(stream: bytes) -> Iterator[bytes]:
    """Records that claim each other, more chunks than are allowed, the same title twice."""
    file = RecordFile(io.BytesIO(stream))
    records = [record for record in file.walk(0) if isinstance(record, Record)]
    parts = [(each.kind, stream[each.offset : each.end]) for each in records]
    title = next(part for kind, part in parts if kind == NETW)
    sound = next(part for kind, part in parts if kind == AUXD)
    claims = (SYNC + CHNK + struct.pack("<I", 500 - 16 * n) for n in range(30))
    nested = b"".join(claim + struct.pack("<I", crc32(claim)) for claim in claims)
    yield stream + nested + bytes(100)
    chunks = io.BytesIO()
    for number in range(LIMITS.max_chunks + 2):
        chunk = Chunk(number, 5 + number, StrategyId.CLASSICAL, (7 + number,), b"")
        write_record(chunks, CHNK, pack_chunk(chunk))
    yield stream + chunks.getvalue() + sound
    head = replace(_header(stream), titles=2)
    start = io.BytesIO()
    write_record(start, HEAD, pack_header(head))
    yield start.getvalue() + title + title + stream[records[1].offset :]


def _header(stream: bytes) -> Header:
    """A whole stream's header."""
    return Reader(io.BytesIO(stream), LIMITS).header


def _small_stream() -> bytes:
    """Two chunks whose bodies nobody reads, packets, and weights of four symbols."""
    form, clock = PictureFormat(16, 16), Fraction(1, 25)
    sound = AuxStream(1, "aac", "audio", clock)
    header = Header(form, clock, 1 / clock, aux_streams=(sound,), frame_count=5)
    symbols = np.array([1, 0, -1, 0], np.int8)
    title = TitleWeights(MODEL, (TensorDelta(0, fit_table(symbols), symbols),))
    file = io.BytesIO()
    writer = Writer(file, header, [title])
    writer.write_chunk(Chunk(0, 0, StrategyId.CLASSICAL, (0, 1, 2), b"body"))
    writer.write_aux([AuxPacket(1, n, n, 1, True, b"xyz") for n in range(2)])
    writer.write_chunk(Chunk(1, 3, StrategyId.PROCEDURAL, (5, 6), b""))
    writer.finish()
    return file.getvalue()


def mutate(random: np.random.Generator, data: bytes, mutate_value: mutations.Mutation) -> bytes:
    """Half the time the stream as it is, else one value in it with all checksums mended."""
    if random.random() < 0.5:
        return mutate_value(random, data)
    return mutations.repaired(random, data, mutate_value)


HARNESS = Harness(run, seeds, 2000, mutate)
