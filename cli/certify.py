"""`edgecodec certify`: whether a stream decodes to the same on everything that loads here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ._errors import exit_code, naming
from ._output import print_json, progress_bar, stdout_console

if TYPE_CHECKING:
    from ..export.certificate import Absent, Certificate, StrategyReport, StrategyVerdict, Witness
    from ..export.devices.socs import Soc


def certify(
    stream: Annotated[Path, typer.Argument(metavar="IN.ecv", help="The stream to decode.")],
    provider: Annotated[
        list[str] | None,
        typer.Option(help="cpu, cuda, tensorrt, openvino or qnn, repeatable.  \\[default: all]"),
    ] = None,
    interpreter: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PYTHON", help="Python of another environment, tried too; repeatable."
        ),
    ] = None,
    soc: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Snapdragons that the simulator plays.  \\[default: four generations]",
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder that `edgecodec export` wrote.  \\[default: packaged]"
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=0, help="So many frames of each strategy; 0: all of them.")
    ] = 0,
    simulator_frames: Annotated[
        int, typer.Option(min=1, help="The same in the simulator, which takes seconds for each.")
    ] = 2,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that one session may take.")
    ] = 1800,
    require: Annotated[
        Literal["symbols", "exact"],
        typer.Option(
            help="Fail (exit code 4) if symbols differ; with `exact` also if pixels differ that"
            " later frames are predicted from."
        ),
    ] = "symbols",
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Decode a stream on every provider, level and chip that loads here, and compare.

    Example: `edgecodec certify clip.ecv --require exact`
    """
    from ..export.certificate import (
        CertifyOptions,
        Requirement,
        certify,
        check_certificate,
        check_loaded,
    )
    from ..runtime.errors import GateError, ProviderError

    if soc and provider and "qnn" not in provider:
        raise typer.BadParameter("chips are played by --provider qnn", param_hint="'--soc'")
    options = CertifyOptions(
        providers=_known(provider or []),
        interpreters=tuple(interpreter or []),
        socs=_socs(soc),
        models=models,
        frames=frames,
        simulator_frames=simulator_frames,
        timeout_seconds=timeout,
    )
    with naming(stream), progress_bar(stream.name) as show:
        certificate = certify(stream, options, show)
    if as_json:
        print_json(certificate.to_dict())
    else:
        _print(certificate)
    try:
        check_certificate(certificate, Requirement(require))
        check_loaded(certificate, options)
    except (GateError, ProviderError) as error:
        # The certificate is on stdout already: a second document there would spoil it.
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(exit_code(error)) from error


def _known(names: list[str]) -> tuple[str, ...]:
    from ..runtime.sessions import PROVIDERS

    unknown = [name for name in names if name not in PROVIDERS]
    if unknown:
        raise typer.BadParameter(
            f"{', '.join(unknown)}: known are {', '.join(PROVIDERS)}", param_hint="'--provider'"
        )
    return tuple(dict.fromkeys(names))


def _socs(text: str | None) -> tuple[Soc, ...]:
    from ..export.devices.socs import find_soc
    from ..runtime.errors import UnsupportedError

    try:
        return tuple(find_soc(name) for name in (text or "").split(",") if name.strip())
    except UnsupportedError as error:
        raise typer.BadParameter(str(error), param_hint="'--soc'") from error


def _print(certificate: Certificate) -> None:
    from rich.markup import escape
    from rich.table import Table

    # Sessions of one runtime that gave the same share a line.
    lines: dict[tuple[str, StrategyReport], list[Witness]] = {}
    for witness in certificate.witnesses:
        for report in witness.strategies:
            lines.setdefault((_runtime(witness), report), []).append(witness)
    table = Table("sessions", "runtime", "strategy", "frames", "symbols")
    table.add_column("pixels", no_wrap=True)
    for (runtime, report), witnesses in sorted(lines.items(), key=lambda line: line[0][1].strategy):
        table.add_row(
            escape(_sessions(witnesses)),
            escape(runtime),
            report.strategy,
            str(report.frames),
            _symbols(report),
            _pixels(report),
        )
    stdout_console().print(table)
    for reason in dict.fromkeys(_reason(absent) for absent in certificate.absent):
        print(reason)
    for verdict in certificate.verdicts:
        print(_verdict(verdict))


def _runtime(witness: Witness) -> str:
    own = witness.environment == sys.executable
    return witness.tool if own else f"{witness.tool}, {witness.environment}"


def _sessions(witnesses: list[Witness]) -> str:
    """`cpu all, extended with 1, 2, 4 threads`, `qnn 8gen2 (SM8550), 8gen3 (SM8650)`."""
    threads: dict[str, list[str]] = {}
    devices: dict[str, list[str]] = {}
    for witness in witnesses:
        variant = witness.variant
        if variant.provider == "cpu":
            threads.setdefault(variant.optimization, []).append(str(variant.threads))
        else:
            devices.setdefault(variant.provider, []).append(witness.device)
    levels: dict[str, list[str]] = {}
    for level, counts in threads.items():
        levels.setdefault(", ".join(counts), []).append(level)
    names = [f"cpu {', '.join(each)} with {counts} threads" for counts, each in levels.items()]
    names += [f"{provider} {', '.join(each)}".strip() for provider, each in devices.items()]
    return "; ".join(names)


def _reason(absent: Absent) -> str:
    chip = f" as {absent.device}" if absent.failed and absent.device else ""
    what = "failed" if absent.failed else "did not load"
    return f"{absent.variant.provider}{chip} {what} in {absent.environment}: {absent.reason}"


def _symbols(report: StrategyReport) -> str:
    if report.symbols_identical is None:
        return "-"
    return "identical" if report.symbols_identical else "[red]differ[/]"


def _pixels(report: StrategyReport) -> str:
    pixels = report.pixels
    if pixels.identical:
        return "identical"
    return f"{pixels.share:.4%} differ, by up to {pixels.largest}, {pixels.mean:.6f} on average"


def _verdict(verdict: StrategyVerdict) -> str:
    agreed = verdict.witnesses - verdict.symbols_differ
    symbols = f"symbols identical on {agreed} of {verdict.witnesses} sessions"
    same = verdict.witnesses - verdict.pixels_differ
    pixels = f"pixels on {same}"
    if verdict.pixels_differ:
        pixels += f", elsewhere up to {verdict.largest} levels and {verdict.share:.4%} of samples"
    if verdict.feeds_references:
        pixels += "; later frames are predicted from them"
    return f"{verdict.strategy}: {symbols}, {pixels}"
