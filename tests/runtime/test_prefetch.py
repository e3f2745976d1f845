"""An iterator that runs ahead in a thread, and never outlives its block."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from edgecodec.runtime.prefetch import Ahead, prefetched


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "edgecodec-prefetch"]


class Source:
    """Counts up for ever, or to where it breaks; tells how far it came and if it was closed."""

    def __init__(self, count: int | None = None, error: BaseException | None = None) -> None:
        self.given = 0
        self.closed = threading.Event()
        self._count = count
        self._error = error

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self.given == self._count:
            raise self._error or StopIteration
        self.given += 1
        return self.given - 1

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_items_come_in_order_and_from_another_thread(depth: int) -> None:
    def source() -> Iterator[tuple[int, int]]:
        for number in range(50):
            yield number, threading.get_ident()

    with prefetched(source(), depth) as ahead:
        items = list(ahead)
    assert [number for number, _ in items] == list(range(50))
    assert {ident for _, ident in items}.isdisjoint({threading.get_ident()})
    assert not threads()


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_comes_where_the_item_would_have(error: BaseException) -> None:
    source = Source(3, error)
    seen: list[int] = []
    with prefetched(source, 8) as ahead, pytest.raises(type(error)) as raised:
        seen.extend(ahead)
    assert raised.value is error
    assert seen == [0, 1, 2]
    assert source.closed.is_set()
    assert not threads()


def test_an_early_exit_stops_the_thread_and_closes_the_source() -> None:
    source = Source()
    with prefetched(source, 2) as ahead:
        assert [next(ahead), next(ahead)] == [0, 1]
    assert source.closed.is_set()
    assert not threads()
    # Two consumed, two waiting, one in the thread's hands, and one for every slot freed at the end.
    assert source.given <= 8


def test_a_block_that_raises_stops_the_thread_too() -> None:
    source = Source()
    with pytest.raises(KeyError), prefetched(source, 2):
        raise KeyError
    assert source.closed.is_set()
    assert not threads()


def test_a_generator_is_closed_in_its_own_thread() -> None:
    closed_in: list[int] = []

    def source() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed_in.append(threading.get_ident())

    with prefetched(source(), 1) as ahead:
        next(ahead)
    assert len(closed_in) == 1
    assert closed_in != [threading.get_ident()]


def test_no_more_than_the_depth_is_made_ahead() -> None:
    reached = threading.Event()

    def source() -> Iterator[int]:
        for number in range(100):
            if number == 5:
                reached.set()
            yield number

    with prefetched(source(), 3) as ahead:
        # Three wait in the queue and a fourth in the thread's hands: item 5 needs two consumed.
        assert next(ahead) == 0
        assert not reached.is_set()
        assert next(ahead) == 1
        assert reached.wait(30)


def test_an_empty_source_gives_nothing() -> None:
    with prefetched(iter(()), 1) as ahead:
        assert list(ahead) == []
    assert not threads()


def test_stopping_from_another_thread_ends_a_wait() -> None:
    waits, ends = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        waits.set()
        ends.wait(60)
        yield 1

    ahead = Ahead(source(), 1)
    outcome: list[int | None] = []
    waiting = threading.Thread(target=lambda: outcome.append(next(ahead, None)))
    waiting.start()
    assert waits.wait(60)
    ahead.stop(wait=False)
    waiting.join(60)
    assert outcome == [None]
    ends.set()
    ahead.stop()
    assert not threads()


def test_an_item_is_taken_without_waiting_or_announced() -> None:
    goes_on, announced = threading.Semaphore(0), threading.Event()

    def source() -> Iterator[int]:
        for number in range(2):
            goes_on.acquire()
            yield number
        goes_on.acquire()
        raise KeyError

    ahead = Ahead(source(), 1)
    for wanted in ((0,), (1,)):
        assert ahead.take_ready() is None
        ahead.when_ready(announced.set)
        assert not announced.is_set()
        goes_on.release()
        assert announced.wait(60)
        # Announced at once where it is there already.
        announced.clear()
        ahead.when_ready(announced.set)
        assert announced.is_set()
        assert ahead.take_ready() == wanted
        announced.clear()
    ahead.when_ready(announced.set)
    goes_on.release()
    assert announced.wait(60)
    with pytest.raises(KeyError):
        ahead.take_ready()
    with pytest.raises(StopIteration):
        ahead.take_ready()
    ahead.stop()
    assert not threads()
