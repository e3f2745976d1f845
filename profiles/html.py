"""A profile as one HTML file that needs nothing else."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from .report import NetworkProfile, ProfileReport
from .words import HEADINGS, network_cells, verdict

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
_WIDTH, _LEFT, _ROW = 960, 150, 34


def html_report(report: ProfileReport) -> str:
    """The report's page."""
    title = f"{report.device.title}, {report.size} at {report.target_fps:g} fps"
    outcome = "pass" if report.passes else "fail"
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    rows = "\n".join(_row(network) for network in report.networks)
    sentences = "\n".join(f"<p>{escape(line)}</p>" for line in verdict(report))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class="{outcome}"><strong>{outcome.upper()}</strong>: {report.fps:.1f} frames/s predicted.
1 MAC = 2 operations; for any one frame exactly one network runs.</p>
{_chart(report)}
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>
{sentences}
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


def _row(network: NetworkProfile) -> str:
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in network_cells(network))}</tr>"


def _chart(report: ProfileReport) -> str:
    """Each network's interval on one scale of milliseconds, and the frame's time as a line."""
    budget = 1000 / report.target_fps
    most = 1.08 * max(budget, *(network.predicted.high for network in report.networks))

    def x(ms: float) -> float:
        return _LEFT + (_WIDTH - _LEFT) * ms / most

    bars = []
    for index, network in enumerate(report.networks):
        y = 22 + _ROW * index
        low, mid, high = (
            x(ms) for ms in (network.predicted.low, network.predicted.mid, network.predicted.high)
        )
        bars.append(
            f'<text x="0" y="{y + 14}">{escape(network.name)}</text>'
            f'<rect x="{low:.1f}" y="{y + 4}" width="{high - low:.1f}" height="12"'
            f' fill="#5b8def" opacity=".45"/>'
            f'<rect x="{mid - 1.5:.1f}" y="{y}" width="3" height="20" fill="#1f5fd0"/>'
        )
    height = 30 + _ROW * len(report.networks)
    line = (
        f'<line x1="{x(budget):.1f}" x2="{x(budget):.1f}" y1="16" y2="{height}"'
        f' stroke="#b3261e" stroke-dasharray="4 3"/>'
        f'<text x="{x(budget):.1f}" y="12" text-anchor="end">{budget:.1f} ms a frame</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img"'
        f' aria-label="predicted milliseconds of each network">{"".join(bars)}{line}</svg>'
    )
