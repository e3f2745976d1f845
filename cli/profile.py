"""`edgecodec profile`: what a device pays for the networks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ._arguments import check_page
from ._errors import ExitCode
from ._output import print_json, progress_bar, stdout_console

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..profiles import FrameSize

_DEVICE = "snapdragon-40tops"


def profile(
    diff: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="diff A.json B.json",
            help="Compare two reports that --json wrote, instead of making one.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="A device of `edgecodec devices`, or a FILE.toml of your own."
            f"  \\[default: {_DEVICE}]"
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Compare all devices in one table; nothing is measured.")
    ] = False,
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="A folder of `edgecodec export`.  \\[default: the tier's own]"
        ),
    ] = None,
    tier: Annotated[
        Literal["nano", "edge"], typer.Option(help="Which of the networks that ship, without DIR.")
    ] = "nano",
    size: Annotated[
        str | None,
        typer.Option(
            metavar="360p|720p|1080p|4k|WxH",
            help="Frame size.  \\[default: the models' own, 1080p where they take any]",
        ),
    ] = None,
    fps: Annotated[float, typer.Option(min=0.1, help="Frame rate that the verdict asks for.")] = 30,
    min_fps: Annotated[
        float | None,
        typer.Option(min=0.1, help="Fail (exit code 4) where fewer frames/s are predicted."),
    ] = None,
    sustained: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            max=1,
            metavar="SHARE",
            help="Assume that the warm device keeps this share of its short-run speed: 0.75, say.",
        ),
    ] = None,
    timed: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time the networks on this machine too.")
    ] = True,
    provider: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Where to time them: auto (all that load), all (simulators too), or names of"
            " cpu, cuda, tensorrt, openvino, qnn.",
        ),
    ] = "auto",
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each network here.")] = 30,
    threads: Annotated[
        int, typer.Option(min=0, help="CPU threads here; 0 leaves it to ONNX Runtime.")
    ] = 0,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Operations per frame, predicted latency on a device and measured latency here.

    Example: `edgecodec profile --device snapdragon-40tops --size 1080p --min-fps 30`

    Compare two: `edgecodec profile diff before.json after.json`
    """
    from ..profiles import MeasureOptions

    if diff:
        _diff(diff, as_json=as_json)
        return
    check_page(html)
    folder = models or _packaged(tier)
    frame_size = _size(size)
    if every:
        if html:
            raise typer.BadParameter("a page shows one device", param_hint="'--html' with '--all'")
        if device:
            raise typer.BadParameter("it takes every device", param_hint="'--device' with '--all'")
        _compare(folder, frame_size, fps, min_fps, sustained, as_json=as_json)
        return
    from ..profiles import check_min_fps, load_device, profile_models, write_html
    from ..profiles.table import print_report

    with progress_bar("profile") as show:
        report = profile_models(
            folder,
            load_device(device or _DEVICE),
            frame_size,
            fps,
            MeasureOptions(runs=runs, threads=threads) if timed else None,
            show,
            providers=_providers(provider),
            sustained=sustained,
        )
    if html:
        write_html(report, html)
    if as_json:
        print_json(report.to_dict())
    else:
        print_report(report, stdout_console())
    if min_fps is not None:
        wanted = min_fps
        _gate(lambda: check_min_fps(report, wanted), as_json=as_json)


def _diff(arguments: list[str], *, as_json: bool) -> None:
    from ..profiles import diff_reports
    from ..profiles.table import print_difference

    if len(arguments) != 3 or arguments[0] != "diff":
        raise typer.BadParameter(
            f"{' '.join(arguments)!r}: write `edgecodec profile diff A.json B.json`"
        )
    difference = diff_reports(Path(arguments[1]), Path(arguments[2]))
    if as_json:
        print_json(difference.to_dict())
    else:
        print_difference(difference, stdout_console())


def _compare(
    folder: Path,
    size: FrameSize | None,
    fps: float,
    min_fps: float | None,
    sustained: float | None,
    *,
    as_json: bool,
) -> None:
    from ..profiles import check_all_min_fps, compare_devices, count_models, load_devices
    from ..profiles.table import print_comparison

    comparison = compare_devices(count_models(folder, size), load_devices(), fps, sustained)
    if as_json:
        print_json(comparison.to_dict())
    else:
        print_comparison(comparison, stdout_console())
    if min_fps is not None:
        _gate(lambda: check_all_min_fps(comparison, min_fps), as_json=as_json)


def _gate(check: Callable[[], None], *, as_json: bool) -> None:
    """Fail where `check` raises GateError, after the report was printed."""
    from ..runtime.errors import GateError

    try:
        check()
    except GateError as error:
        if not as_json:
            raise
        # The report is on stdout already: a second document there would spoil it.
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(ExitCode.GATE_FAILED) from error


def _size(text: str | None) -> FrameSize | None:
    from ..profiles import parse_size

    try:
        return parse_size(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--size'") from error


def _providers(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    if not names:
        raise typer.BadParameter("no provider is named", param_hint="'--provider'")
    return names


def _packaged(tier: str) -> Path:
    from ..runtime.models import packaged_models

    return packaged_models(tier)
