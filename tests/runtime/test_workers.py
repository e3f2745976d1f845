"""Work of several threads whose results come in order."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from edgecodec.runtime.workers import Workers, in_order


class Work:
    """Jobs that are counted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at_once = self.most_at_once = self.given = 0

    def job(self, number: int, seconds: float = 0.0) -> int:
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(seconds)
        with self.lock:
            self.at_once -= 1
        return number

    def jobs(self, count: int, error: Exception | None = None) -> Iterator[Callable[[], int]]:
        """Of which early ones take longer."""
        for number in range(count):
            self.given += 1
            yield partial(self.job, number, 0.02 * ((count - number) % 3))
        if error is not None:
            raise error


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_the_order_of_the_jobs(threads: int) -> None:
    work = Work()
    pool = Workers("test").pool(threads)
    assert list(in_order(work.jobs(12), pool, threads)) == list(range(12))
    assert work.most_at_once <= threads


def test_several_jobs_run_at_once() -> None:
    """Each waits for the other."""
    meeting = threading.Barrier(2)
    pool = Workers("test").pool(2)
    jobs = iter([partial(meeting.wait, 30), partial(meeting.wait, 30)])
    assert sorted(in_order(jobs, pool, 2)) == [0, 1]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_source_comes_after_the_results_before_it(threads: int) -> None:
    results = in_order(Work().jobs(5, KeyError("source")), Workers("test").pool(threads), threads)
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(KeyError, match="source"):
        next(results)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_a_job_comes_in_its_place(threads: int) -> None:
    def broken() -> int:
        raise KeyError("job")

    jobs = iter([lambda: 0, lambda: 1, broken, lambda: 3])
    results = in_order(jobs, Workers("test").pool(threads), threads)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError, match="job"):
        next(results)


def test_only_as_many_are_begun_as_may_be_ahead() -> None:
    work = Work()
    results = in_order(work.jobs(50), Workers("test").pool(2), 2)
    assert next(results) == 0
    assert work.given == 3
    results.close()


def test_who_stops_early_leaves_nothing_running() -> None:
    work = Work()
    results = in_order(work.jobs(50), Workers("test").pool(2), 4)
    next(results)
    results.close()
    assert work.at_once == 0
    assert work.given < 50


def test_threads_are_kept_and_end_with_their_owner() -> None:
    def alive() -> int:
        return sum(each.name.startswith("edgecodec-kept") for each in threading.enumerate())

    workers = Workers("kept")
    assert alive() == 0
    for _ in range(3):
        assert list(in_order(Work().jobs(4), workers.pool(2), 2)) == [0, 1, 2, 3]
        assert 0 < alive() <= 2
    del workers
    gc.collect()
    deadline = time.monotonic() + 30
    while alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert alive() == 0


def test_one_thread_needs_no_pool() -> None:
    assert Workers("test").pool(1) is None
