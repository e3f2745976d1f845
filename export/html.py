"""An export as one HTML file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .gates import gate_failures
from .manifest import Manifest, NetworkEntry

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { border-bottom: 1px solid #8884; padding: .35rem .6rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.pass { color: #176f2c; } .fail { color: #b3261e; }
svg { width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e4e4e4; } .pass { color: #6fd38a; } .fail { color: #ff8a80; }
}
"""
_WIDTH, _LEFT, _RIGHT, _ROW = 960, 120, 130, 24

Row = Sequence[str]


def html_report(manifest: Manifest) -> str:
    """The export's page."""
    exact = ", exact arithmetic" if manifest.arithmetic == "exact" else ""
    size = manifest.size or "any size"
    precision = manifest.precision.upper()
    title = f"{precision} for {manifest.target}, tier {manifest.tier}, {size}{exact}"
    failures = gate_failures(manifest)
    gates = "".join(f'<p class="fail"><strong>FAIL</strong>: {escape(f)}</p>' for f in failures)
    networks = "\n".join(_network(network) for network in manifest.networks)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
{gates or '<p class="pass"><strong>PASS</strong>: every gate that was asked for.</p>'}
{_losses(manifest)}
{_artefacts(manifest)}
{networks}
<h2>Made with</h2>
{_table(("tool", "version"), list(manifest.tools.items()))}
{_clips(manifest)}
</body></html>
"""


def write_html(manifest: Manifest, file: Path) -> None:
    """Write the page to `file`, whole or not at all."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        partial.write_text(html_report(manifest), encoding="utf-8")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _losses(manifest: Manifest) -> str:
    head = ("network", "clip", "FP32 dB", "INT8 dB", "drop dB", "MS-SSIM FP32", "MS-SSIM INT8")
    rows = [
        (
            network.name,
            clip.name,
            _number(clip.psnr_fp32, 3),
            _number(clip.psnr_int8, 3),
            _number(clip.drop_db, 4),
            _number(clip.ms_ssim_fp32, 5),
            _number(clip.ms_ssim_int8, 5),
        )
        for network in manifest.networks
        for clip in network.clips
    ]
    return f"<h2>Loss</h2>{_table(head, rows)}" if rows else ""


def _artefacts(manifest: Manifest) -> str:
    head = ("network", "device", "file", "bytes", "seconds", "differing", "largest", "tool")
    rows = [
        (
            artefact.network,
            artefact.device,
            artefact.file or "-",
            f"{artefact.bytes or 0:,}",
            f"{artefact.seconds:.1f}",
            f"{100 * artefact.difference.share:.3f} %" if artefact.difference else "not run",
            str(artefact.difference.largest) if artefact.difference else "-",
            artefact.tool,
        )
        for network in manifest.networks
        for artefact in network.artefacts
    ]
    return f"<h2>Devices</h2>{_table(head, rows)}" if rows else ""


def _network(network: NetworkEntry) -> str:
    placements = [
        (p.provider, f"{p.percent:.1f} %", ", ".join(f"{n} {op}" for op, n in p.kernels.items()))
        for p in network.placements or (network.placement,)
    ]
    notes = "".join(f"<p>{escape(f'{s}: {note}')}</p>" for s, note in network.notes.items())
    return f"""<h2>{escape(network.name)}</h2>
<p>{network.parameters:,} parameters, model {escape(network.model_id)},
{escape(network.file)} has {network.bytes or 0:,} bytes{_integers(network)}.</p>
{_table(("provider", "nodes on it", "kernels"), placements)}
{_ranking(network.sensitivity, network.promoted)}
{notes}"""


def _integers(network: NetworkEntry) -> str:
    if not network.arithmetic:
        return ""
    return escape(f"; {network.arithmetic} integers, rounding {network.rounding}")


def _ranking(report: Mapping[str, Any] | None, promoted: Sequence[str]) -> str:
    """A bar for each layer: what is lost with only that one in INT8."""
    if report is None or not report["ranking"]:
        return ""
    layers = report["ranking"]
    most = max(0.001, *(layer["drop_db"] for layer in layers))
    scale = (_WIDTH - _LEFT - _RIGHT) / most

    def bars() -> Iterator[str]:
        for index, layer in enumerate(layers):
            y = 6 + _ROW * index
            width = max(1.0, scale * max(0.0, layer["drop_db"]))
            colour = "#b3261e" if layer["layer"] in promoted else "#5b8def"
            yield (
                f'<text x="0" y="{y + 13}">{escape(layer["layer"])}</text>'
                f'<rect x="{_LEFT}" y="{y + 2}" width="{width:.1f}" height="14" fill="{colour}"/>'
                f'<text x="{_LEFT + width + 6:.1f}" y="{y + 13}">{layer["drop_db"]:.4f} dB,'
                f" {100 * layer['macs_share']:.0f} % of MACs</text>"
            )

    height = 12 + _ROW * len(layers)
    tried = [
        (
            ", ".join(each["promoted"]) or "none",
            f"{100 * each['macs_share']:.0f} %",
            f"{each['psnr_db']:.3f}",
            f"{each['drop_db']:.4f}",
        )
        for each in report["pareto"]
    ]
    head = (f"layers in {report['promotion']}", "share of MACs", "PSNR dB", "drop dB")
    return (
        "<p>Lost with only that layer in INT8; red: it got more bits.</p>"
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="loss by layer">'
        f"{''.join(bars())}</svg>{_table(head, tried)}"
    )


def _clips(manifest: Manifest) -> str:
    rows = [("loss", file.name, file.sha256) for file in manifest.measured_on.files]
    rows += [("calibration", file.name, file.sha256) for file in manifest.calibrated_on]
    return f"<h2>Clips</h2>{_table(('for', 'file', 'SHA-256'), rows)}" if rows else ""


def _table(head: Row, rows: Sequence[Row]) -> str:
    heading = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
