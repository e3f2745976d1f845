"""One self-contained HTML page about an encode: no script, no resource from outside."""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from .atomic import write_text
from .report_data import (
    Curve,
    DeviceProfile,
    FrameComparison,
    NetworkRow,
    Picture,
    ReportData,
    SceneRow,
    SystemKind,
    SystemRow,
)
from .report_figure import DARK, LIGHT, rate_figure
from .report_style import STYLE

NOT_MEASURED = "–"  # noqa: RUF001 (an en dash is meant)
_STRATEGY_COLORS = {
    "semantic_latent": "c1",
    "hybrid_semantic": "c2",
    "i_frame_interpolation": "c3",
    "classical": "c4",
    "procedural": "c5",
}


def write_report(path: Path, data: ReportData) -> None:
    """Write the page; a reader never sees half of it."""
    write_text(path, render_report(data))


def render_report(data: ReportData) -> str:
    """The page as HTML. Every text in `data` is escaped."""
    sections = [
        _tiles(data),
        _results(data.systems),
        _rate_distortion(data),
        _frames(data.comparisons),
        _scenes(data.scenes),
        _networks(data.networks),
        _device(data.device),
        _notes(data.notes),
        _how(data),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(data.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(data.title)}</h1>\n<p class="soft">{escape(data.summary)}</p>\n'
        + "\n".join(section for section in sections if section)
        + "\n</main>\n</body>\n</html>\n"
    )


def number(value: float | None, digits: int) -> str:
    """A number as the tables show it; None becomes a dash."""
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"


def _tiles(data: ReportData) -> str:
    """Our result in figures, and how it stands beside each standard codec."""
    ours = next((row for row in data.systems if row.kind is SystemKind.EDGECODEC), None)
    if ours is None:
        return ""
    tiles = [
        (f"{number(ours.bitrate_mbps, 3)} Mb/s", f"{ours.name}: bitrate"),
        (f"{number(ours.psnr, 2)} dB", "PSNR, (6Y+U+V)/8"),
        (number(ours.vmaf, 2), "VMAF"),
        (number(ours.decode_fps, 1), "frames decoded a second, here"),
    ]
    curves = {curve.name: curve for curve in data.curves}
    for row in data.systems:
        if row.kind is not SystemKind.ANCHOR:
            continue
        at_rate = _psnr_at(curves.get(row.name), ours.bitrate_mbps)
        if at_rate is not None:
            where = "at the same rate, between its two nearest encodes"
        else:
            at_rate = row.psnr
            where = f"at {ours.bitrate_mbps / row.bitrate_mbps:.3f} times its rate"
        # Adding 0 turns a rounded -0 into 0.
        tiles.append(
            (f"{round(ours.psnr - at_rate, 2) + 0.0:+.2f} dB", f"PSNR against {row.name}, {where}")
        )
    cells = (
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(label)}</span></div>'
        for value, label in tiles
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _psnr_at(curve: Curve | None, bitrate_mbps: float) -> float | None:
    """PSNR of a curve at a rate, linear over the rate's logarithm; None beyond its ends."""
    points = sorted(curve.points, key=lambda point: point.bitrate_mbps) if curve else []
    for below, above in itertools.pairwise(points):
        if below.bitrate_mbps <= bitrate_mbps <= above.bitrate_mbps:
            span = math.log(above.bitrate_mbps / below.bitrate_mbps)
            share = math.log(bitrate_mbps / below.bitrate_mbps) / span if span else 0.0
            return below.psnr + share * (above.psnr - below.psnr)
    return None


