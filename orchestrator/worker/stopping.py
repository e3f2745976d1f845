"""How a worker is told to stop: at the first signal gently, at the second at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether the worker is to end, and why."""

    def __init__(self) -> None:
        # Celery's worker looks at this state of its module between messages.
        from celery.worker import state

        state.should_stop = None
        self._celery = state
        self._asked = False
        self._at_once: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """Whether it is to end: what runs is given back."""
        return self._asked

    def ask(self) -> None:
        """End the worker; from any thread, as often as one likes."""
        self._asked = True
        self._celery.should_stop = os.EX_OK

    @contextmanager
    def or_at_once(self, kill: Callable[[], None]) -> Iterator[None]:
        """`kill` is called inside this context where the worker has to end without a wait."""
        self._at_once.append(kill)
        try:
            yield
        finally:
            self._at_once.remove(kill)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT ask; a second one ends this process. In the main thread only."""

        def handle(number: int, frame: FrameType | None) -> None:
            if not self._asked:
                self.ask()
                return
            for kill in self._at_once:
                kill()
            os._exit(128 + number)

        before = {number: signal.signal(number, handle) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
