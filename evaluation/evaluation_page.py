"""One self-contained HTML page about an evaluation: curves and tables, no script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from .comparison import Comparison
from .curve_figure import curve_figure
from .evaluate import ClipResult, Evaluation
from .evaluation_tables import (
    LEGEND,
    choice_table,
    every_clip_table,
    mean_tables,
    notes,
    point_table,
    speed_table,
)
from .report_figure import DARK, LIGHT
from .report_style import STYLE
from .tables import Table


def render_page(
    title: str,
    evaluation: Evaluation,
    comparison: Comparison,
    facts: Sequence[tuple[str, str]],
) -> str:
    """The page as HTML. Every text is escaped."""
    sections = [_section("Mean BD-rate", LEGEND, _tables(mean_tables(comparison)))]
    for clip in evaluation.clips:
        sections.append(_clip_section(clip))
    per_clip = every_clip_table(evaluation, comparison)
    sections.append(_section("BD-rate of each clip", LEGEND, _tables(per_clip)))
    last = [speed_table(evaluation), choice_table(evaluation)]
    sections.append(_section("Speed and choices", "", _tables([table for table in last if table])))
    told = notes(evaluation, comparison)
    if told:
        items = "".join(f"<li>{escape(note)}</li>" for note in told)
        sections.append(_section("Notes", "", f'<ul class="notes">{items}</ul>'))
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    sections.append(_section("How this was made", "", f"<dl>{listed}</dl>"))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(sections) + "\n</main>\n</body>\n</html>\n"
    )


def _clip_section(clip: ClipResult) -> str:
    about = (
        f"{clip.width}x{clip.height}, {clip.bit_depth} bit, {clip.frames} frames at "
        f"{clip.frame_rate:.3f} a second. Up and to the left is better."
    )
    picture = ""
    if any(system.points for system in clip.systems):
        light, dark = (_data_url(curve_figure(clip, theme)) for theme in (LIGHT, DARK))
        picture = (
            '<div class="scroll"><picture class="wide">'
            f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
            f'<img src="{light}" alt="Quality of every system over its bitrate"></picture></div>'
        )
    table = point_table(clip)
    folded = f"<details><summary>every point</summary>{table.to_html()}</details>"
    return _section(clip.name, about, picture + folded)


def _tables(tables: Sequence[Table]) -> str:
    return "".join(f"<h3>{escape(table.title)}</h3>{table.to_html()}" for table in tables)


def _section(title: str, text: str, body: str) -> str:
    intro = f'<p class="soft">{escape(text)}</p>' if text else ""
    return f"<section><h2>{escape(title)}</h2>{intro}{body}</section>"


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