def _results(systems: Sequence[SystemRow]) -> str:
    headings = ("Mb/s", "bytes", "PSNR dB", "SSIM", "VMAF", "VMAF-NEG", "encode fps", "decode fps")
    rows = []
    for kind in SystemKind:
        members = [row for row in systems if row.kind is kind]
        if members and kind is not SystemKind.EDGECODEC:
            span = len(headings) + 1
            rows.append(f'<tr class="group"><td colspan="{span}">{escape(kind.value)}</td></tr>')
        for row in members:
            cells = (
                number(row.bitrate_mbps, 3),
                str(row.bytes),
                number(row.psnr, 2),
                number(row.ssim, 4),
                number(row.vmaf, 2),
                number(row.vmaf_neg, 2),
                number(row.encode_fps, 1),
                number(row.decode_fps, 1),
            )
            ours = ' class="ours"' if kind is SystemKind.EDGECODEC else ""
            name = f"<td>{escape(row.name)}<small>{escape(row.settings)}</small></td>"
            numbers = "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells)
            rows.append(f"<tr{ours}>{name}{numbers}</tr>")
    head = "<th>system</th>" + "".join(f'<th class="n">{escape(name)}</th>' for name in headings)
    return _section(
        "Results",
        "Measured on decoded frames and real file sizes. PSNR is the mean over frames of "
        "(6Y+U+V)/8; SSIM is ffmpeg's; VMAF compares the decoded 4:2:0 samples, unconverted.",
        _table(head, rows),
    )


def _rate_distortion(data: ReportData) -> str:
    if not data.systems:
        return ""
    light = _data_url(rate_figure(data.curves, data.systems, LIGHT))
    dark = _data_url(rate_figure(data.curves, data.systems, DARK))
    picture = (
        '<div class="scroll"><picture class="wide">'
        f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="PSNR and SSIM of every system over its bitrate"></picture></div>'
    )
    return _section("Rate and distortion", "Up and to the left is better.", picture)


def _frames(comparisons: Sequence[FrameComparison]) -> str:
    if not comparisons:
        return ""
    parts = []
    for comparison in comparisons:
        crops = "".join(_picture(picture, "exact") for picture in comparison.crops)
        whole = "".join(_picture(picture, "") for picture in comparison.whole)
        at = f"Frame {comparison.frame} ({comparison.seconds:.2f} s)"
        corner = f"crop at x {comparison.crop_x}, y {comparison.crop_y}, one pixel for one"
        parts.append(
            f'<h3>{escape(at)}</h3><div class="scroll"><div class="side whole">{whole}</div></div>'
            f'<p class="soft">{escape(corner)}</p>'
            f'<div class="scroll"><div class="side">{crops}</div></div>'
        )
    text = "Whole frames are shrunk to fit. The crop lies where the source has most detail."
    return _section("Side by side", text, "".join(parts))


def _picture(picture: Picture, kind: str) -> str:
    label = escape(picture.label)
    return (
        f'<figure><img class="{kind}" src="{_data_url(picture.png)}" width="{picture.width}" '
        f'height="{picture.height}" alt="{label}"><figcaption>{label}</figcaption></figure>'
    )


def _scenes(scenes: Sequence[SceneRow]) -> str:
    if not scenes:
        return ""
    bars = "".join(
        f'<i class="{_strategy_color(scene.strategy)}" style="flex:{scene.frames}" '
        f'title="{escape(f"{scene.strategy}, frames {scene.start} on")}"></i>'
        for scene in scenes
    )
    rows = [
        f'<tr><td class="n">{scene.start}</td><td class="n">{scene.frames}</td>'
        f'<td><span class="key {_strategy_color(scene.strategy)}"></span>'
        f"{escape(scene.strategy)}</td><td>{escape(scene.codec or NOT_MEASURED)}</td>"
        f'<td class="n">{scene.bits}</td><td class="n">{scene.bits / scene.frames:.0f}</td></tr>'
        for scene in scenes
    ]
    head = (
        '<th class="n">first frame</th><th class="n">frames</th><th>strategy</th><th>codec</th>'
        '<th class="n">bits</th><th class="n">bits a frame</th>'
    )
    text = "What the encoder chose for each scene."
    return _section("Scenes", text, f'<div class="timeline">{bars}</div>' + _table(head, rows))


