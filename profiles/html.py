"""A profile as one HTML file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from .charts import interval_chart, layer_chart, roofline_chart
from .report import ProfileReport
from .words import (
    HEADINGS,
    MEASURED_HEADINGS,
    advice_line,
    kernel_lines,
    measured_cells,
    missing_line,
    network_cells,
    verdict,
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .35rem .6rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.pass { color: #176f2c; } .fail { color: #b3261e; }
svg { width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e4e4e4; } .pass { color: #6fd38a; } .fail { color: #ff8a80; }
}
"""


def html_report(report: ProfileReport) -> str:
    """The report's page."""
    title = f"{report.device.title}, {report.size} at {report.target_fps:g} fps"
    outcome = "pass" if report.passes else "fail"
    heaviest = max(report.networks, key=lambda network: network.predicted.mid)
    measured = [
        measured_cells(network.name, each)
        for network in report.networks
        for each in network.measurements
    ]
    missing = [missing_line(*item) for item in report.missing.items()]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="{outcome}"><strong>{outcome.upper()}</strong>: {report.fps:.1f} frames/s of
{report.target_fps:g}. 1 MAC = 2 operations; for any one frame exactly one network runs.</p>
<h2>Predicted time of each network</h2>
<p>Band: the interval; line: its middle; dot: p50 here, where the device is this machine.</p>
{interval_chart(report)}
{_table(HEADINGS, (network_cells(network) for network in report.networks))}
{_paragraphs(verdict(report))}
<h2>Layers of {escape(heaviest.name)}</h2>
{layer_chart(heaviest)}
<h2>Roofline of {escape(heaviest.name)}</h2>
<p>Each dot is a layer at its predicted speed; the lines are the device's figures.</p>
{roofline_chart(report, heaviest)}
<h2>What would change {escape(heaviest.name)}</h2>
<ul>{"".join(f"<li>{escape(advice_line(each))}</li>" for each in report.advice)}</ul>
<h2>Measured here</h2>
{_table(MEASURED_HEADINGS, measured) if measured else "<p>Nothing was.</p>"}
{_paragraphs((*kernel_lines(report), *missing))}
</body></html>
"""


def write_html(report: ProfileReport, file: Path) -> None:
    """Write the page to `file`, whole or not at all."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        partial.write_text(html_report(report), encoding="utf-8")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _paragraphs(lines: Iterable[str]) -> str:
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)
