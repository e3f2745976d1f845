"""What a worker does beside its jobs: it tends the fleet's, and ends when it was idle for long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ...runtime.errors import DispatchError
from ..tending import Tender
from .stopping import Stop

_log = logging.getLogger(__name__)
_LOOK_S = 0.2


class IdleClock:
    """How long there was nothing to do."""

    def __init__(self) -> None:
        self._busy = False
        self._since = time.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Inside this context there is something to do."""
        self._busy = True
        try:
            yield
        finally:
            self._since = time.monotonic()
            self._busy = False

    @property
    def seconds(self) -> float:
        """0 while busy."""
        return 0.0 if self._busy else time.monotonic() - self._since


@contextmanager
def watching(tender: Tender, stop: Stop, clock: IdleClock, idle_s: float | None) -> Iterator[None]:
    """Tend in a thread as long as the context is open, and ask to stop after `idle_s`."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            try:
                tender.tend()
            except DispatchError as error:
                _log.warning("%s; trying again", error)
            if idle_s is not None and clock.seconds >= idle_s:
                stop.ask()

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=30)
