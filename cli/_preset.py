"""`--preset`: the values of options that were not given, from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

# The option that stands for each kind of target.
_TARGETS = {
    "quality": "--quality",
    "bitrate": "--bitrate",
    "psnr": "--target-psnr",
    "ssim": "--target-ssim",
    "vmaf": "--target-vmaf",
}


def preset_defaults(context: typer.Context, preset: Path | None) -> Path | None:
    """Makes a preset's settings, but for its target, what options that are not given have.

    For an eager option: it is read before the others. Raises FileNotFoundError and
    UnsupportedError as `read_preset` does.
    """
    if preset is not None and not context.resilient_parsing:
        from ..orchestrator.encode_options import in_usual_order
        from ..orchestrator.preset import read_preset

        settings = read_preset(preset)
        values: dict[str, Any] = {
            "strategy": ",".join(settings.strategies) or "auto",
            "codecs": ",".join(codec.name.lower() for codec in in_usual_order(settings.codecs)),
            "sizes": ",".join(settings.sizes),
            "tier": settings.tier,
            "effort": settings.effort,
            "search": settings.search,
            "adapt": settings.adapt,
            "title_steps": settings.title_steps,
        }
        context.default_map = {name: value for name, value in values.items() if value is not None}
    return preset


def with_target(
    given: Mapping[str, float | None], preset: Path | None
) -> Mapping[str, float | None]:
    """Targets by their options' names: those given, or where none is the preset's."""
    if preset is None or any(value is not None for value in given.values()):
        return given
    from ..orchestrator.preset import read_preset

    target = read_preset(preset).target
    return {**given, _TARGETS[target.kind]: target.value}
