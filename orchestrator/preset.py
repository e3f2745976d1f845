"""Settings in a file, for `edgecodec encode --preset`."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..evaluation.atomic import write_text
from ..runtime.errors import UnsupportedError
from .records.experiment import check_schema
from .records.result import Result
from .records.settings import TARGETS, EncodeSettings

PRESET_SCHEMA = 1
_TITLE = "Settings of edgecodec: edgecodec encode IN -o OUT.ecv --preset FILE"


def read_preset(path: Path) -> EncodeSettings:
    """The settings in a file that `write_preset` wrote, or somebody by hand.

    Raises FileNotFoundError, and UnsupportedError that names the file, the field and what is
    allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        fields: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnsupportedError(f"{path}: not a preset: it is no TOML: {error}") from error
    schema = fields.pop("schema", None)
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise UnsupportedError(
            f"{path}: not a preset: schema is {schema!r:.80}, but must be {PRESET_SCHEMA}"
        )
    check_schema(schema, str(path))
    if "target" not in fields:
        raise UnsupportedError(
            f"{path}: the table target is missing: write [target] with kind, one of"
            f" {', '.join(TARGETS)}, and value"
        )
    try:
        return EncodeSettings.from_dict(fields)
    except UnsupportedError as error:
        raise UnsupportedError(f"{path}: {error}") from error


def write_preset(path: Path, settings: EncodeSettings, origin: Sequence[str] = ()) -> None:
    """Write settings, whole or not at all; what was there is replaced.

    `origin` are lines for people, such as those of `origin_lines`. Raises OSError where the file
    cannot be written.
    """
    write_text(path, preset_text(settings, origin))


def preset_text(settings: EncodeSettings, origin: Sequence[str] = ()) -> str:
    """What `write_preset` writes. TOML has no null: what is left to the effort is left out."""
    import tomli_w

    comments = [f"# {_printable(line)}" for line in (_TITLE, *origin)]
    fields = {name: value for name, value in settings.to_dict().items() if value is not None}
    if not settings.strategies:
        del fields["strategies"]  # all that a video can have, which no list says as well
    return "\n".join(comments) + "\n" + tomli_w.dumps({"schema": PRESET_SCHEMA} | fields)


def origin_lines(run: str, result: Result) -> tuple[str, ...]:
    """Where settings come from, and what was measured with them: for `write_preset`."""
    figures = [
        f"{result.bitrate_mbps:.3f} Mb/s",
        f"PSNR {result.psnr:.2f} dB",
        f"SSIM {result.ssim:.4f}",
        f"MS-SSIM {result.ms_ssim:.4f}",
        *([] if result.vmaf is None else [f"VMAF {result.vmaf:.2f}"]),
        f"{result.tops_per_frame:.4f} tera-operations a frame",
        f"device verdict: {result.verdict}",
    ]
    clips = ", ".join(f"{clip.clip} ({clip.frames} frames)" for clip in result.clips)
    return (
        f"Run {run}, experiment {result.experiment}, measured by {result.worker}:",
        ", ".join(figures),
        f"on {clips}",
    )


def _printable(line: str) -> str:
    """The line without what would end a comment: names of clips and runs come from outside."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)
