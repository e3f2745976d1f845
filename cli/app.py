"""The command tree: which verbs there are, and what becomes of an error that leaves one."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ._errors import ExitCode, report, warnings_on_stderr
from .certify import certify
from .decode import decode
from .devices import devices
from .doctor import doctor
from .encode import encode
from .evaluate import evaluate
from .experiments import experiments
from .export import export
from .info import info
from .profile import profile
from .worker import worker


class ReportingGroup(TyperGroup):
    """Ends with a message and the exit code of `ExitCode`, whatever a verb raises."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        arguments = kwargs.get("args") or (args[0] if args else None) or sys.argv[1:]
        as_json = "--json" in arguments
        debug = "--debug" in arguments or os.environ.get("EDGECODEC_DEBUG", "0") not in {"", "0"}
        kwargs["standalone_mode"] = False
        try:
            with warnings_on_stderr():
                code = super().main(*args, **kwargs) or ExitCode.DONE
        except Exception as error:
            code = report(error, as_json=as_json, debug=debug)
        if code == ExitCode.INTERRUPTED:
            report(KeyboardInterrupt(), as_json=as_json, debug=False)
        sys.exit(code)


app = typer.Typer(
    cls=ReportingGroup,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def edgecodec(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error (also EDGECODEC_DEBUG=1)."),
    ] = False,
) -> None:
    """A neural video codec that is heavy to encode and light to play.

    Data goes to stdout, progress and errors to stderr. Exit codes: 0 done, 1 unexpected, 2 usage,
    3 bad input, 4 a gate failed, 5 provider, device or fleet missing, 130 interrupted.
    """
    if show_version:
        print(f"edgecodec {installed_version()}")
    elif context.invoked_subcommand is None:
        with redirect_stdout(sys.stderr):  # with rich, `get_help` prints and returns nothing
            print(context.get_help(), end="")
        raise typer.Exit(ExitCode.USAGE)


def installed_version() -> str:
    """The version of the installed package."""
    try:
        return version("edgecodec")
    except PackageNotFoundError:
        return "unknown (not installed)"


for verb in (encode, decode, info, evaluate, export, certify, profile, devices, doctor, worker):
    app.command()(verb)
app.add_typer(experiments, name="experiments")
