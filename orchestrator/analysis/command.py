"""Settings as the command that encodes with them."""

from __future__ import annotations

import shlex

from ..records import EncodeSettings, TargetSpec

_USUAL = EncodeSettings(TargetSpec("quality", 50.0))
_TARGET_OPTIONS = {
    "quality": "--quality",
    "bitrate": "--bitrate",
    "psnr": "--target-psnr",
    "ssim": "--target-ssim",
    "vmaf": "--target-vmaf",
}


def encode_command(settings: EncodeSettings, source: str = "IN.mp4", out: str = "OUT.ecv") -> str:
    """The line for a shell; what is usual is left out."""
    words = ["edgecodec", "encode", source, "-o", out]
    words += [_TARGET_OPTIONS[settings.target.kind], _plain(settings.target.value)]
    if settings.strategies:
        words += ["--strategy", ",".join(settings.strategies)]
    if settings.codecs != _USUAL.codecs:
        words += ["--codecs", ",".join(settings.codecs)]
    if settings.sizes != _USUAL.sizes:
        words += ["--sizes", ",".join(settings.sizes)]
    for option, value, usual in (
        ("--tier", settings.tier, _USUAL.tier),
        ("--effort", settings.effort, _USUAL.effort),
        ("--search", settings.search, _USUAL.search),
        ("--adapt", settings.adapt, None),
        ("--title-steps", settings.title_steps, None),
    ):
        if value is not None and value != usual:
            words += [option, str(value)]
    return shlex.join(words)


def describe(settings: EncodeSettings) -> str:
    """The same in short, for tables: `quality 50, av1, full, normal`."""
    words = [f"{settings.target.kind} {_plain(settings.target.value)}"]
    words += ["+".join(settings.strategies)] if settings.strategies else []
    words += ["+".join(settings.codecs)] if settings.codecs != _USUAL.codecs else ["all codecs"]
    words += ["+".join(settings.sizes)] if settings.sizes != _USUAL.sizes else []
    words += [settings.tier] if settings.tier != _USUAL.tier else []
    words.append(settings.effort)
    words += [settings.search] if settings.search != _USUAL.search else []
    words += [f"adapt {settings.adapt}"] if settings.adapt else []
    words += [f"{settings.title_steps} steps"] if settings.title_steps else []
    return ", ".join(words)


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.10g}"
