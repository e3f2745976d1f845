"""The `.ecv` container: header, title weights, scenes, packets of other streams, index.

docs/format.md describes every byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

from .auxiliary import AuxPacket, AuxStream, batches, pack_aux_packets, parse_aux_packets
from .chunks import (
    Chunk,
    Codec,
    IndexEntry,
    StrategyId,
    pack_chunk,
    pack_index,
    parse_index,
    peek_times,
)
from .collect import ChunkOrder, TitleCollector, damaged, no_index, read_chunk, read_header
from .errors import BitstreamError, EdgecodecError, UnsupportedError
from .fields import FORMAT_VERSION, Limits
from .header import Header, pack_header
from .records import (
    AUXD,
    CHNK,
    HEAD,
    HEADER_BYTES,
    INDX,
    MAX_LISTED_DAMAGE,
    NETW,
    Damage,
    Record,
    RecordFile,
    pack_footer,
    write_record,
)
from .title import TitleWeights, pack_title_record

__all__ = [
    "FORMAT_VERSION",
    "AuxPacket",
    "AuxStream",
    "Chunk",
    "Codec",
    "Damage",
    "Header",
    "IndexEntry",
    "Limits",
    "Reader",
    "StrategyId",
    "Writer",
]


_PEEKED_BYTES = 16 << 10


class Writer:
    """Writes a stream front to back: the header at once, chunks as they come, the index last.

    Scenes refer to `titles` by their place, from 0; they follow the header. The file need not seek.
    Nothing is closed or renamed: that is the caller's.

    Raises ValueError if header or titles have values that do not fit, and UnsupportedError if they
    are over the limits of the format.
    """

    def __init__(self, file: BinaryIO, header: Header, titles: Sequence[TitleWeights] = ()) -> None:
        self._file = file
        self._limits = Limits()
        self._streams = frozenset(stream.index for stream in header.aux_streams)
        self._entries: list[IndexEntry] = []
        self._last_pts: int | None = None
        payloads = [pack_title_record(number, title) for number, title in enumerate(titles)]
        self._check_titles(titles, payloads)
        head = pack_header(replace(header, titles=len(titles)))
        self._position = write_record(file, HEAD, head)
        for payload in payloads:
            self._position += write_record(file, NETW, payload)

    def write_chunk(self, chunk: Chunk) -> None:
        """Append a scene.

        Raises ValueError if it does not follow the one before in frames and time, and
        UnsupportedError if it is over the limits of the format.
        """
        payload = pack_chunk(chunk)
        last = self._entries[-1] if self._entries else None
        if last is not None and chunk.start_frame < last.start_frame + last.frames:
            raise ValueError(f"chunk of frame {chunk.start_frame}: that frame is already written")
        if self._last_pts is not None and chunk.pts[0] <= self._last_pts:
            raise ValueError(f"chunk of pts {chunk.pts[0]}: it must come after {self._last_pts}")
        frames, limits = len(chunk.pts), self._limits
        if frames > limits.max_frames_per_chunk or len(payload) > limits.max_chunk_bytes:
            raise UnsupportedError(
                f"chunk at frame {chunk.start_frame}: {frames} frames in {len(payload)} bytes, "
                f"at most {limits.max_frames_per_chunk} in {limits.max_chunk_bytes}: split it"
            )
        if len(self._entries) == limits.max_chunks:
            raise UnsupportedError(f"more than {limits.max_chunks} chunks: make scenes longer")
        offset, size = self._position, write_record(self._file, CHNK, payload)
        self._position += size
        self._entries.append(IndexEntry(offset, size, chunk.start_frame, frames, chunk.pts[0]))
        self._last_pts = chunk.pts[-1]

    def write_aux(self, packets: Iterable[AuxPacket]) -> None:
        """Append packets of other streams.

        Raises ValueError if the header does not list a stream, UnsupportedError if a packet is
        over the limits of the format.
        """
        for batch in batches(packets, self._limits):
            missing = {packet.stream for packet in batch} - self._streams
            if missing:
                raise ValueError(f"packets of streams {sorted(missing)}, not in the header")
            payload = pack_aux_packets(batch)
            if len(payload) > self._limits.max_aux_bytes:
                raise UnsupportedError(f"a packet of stream {batch[0].stream} is too large")
            self._position += write_record(self._file, AUXD, payload)

    def finish(self) -> None:
        """Append index and footer; nothing may be written after."""
        write_record(self._file, INDX, pack_index(self._entries))
        self._file.write(pack_footer(self._position))
        self._file.flush()

    def _check_titles(self, titles: Sequence[TitleWeights], payloads: Sequence[bytes]) -> None:
        symbols = sum(delta.symbols.size for title in titles for delta in title.deltas)
        size, limits = max(map(len, payloads), default=0), self._limits
        if symbols > limits.max_title_symbols or size > limits.max_title_bytes:
            raise UnsupportedError(
                f"title weights of {symbols} symbols, the largest of {size} bytes: at most "
                f"{limits.max_title_symbols} symbols and {limits.max_title_bytes} bytes each fit"
            )


class Reader:
    """Reads a stream from any seekable file, and what is left of a damaged one.

    Raises BitstreamError if the file is no `.ecv` stream or its header is damaged, and
    UnsupportedError if it needs a later format version. Damage elsewhere only costs the chunk, the
    packets or the title weights that it hit, and `damage` lists it as it is met (the first 4,096).
    `titles` are those that are whole, by the number that scenes refer to. A file without a whole
    index (cut off, or still being written) is scanned instead. Methods may be called from several
    threads.
    """

    def __init__(self, file: BinaryIO, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._records = RecordFile(file)
        self.damage: list[Damage] = []
        self._flagged: set[int] = set()
        found = read_header(self._records, self._limits)
        assert found is not None, "a file is complete"
        self.header: Header = found[0]
        self._first = found[1]
        self.titles: Mapping[int, TitleWeights] = self._load_titles()
        self.index: tuple[IndexEntry, ...] = self._load_index()

    def chunk(self, entry: IndexEntry) -> Chunk:
        """The scene at an index entry.

        Raises BitstreamError if it is damaged, which `damage` then lists, and UnsupportedError if
        it needs a later format version.
        """
        try:
            record = self._records.record_at(entry.offset)
            if record is None or record.kind != CHNK or record.size != entry.size:
                raise BitstreamError(f"byte {entry.offset}: no chunk where the index has one")
            placed = read_chunk(self._records, record, self._limits)
            if placed.entry != entry:
                raise BitstreamError(f"{record}: it is not the chunk that the index describes")
        except BitstreamError as error:
            self._flag(Damage(entry.offset, entry.size, str(error)))
            raise
        return placed.chunk

    def last_pts(self, entry: IndexEntry) -> int:
        """When a scene's last frame is shown, in `header.time_base`.

        The scene's body is not read, nor its checksum: where its times do not look right, the
        nominal frame rate stands in.
        """
        start = self._records.read_at(entry.offset + HEADER_BYTES, _PEEKED_BYTES)
        times = peek_times(start, self._limits)
        if times is not None and (len(times), times[0]) == (entry.frames, entry.start_pts):
            return times[-1]
        step = 1 / (self.header.frame_rate * self.header.time_base)
        return entry.start_pts + round((entry.frames - 1) * step)

    def aux_packets(self) -> Iterator[AuxPacket]:
        """Every packet of the other streams in file order; damaged records are left out."""
        streams = frozenset(stream.index for stream in self.header.aux_streams)
        for record in self._walk(AUXD):
            try:
                payload = self._records.payload(record, self._limits.max_aux_bytes)
                packets = parse_aux_packets(payload, streams, self._limits, str(record))
            except EdgecodecError as error:
                self._flag(damaged(record, error))
                continue
            yield from packets

    def _load_titles(self) -> Mapping[int, TitleWeights]:
        """Title weights from the header on, as many as it announces."""
        collector = TitleCollector(self.header.titles, self._limits)
        if collector.is_open():
            for found in self._records.walk(self._first, self._limits):
                if isinstance(found, Record) and found.kind != NETW:
                    break
                found = collector.read(self._records, found) if isinstance(found, Record) else found
                self._flag(found)
                if not collector.is_open():
                    break
        self._flag(collector.close(known=bool(self.damage)))
        return collector.titles

    def _load_index(self) -> tuple[IndexEntry, ...]:
        offset = self._records.index_offset()
        record = None if offset is None else self._records.record_at(offset)
        if record is not None and self._records.is_index(record):
            try:
                payload = self._records.payload(record, self._limits.max_index_bytes)
                return parse_index(payload, record.offset, self._limits)
            except EdgecodecError as error:
                self._flag(damaged(record, error))
        else:
            self._flag(no_index(self._records.size))
        return self._scan()

    def _scan(self) -> tuple[IndexEntry, ...]:
        entries: list[IndexEntry] = []
        order = ChunkOrder(self._limits)
        for record in self._walk(CHNK):
            try:
                placed = read_chunk(self._records, record, self._limits)
                order.check(record, placed.chunk)
            except EdgecodecError as error:
                self._flag(damaged(record, error))
                continue
            entries.append(placed.entry)
        return tuple(entries)

    def _walk(self, kind: bytes) -> Iterator[Record]:
        for found in self._records.walk(self._first, self._limits):
            if isinstance(found, Record):
                if found.kind == kind:
                    yield found
            else:
                self._flag(found)

    def _flag(self, damage: Damage | None) -> None:
        if damage is None or damage.offset in self._flagged:
            return
        if len(self.damage) < MAX_LISTED_DAMAGE:
            self._flagged.add(damage.offset)
            self.damage.append(damage)
