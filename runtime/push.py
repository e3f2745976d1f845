"""Decoding of a stream that arrives in pieces."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Literal, Self

from .auxiliary import AuxPacket
from .collect import PlacedChunk
from .demux import Demuxer
from .errors import BitstreamError
from .fields import Limits, bounded
from .frames import Frame
from .playing import DamagedScene, scene_frames, with_times
from .prefetch import Ahead
from .records import MAX_LISTED_DAMAGE, Damage
from .scenes import SceneContext
from .sessions import NetworkPool
from .stream_info import StreamInfo, arriving_info
from .workers import Workers


class PushDecoder:
    """Takes a stream's bytes in pieces of any size and gives its frames in display order.

        with PushDecoder() as decoder:
            for piece in pieces:
                decoder.send(piece)
                while (frame := decoder.receive()) is not None:
                    show(frame)
            decoder.finish()
            while (frame := decoder.receive()) is not None:
                show(frame)

    Frames and damage are those of `open` for a file that has no index. A scene is decoded once all
    of it has arrived; of what has arrived, only what was not played yet is held: at most `capacity`
    bytes. One thread uses a decoder, but any may `close` it: a `receive` that waits then raises
    ValueError.

    Args:
        on_damage: with "raise" `receive` raises BitstreamError where the damage lies, and goes on
            behind it when it is called again; with "skip" it goes on at once.
        keep_packets: keep the packets of audio and subtitle streams for `receive_packets`, which
            must then be called too, since they count as held.

    The others are those of `open`, and so are its errors.
    """

    def __init__(
        self,
        *,
        provider: str = "auto",
        threads: int = 0,
        models: str | Path | None = None,
        on_damage: Literal["raise", "skip"] = "raise",
        look_ahead: int = 4,
        max_frame_size: int | None = None,
        limits: Limits | None = None,
        keep_packets: bool = False,
    ) -> None:
        if look_ahead < 1:
            raise ValueError(f"look_ahead {look_ahead}: at least 1 is wanted")
        self._networks = NetworkPool(provider, threads, None if models is None else Path(models))
        self._threads = threads
        self._workers = Workers("mend")
        self._on_damage = on_damage
        self._look_ahead = look_ahead
        self._limits = bounded(limits, max_frame_size)
        self._demuxer = Demuxer(self._limits, keep_packets=keep_packets)
        self._lock = RLock()
        self._playing: Ahead[Frame] | None = None
        self._damage: dict[int, Damage] = {}
        self._closed = False

    @property
    def info(self) -> StreamInfo | None:
        """What the stream is; None before its header has arrived."""
        header = self._demuxer.header
        return None if header is None else arriving_info(header, self._networks.provider)

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What was found damaged so far, by its place in the stream."""
        header = self._demuxer.header
        found = {damage.offset: damage for damage in self._demuxer.damage} | self._damage
        return () if header is None else with_times(found.values(), self._demuxer.index, header)

    @property
    def buffered(self) -> int:
        """Bytes that are held: sent, and not played yet."""
        return self._demuxer.buffered

    @property
    def capacity(self) -> int:
        """Bytes that may be held: the longest record that the limits allow, and 16 MiB."""
        return self._demuxer.capacity

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes. They are copied.

        Raises BlockingIOError, taking nothing, if more than `capacity` would be held: call
        `receive` until it gives None, then up to 16 MiB fit. Raises BitstreamError if this is no
        `.ecv` stream or its header is damaged, UnsupportedError if it needs a later version, and
        ValueError after `finish` or `close`.
        """
        self._check_open()
        self._demuxer.send(data)

    def receive(self) -> Frame | None:
        """The next frame, or None: send more. After `finish`, None is the end.

        Waits while a scene decodes. Raises BitstreamError for damage, ModelError for a network
        that is not there, UnsupportedError for what needs a later version - the next call goes on
        behind it - and ValueError once closed.
        """
        while True:
            playing = self._next_scene()
            if playing is None:
                return None
            try:
                return next(playing)
            except StopIteration:
                self._end(playing)
            except DamagedScene as error:
                self._end(playing)
                if len(self._damage) < MAX_LISTED_DAMAGE:
                    self._damage[error.damage.offset] = error.damage
                if self._on_damage == "raise":
                    raise
            except Exception:
                self._end(playing)
                raise

    def receive_packets(self) -> list[AuxPacket]:
        """Audio and subtitle packets met since the last call, in the stream's order.

        Of very many (65,536) the rest comes with the next call; an empty list says that none is
        left. Packets that lie before a scene are there when its first frame is; those behind the
        last scene that was received when `receive` gives None. None at all without `keep_packets`.
        """
        return self._demuxer.take_packets()

    def finish(self) -> None:
        """Say that the stream ends here: `receive` then gives what is left.

        Raises BitstreamError if not even the header is whole.
        """
        self._check_open()
        self._demuxer.finish()

    def flush(self, position: int = 0) -> None:
        """Forget all that was not received; what is sent next is from byte `position` on.

        For a source that jumps: the next whole record is looked for, so that `position` may lie
        anywhere. The header and title weights are kept. Raises ValueError before the header has
        arrived, unless `position` is 0, and once closed.
        """
        with self._lock:
            self._check_open()
            self._stop()
            self._demuxer.flush(position)

    def close(self) -> None:
        """Stop decoding and let everything go. Closing twice does nothing."""
        self._closed = True
        with self._lock:
            self._stop()
            with suppress(ValueError):
                self._demuxer.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the decoder is closed")

    def _next_scene(self) -> Ahead[Frame] | None:
        """The scene that plays, or else the next; None if none is whole yet."""
        with self._lock:
            self._check_open()
            while self._playing is None:
                event = self._demuxer.next_event()
                if event is None:
                    return None
                if isinstance(event, PlacedChunk):
                    self._play(event)
                elif self._on_damage == "raise":
                    raise BitstreamError(event.what)
            return self._playing

    def _play(self, placed: PlacedChunk) -> None:
        demuxer = self._demuxer
        assert demuxer.header is not None, "scenes come after the header"
        context = SceneContext(
            demuxer.header.format,
            self._networks,
            self._threads,
            self._limits,
            demuxer.titles,
            self._workers,
        )
        frames = scene_frames(placed, demuxer.header, context)
        self._playing = Ahead(frames, self._look_ahead)

    def _end(self, playing: Ahead[Frame]) -> None:
        """That scene is over. ValueError if it was closed."""
        # Before the lock: `close` has it while it waits for the scene's thread.
        self._check_open()
        with self._lock:
            playing.stop()
            if self._playing is playing:
                self._playing = None

    def _stop(self) -> None:
        playing, self._playing = self._playing, None
        if playing is not None:
            playing.stop()
