"""`edgecodec doctor`: what this machine can do, and how to mend what it cannot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._errors import ExitCode
from ._output import print_json, progress_bar, stdout_console

if TYPE_CHECKING:
    from ..runtime.doctor import Check

_COLORS = {"ok": "green", "warn": "yellow", "missing": "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check what this machine can encode and decode, and say how to mend what is missing.

    Exits with 5 where nothing could be decoded here.

    Example: `edgecodec doctor`
    """
    checks: list[Check] = []
    with progress_bar("checking") as show:
        from ..runtime import doctor as decoding

        for check in decoding.checks(Path.cwd()):
            checks.append(check)
            show(min(len(checks) / 20, 1.0), check.name)
        for check in _encoding_checks():
            checks.append(check)
            show(min(len(checks) / 20, 1.0), check.name)
    broken = any(check.required and check.status.value == "missing" for check in checks)
    if as_json:
        print_json({"can_decode": not broken, "checks": checks})
    else:
        _print_table(checks)
    if broken:
        raise typer.Exit(ExitCode.PROVIDER_MISSING)


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
