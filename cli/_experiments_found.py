"""A run as verbs of `edgecodec experiments` find it, and how they print it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._output import stdout_console

if TYPE_CHECKING:
    from ..orchestrator.cost import Price
    from ..orchestrator.deployment import Deployment
    from ..orchestrator.dispatch import Dispatcher
    from ..orchestrator.media import MediaStore
    from ..orchestrator.report import RunReport
    from ..orchestrator.runs import RunBook
    from ..orchestrator.sitting import Sitting
    from ..orchestrator.tables import Table


def found_run(
    name: str | None,
    broker: str | None,
    results: str | None,
    media: str | None,
    price: Price | None = None,
) -> RunReport:
    """How the run of that name stands, None: the latest one, whose cost is by `price` or what it
    was begun with. Raises DispatchError where there is none."""
    from ..orchestrator.sitting import sitting
    from ..runtime.errors import DispatchError

    with ExitStack() as stack:
        book, fleet = book_of(stack, broker, results, media)
        runs = book.list() if name is None else [found for found in [book.get(name)] if found]
        if not runs:
            raise DispatchError(
                f"{fleet.results} has no run {name or 'at all'}: `edgecodec experiments list`"
                " names those it has, `edgecodec experiments run` begins one"
            )
        latest = max(runs, key=lambda run: run.began)
        return report(book, dispatcher(stack, fleet), sitting(latest, price))


def book_of(
    stack: ExitStack, broker: str | None, results: str | None, media: str | None
) -> tuple[RunBook, Deployment]:
    """The book of the fleet that the options name, and the fleet."""
    from ..orchestrator.deployment import deployment
    from ..orchestrator.runs import RunBook

    fleet = deployment(broker, results, media)
    table, _ = opened(stack, fleet)
    return RunBook(table), fleet


def opened(stack: ExitStack, fleet: Deployment) -> tuple[Table, MediaStore]:
    """The fleet's table and media store, open until the stack ends."""
    from ..orchestrator.media import open_media
    from ..orchestrator.tables import open_table

    table = open_table(fleet.results)
    stack.callback(table.close)
    store = open_media(fleet.media)
    stack.callback(store.close)
    return table, store


def dispatcher(stack: ExitStack, fleet: Deployment) -> Dispatcher:
    """One that is open until the stack ends."""
    from ..orchestrator.dispatch import Dispatcher

    return stack.enter_context(Dispatcher(fleet))


def report(book: RunBook, hands: Dispatcher, sitting: Sitting) -> RunReport:
    """How the run stands now."""
    from ..orchestrator.analysis import analyse, outcomes
    from ..orchestrator.cost import cost
    from ..orchestrator.report import RunReport

    run = book.get(sitting.run.name) or sitting.run
    found = outcomes(run, hands.ledger)
    paid = [each.record for each in found if each.paid]
    files = tuple(each.file for each in sitting.options.clips)
    return RunReport(run, analyse(found, sitting.goal), files, cost(paid, sitting.price))


def write_report(file: Path, found: RunReport) -> None:
    """Write the run's page."""
    from ..orchestrator.report import write_page

    write_page(file, found)


def digest(found: RunReport) -> dict[str, Any]:
    """The run for programs."""
    from ..orchestrator.report import run_digest

    return run_digest(found.run, found.analysis, found.cost)


def print_findings(found: RunReport) -> None:
    """The run in a few lines: how it stands, and the front."""
    from rich.table import Table

    from ..orchestrator.analysis import describe

    run, analysis = found.run, found.analysis
    failed = sum(each.failed for each in analysis.outcomes)
    words = f"{run.name}: {len(analysis.measured)} results, {failed} failed; goal {run.goal}"
    money = f"; {found.cost}" if found.cost.price.per_hour else ""
    print(f"{words}{money}; {run.end or 'it goes on'}")
    if not analysis.front:
        return
    shown = Table("#", "settings", "Mb/s", "PSNR dB", "SSIM", "VMAF", "TOPS a frame", "device")
    for number in analysis.front:
        outcome = analysis.numbered(number)
        result = outcome.result
        if result is None:
            continue
        best = analysis.best is not None and analysis.best.number == number
        shown.add_row(
            f"{number} best" if best else str(number),
            describe(outcome.experiment.settings),
            f"{result.bitrate_mbps:.3f}",
            f"{result.psnr:.2f}",
            f"{result.ssim:.4f}",
            "-" if result.vmaf is None else f"{result.vmaf:.2f}",
            f"{result.tops_per_frame:.4f}",
            result.verdict,
        )
    stdout_console().print(shown)
