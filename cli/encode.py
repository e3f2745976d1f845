"""`edgecodec encode`: a video into an `.ecv` stream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ._arguments import bits_per_second, check_output
from ._output import print_json, progress_bar, stdout_console

if TYPE_CHECKING:
    from ..encoder import BitrateTarget, EncodeProgress, PsnrTarget, QualityTarget
    from ..runtime.container import Codec

StrategyName = Literal[
    "auto", "classical", "hybrid_semantic", "semantic_latent", "i_frame_interpolation"
]
CODECS = "av1,h265,h264,vvc"
DEFAULT_QUALITY = 50.0
_TARGETS = "'--bitrate' / '--quality' / '--target-psnr'"


def encode(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video that FFmpeg reads.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.ecv", help="The stream to write.")
    ],
    strategy: Annotated[
        StrategyName,
        typer.Option(help="How scenes are coded; `auto` tries all and keeps the best for each."),
    ] = "auto",
    bitrate: Annotated[
        float | None,
        typer.Option(
            parser=bits_per_second, metavar="RATE", help="Aim at a bitrate: 800k, 1.5M, 64000."
        ),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Aim at a quality, 0 to 100.  \\[default: 50]"),
    ] = None,
    target_psnr: Annotated[
        float | None,
        typer.Option(min=10, max=100, metavar="DB", help="Aim at a PSNR in dB: (6Y+U+V)/8."),
    ] = None,
    tier: Annotated[
        Literal["nano", "edge"], typer.Option(help="Size of the networks that playing will need.")
    ] = "nano",
    device: Annotated[
        Literal["cpu", "cuda"], typer.Option(help="Where the encoder's networks run.")
    ] = "cpu",
    codecs: Annotated[
        str, typer.Option(metavar="LIST", help="Standard codecs that may be chosen.")
    ] = CODECS,
    threads: Annotated[int, typer.Option(min=0, help="0: all cores.")] = 0,
    force: Annotated[bool, typer.Option("--force", "-y", help="Replace OUT.ecv.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Encode a video into an .ecv stream.

    Example: `edgecodec encode clip.mp4 -o clip.ecv --bitrate 1M`
    """
    check_output(output, source, overwrite=force)
    if sum(value is not None for value in (bitrate, quality, target_psnr)) > 1:
        raise typer.BadParameter("they exclude one another", param_hint=_TARGETS)
    chosen = _codecs(codecs)
    from ..encoder import EncodeOptions
    from ..encoder import encode as encode_video

    options = EncodeOptions(
        strategy=strategy,
        target=_target(bitrate, quality, target_psnr),
        tier=tier,
        device=device,
        codecs=chosen,
        threads=threads,
    )
    with progress_bar(source.name) as show:

        def advance(progress: EncodeProgress) -> None:
            show(progress.done, f"{progress.stage} {progress.detail}".strip())

        report = encode_video(source, output, options, advance).to_dict()
    if as_json:
        print_json(report)
    else:
        _print_report(output, report)


def _target(
    bitrate: float | None, quality: float | None, psnr: float | None
) -> BitrateTarget | QualityTarget | PsnrTarget:
    from ..encoder import BitrateTarget, PsnrTarget, QualityTarget

    if bitrate is not None:
        return BitrateTarget(bitrate)
    if psnr is not None:
        return PsnrTarget(psnr)
    return QualityTarget(DEFAULT_QUALITY if quality is None else quality)


def _codecs(names: str) -> tuple[Codec, ...]:
    from ..runtime.container import Codec

    chosen = [name.strip().upper() for name in names.split(",") if name.strip()]
    unknown = [name.lower() for name in chosen if name not in Codec.__members__]
    if unknown or not chosen:
        raise typer.BadParameter(
            f"{', '.join(unknown) or 'nothing'} chosen: known are {CODECS}", param_hint="'--codecs'"
        )
    return tuple(dict.fromkeys(Codec[name] for name in chosen))


def _print_report(output: Path, report: Mapping[str, Any]) -> None:
    from rich.table import Table

    print(
        f"{output}: {report['frames']} frames, {report['bytes']:,} bytes,"
        f" {report['bitrate_mbps']:.3f} Mb/s, PSNR {report['psnr']:.2f} dB,"
        f" SSIM {report['ssim']:.4f}, encoded at {report['encode_fps']:.2f} frames/s"
    )
    if report["target_met"] is False:
        print("the target was missed: this is the nearest that was found")
    table = Table("scene", "start s", "frames", "strategy", "codec", "enhanced", "kbit", "PSNR dB")
    for number, scene in enumerate(report["scenes"]):
        table.add_row(
            str(number),
            f"{scene['start']:.3f}",
            str(scene["frames"]),
            scene["strategy"],
            scene["codec"] or "-",
            str(scene["enhanced_frames"] or "-"),
            f"{scene['bits'] / 1000:.1f}",
            f"{scene['psnr']:.2f}",
        )
    stdout_console().print(table)
