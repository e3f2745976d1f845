"""What `edgecodec experiments run` shows while it goes on, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from ..orchestrator.analysis import Outcome
    from ..orchestrator.loop import Board

_ENDED_SHOWN = 6


@contextmanager
def board_on_stderr(name: str, count: int | None) -> Iterator[Callable[[Board], None]]:
    """A table that is drawn anew where stderr is a terminal, else a line for all that ends."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines().show
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda board: live.update(board_table(board, name, count), refresh=True)


class _Lines:
    def __init__(self) -> None:
        self._noted = False

    def show(self, board: Board) -> None:
        for outcome in board.fresh:
            print(ended_line(board, outcome), file=sys.stderr, flush=True)
        if board.note and not self._noted:
            print(f"note: {board.note}", file=sys.stderr, flush=True)
        self._noted = bool(board.note)


def ended_line(board: Board, outcome: Outcome) -> str:
    """One experiment that ended, in a line."""
    from ..orchestrator.analysis import describe

    marks = ", best so far" if _is_best(board, outcome) else ""
    words = describe(outcome.experiment.settings)
    return f"{outcome.number}: {words}: {_outcome(outcome)}{marks}"


def board_table(board: Board, name: str, count: int | None) -> Table:
    """What runs where and what ended last; above it how the run stands."""
    from rich.table import Table
    from rich.text import Text

    from ..orchestrator.analysis import describe

    table = Table(
        "#",
        "settings",
        "state",
        "worker",
        "at",
        "%",
        "s",
        title=Text(_head(board, name, count)),
        title_justify="left",
        caption=Text(board.note, style="bold yellow") if board.note else None,
        caption_justify="left",
        expand=True,
    )
    ended = [each for each in board.analysis.outcomes if not each.open][-_ENDED_SHOWN:]
    for outcome in [*ended, *(each for each in board.analysis.outcomes if each.open)]:
        record = outcome.record
        progress = record.progress if outcome.open else None
        state = "best" if _is_best(board, outcome) else record.state.value
        cells = (
            str(outcome.number),
            describe(outcome.experiment.settings),
            state,
            record.worker,
            _outcome(outcome) if not outcome.open else (progress.text if progress else ""),
            f"{100 * progress.done:.0f}" if progress else "",
            f"{_seconds(outcome):.0f}" if record.attempts else "",
        )
        # Names and texts of workers are no markup.
        table.add_row(*(Text(cell, overflow="ellipsis", no_wrap=True) for cell in cells))
    return table


def _head(board: Board, name: str, count: int | None) -> str:
    standing = board.standing
    ended = standing.begun - standing.in_flight
    parts = [f"{name}: {ended} of {count or 'any number'} ended"]
    if standing.failed:
        parts.append(f"{standing.failed} failed")
    if board.cost.price.per_hour:
        parts.append(f"{board.cost.amount:.2f} {board.cost.price.currency}")
    parts.append(time.strftime("%H:%M:%S", time.gmtime(3600 * standing.hours)))
    best = board.analysis.best
    if best is not None:
        parts.append(f"best {_outcome(best)}")
    return ", ".join(parts)


def _outcome(outcome: Outcome) -> str:
    result = outcome.result
    if result is None:
        return f"{outcome.record.state.value} {outcome.error.partition(chr(10))[0]}".strip()
    return (
        f"{result.bitrate_mbps:.3f} Mb/s, {result.psnr:.2f} dB,"
        f" {result.tops_per_frame:.3f} TOPS a frame"
    )


def _seconds(outcome: Outcome) -> float:
    if outcome.open and outcome.record.attempts:
        return max(0.0, time.time() - outcome.record.attempts[-1].began)
    return outcome.seconds


def _is_best(board: Board, outcome: Outcome) -> bool:
    best = board.analysis.best
    return best is not None and best.number == outcome.number
