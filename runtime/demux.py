"""The container layer of a stream that arrives in pieces: scenes as soon as they are whole."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator, Mapping

from .auxiliary import AuxPacket, parse_aux_packets
from .chunks import IndexEntry, parse_index
from .collect import (
    ChunkOrder,
    PlacedChunk,
    TitleCollector,
    damaged,
    no_index,
    read_chunk,
    read_header,
)
from .errors import EdgecodecError
from .fields import Limits
from .header import Header
from .records import (
    AUXD,
    CHNK,
    FOOTER_BYTES,
    INDX,
    MAX_LISTED_DAMAGE,
    NETW,
    Damage,
    Record,
    Records,
    longest_record,
)
from .title import TitleWeights

SPARE_BYTES = 16 << 20
"""A piece of up to so many bytes can always be sent, once everything before it was played."""

PACKETS_AT_ONCE = 1 << 16
"""No more records' packets are given once there are so many."""


class Window(Records):
    """The bytes of a stream that have arrived and are still wanted."""

    def __init__(self, position: int = 0) -> None:
        self._bytes = bytearray()
        self._start = position
        self.size = position
        self.complete = False

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self._bytes)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """The bytes that come next."""
        self._bytes += data
        self.size = self._start + len(self._bytes)

    def read_at(self, offset: int, size: int) -> bytes:
        """See `Records.read_at`."""
        start = offset - self._start
        with memoryview(self._bytes) as view:
            return bytes(view[start : start + size])

    def forget(self, offset: int) -> None:
        """See `Records.forget`. The last bytes stay: they may turn out to be the footer."""
        unwanted = min(offset, self.size - FOOTER_BYTES) - self._start
        if unwanted > 0:
            del self._bytes[:unwanted]
            self._start += unwanted


