"""Work of several threads whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from .cores import available_cores

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

T = TypeVar("T")


class Workers:
    """Threads that are started when they are first needed, and end when nobody has this any more.

    Kept from scene to scene, they also keep to their parts of the memory: with new threads for each
    scene, what the C library holds for them grows by a quarter.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._pools: dict[int, Executor] = {}

    def pool(self, threads: int) -> Executor | None:
        """So many threads, 0 for one a core; None where one is enough."""
        threads = threads or available_cores()
        if threads == 1:
            return None
        # Imported here, or every start of a player would wait for it.
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if threads not in self._pools:
                name = f"edgecodec-{self._name}"
                self._pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix=name)
            return self._pools[threads]


def in_order(jobs: Iterator[Callable[[], T]], pool: Executor | None, ahead: int) -> Iterator[T]:
    """What the jobs give, in the order of the jobs. At the end none of them runs any more.

    Args:
        jobs: it is advanced in the calling thread. What it raises is raised after the results of
            the jobs before.
        pool: where jobs run; None for the calling thread, one by one.
        ahead: how many jobs, at least 1, may be in the pool while the next one is asked for.
    """
    if pool is None:
        for job in jobs:
            yield job()
        return
    waiting: deque[Future[T]] = deque()
    try:
        failure: Exception | None = None
        while failure is None:
            try:
                waiting.append(pool.submit(next(jobs)))
            except StopIteration:
                break
            except Exception as error:
                failure = error
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if failure is not None:
            raise failure
    finally:
        for future in waiting:
            if not future.cancel():
                future.exception()  # waits
