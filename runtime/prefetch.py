"""Running an iterator ahead of its consumer, so that stages of decoding overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread, current_thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """An iterator over `source`, which a thread runs at most `depth` items ahead.

    The source's exceptions are raised where the item would have come. It is for one consumer at a
    time, but `stop` may be called from any thread: who waits for an item then sees the end.
    """

    def __init__(self, source: Iterator[T], depth: int) -> None:
        self._source = source
        self._depth = depth
        self._changed = Condition()
        self._items: deque[T] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._stopped = False
        self._listeners: list[Callable[[], None]] = []
        self._thread = Thread(target=self._run, name="edgecodec-prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            self._changed.wait_for(self._is_ready)
            return self._take()

    def take_ready(self) -> tuple[T] | None:
        """The next item if it is there, None if it has yet to come. Raises as `next` does."""
        with self._changed:
            return (self._take(),) if self._is_ready() else None

    def when_ready(self, listener: Callable[[], None]) -> None:
        """Call `listener` once, from any thread, when `take_ready` no longer gives None."""
        with self._changed:
            if not self._is_ready():
                self._listeners.append(listener)
                return
        listener()

    def stop(self, *, wait: bool = True) -> None:
        """End at once; unless told not to `wait`, the thread has then ended and closed `source`."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._wake()
        if wait and self._thread is not current_thread():
            self._thread.join()

    def _is_ready(self) -> bool:
        return bool(self._items) or self._ended or self._stopped

    def _take(self) -> T:
        if self._items:
            self._changed.notify_all()
            return self._items.popleft()
        error, self._error = self._error, None
        if error is not None and not self._stopped:
            raise error
        raise StopIteration

    def _wake(self) -> None:
        self._changed.notify_all()
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                if not self._put(item):
                    break
        except BaseException as raised:  # it belongs to the consumer, whatever it is
            error = raised
        try:
            close = getattr(self._source, "close", None)
            if close is not None:
                close()
        except BaseException as raised:
            error = error or raised
        with self._changed:
            self._error, self._ended = error, True
            self._wake()

    def _put(self, item: T) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._depth or self._stopped)
            if self._stopped:
                return False
            self._items.append(item)
            self._wake()
            return True


@contextmanager
def prefetched(source: Iterator[T], depth: int) -> Iterator[Ahead[T]]:
    """`source`, run in a thread at most `depth` items ahead.

    Its exceptions are raised where the item would have come. At the end of the block the thread
    has stopped and `source` is closed, also if not all was consumed.
    """
    ahead = Ahead(source, depth)
    try:
        yield ahead
    finally:
        ahead.stop()
