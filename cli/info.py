"""`edgecodec info`: what a stream, or a folder of networks, holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._errors import naming
from ._export_report import print_origins, print_report
from ._output import print_json, stdout_console

if TYPE_CHECKING:
    from ..runtime.summary import SceneSummary, StreamSummary, Summary, TitleSummary


def info(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN.ecv|DIR", help="The stream, or the folder of an export, to look into."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Show what a stream holds, scene by scene, a damaged one too; or what an export wrote.

    Example: `edgecodec info clip.ecv`
    """
    if source.is_dir():
        _show_models(source, as_json=as_json)
    else:
        _show_stream(source, as_json=as_json)


def _show_models(folder: Path, *, as_json: bool) -> None:
    from ..runtime.models import MANIFEST, read_models

    read_models(folder)  # raises what is wrong with it
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if as_json:
        print_json({**manifest, "directory": str(folder.resolve())})
        return
    print_report(manifest, folder)
    print_origins(manifest)


def _show_stream(stream: Path, *, as_json: bool) -> None:
    from ..runtime.summary import summarise

    with naming(stream):
        summary = summarise(stream)
    if as_json:
        print_json(_as_dict(stream, summary))
    else:
        _print(stream, summary)


def _as_dict(path: Path, summary: Summary) -> dict[str, object]:
    header = summary.header
    return {
        "file": path,
        "bytes": summary.file_bytes,
        "bitrate_mbps": summary.bits_per_second / 1e6,
        "other_streams_mbps": summary.other_bits_per_second / 1e6,
        "width": header.format.width,
        "height": header.format.height,
        "bit_depth": header.format.bit_depth,
        "frames": summary.frames,
        "duration": summary.duration,
        "frame_rate": header.frame_rate,
        "time_base": header.time_base,
        "rotation": header.rotation,
        "sample_aspect": header.sample_aspect,
        "color": header.color,
        "tier": header.tier,
        "models": header.model_ids,
        "writer": header.writer,
        "scenes": [_scene_dict(scene) for scene in summary.scenes],
        "titles": [_title_dict(title) for title in summary.titles],
        "streams": [_stream_dict(stream) for stream in summary.streams],
        "damage": summary.damage,
    }


def _scene_dict(scene: SceneSummary) -> dict[str, object]:
    return {
        "start": scene.start,
        "start_frame": scene.start_frame,
        "frames": scene.frames,
        "duration": scene.duration,
        "bits": scene.bits,
        "strategy": scene.strategy,
        "codec": scene.codec,
        "enhanced_frames": scene.enhanced_frames,
        "models": scene.models,
        "priors": scene.priors,
        "has_code": scene.has_code,
        "has_filter": scene.has_filter,
        "title": scene.title,
        "problem": scene.problem or None,
    }


def _title_dict(title: TitleSummary) -> dict[str, object]:
    return {"number": title.number, "model": title.template, "bytes": title.data_bytes}


def _stream_dict(summary: StreamSummary) -> dict[str, object]:
    stream = summary.stream
    return {
        "index": stream.index,
        "kind": stream.kind,
        "codec": stream.codec,
        "language": stream.language,
        "sample_rate": stream.sample_rate,
        "channels": stream.channels,
        "layout": stream.layout,
        "packets": summary.packets,
        "bytes": summary.data_bytes,
    }


def _print(path: Path, summary: Summary) -> None:
    header = summary.header
    shape = f"{header.format.width}x{header.format.height}, {header.format.bit_depth} bits"
    print(
        f"{path}: {shape}, {float(header.frame_rate):.3f} frames/s, {summary.frames} frames,"
        f" {summary.duration:.3f} s, {summary.file_bytes:,} bytes,"
        f" {summary.bits_per_second / 1e6:.3f} Mb/s"
    )
    print(f"tier {header.tier or '-'}, models {', '.join(header.model_ids) or '-'}")
    for title in summary.titles:
        print(f"title weights {title.number} of {title.template}: {title.data_bytes:,} bytes")
    for summarised in summary.streams:
        stream = summarised.stream
        detail = f"{stream.sample_rate} Hz {stream.layout}" if stream.kind == "audio" else ""
        print(
            f"{stream.kind} {stream.index}: {stream.codec} {detail} {stream.language}".rstrip()
            + f", {summarised.packets} packets, {summarised.data_bytes:,} bytes"
        )
    _print_scenes(summary)
    for damage in summary.damage:
        print(f"damage: {damage.size} bytes at {damage.offset}: {damage.what}")


def _print_scenes(summary: Summary) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("scene", "start s", "frames", "strategy", "codec", "enhanced", "kbit", "kbit/s")
    for number, scene in enumerate(summary.scenes):
        name = scene.strategy.name.lower() if scene.strategy else f"unreadable: {scene.problem}"
        table.add_row(
            str(number),
            f"{scene.start:.3f}",
            str(scene.frames),
            escape(name),
            _codec(scene),
            _enhanced(scene),
            f"{scene.bits / 1000:.1f}",
            f"{scene.bits / 1000 / scene.duration:.1f}" if scene.duration else "-",
        )
    stdout_console().print(table)


def _codec(scene: SceneSummary) -> str:
    if scene.codec:
        return scene.codec.name.lower()
    return "priors" if scene.priors else "-"


def _enhanced(scene: SceneSummary) -> str:
    parts: list[str] = []
    if scene.enhanced_frames:
        parts.append(str(scene.enhanced_frames))
        parts += [f"title {scene.title}"] if scene.title is not None else []
        parts += ["code"] if scene.has_code else []
    parts += ["filter"] if scene.has_filter else []
    return " + ".join(parts) or "-"
