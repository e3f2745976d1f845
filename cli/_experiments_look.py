"""The verbs of `edgecodec experiments` that look at runs, and call them off or begin them anew."""

from __future__ import annotations

import csv
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._arguments import check_file
from ._experiments_fleet import Broker, Currency, HourPrice, Media, Results
from ._experiments_found import (
    book_of,
    digest,
    dispatcher,
    found_run,
    print_findings,
    write_report,
)
from ._output import print_json, stdout_console

if TYPE_CHECKING:
    from ..orchestrator.cost import Price
    from ..orchestrator.dispatch import Dispatcher
    from ..orchestrator.runs import Run

Json = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name.", show_default=False)]
Which = Annotated[
    str, typer.Argument(metavar="RUN|ID", help="A run, or one experiment.", show_default=False)
]


def add_verbs(group: typer.Typer) -> None:
    """Put them into the group."""
    for verb in (status, results_of, report_of, cancel, retry, list_runs):
        group.command(_NAMES[verb.__name__])(verb)


_NAMES = {
    "status": "status",
    "results_of": "results",
    "report_of": "report",
    "cancel": "cancel",
    "retry": "retry",
    "list_runs": "list",
}


def list_runs(
    broker: Broker = None, results: Results = None, media: Media = None, as_json: Json = False
) -> None:
    """All runs that the fleet's table has.

    Example: `edgecodec experiments list`
    """
    from rich.table import Table

    with ExitStack() as stack:
        book, _ = book_of(stack, broker, results, media)
        runs = book.list()
    if as_json:
        print_json([_run_line(run) for run in runs])
        return
    shown = Table("run", "goal", "began", "experiments", "end")
    for run in runs:
        shown.add_row(run.name, run.goal, _moment(run.began), str(len(run.entries)), run.end or "-")
    stdout_console().print(shown)


def status(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run.  [default: the latest]", show_default=False),
    ] = None,
    broker: Broker = None,
    results: Results = None,
    media: Media = None,
    price: HourPrice = None,
    currency: Currency = "USD",
    as_json: Json = False,
) -> None:
    """How a run stands, and what runs where.

    Example: `edgecodec experiments status`
    """
    found = found_run(name, broker, results, media, _price(price, currency))
    working = [each for each in found.analysis.outcomes if each.open]
    if as_json:
        from ..orchestrator.report import outcome_digest

        print_json(digest(found) | {"open": [outcome_digest(each) for each in working]})
        return
    print_findings(found)
    if not working:
        return
    from rich.table import Table

    from ..orchestrator.analysis import describe

    shown = Table("#", "settings", "state", "worker", "%", "at")
    for each in working:
        progress = each.record.progress
        share = f"{100 * progress.done:.0f}" if progress else ""
        text = progress.text if progress else ""
        settings = describe(each.experiment.settings)
        cells = (settings, each.record.state.value, each.record.worker, share, text)
        shown.add_row(str(each.number), *map(_plain, cells))
    stdout_console().print(shown)


def results_of(
    name: RunName,
    broker: Broker = None,
    results: Results = None,
    media: Media = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV.")] = False,
    as_json: Json = False,
) -> None:
    """Every experiment of a run with its settings and figures.

    Example: `edgecodec experiments results RUN --csv`
    """
    if as_csv and as_json:
        raise typer.BadParameter("they exclude one another", param_hint="'--csv' / '--json'")
    from ..orchestrator.analysis import describe
    from ..orchestrator.report import outcome_digest, result_figures

    found = found_run(name, broker, results, media)
    everything = found.analysis.outcomes
    if as_json:
        print_json([outcome_digest(each) for each in everything])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        rows = [(each, outcome_digest(each), result_figures(each)) for each in everything]
        head = ("number", "id", "state", "by", "why", "command", "attempts", "seconds", "error")
        if rows:
            writer.writerow((*head, *rows[0][2]))
        for _, row, measured in rows:
            writer.writerow((*(row[name] for name in head), *measured.values()))
    else:
        from rich.table import Table

        shown = Table("#", "settings", "state", "Mb/s", "PSNR dB", "SSIM", "TOPS", "device", "by")
        front = set(found.analysis.front)
        for each in everything:
            result = each.result
            measured_cells = (
                ("", "", "", "", "")
                if result is None
                else (
                    f"{result.bitrate_mbps:.3f}",
                    f"{result.psnr:.2f}",
                    f"{result.ssim:.4f}",
                    f"{result.tops_per_frame:.4f}",
                    result.verdict,
                )
            )
            mark = f"{each.number} front" if each.number in front else str(each.number)
            settings = describe(each.experiment.settings)
            state = each.record.state.value
            cells = (settings, state, *measured_cells, each.entry.by)
            shown.add_row(mark, *map(_plain, cells))
        stdout_console().print(shown)


