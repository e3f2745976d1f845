"""The public decoder: open a stream, iterate its frames, seek, close."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from io import RawIOBase
from math import isnan
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Literal, Self

from .auxiliary import AuxPacket
from .errors import BitstreamError, UnsupportedError
from .feeds import Feed, IndexedFeed
from .fields import Limits, bounded
from .frames import Frame
from .playing import DamagedScene, scene_frames, with_times
from .prefetch import Ahead
from .records import MAX_LISTED_DAMAGE, Damage
from .scenes import SceneContext
from .sessions import NetworkPool
from .sources import open_feed
from .stream_info import SceneInfo, StreamInfo, arriving_info, indexed_info

if TYPE_CHECKING:
    import asyncio

__all__ = ["SceneInfo", "StreamInfo", "Video", "open"]


class Video:
    """An open stream: iterate it, with `for` or `async for`, for `Frame`s in display order.

    Iterating goes on from where a seek or the last iteration stopped; at the end it stops, and
    `seek(0)` starts again. Frames stay valid after the next one and after `close`. Use it as a
    context manager, with `with` or `async with`.

    One thread iterates. Meanwhile any thread may seek, and the next frame is then one from there,
    or `close`, which ends a wait for a frame: iterating a closed video raises ValueError, as
    reading a closed file does.

    With `on_damage="raise"` damage raises BitstreamError where it lies, once everything before it
    was given; iterating once more goes on behind it. With "skip" a damaged scene ends where its
    damage begins and playing goes on with the next. Either way `damage` lists it. Damaged title
    weights count as damage wherever playing starts.
    """

    def __init__(
        self,
        feed: Feed,
        context: SceneContext,
        *,
        on_damage: Literal["raise", "skip"],
        look_ahead: int,
        resources: ExitStack,
    ) -> None:
        self._feed = feed
        self._context = context
        self._on_damage = on_damage
        self._look_ahead = look_ahead
        self._resources = resources
        self._lock = RLock()
        self._ahead: Ahead[Frame] | None = None
        self._from: tuple[int, int] | None = None
        self._damage: dict[int, Damage] = {}
        self._closed = False
        provider = context.networks.provider
        if isinstance(feed, IndexedFeed):
            last_pts = feed.last_pts(feed.index[-1]) if feed.index else 0
            self.info = indexed_info(feed.header, provider, feed.index, last_pts)
        else:
            self.info = arriving_info(feed.header, provider)

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What was found damaged so far, in file order."""
        found = {damage.offset: damage for damage in list(self._feed.damage)} | self._damage
        return with_times(found.values(), self._feed.index, self._feed.header)

    @property
    def scenes(self) -> tuple[SceneInfo, ...]:
        """Every scene in its order; of a source that cannot seek, those that were met so far."""
        time_base = self.info.time_base
        return tuple(
            SceneInfo(number, entry.start_frame, entry.frames, float(entry.start_pts * time_base))
            for number, entry in enumerate(self._feed.index)
        )

    @property
    def seekable(self) -> bool:
        """Whether seeking works: not in a pipe, nor from a server without ranges."""
        return isinstance(self._feed, IndexedFeed)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        while True:
            ahead = self._started()
            try:
                return next(ahead)
            except StopIteration:
                if self._is_current(ahead):
                    raise
            except Exception:
                if self._is_current(ahead):
                    self._stop()
                    raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            ahead = self._started()
            try:
                # Taken here and not in a thread: a task that is cancelled loses no frame.
                ready = ahead.take_ready()
            except StopIteration:
                if self._is_current(ahead):
                    raise StopAsyncIteration from None
                continue
            except Exception:
                if self._is_current(ahead):
                    self._stop()
                    raise
                continue
            if ready is not None:
                return ready[0]
            arrived = asyncio.Event()
            ahead.when_ready(partial(_set_from_thread, loop, arrived))
            await arrived.wait()

    def seek(self, seconds: float) -> None:
        """Go to the frame that is on screen at `seconds`: the next one that iterating gives.

        Before the first frame that is the first one; after the last, the last. With
        `on_damage="skip"` and a damaged scene there, it is the next scene's first. Raises
        UnsupportedError if the source cannot seek, and ValueError for a time that is no number.
        """
        if isnan(seconds):
            raise ValueError("seek to a time that is no number")
        time_base = self.info.time_base

        # Rounded as `Frame.time` is, so that a frame's own time leads to that frame.
        def shown(pts: int) -> float:
            return float(pts * time_base)

        with self._lock:
            feed = self._indexed()
            index = feed.index
            place = bisect_right(index, seconds, key=lambda entry: shown(entry.start_pts)) - 1
            self._go_to(feed, max(place, 0), 0)
            if place < 0:
                return
            try:
                pts = feed.load(place).chunk.pts
            except BitstreamError:
                if self._on_damage == "raise":
                    raise
                return
            self._from = place, max(bisect_right(pts, seconds, key=shown) - 1, 0)

    def seek_frame(self, number: int) -> None:
        """Go to the frame of that `Frame.number`: the next one that iterating gives.

        With `on_damage="skip"` and the frame lost, it is the next scene's first. Raises ValueError
        for a number outside of the stream, BitstreamError for a frame that is lost, and
        UnsupportedError if the source cannot seek.
        """
        with self._lock:
            feed = self._indexed()
            index = feed.index
            end = index[-1].start_frame + index[-1].frames if index else 0
            if not 0 <= number < end:
                raise ValueError(f"no frame {number}: the stream has {end}, counted from 0")
            place = bisect_left(index, number + 1, key=lambda e: e.start_frame + e.frames)
            first = number - index[place].start_frame
            if first < 0 and self._on_damage == "raise":
                raise BitstreamError(f"frame {number} is not there: its scene is lost")
            self._go_to(feed, place, max(first, 0))

    def seek_scene(self, number: int) -> None:
        """Go to the first frame of that scene of `scenes`.

        Raises ValueError if there is no such scene, UnsupportedError if the source cannot seek.
        """
        with self._lock:
            feed = self._indexed()
            scenes = len(feed.index)
            if not 0 <= number < scenes:
                raise ValueError(f"no scene {number}: the stream has {scenes}, counted from 0")
            self._go_to(feed, number, 0)

    def aux_packets(self) -> Iterator[AuxPacket]:
        """Audio and subtitle packets as they were in the source, in file order.

        Raises UnsupportedError where they exist and the source cannot seek.
        """
        return self._feed.aux_packets()

    def close(self) -> None:
        """Stop decoding and close what `open` opened, from any thread. Closing twice does nothing.

        Only a read of the caller's own file that waits for bytes is not waited for.
        """
        self._closed = True
        self._feed.interrupt()
        with self._lock:
            self._stop()
            self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the video is closed")

    def _indexed(self) -> IndexedFeed:
        self._check_open()
        if not isinstance(self._feed, IndexedFeed):
            raise UnsupportedError("this source cannot seek: play it front to back, or from a file")
        return self._feed

    def _started(self) -> Ahead[Frame]:
        # Before the lock: `close` has it while it waits for the decoding thread.
        self._check_open()
        with self._lock:
            self._check_open()
            if self._ahead is None:
                self._ahead = Ahead(self._decoded(), self._look_ahead)
            return self._ahead

    def _is_current(self, ahead: Ahead[Frame]) -> bool:
        """Whether that is still what is played. ValueError if the video was closed."""
        self._check_open()
        with self._lock:
            return self._ahead is ahead

    def _stop(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.stop()

    def _go_to(self, feed: IndexedFeed, scene: int, first: int) -> None:
        self._stop()
        feed.go_to(scene)
        self._from = scene, first

    def _decoded(self) -> Iterator[Frame]:
        """Frames from where the feed is."""
        feed = self._feed
        while (event := feed.next_event()) is not None:
            if isinstance(event, Damage):
                if self._on_damage == "raise":
                    raise BitstreamError(event.what)
                continue
            first = 0
            if self._from is not None and event.entry == feed.index[self._from[0]]:
                first = self._from[1]
            self._from = None
            try:
                yield from scene_frames(event, feed.header, self._context, first)
            except DamagedScene as error:
                if len(self._damage) < MAX_LISTED_DAMAGE:
                    self._damage[event.entry.offset] = error.damage
                if self._on_damage == "raise":
                    raise


def open(
    source: str | Path | BinaryIO | RawIOBase,
    *,
    provider: str = "auto",
    threads: int = 0,
    models: str | Path | None = None,
    on_damage: Literal["raise", "skip"] = "raise",
    look_ahead: int = 4,
    max_frame_size: int | None = None,
    limits: Limits | None = None,
    timeout: float = 10.0,
) -> Video:
    """Open an `.ecv` stream: a path, an http(s) URL, or a binary file that stays the caller's.

    A source that cannot seek (a pipe, a socket's file, a server without ranges) plays front to
    back. Of a URL only what is played is fetched, and the next scene while one plays.

    Args:
        source: a URL may also be opened as `http_file.HttpFile`, for headers of its own.
        provider: what networks run on: "cpu", "cuda", "tensorrt", "openvino", "qnn", or "auto",
            which is the CPU.
        threads: of each stage, 0 for one a core. Samples do not depend on it.
        models: a folder that `edgecodec export` wrote, searched before the installed networks.
        on_damage: see `Video`.
        look_ahead: how many frames, at least 1, may be decoded before they are asked for; one more
            is in work.
        max_frame_size: luma samples (width x height) of a picture beyond which nothing is decoded.
        limits: what else the stream may ask for.
        timeout: seconds to wait for a server's next byte.

    Raises:
        FileNotFoundError, PermissionError, TimeoutError, ConnectionError: see `http_file.HttpFile`.
        BitstreamError: no stream, or its header is damaged.
        UnsupportedError: a later format.
        ProviderError: the provider is not there.

        with edgecodec.runtime.open("clip.ecv") as video:
            for frame in video:
                y, u, v = frame.planes
    """
    if look_ahead < 1:
        raise ValueError(f"look_ahead {look_ahead}: at least 1 is wanted")
    networks = NetworkPool(provider, threads, None if models is None else Path(models))
    bounds = bounded(limits, max_frame_size)
    with ExitStack() as resources:
        feed = open_feed(source, bounds, timeout, resources)
        context = SceneContext(feed.header.format, networks, threads, bounds, feed.titles)
        return Video(
            feed,
            context,
            on_damage=on_damage,
            look_ahead=look_ahead,
            resources=resources.pop_all(),
        )


def _set_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(event.set)
