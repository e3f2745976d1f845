"""Progress of work that takes minutes: a bar for the whole, and a line for every step done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Steps:
    """Times named steps. The bar is drawn only on a terminal, the lines are always printed."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._start = time.perf_counter()
        self._progress = Progress(
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total)
        self.seconds: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time one step and print its line once it is done.

        Yields a function that takes text to show behind the time; a step that raises prints
        nothing.
        """
        outcome: list[str] = []
        start = time.perf_counter()
        self._progress.update(self._task, description=name)
        yield outcome.append
        self.seconds[name] = time.perf_counter() - start
        self._progress.advance(self._task)
        line = f"{self.seconds[name]:7.1f} s  {name:<32} {'; '.join(outcome)}".rstrip()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
