"""Values of options, from text."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..runtime.chunks import Codec, StrategyId

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_BYTE_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
# Beyond it a size is a slip of the keyboard.
_MOST_BYTES = 2**50


def bits_per_second(text: str) -> float:
    """A bitrate such as `800k`, `1.5M` or `64000`, decimal units, in bits per second."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([kmg]?)", text.strip(), re.IGNORECASE)
    rate = float(match[1]) * _UNITS[match[2].lower()] if match else math.nan
    if not rate > 0:
        raise typer.BadParameter(f"{text!r} is not a bitrate: write 800k, 1.5M or 64000 (bits/s)")
    return rate


def byte_size(text: str) -> int:
    """A size such as `20MB`, `700k`, `1.5MiB` or `123456`, in bytes, rounded down."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([kmg]i?)?b?", text.strip(), re.IGNORECASE)
    size = float(match[1]) * _BYTE_UNITS[(match[2] or "").lower()] if match else math.nan
    if not 1 <= size <= _MOST_BYTES:
        raise typer.BadParameter(
            f"{text!r} is not a size: write 20MB, 700k, 1.5MiB or 123456 (bytes)"
        )
    return int(size)


def name_list(text: str) -> tuple[str, ...]:
    """Names between commas, each once, in that order."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def codec_list(text: str) -> tuple[Codec, ...]:
    """`all`, or names of codecs between commas: `av1,vvc`; each once, in that order."""
    from ..runtime.chunks import Codec

    if text.strip().lower() == "all":
        return tuple(Codec)
    names = _listed(text, tuple(Codec.__members__), "--codecs")
    return tuple(Codec[name] for name in names)


def strategy_list(text: str) -> tuple[StrategyId, ...]:
    """Names of strategies between commas, each once, in that order; `auto` is all of them."""
    from ..runtime.chunks import StrategyId

    if text.strip().lower() == "auto":
        return tuple(StrategyId)
    names = _listed(text, tuple(StrategyId.__members__), "--strategy")
    return tuple(StrategyId[name] for name in names)


def size_list(text: str) -> tuple[str, ...]:
    """`full`, `half` or both between commas, each once, in that order."""
    return tuple(name.lower() for name in _listed(text, ("FULL", "HALF"), "--sizes"))


def _listed(text: str, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The upper-case names in a list with commas; a usage error names those that are known."""
    names = [name.strip().upper() for name in text.split(",") if name.strip()]
    unknown = [name.lower() for name in names if name not in known]
    if unknown or not names:
        raise typer.BadParameter(
            f"{', '.join(unknown) or 'nothing'} chosen: known are {', '.join(known).lower()}",
            param_hint=f"'{option}'",
        )
    return tuple(dict.fromkeys(names))


def check_page(page: Path | None) -> None:
    """Refuse a page that cannot be written, before there is anything to write on it."""
    check_file(page, "'--html'")


def check_file(file: Path | None, option: str) -> None:
    """Refuse a file that cannot be written, before there is anything to write into it."""
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        what = "is a folder: name a file" if file.is_dir() else "lies in no folder"
        raise typer.BadParameter(f"{file} {what}", param_hint=option)


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