class Demuxer:
    """Takes a stream's bytes in pieces of any size and gives its scenes, and what was damaged.

    It reads what `container.Reader` reads of a file without an index, and lists the same `damage`
    (the first 4,096). It holds one record and the piece that was sent last, at most `capacity`
    bytes. Packets of other streams are dropped unless `keep_packets`.
    """

    def __init__(self, limits: Limits | None = None, *, keep_packets: bool = False) -> None:
        self._limits = limits or Limits()
        self._window = Window()
        self._keeps_packets = keep_packets
        self._packets: deque[bytes] = deque()
        self._packet_bytes = 0
        self._collector: TitleCollector | None = None
        self._order = ChunkOrder(self._limits)
        self._index: tuple[Record, Damage | None] | None = None
        self._events: Iterator[PlacedChunk | Damage | None] = iter(())
        self._first = 0
        self._flagged: set[int] = set()
        self._met: dict[int, IndexEntry] = {}
        self.header: Header | None = None
        self.damage: list[Damage] = []
        self.capacity = longest_record(self._limits) + SPARE_BYTES

    @property
    def buffered(self) -> int:
        """Bytes that were sent and have not been given on."""
        return self._window.held + self._packet_bytes

    @property
    def index(self) -> tuple[IndexEntry, ...]:
        """The scenes that were met so far, by their place in the stream."""
        return tuple(self._met[offset] for offset in sorted(self._met))

    @property
    def titles(self) -> Mapping[int, TitleWeights]:
        """Title weights by the number that scenes refer to, all of them before the first scene."""
        return {} if self._collector is None else self._collector.titles

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the stream.

        Raises BlockingIOError, and takes nothing, if that would be more than `capacity`;
        BitstreamError if this is no `.ecv` stream or its header is damaged, UnsupportedError if it
        needs a later version, and ValueError after `finish`.
        """
        size = memoryview(data).nbytes
        if self._window.complete:
            raise ValueError("the stream was finished: flush it before sending more")
        if self.buffered + size > self.capacity:
            raise BlockingIOError(
                errno.EAGAIN,
                f"{self.buffered} bytes wait, {size} more are over the limit of {self.capacity}: "
                f"receive what is there first, and send at most {SPARE_BYTES} at a time",
            )
        self._window.append(data)
        self._begin()

    def finish(self) -> None:
        """No more bytes will come. Raises BitstreamError if not even the header is whole."""
        self._window.complete = True
        self._begin()

    def flush(self, position: int = 0) -> None:
        """Forget what has not been given on; what is sent next is from byte `position` on.

        That may be in the middle of a record: the next whole one is looked for. Header and title
        weights stay. Raises ValueError before the header is whole, unless `position` is 0.
        """
        if self.header is None and position:
            raise ValueError("the header comes first: flush to byte 0")
        self._window = Window(position)
        self._packets.clear()
        self._packet_bytes = 0
        self._order.reset()
        self._index = None
        if self.header is not None:
            self._events = self._read(position, resync=True)

    def next_event(self) -> PlacedChunk | Damage | None:
        """The next scene or damage in the stream's order; None if more bytes are wanted, and for
        ever at the end."""
        return next(self._events, None)

    def take_packets(self) -> list[AuxPacket]:
        """Packets of other streams that were met and not taken yet: so many that they would fill
        the memory are left for the next call. None left: an empty list."""
        packets: list[AuxPacket] = []
        while self._packets and len(packets) < PACKETS_AT_ONCE:
            payload = self._packets.popleft()
            self._packet_bytes -= len(payload)
            packets += self._parse_packets(payload, "packets")
        return packets

    def _parse_packets(self, payload: bytes, what: str) -> list[AuxPacket]:
        assert self.header is not None
        streams = frozenset(stream.index for stream in self.header.aux_streams)
        return parse_aux_packets(payload, streams, self._limits, what)

    def _begin(self) -> None:
        if self.header is not None:
            return
        found = read_header(self._window, self._limits)
        if found is not None:
            self.header, self._first = found
            self._collector = TitleCollector(self.header.titles, self._limits)
            self._events = self._read(self._first, resync=False)

    def _read(self, offset: int, *, resync: bool) -> Iterator[PlacedChunk | Damage | None]:
        window = self._window
        for found in window.walk(offset, self._limits):
            if found is None:
                yield None
            elif isinstance(found, Damage):
                if not resync or found.offset != offset:
                    yield self._flag(found)
            else:
                yield from self._titles_before(found)
                if found.kind == CHNK:
                    yield self._chunk(found)
                elif found.kind == AUXD and self._keeps_packets:
                    yield from self._take(found)
                elif found.kind == INDX:
                    self._index = found, self._index_damage(found)
        yield from self._titles_before(None)
        yield from self._missing_index()

    def _titles_before(self, record: Record | None) -> Iterator[Damage]:
        """Takes a record of title weights; any other, or the end, says that no more will come."""
        collector = self._collector
        if collector is None or not collector.is_open():
            return
        if record is not None and record.kind == NETW:
            damage = collector.read(self._window, record)
            if damage is not None:
                yield self._flag(damage)
            if collector.is_open():
                return
        damage = collector.close(known=bool(self.damage))
        if damage is not None:
            yield self._flag(damage)

    def _chunk(self, record: Record) -> PlacedChunk | Damage:
        try:
            placed = read_chunk(self._window, record, self._limits)
            self._order.check(record, placed.chunk)
        except EdgecodecError as error:
            return self._flag(damaged(record, error))
        self._met[placed.entry.offset] = placed.entry
        return placed

    def _take(self, record: Record) -> Iterator[Damage]:
        try:
            payload = self._window.payload(record, self._limits.max_aux_bytes)
            self._parse_packets(payload, str(record))
        except EdgecodecError as error:
            yield self._flag(damaged(record, error))
            return
        # As they came: packets of no bytes would take dozens of times what was sent.
        self._packets.append(payload)
        self._packet_bytes += len(payload)

    def _index_damage(self, record: Record) -> Damage | None:
        try:
            payload = self._window.payload(record, self._limits.max_index_bytes)
            parse_index(payload, record.offset, self._limits)
        except EdgecodecError as error:
            return damaged(record, error)
        return None

    def _missing_index(self) -> Iterator[Damage]:
        record, damage = self._index or (None, None)
        if record is None or not self._window.is_index(record):
            damage = no_index(self._window.size)
        if damage is not None:
            yield self._flag(damage)

    def _flag(self, damage: Damage) -> Damage:
        if damage.offset not in self._flagged and len(self.damage) < MAX_LISTED_DAMAGE:
            self._flagged.add(damage.offset)
            self.damage.append(damage)
        return damage
