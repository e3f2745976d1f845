"""Trials of `edgecodec encode` on other machines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ._output import ShowProgress

if TYPE_CHECKING:
    from ..encoder import Bench


@contextmanager
def fleet(
    broker: str | None, results: str | None, media: str | None, source: Path, show: ShowProgress
) -> Iterator[tuple[Bench | None, ShowProgress]]:
    """Where trials of `source` are made, None for here, and a `show` that also says what is waited
    for. A usage error where results or media come without a broker."""
    if broker is None:
        for option, value in (("--results", results), ("--media", media)):
            if value is not None:
                raise typer.BadParameter("it needs --broker", param_hint=f"'{option}'")
        yield None, show
        return
    from ..orchestrator.deployment import deployment
    from ..orchestrator.encoding.bench import FleetBench

    waiting = _Waiting(show)
    with FleetBench(deployment(broker, results, media), source, waiting.tell) as bench:
        yield bench, waiting.show


class _Waiting:
    """Shows progress, and instead of it what is waited for while nothing goes on."""

    def __init__(self, show: ShowProgress) -> None:
        self._show = show
        self._done = 0.0
        self._text = ""

    def show(self, done: float, detail: str, seconds_left: float | None = None) -> None:
        """See `ShowProgress`."""
        self._done = done
        self._show(done, self._text or detail, None if self._text else seconds_left)

    def tell(self, text: str) -> None:
        """What is waited for, "" for nothing; where nobody may see the bar, it is said once."""
        if text and not self._text:
            print(f"note: {text}", file=sys.stderr)
        self._text = text
        self._show(self._done, text)
