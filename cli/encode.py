"""`edgecodec encode`: a video into an `.ecv` stream."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ._arguments import (
    bits_per_second,
    byte_size,
    check_output,
    codec_list,
    size_list,
    strategy_list,
)
from ._fleet import fleet
from ._for_device import fit_to_device
from ._output import print_json, progress_bar, stdout_console
from ._preset import preset_defaults, with_target

if TYPE_CHECKING:
    from ..encoder.report import EncodeProgress
    from ..encoder.targets import Target

CODECS = "av1,h265,h264,vvc"
SIZES = "full,half"
DEFAULT_QUALITY = 50.0
EffortName = Literal["fast", "normal", "high"]
SearchName = Literal["pruned", "exhaustive"]
AdaptName = Literal["none", "filter", "code", "title"]
ScopeName = Literal["mean", "worst"]
TuneName = Literal["psnr", "ssim", "vmaf"]
_TARGET = "What to aim at (one of them)"
_CHOICE = "What may be chosen"
_WORK = "How to work"
_FLEET = "Where to work"


def encode(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video that FFmpeg reads.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.ecv", help="The stream to write.")
    ],
    bitrate: Annotated[
        float | None,
        typer.Option(
            parser=bits_per_second,
            metavar="RATE",
            help="A bitrate without sound and subtitles: 800k, 1.5M, 64000.",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option(
            parser=byte_size,
            metavar="SIZE",
            help="The best that fits into a file of this size, sound included: 20MB, 1.5MiB.",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(
            min=0, max=100, help="A quality, 0 to 100.  \\[default: 50]", rich_help_panel=_TARGET
        ),
    ] = None,
    target_psnr: Annotated[
        float | None,
        typer.Option(metavar="DB", help="A PSNR in dB: (6Y+U+V)/8.", rich_help_panel=_TARGET),
    ] = None,
    target_ssim: Annotated[
        float | None,
        typer.Option(metavar="SSIM", help="An SSIM below 1.", rich_help_panel=_TARGET),
    ] = None,
    target_vmaf: Annotated[
        float | None,
        typer.Option(metavar="VMAF", help="A VMAF up to 100; slow.", rich_help_panel=_TARGET),
    ] = None,
    target_scope: Annotated[
        ScopeName | None,
        typer.Option(
            help="Whether the video's mean reaches PSNR, SSIM or VMAF, or every scene does."
            "  \\[default: mean]",
            rich_help_panel=_TARGET,
        ),
    ] = None,
    preset: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            is_eager=True,
            callback=preset_defaults,
            help="Settings from a file that `edgecodec experiments` wrote; options given here win.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    tune: Annotated[
        TuneName | None,
        typer.Option(
            help="What ways to code a scene are compared by, and latents made for where the tier"
            " can.  \\[default: the target's, or psnr]",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="How scenes may be coded; `auto` is all that the video can have: classical,"
            " hybrid_semantic, semantic_latent, i_frame_interpolation, procedural.",
            rich_help_panel=_CHOICE,
        ),
    ] = "auto",
    codecs: Annotated[
        str,
        typer.Option(metavar="LIST", help="Standard codecs, or `all`.", rich_help_panel=_CHOICE),
    ] = CODECS,
    for_device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Only what this device of `edgecodec devices` (or of your FILE.toml) plays.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    tier: Annotated[
        Literal["nano", "edge"],
        typer.Option(help="Size of the networks that playing will need.", rich_help_panel=_CHOICE),
    ] = "nano",
    sizes: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Sizes of a standard codec's layer: full, half.",
            rich_help_panel=_CHOICE,
        ),
    ] = SIZES,
    effort: Annotated[
        EffortName,
        typer.Option(
            help="The codecs' presets: slower ones need fewer bits.", rich_help_panel=_WORK
        ),
    ] = "normal",
    search: Annotated[
        SearchName,
        typer.Option(
            help="Try what a scene's kind makes promising, or everything.", rich_help_panel=_WORK
        ),
    ] = "pruned",
    adapt: Annotated[
        AdaptName | None,
        typer.Option(
            help="What may be searched for this title: filters of scenes; codes of scenes, too; or "
            "also weights of its own.  \\[default: by --effort]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    title_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Steps of the search for weights of the title's own.  \\[default: by --effort]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"],
        typer.Option(help="Where the encoder's networks run.", rich_help_panel=_WORK),
    ] = "cpu",
    jobs: Annotated[
        int,
        typer.Option(min=0, help="Trials at a time, 0: by the cores.", rich_help_panel=_WORK),
    ] = 0,
    threads: Annotated[
        int, typer.Option(min=0, help="Threads of a trial, 0: by the cores.", rich_help_panel=_WORK)
    ] = 0,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Only the first N frames of IN.", rich_help_panel=_WORK
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Keep every trial in this folder: the next encode of the same scenes takes them.",
            rich_help_panel=_WORK,
        ),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Let the workers of this broker make the trials: folder:PATH, redis://… or sqs://…"
            " (see `edgecodec worker`).",
            rich_help_panel=_FLEET,
        ),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The workers' table of results.  \\[default: by --broker]",
            rich_help_panel=_FLEET,
        ),
    ] = None,
    media: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the workers find the video: s3://BUCKET/PREFIX or a folder that all see."
            "  \\[default: by --broker]",
            rich_help_panel=_FLEET,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-y", help="Replace OUT.ecv.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Encode a video into an .ecv stream.

    Example: `edgecodec encode clip.mp4 -o clip.ecv --bitrate 1M`
    """
    check_output(output, source, overwrite=force)
    allowed_codecs, strategies = codec_list(codecs), strategy_list(strategy)
    allowed_sizes = size_list(sizes)
    targets = {
        "--bitrate": bitrate,
        "--max-size": max_size,
        "--quality": quality,
        "--target-psnr": target_psnr,
        "--target-ssim": target_ssim,
        "--target-vmaf": target_vmaf,
    }
    target = _target(with_target(targets, preset), target_scope)
    from ..encoder import EncodeOptions
    from ..encoder import encode as encode_video
    from ..encoder.adaptation import Adaptation
    from ..encoder.effort import Effort, Search
    from ..encoder.targets import Metric, MetricTarget

    measure = None if tune is None else Metric(tune)
    if isinstance(target, MetricTarget) and measure not in (None, target.metric):
        wanted = target.metric.value
        raise typer.BadParameter(
            f"--target-{wanted} compares by {wanted}: leave it out", param_hint="'--tune'"
        )
    automatic = strategy.strip().lower() == "auto"
    fitted: dict[str, Any] = {}
    if for_device is not None:
        fit = fit_to_device(for_device, source, allowed_codecs, strategies, tier)
        for note in fit.notes:
            print(f"note: {note}", file=sys.stderr)
        # Named strategies are demanded: with all of them left, `auto` may still drop some.
        automatic = automatic and fit.strategies == strategies
        allowed_codecs, strategies = fit.codecs, fit.strategies
        fitted = {"for_device": {"name": for_device, "notes": fit.notes}}
    options = EncodeOptions(
        strategies=() if automatic else tuple(each.name.lower() for each in strategies),
        target=target,
        effort=Effort(effort),
        search=Search(search),
        tier=tier,
        device=device,
        codecs=allowed_codecs,
        threads=threads,
        jobs=jobs,
        frames=frames,
        cache=cache,
        adapt=None if adapt is None else Adaptation(adapt),
        sizes=allowed_sizes,
        title_steps=title_steps,
        tune=measure,
    )
    with (
        progress_bar(source.name) as bar,
        fleet(broker, results, media, source, bar) as (bench, show),
    ):

        def advance(progress: EncodeProgress) -> None:
            text = f"{progress.stage} {progress.detail}".strip()
            show(progress.done, text, progress.seconds_left)

        report = encode_video(source, output, options, advance, bench).to_dict()
    if as_json:
        print_json(report | fitted)
    else:
        _print_report(output, report)
    if report["target_met"] is False:
        why = report["note"] or "this is the nearest that was found"
        print(f"the target was missed: {why}", file=sys.stderr)
    elif report["note"]:
        print(f"note: {report['note']}", file=sys.stderr)