def report_of(
    name: RunName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write.")
    ],
    broker: Broker = None,
    results: Results = None,
    media: Media = None,
    price: HourPrice = None,
    currency: Currency = "USD",
    as_json: Json = False,
) -> None:
    """Write a run's page: the front, the history, every experiment, what it cost.

    Example: `edgecodec experiments report RUN -o run.html`
    """
    check_file(output, "'--output' / '-o'")
    found = found_run(name, broker, results, media, _price(price, currency))
    write_report(output, found)
    if as_json:
        print_json(digest(found) | {"page": str(output)})
    else:
        print(f"{output}: {len(found.analysis.outcomes)} experiments of run {name}")


def cancel(
    which: Which,
    broker: Broker = None,
    results: Results = None,
    media: Media = None,
    as_json: Json = False,
) -> None:
    """Call off a run with all that waits or runs, or one experiment. What runs stops soon.

    Example: `edgecodec experiments cancel RUN`
    """
    with ExitStack() as stack:
        book, fleet = book_of(stack, broker, results, media)
        hands = dispatcher(stack, fleet)
        run = book.get(which)
        if run is not None and not run.end:
            book.finish(which, "cancelled: somebody called the run off")
        ended = [id for id in _ids(run, which, hands) if hands.cancel(id)]
    _print_changed("cancelled", ended, as_json=as_json)


def retry(
    which: Which,
    broker: Broker = None,
    results: Results = None,
    media: Media = None,
    as_json: Json = False,
) -> None:
    """Begin anew what failed or was called off: of a run, or one experiment. A worker has to run;
    a run takes the results in when it goes on.

    Example: `edgecodec experiments retry RUN`
    """
    with ExitStack() as stack:
        book, fleet = book_of(stack, broker, results, media)
        hands = dispatcher(stack, fleet)
        begun = [id for id in _ids(book.get(which), which, hands) if hands.retry(id)]
    _print_changed("retried", begun, as_json=as_json)


def _price(per_hour: float | None, currency: str) -> Price | None:
    from ..orchestrator.cost import Price

    return None if per_hour is None else Price(per_hour, currency)


def _ids(run: Run | None, which: str, hands: Dispatcher) -> list[str]:
    from ..runtime.errors import DispatchError

    if run is not None:
        return [entry.experiment for entry in run.entries]
    if hands.ledger.get(which) is None:
        raise DispatchError(
            f"there is no run and no experiment {which}: `edgecodec experiments list` names the"
            " runs, `edgecodec experiments results RUN --json` the experiments of one"
        )
    return [which]


def _print_changed(what: str, ids: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({what: ids})
    else:
        print("\n".join(f"{what} {id}" for id in ids) or f"nothing was to be {what}")


def _run_line(run: Run) -> dict[str, Any]:
    return {
        "run": run.name,
        "goal": run.goal,
        "began": run.began,
        "ended": run.ended,
        "end": run.end,
        "experiments": len(run.entries),
    }


def _plain(text: str) -> Any:
    """What came from workers and designers is no markup."""
    from rich.text import Text

    return Text(text)


def _moment(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix_s))
