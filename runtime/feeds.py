"""Where a video's scenes come from: a file with an index, or a source that only flows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .auxiliary import AuxPacket
from .collect import PlacedChunk
from .container import IndexEntry, Reader
from .demux import Demuxer
from .errors import BitstreamError, EdgecodecError, UnsupportedError
from .fields import Limits
from .prefetch import Ahead
from .records import Damage

Event = PlacedChunk | Damage
_PIECE_BYTES = 64 << 10
_PIECES_AHEAD = 4


class IndexedFeed:
    """Scenes of a file that can seek. With `loads_ahead` the next one is read while one plays.

    One thread at a time asks for events.
    """

    def __init__(
        self, reader: Reader, interrupt: Callable[[], None], *, loads_ahead: bool = False
    ) -> None:
        self.header = reader.header
        self.titles = reader.titles
        self.index = reader.index
        self._loads_ahead = loads_ahead
        self._coming: tuple[int, Ahead[PlacedChunk]] | None = None
        self._reader = reader
        self._interrupt = interrupt
        self._next = 0
        self._pending: list[Damage] = []
        self._loaded: PlacedChunk | None = None
        self.go_to(0)

    @property
    def damage(self) -> list[Damage]:
        """What was found damaged so far."""
        return self._reader.damage

    def next_event(self) -> Event | None:
        """The next scene, or damage where it lies between them; None at the end.

        Raises UnsupportedError for a scene that needs a later version, and goes on behind it; also
        whatever reading raises, and then tries again.
        """
        end = self._next == len(self.index)
        if self._pending and (end or self._pending[0].offset < self.index[self._next].offset):
            return self._pending.pop(0)
        if end:
            return None
        entry = self.index[self._next]
        event: Event
        try:
            event = self.load(self._next)
        except BitstreamError as error:
            event = Damage(entry.offset, entry.size, str(error))
        except EdgecodecError:
            self._next += 1
            raise
        self._next += 1
        self._load_ahead()
        return event

    def go_to(self, scene: int) -> None:
        """Go on with a scene of `index`. Damage before the first one is met again."""
        self._next = scene
        self._drop_coming()
        listed = sorted(self._reader.damage, key=lambda damage: damage.offset)
        starts = {entry.offset for entry in self.index}
        first = self.index[0].offset if self.index else 0
        here = self.index[scene].offset if self.index else 0
        self._pending = [
            damage
            for damage in listed
            if damage.offset not in starts and (damage.offset < first or damage.offset >= here)
        ]

    def load(self, scene: int) -> PlacedChunk:
        """A scene of `index`, which is then at hand. Raises as `Reader.chunk`."""
        entry = self.index[scene]
        if self._loaded is not None and self._loaded.entry == entry:
            return self._loaded
        self._loaded, coming = None, self._coming
        if coming is not None and coming[0] == scene:
            self._coming = None
            self._loaded = next(coming[1], None)
            if self._loaded is None:
                raise ValueError("the video is closed")
        else:
            self._loaded = self._read(entry)
        return self._loaded

    def _read(self, entry: IndexEntry) -> PlacedChunk:
        return PlacedChunk(entry, self._reader.chunk(entry))

    def _load_ahead(self) -> None:
        if self._loads_ahead and self._next < len(self.index):
            self._coming = self._next, Ahead(map(self._read, (self.index[self._next],)), 1)

    def _drop_coming(self) -> None:
        if self._coming is not None:
            self._coming[1].stop(wait=False)
            self._coming = None

    def aux_packets(self) -> Iterator[AuxPacket]:
        """Every packet of the other streams, in file order."""
        return self._reader.aux_packets()

    def last_pts(self, entry: IndexEntry) -> int:
        """See `Reader.last_pts`."""
        return self._reader.last_pts(entry)

    def interrupt(self) -> None:
        """From any thread: whoever waits for bytes stops waiting. Nothing can be read after."""
        if self._coming is not None:
            self._coming[1].stop(wait=False)
        self._interrupt()


class FlowingFeed:
    """Scenes of a source that is read once, front to back.

    A thread of its own reads it, so that nobody who gives up has to wait for the source. Raises
    BitstreamError and UnsupportedError for its header, and whatever reading raises.
    """

    def __init__(
        self, read: Callable[[int], bytes], limits: Limits, interrupt: Callable[[], None]
    ) -> None:
        self._demuxer = Demuxer(limits)
        self._interrupt = interrupt
        self._pieces = Ahead(iter(lambda: read(_PIECE_BYTES), b""), _PIECES_AHEAD)
        self._finished = False
        try:
            while self._demuxer.header is None:
                self._read_on()
        except BaseException:
            self.interrupt()
            raise
        self.header = self._demuxer.header
        self.titles = self._demuxer.titles

    @property
    def damage(self) -> list[Damage]:
        """What was found damaged so far."""
        return self._demuxer.damage

    @property
    def index(self) -> tuple[IndexEntry, ...]:
        """The scenes that were met so far."""
        return self._demuxer.index

    def next_event(self) -> Event | None:
        """As `IndexedFeed.next_event`; raises what reading raises."""
        while (event := self._demuxer.next_event()) is None and not self._finished:
            self._read_on()
        return event

    def aux_packets(self) -> Iterator[AuxPacket]:
        """None where the stream has no other streams.

        Raises UnsupportedError where it has: they lie between the scenes. `PushDecoder` gives both.
        """
        if self.header.aux_streams:
            raise UnsupportedError(
                "audio and subtitles of a source that cannot seek: save it to a file first, or "
                "read them with a PushDecoder"
            )
        return iter(())

    def interrupt(self) -> None:
        """As `IndexedFeed.interrupt`."""
        self._pieces.stop(wait=False)
        self._interrupt()

    def _read_on(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            self._finished = True
            self._demuxer.finish()
        else:
            self._demuxer.send(piece)


Feed = IndexedFeed | FlowingFeed