def _target(given: Mapping[str, float | None], scope: str | None) -> Target:
    """The one target that was given, by its option's name; a usage error where there are more."""
    chosen = [(name, value) for name, value in given.items() if value is not None]
    option, value = chosen[0] if chosen else ("--quality", DEFAULT_QUALITY)
    if len(chosen) > 1:
        names = " / ".join(f"'{name}'" for name, _ in chosen)
        raise typer.BadParameter("they exclude one another", param_hint=names)
    metric = option.removeprefix("--target-")
    if scope and metric == option:
        raise typer.BadParameter(
            "it needs --target-psnr, --target-ssim or --target-vmaf", param_hint="'--target-scope'"
        )
    from ..encoder.targets import (
        BitrateTarget,
        Metric,
        MetricTarget,
        QualityTarget,
        Scope,
        SizeTarget,
    )

    try:
        if option == "--bitrate":
            return BitrateTarget(value)
        if option == "--max-size":
            return SizeTarget(int(value))
        if option == "--quality":
            return QualityTarget(value)
        return MetricTarget(Metric(metric), value, Scope(scope or "mean"))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{option}'") from error


def _print_report(output: Path, report: Mapping[str, Any]) -> None:
    from rich.table import Table

    vmaf = "" if report["vmaf"] is None else f" VMAF {report['vmaf']:.2f},"
    own = report["title_bytes"]
    title = f" ({own:,} of them weights of its own)" if own else ""
    print(
        f"{output}: {report['frames']} frames, {report['bytes']:,} bytes{title},"
        f" {report['bitrate_mbps']:.3f} Mb/s, PSNR {report['psnr']:.2f} dB,"
        f" SSIM {report['ssim']:.4f},{vmaf} {report['trial_encodes']} trial encodes,"
        f" encoded at {report['encode_fps']:.2f} frames/s"
    )
    titles = ("scene", "start s", "frames", "class", "strategy", "way", "enhanced", "kbit")
    table = Table(*titles, "PSNR dB")
    for number, scene in enumerate(report["scenes"]):
        table.add_row(
            str(number),
            f"{scene['start']:.3f}",
            str(scene["frames"]),
            scene["scene_class"],
            scene["strategy"],
            scene["way"] or scene["codec"] or "-",
            f"{scene['enhanced_frames'] or '-'} {scene['adaptation']}".strip(),
            f"{scene['bits'] / 1000:.1f}",
            f"{scene['psnr']:.2f}",
        )
    stdout_console().print(table)
