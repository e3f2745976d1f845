"""`edgecodec doctor`: what this machine can do, and how to mend what it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._errors import ExitCode
from ._output import print_json, progress_bar, stdout_console

if TYPE_CHECKING:
    from ..runtime.doctor import Check

_COLORS = {"ok": "green", "warn": "yellow", "missing": "red"}


def doctor(
    broker: Annotated[
        str | None,
        typer.Option(help="Check a fleet instead: its queue, as `worker` takes it.", metavar="URL"),
    ] = None,
    results: Annotated[
        str | None, typer.Option(help="The fleet's table of results.", metavar="URL")
    ] = None,
    media: Annotated[
        str | None, typer.Option(help="The fleet's store of videos.", metavar="URL")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds that a worker has to answer.", min=0.0, max=3600.0)
    ] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check what this machine can encode and decode, and say how to mend what is missing.

    With --broker, --results or --media it checks a fleet instead: queue, table, media and their
    permissions, and a job to a worker and back.

    Exits with 5 where nothing could be decoded here, or where the fleet lacks what it needs.

    Example: `edgecodec doctor`
    """
    if broker or results or media:
        name, found = "ready", _fleet_checks(broker, results, media, wait)
    else:
        name, found = "can_decode", _machine_checks()
    checks: list[Check] = []
    with progress_bar("checking") as show:
        for check in found:
            checks.append(check)
            show(min(len(checks) / 20, 1.0), check.name)
    broken = any(check.required and check.status.value == "missing" for check in checks)
    if as_json:
        print_json({name: not broken, "checks": checks})
    else:
        _print_table(checks)
    if broken:
        raise typer.Exit(ExitCode.PROVIDER_MISSING)


def _machine_checks() -> Iterator[Check]:
    from ..runtime import doctor as decoding

    yield from decoding.checks(Path.cwd())
    yield from _encoding_checks()


def _fleet_checks(
    broker: str | None, results: str | None, media: str | None, wait_s: float
) -> Iterable[Check]:
    from ..orchestrator.deployment import deployment
    from ..orchestrator.doctor import deployment_checks

    return deployment_checks(deployment(broker, results, media), wait_s=wait_s)


def _encoding_checks() -> Iterable[Check]:
    from ..runtime.doctor import Check, Status

    try:
        from ..encoder.doctor import checks
    except ModuleNotFoundError as error:
        detail = f"{error.name} is not installed"
        return [
            Check("encode", "encoder", Status.MISSING, detail, "pip install 'edgecodec[encoder]'")
        ]
    return checks()


def _print_table(checks: Iterable[Check]) -> None:
    from rich.table import Table

    table = Table("", "check", "", "what was found", "how to mend it")
    for check in checks:
        status = check.status.value
        table.add_row(
            check.area,
            check.name,
            f"[{_COLORS[status]}]{status}[/]",
            _literal(check.detail),
            _literal(check.mend),
        )
    stdout_console().print(table)


def _literal(text: str) -> str:
    from rich.markup import escape

    return escape(text)
