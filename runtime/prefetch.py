"""Running an iterator ahead of its consumer, so that stages of decoding overlap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
_POLL_S = 0.05


@contextmanager
def prefetched(source: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """`source`, run in a thread at most `depth` items ahead.

    Its exceptions are raised where the item would have come. At the end of the block the thread
    has stopped and `source` is closed, also if not all was consumed.
    """
    queue: Queue[tuple[T] | BaseException | None] = Queue(depth)
    stop = Event()

    def put(item: tuple[T] | BaseException | None) -> None:
        while not stop.is_set():
            try:
                queue.put(item, timeout=_POLL_S)
            except Full:
                continue
            return

    def run() -> None:
        try:
            for item in source:
                put((item,))
                if stop.is_set():
                    break
            put(None)
        except BaseException as error:  # it belongs to the consumer, whatever it is
            put(error)
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def items() -> Iterator[T]:
        while not stop.is_set():
            item = queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    thread = Thread(target=run, name="edgecodec-prefetch", daemon=True)
    thread.start()
    try:
        yield items()
    finally:
        stop.set()
        while thread.is_alive():
            try:
                queue.get_nowait()
            except Empty:
                thread.join(_POLL_S)
