"""Values of options that several verbs take, from text."""

from __future__ import annotations

import math
import re
from pathlib import Path

import typer

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def bits_per_second(text: str) -> float:
    """A bitrate such as `800k`, `1.5M` or `64000`, decimal units, in bits per second."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([kmg]?)", text.strip(), re.IGNORECASE)
    rate = float(match[1]) * _UNITS[match[2].lower()] if match else math.nan
    if not rate > 0:
        raise typer.BadParameter(f"{text!r} is not a bitrate: write 800k, 1.5M or 64000 (bits/s)")
    return rate


def check_output(output: Path, source: Path, *, overwrite: bool) -> None:
    """Refuse an output that is the input, lies in no folder, or exists and may not be replaced."""
    option = "'--output' / '-o'"
    if not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.parent}", param_hint=option)
    if output.is_dir():
        raise typer.BadParameter(f"{output} is a folder: name a file", param_hint=option)
    if output.exists() and source.exists() and output.samefile(source):
        raise typer.BadParameter(f"{output} is the input itself", param_hint=option)
    if output.exists() and not overwrite:
        raise typer.BadParameter(f"{output} exists: --force replaces it", param_hint=option)
