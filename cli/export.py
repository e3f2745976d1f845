"""`edgecodec export`: trained networks to the graphs that devices run."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ._arguments import byte_size, check_page, name_list
from ._export_report import print_plan, print_report
from ._output import print_json, progress_bar

if TYPE_CHECKING:
    from ..export import Cache, ClipSamples, Progress, RangeMethod, Size

_QUALITY, _DEVICES, _RUN = "Quality and gates", "Devices", "Running"
Stage = Literal[
    "onnx",
    "simplify",
    "calibrate",
    "round",
    "sensitivity",
    "quantize",
    "uint8",
    "artefact",
    "placement",
    "loss",
]


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
    weights: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="Folder of NETWORK-TIER.safetensors files.  \\[default: the ones that ship]",
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="What the graphs are for: cpu, openvino, tensorrt or qnn.",
            rich_help_panel=_DEVICES,
        ),
    ] = "cpu",
    soc: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Snapdragon chips to compile for, such as 8gen3,x-elite.  \\[default: four usual]",
            rich_help_panel=_DEVICES,
        ),
    ] = "",
    sm: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="NVIDIA compute capabilities, such as 86,89.  \\[default: four usual]",
            rich_help_panel=_DEVICES,
        ),
    ] = "",
    exact: Annotated[
        bool | None,
        typer.Option(
            "--exact/--fast",
            help="The same integers on every device, or the scales that lose least."
            "  \\[default: exact where later frames depend on it]",
            rich_help_panel=_QUALITY,
            show_default=False,
        ),
    ] = None,
    ranges: Annotated[
        Literal["architecture", "minmax", "percentile", "mse", "auto"],
        typer.Option(
            help="Where activations' ranges come from; auto measures all and takes the best.",
            rich_help_panel=_QUALITY,
        ),
    ] = "architecture",
    calibration: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Video to calibrate on; repeat for more.  \\[default: other frames of --clip]",
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    clip: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Video to measure the loss on; repeat for more.  \\[default: the demo clip]",
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    max_drop: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="DB",
            help="PSNR that a network may lose to INT8: layers get more bits until it holds;"
            " exit with 4, and write nothing, where that fails.  inf: any.",
            rich_help_panel=_QUALITY,
        ),
    ] = 0.05,
    require_placement: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            metavar="PERCENT",
            help="Exit with 4 where fewer nodes are on the target's provider.",
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option(
            parser=byte_size,
            metavar="SIZE",
            help="Exit with 4 where one device needs more than this, such as 5MB.",
            rich_help_panel=_QUALITY,
        ),
    ] = None,
    keep_failed: Annotated[
        bool,
        typer.Option(
            "--keep-failed",
            help="Write the folder even where a gate fails.",
            rich_help_panel=_QUALITY,
        ),
    ] = False,
    keep_float: Annotated[
        bool, typer.Option("--keep-float", help="Write NAME.fp32.onnx beside NAME.onnx too.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            metavar="DIR",
            envvar="EDGECODEC_CACHE",
            help="Folder that keeps the results of stages.  \\[default: the user's cache]",
            rich_help_panel=_RUN,
        ),
    ] = None,
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", help="Keep and reuse nothing.", rich_help_panel=_RUN),
    ] = False,
    from_stage: Annotated[
        Stage | None,
        typer.Option(
            "--from", help="Make this stage and those after it anew.", rich_help_panel=_RUN
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print what would be made and what is there already.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Export the networks that a device runs, with what INT8 costs them.

    Example: `edgecodec export --int8 --size 720p -o models`
    """
    check_page(html)
    picture = _size(size)
    from ..export import (
        CALIBRATION_SKIP,
        Arithmetic,
        ExportOptions,
        Precision,
        demo_clips,
        export_networks,
        plan_export,
        write_html,
    )

    clips = tuple(clip or demo_clips())
    if int8 and not clips and not dry_run and math.isfinite(max_drop):
        raise typer.BadParameter(
            "there is no video to measure INT8's loss on: name one, or give --max-drop inf",
            param_hint="'--clip'",
        )
    options = ExportOptions(
        directory=directory,
        tier=tier,
        networks=tuple(network or ()),
        size=picture,
        target=target,
        precision=Precision.INT8 if int8 else Precision.FP32,
        arithmetic=None if exact is None else Arithmetic.EXACT if exact else Arithmetic.FAST,
        ranges=_range_method(ranges),
        socs=name_list(soc),
        capabilities=name_list(sm),
        max_drop_db=None if math.isinf(max_drop) else max_drop,
        placement_percent=require_placement,
        max_bytes=max_size,
        keep_float=keep_float,
        keep_failed=keep_failed,
        weights=weights,
        cache=None if no_cache else _cache(cache),
        remake_from=from_stage,
    )
    validation = _samples(clips, tier)
    skip = 0 if calibration else CALIBRATION_SKIP
    calibrating = _samples(tuple(calibration or clips), tier, skip)
    if dry_run:
        print_plan(directory, plan_export(options, validation, calibrating), as_json=as_json)
        return
    with progress_bar(f"export to {directory}") as show:

        def advance(progress: Progress) -> None:
            show(progress.done, f"{progress.network}: {progress.stage}")
            if progress.note:
                print(f"{progress.network}: {progress.stage}: {progress.note}", file=sys.stderr)

        manifest = export_networks(options, validation, advance, calibrating)
    if html:
        write_html(manifest, html)
    described = manifest.to_dict()
    if as_json:
        print_json({**described, "directory": str(directory.resolve())})
    else:
        print_report(described, directory)


def _size(text: str) -> Size | None:
    from ..export import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--size'") from None


def _range_method(name: str) -> RangeMethod | None:
    from ..export import RangeMethod

    return None if name == "auto" else RangeMethod(name)


def _cache(folder: Path | None) -> Cache:
    from ..export import Cache, default_cache_folder

    return Cache(folder or default_cache_folder())


def _samples(clips: Sequence[Path], tier: str, skip: int = 0) -> ClipSamples:
    """Real inputs of every network, or without the encoder's libraries only of those that mend a
    base: the others are then measured on synthetic inputs, and the report says so."""
    # By name, for the encoder is an extra of its own.
    from importlib import import_module

    from ..export import base_source

    try:
        module = import_module("..encoder.samples", __package__)
    except ModuleNotFoundError as error:
        print(f"no latents to measure on: {error}", file=sys.stderr)
        return base_source(clips, skip=skip)
    samples: ClipSamples = module.network_samples(clips, tier, skip=skip)
    return samples
