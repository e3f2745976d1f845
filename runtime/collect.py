"""What a stream's records add up to: title weights after the header, then scenes in their order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .chunks import Chunk, IndexEntry, parse_chunk
from .errors import BitstreamError, EdgecodecError
from .fields import Limits
from .header import Header, parse_header
from .records import HEAD, HEADER_BYTES, SYNC, Damage, Record, Records
from .title import TitleWeights, parse_title_record


@dataclass(frozen=True)
class PlacedChunk:
    """A scene, and where it lies in the stream."""

    entry: IndexEntry
    chunk: Chunk


def read_header(records: Records, limits: Limits) -> tuple[Header, int] | None:
    """The header and where it ends, or None if it is not all there yet.

    Raises BitstreamError if the bytes are no `.ecv` stream or the header is damaged, and
    UnsupportedError if it needs a later format version.
    """
    if not records.has(0, len(SYNC)):
        return None
    start = records.read_at(0, len(SYNC))
    if start != SYNC:
        raise BitstreamError(
            f"not an .ecv stream: it begins with {start.hex(' ') or 'nothing'}, "
            f"not with {SYNC.hex(' ')}"
        )
    if not records.has(0, HEADER_BYTES):
        return None
    head = records.record_at(0)
    if head is None or head.kind != HEAD:
        raise BitstreamError("byte 0: the .ecv header is damaged, nothing can be decoded")
    if head.length <= limits.max_header_bytes and not records.has(0, head.size):
        return None
    return parse_header(records.payload(head, limits.max_header_bytes), limits), head.end


def read_chunk(records: Records, record: Record, limits: Limits) -> PlacedChunk:
    """The scene of a `CHNK` record.

    Raises BitstreamError if it is damaged, UnsupportedError if it needs a later version.
    """
    payload = records.payload(record, limits.max_chunk_bytes)
    chunk = parse_chunk(payload, limits, str(record))
    frames = len(chunk.pts)
    entry = IndexEntry(record.offset, record.size, chunk.start_frame, frames, chunk.pts[0])
    return PlacedChunk(entry, chunk)


def damaged(record: Record, error: EdgecodecError) -> Damage:
    """A record that could not be used."""
    return Damage(record.offset, record.size, str(error))


def no_index(end: int) -> Damage:
    """What a stream of `end` bytes lacks that has no index."""
    return Damage(end, 0, f"byte {end}: no index, the file was cut off or is unfinished")


class ChunkOrder:
    """Which chunks of a stream without an index count: those that go on where others ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.reset()

    def reset(self) -> None:
        """Begin anew: the next chunk may be any."""
        self._chunks, self._next_frame, self._last_pts = 0, 0, -(1 << 63) - 1

    def check(self, record: Record, chunk: Chunk) -> None:
        """Raises BitstreamError if the chunk's frames are already there."""
        if chunk.start_frame < self._next_frame or chunk.pts[0] <= self._last_pts:
            raise BitstreamError(f"{record}: frames that an earlier chunk already has")
        if self._chunks == self._limits.max_chunks:
            raise BitstreamError(f"{record}: more than {self._chunks} chunks")
        self._chunks += 1
        self._next_frame, self._last_pts = chunk.start_frame + len(chunk.pts), chunk.pts[-1]


class TitleCollector:
    """Reads the title weights that follow a header: `titles` are those that are whole, by number.

    `announced` is how many `NETW` records the header promises.
    """

    def __init__(self, announced: int, limits: Limits) -> None:
        self.titles: dict[int, TitleWeights] = {}
        self._announced = announced
        self._left = announced
        self._limits = limits

    def is_open(self) -> bool:
        """Whether some of them may still come."""
        return self._left > 0

    def read(self, records: Records, record: Record) -> Damage | None:
        """Take the next `NETW` record, or say why it cannot be used."""
        self._left -= 1
        try:
            payload = records.payload(record, self._limits.max_title_bytes)
            number, title = parse_title_record(payload, self._limits, str(record))
            if number in self.titles:
                raise BitstreamError(f"{record}: title weights {number} for a second time")
        except EdgecodecError as error:
            # Or hostile records would each have a reader decode as much as one may.
            self._allow(self._limits.max_title_symbols // 2)
            return damaged(record, error)
        self.titles[number] = title
        used = sum(each.symbols.size for each in title.deltas)
        self._allow(self._limits.max_title_symbols - used)
        return None

    def close(self, *, known: bool) -> Damage | None:
        """No more will come: what is missing, unless damage is `known` that explains it."""
        self._left = 0
        missing = self._announced - len(self.titles)
        if not missing or known:
            return None
        return Damage(0, 0, f"{missing} of the header's title weights are gone")

    def _allow(self, symbols: int) -> None:
        self._limits = replace(self._limits, max_title_symbols=symbols)
