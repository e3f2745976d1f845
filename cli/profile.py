"""`edgecodec profile`: what a device pays for the networks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ._errors import ExitCode
from ._output import print_json, progress_bar, stdout_console


def profile(
    device: Annotated[
        str, typer.Option(help="A device of `edgecodec devices`, or a FILE.toml of your own.")
    ] = "snapdragon-40tops",
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
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each network here.")] = 30,
    timed: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time the networks on this machine too.")
    ] = True,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Operations per frame, predicted latency on a device and measured latency here.

    Example: `edgecodec profile --device snapdragon-40tops --size 1080p --min-fps 30`
    """
    from ..profiles import (
        MeasureOptions,
        check_min_fps,
        load_device,
        parse_size,
        profile_models,
        write_html,
    )
    from ..profiles.table import print_report
    from ..runtime.errors import GateError

    try:
        frame_size = parse_size(size) if size else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--size'") from error
    with progress_bar("profile") as show:
        report = profile_models(
            models or _packaged(tier),
            load_device(device),
            frame_size,
            fps,
            MeasureOptions(runs=runs) if timed else None,
            show,
        )
    if html:
        write_html(report, html)
    if as_json:
        print_json(report.to_dict())
    else:
        print_report(report, stdout_console())
    if min_fps is None:
        return
    try:
        check_min_fps(report, min_fps)
    except GateError as error:
        if not as_json:
            raise
        # The report is on stdout already: a second document there would spoil it.
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(ExitCode.GATE_FAILED) from error


def _packaged(tier: str) -> Path:
    from ..runtime.models import packaged_models

    return packaged_models(tier)
