"""`edgecodec export`: trained networks to the graphs that devices run."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ._output import print_json, progress_bar, stdout_console

if TYPE_CHECKING:
    from ..export import LossSample, PlannedNetwork, Progress, SampleSource, Size


def export(
    directory: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder to write, or an older export to replace."
        ),
    ],
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise to INT8; without it the graphs stay float.")
    ] = False,
    tier: Annotated[Literal["nano", "edge"], typer.Option(help="Size of the networks.")] = "nano",
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this network; repeat for more.  \\[default: all trained ones]",
        ),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="Shape of the pictures: 360p, 720p, 1080p, 4k, WxH, or dynamic for any.",
        ),
    ] = "dynamic",
    target: Annotated[str, typer.Option(help="What the graphs are for.")] = "cpu",
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="DB",
            help="Exit with 4, and write nothing, where a network loses more PSNR to INT8.",
        ),
    ] = None,
    keep_failed: Annotated[
        bool, typer.Option("--keep-failed", help="Write the folder even where --max-drop fails.")
    ] = False,
    keep_float: Annotated[
        bool, typer.Option("--keep-float", help="Write NAME.fp32.onnx beside NAME.onnx too.")
    ] = False,
    clip: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Video to measure the loss on; repeat for more.  \\[default: the demo clip]",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="Folder of NETWORK-TIER.safetensors files.  \\[default: the ones that ship]",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be made, and make nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Export the networks that a device runs, with what INT8 costs them.

    Example: `edgecodec export --int8 --size 720p --max-drop 0.1 -o models`
    """
    picture = _size(size)
    from ..export import ExportOptions, Precision, demo_clips, export_networks, plan_export

    options = ExportOptions(
        directory=directory,
        tier=tier,
        networks=tuple(network or ()),
        size=picture,
        target=target,
        precision=Precision.INT8 if int8 else Precision.FP32,
        max_drop_db=max_drop,
        keep_float=keep_float,
        keep_failed=keep_failed,
        weights=weights,
    )
    if dry_run:
        _print_plan(directory, plan_export(options), as_json=as_json)
        return
    samples = _sample_source(tuple(clip or demo_clips()), tier)
    with progress_bar(f"export to {directory}") as show:

        def advance(progress: Progress) -> None:
            show(progress.done, f"{progress.network}: {progress.stage}")
            if progress.note:
                print(f"{progress.network}: {progress.stage}: {progress.note}", file=sys.stderr)

        manifest = export_networks(options, samples, advance).to_dict()
    report = {**manifest, "directory": str(directory.resolve())}
    if as_json:
        print_json(report)
    else:
        _print_report(report)


def _size(text: str) -> Size | None:
    from ..export import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--size'") from None


def _sample_source(clips: Sequence[Path], tier: str) -> SampleSource:
    """Real inputs by network: bases of `clips` for those that mend one, their latents for the
    others."""
    latents: dict[str, Sequence[LossSample]] = {}

    def samples(network: str) -> Sequence[LossSample]:
        from ..export import base_samples

        if bases := base_samples(network, clips):
            return bases
        if not latents and clips:
            latents.update(_latent_samples(clips, tier))
        return latents.get(network, ())

    return samples


def _latent_samples(clips: Sequence[Path], tier: str) -> Mapping[str, Sequence[LossSample]]:
    # By name, for the encoder is an extra of its own: without it these networks are measured on
    # synthetic inputs, and the report says so.
    from importlib import import_module

    try:
        module = import_module("..encoder.samples", __package__)
    except ModuleNotFoundError as error:
        print(f"no latents to measure on: {error}", file=sys.stderr)
        return {}
    samples: Mapping[str, Sequence[LossSample]] = module.latent_samples(clips, tier)
    return samples


def _print_plan(directory: Path, plan: Sequence[PlannedNetwork], *, as_json: bool) -> None:
    if as_json:
        print_json({"directory": str(directory.resolve()), "networks": plan})
        return
    from rich.table import Table

    table = Table("network", "file", "inputs", "outputs", "stages")
    for network in plan:
        table.add_row(
            network.name,
            str(directory / network.file),
            "\n".join(f"{port.name} {_shape(port.shape)}" for port in network.inputs),
            "\n".join(f"{port.name} {_shape(port.shape)}" for port in network.outputs),
            ", ".join(network.stages),
        )
    stdout_console().print(table)


def _print_report(report: Mapping[str, Any]) -> None:
    from rich.table import Table

    clips = ", ".join(report["measured_on"]["clips"]) or "nothing"
    print(f"{report['directory']}: {report['precision']} for {report['target']}, loss on {clips}")
    table = Table("network", "file", "parameters", "FP32 dB", "INT8 dB", "drop dB", "placement")
    for network in report["networks"]:
        placement = network["placement"]
        table.add_row(
            network["name"],
            network["file"],
            f"{network['parameters']:,}",
            _decibels(network["psnr_fp32"], 2),
            _decibels(network["psnr_int8"], 2),
            _decibels(network["drop_db"], 4),
            f"{placement['percent']:.0f} % {placement['provider']}",
        )
    stdout_console().print(table)


def _decibels(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _shape(shape: Sequence[int | None]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape)
