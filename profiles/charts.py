"""Pictures of a profile as SVG, which stand in a page without anything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from .device import Basis
from .network import NetworkProfile
from .report import ProfileReport
from .roofline import LayerTime
from .timing import Timing

_Scale = Callable[[float], float]

_WIDTH, _LEFT, _ROW = 960, 150, 34
_ROOF_HEIGHT, _MARGIN = 380, 52
_COLOURS = {"compute": "#1f5fd0", "memory": "#c77700", "overhead": "#8a5fb8"}
_BUDGET, _MEASURED = "#b3261e", "#176f2c"


def interval_chart(report: ProfileReport) -> str:
    """Each network's interval on one scale of milliseconds, and a frame's time.

    Where the device is this machine, the measured p50 too.
    """
    budget = 1000 / report.target_fps
    most = 1.08 * max(
        budget,
        *(network.predicted.high for network in report.networks),
        *(timing.p50_ms for network in report.networks if (timing := _timing(report, network))),
    )

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
        if timing := _timing(report, network):
            bars.append(
                f'<circle cx="{x(timing.p50_ms):.1f}" cy="{y + 10}" r="4"'
                f' fill="{_MEASURED}"><title>p50 here</title></circle>'
            )
    height = 30 + _ROW * len(report.networks)
    line = (
        f'<line x1="{x(budget):.1f}" x2="{x(budget):.1f}" y1="16" y2="{height}"'
        f' stroke="{_BUDGET}" stroke-dasharray="4 3"/>'
        f'<text x="{x(budget):.1f}" y="12" text-anchor="end">{budget:.1f} ms a frame</text>'
    )
    return _svg(height, "predicted milliseconds of each network", "".join(bars) + line)


def _timing(report: ProfileReport, network: NetworkProfile) -> Timing | None:
    return network.measured if report.device.basis is Basis.MEASURED else None


def layer_chart(network: NetworkProfile) -> str:
    """Each layer's predicted milliseconds, coloured by what it waits for."""
    layers = network.prediction.layers
    most = max((layer.ms for layer in layers), default=0.0) or 1.0
    left = 1.4 * _LEFT
    bars = []
    for index, layer in enumerate(layers):
        y, width = 26 + 24 * index, (_WIDTH - left - 70) * layer.ms / most
        label = escape(f"{layer.layer.name} ({layer.layer.op})")
        bars.append(
            f'<text x="0" y="{y + 13}">{label}</text>'
            f'<rect x="{left:.0f}" y="{y}" width="{width:.1f}" height="16"'
            f' fill="{_COLOURS.get(layer.bound, "#888")}"/>'
            f'<text x="{left + width + 6:.1f}" y="{y + 13}">{layer.ms:.3f} ms</text>'
        )
    title = f"predicted milliseconds of each layer of {network.name}"
    return _svg(34 + 24 * len(layers), title, _legend(left) + "".join(bars))


def roofline_chart(report: ProfileReport, network: NetworkProfile) -> str:
    """Layers by operations for each byte and tera-operations a second, under the device's roofs.

    The roofs are the profile's dense peak and memory bandwidth; one that the profile does not state
    is not drawn. Layers that count no operations are left out.
    """
    points = list(_points(network))
    if not points:
        return ""
    peak, gbps = report.device.dense_int8_tops, report.device.dram_gbps
    xs = [point[0] for point in points]
    ys = [point[1] for point in points] + ([peak.value] if peak else [])
    left, right = _decades(xs)
    bottom, top = _decades(ys)

    def x(value: float) -> float:
        share = (math.log10(value) - left) / (right - left)
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * share

    def y(value: float) -> float:
        share = (math.log10(value) - bottom) / (top - bottom)
        return _ROOF_HEIGHT - _MARGIN - (_ROOF_HEIGHT - 2 * _MARGIN) * share

    parts = [_grid(x, y, (left, right), (bottom, top))]
    if peak:
        parts.append(
            f'<line x1="{x(10**left):.1f}" x2="{x(10**right):.1f}" y1="{y(peak.value):.1f}"'
            f' y2="{y(peak.value):.1f}" stroke="{_COLOURS["compute"]}"/>'
            f'<text x="{x(10**right):.1f}" y="{y(peak.value) - 5:.1f}" text-anchor="end">'
            f"{peak.value:g} dense INT8 TOPS</text>"
        )
    if gbps:
        # From where the slope enters the picture to where it leaves it, or meets the peak.
        first = max(10**left, 10**bottom / (gbps.value * 1e-3))
        last = min(10**right, (peak.value if peak else 10**top) / (gbps.value * 1e-3))
        if first < last:
            parts.append(
                f'<line x1="{x(first):.1f}" y1="{y(first * gbps.value * 1e-3):.1f}"'
                f' x2="{x(last):.1f}" y2="{y(last * gbps.value * 1e-3):.1f}"'
                f' stroke="{_COLOURS["memory"]}"/>'
            )
        parts.append(
            f'<text x="{x(10**left) + 6:.1f}" y="{_MARGIN - 8}">slope: {gbps.value:g} GB/s</text>'
        )
    for intensity, tops, layer in points:
        parts.append(
            f'<circle cx="{x(intensity):.1f}" cy="{y(tops):.1f}" r="5" opacity=".8"'
            f' fill="{_COLOURS.get(layer.bound, "#888")}">'
            f"<title>{escape(layer.layer.name)}: {intensity:.0f} operations a byte,"
            f" {tops:.2f} TOPS</title></circle>"
        )
    return _svg(_ROOF_HEIGHT, f"roofline of {network.name}", "".join(parts))


def _points(network: NetworkProfile) -> Iterator[tuple[float, float, LayerTime]]:
    """Operations for each byte and tera-operations a second of the layers that count some."""
    size = network.cost.activation_bytes_each
    for time in network.prediction.layers:
        moved = time.layer.activation_elements * size + time.layer.weights * size
        if time.layer.macs and moved and time.ms:
            operations = 2 * time.layer.macs
            yield operations / moved, operations / (time.ms * 1e9), time


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Whole powers of ten around `values`."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.05))
    return low, max(high, low + 1)


def _grid(x: _Scale, y: _Scale, across: tuple[int, int], up: tuple[int, int]) -> str:
    lines = []
    for power in range(across[0], across[1] + 1):
        at = x(10.0**power)
        lines.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_MARGIN}" y2="{_ROOF_HEIGHT - _MARGIN}"'
            f' stroke="currentColor" opacity=".15"/>'
            f'<text x="{at:.1f}" y="{_ROOF_HEIGHT - _MARGIN + 18}" text-anchor="middle">'
            f"{10.0**power:g}</text>"
        )
    for power in range(up[0], up[1] + 1):
        at = y(10.0**power)
        lines.append(
            f'<line x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{at:.1f}" y2="{at:.1f}"'
            f' stroke="currentColor" opacity=".15"/>'
            f'<text x="{_MARGIN - 6}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        )
    lines.append(
        f'<text x="{_WIDTH / 2}" y="{_ROOF_HEIGHT - 8}" text-anchor="middle">operations for each'
        f' byte that a layer reads or writes</text><text x="0" y="14">TOPS</text>'
    )
    return "".join(lines)


def _legend(left: float) -> str:
    parts = []
    for index, (name, colour) in enumerate(_COLOURS.items()):
        at = left + 150 * index
        parts.append(
            f'<rect x="{at:.0f}" y="4" width="12" height="12" fill="{colour}"/>'
            f'<text x="{at + 18:.0f}" y="15">{name}</text>'
        )
    return "".join(parts)


def _svg(height: float, label: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f"{content}</svg>"
    )