def _networks(networks: Sequence[NetworkRow]) -> str:
    if not networks:
        return ""
    rows = [
        f"<tr><td>{escape(row.name)}<small>{escape(row.file)}</small></td>"
        f'<td class="n">{number(row.drop_db, 3)}</td>'
        f'<td class="n">{NOT_MEASURED if row.size_bytes is None else row.size_bytes}</td>'
        f"<td>{escape(row.placement)}</td></tr>"
        for row in networks
    ]
    head = (
        '<th>network</th><th class="n">FP32 to INT8, dB lost</th><th class="n">bytes</th>'
        "<th>placement</th>"
    )
    text = "The decoder's networks as INT8 ONNX graphs, measured after quantisation."
    return _section("Exported networks", text, _table(head, rows))


def _device(device: DeviceProfile | None) -> str:
    if device is None:
        return ""
    facts = [
        ("TOPS a frame", number(device.tops_per_frame, 4)),
        ("frames a second, predicted", number(device.fps, 1)),
    ]
    if device.passes is not None:
        facts.append(("passes", "yes" if device.passes else "no"))
    bars = []
    ends = []
    if device.predicted is not None:
        ends.append(device.predicted.high_ms)
    if device.measured is not None:
        ends.append(device.measured.p99_ms)
    end = max(ends, default=0) * 1.05 or 1.0
    if device.predicted is not None:
        low, mid, high = device.predicted.low_ms, device.predicted.mid_ms, device.predicted.high_ms
        facts.append(
            (
                f"predicted on {device.device}",
                f"{low:.2f} to {high:.2f} ms a frame, most likely {mid:.2f} "
                f"(basis: {device.predicted.basis})",
            )
        )
        bars.append(_latency_bar(f"predicted, {device.device}", "c1", low, mid, high, end))
    if device.measured is not None:
        p50, p90, p99 = device.measured.p50_ms, device.measured.p90_ms, device.measured.p99_ms
        facts.append(
            (
                "measured on this machine",
                f"p50 {p50:.2f}, p90 {p90:.2f}, p99 {p99:.2f} ms a frame "
                f"({device.measured.provider})",
            )
        )
        bars.append(_latency_bar("measured here, p50 to p99", "c4", p50, p90, p99, end))
    body = _definitions(facts) + f'<div class="latency">{"".join(bars)}</div>'
    body += _records(device.networks)
    text = "1 MAC counts as 2 operations. The prediction is an interval, not a promise."
    return _section(f"Profile: {device.device}", text, body)


def _latency_bar(
    label: str, color: str, low_ms: float, mark_ms: float, high_ms: float, end_ms: float
) -> str:
    left, width, mark = (
        100 * value / end_ms for value in (low_ms, max(0.0, high_ms - low_ms), mark_ms)
    )
    return (
        f'<span>{escape(label)}</span><div class="track">'
        f'<i class="{color}" style="left:{left:.2f}%;width:{width:.2f}%"></i>'
        f'<b style="left:{mark:.2f}%"></b></div>'
    )


def _records(rows: Sequence[Mapping[str, str | int | float | bool | None]]) -> str:
    """A table of whatever columns the rows have, in the order they first appear."""
    if not rows:
        return ""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in columns)
    body = [
        "<tr>" + "".join(f"<td>{escape(_cell(row.get(name)))}</td>" for name in columns) + "</tr>"
        for row in rows
    ]
    return _table(head, body)


def _cell(value: str | int | float | bool | None) -> str:
    if value is None:
        return NOT_MEASURED
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return _section("Notes", "", f'<ul class="notes">{items}</ul>')


def _how(data: ReportData) -> str:
    commands = "\n".join(escape(command) for command in data.commands)
    body = _definitions(data.facts) + (
        f"<h3>Commands</h3><pre>{commands}</pre>" if commands else ""
    )
    return _section("How this was made", "", body)


def _section(title: str, text: str, body: str) -> str:
    intro = f'<p class="soft">{escape(text)}</p>' if text else ""
    return f"<section><h2>{escape(title)}</h2>{intro}{body}</section>"


def _table(head: str, rows: Iterable[str]) -> str:
    body = "".join(rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _definitions(pairs: Iterable[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f"<dl>{items}</dl>"


def _strategy_color(strategy: str) -> str:
    return _STRATEGY_COLORS.get(strategy, "c4")


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
