"""The rate-distortion picture of a report."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from .report_data import Curve, CurvePoint, SystemKind, SystemRow


@dataclass(frozen=True)
class Theme:
    """Colours of a picture that stands on a page's background."""

    background: str
    text: str
    grid: str
    ours: str
    others: tuple[str, ...]


LIGHT = Theme(
    "#ffffff",
    "#1c2430",
    "#d9dfe7",
    "#0b7a6b",
    ("#b4500f", "#3b5bdb", "#9c36b5", "#5c6b1e", "#c2255c", "#495057"),
)
DARK = Theme(
    "#161b22",
    "#dbe2ea",
    "#303844",
    "#3ddbc0",
    ("#ffa25c", "#8ea6ff", "#dd9bf0", "#c3d26b", "#ff8fb3", "#adb5bd"),
)


def rate_figure(curves: Sequence[Curve], systems: Sequence[SystemRow], theme: Theme) -> bytes:
    """A PNG with two panels over bitrate: PSNR and SSIM.

    `curves` are drawn as lines, `systems` as single marks; names that both hold share a colour.
    """
    figure = Figure(figsize=(11.4, 4.6), dpi=110, facecolor=theme.background)
    FigureCanvasAgg(figure)
    psnr_axes, ssim_axes = figure.subplots(1, 2)
    colors = _colors(curves, systems, theme)
    for axes, label, quality in (
        (psnr_axes, "PSNR, (6Y+U+V)/8, dB", _psnr),
        (ssim_axes, "SSIM", _ssim),
    ):
        _draw_curves(axes, curves, quality, colors)
        _draw_systems(axes, curves, systems, quality, colors, theme)
        rates = [row.bitrate_mbps for row in systems]
        rates += [point.bitrate_mbps for curve in curves for point in curve.points]
        dress(axes, label, rates, theme)
    handles, labels = psnr_axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="lower center",
        ncols=min(4, max(1, len(labels))),
        frameon=False,
        labelcolor=theme.text,
        fontsize=9.5,
    )
    legend_rows = -(-len(labels) // 4)
    figure.tight_layout(rect=(0, 0.04 + 0.05 * legend_rows, 1, 1), w_pad=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=theme.background, metadata={"Software": None})
    return buffer.getvalue()


_MARKERS = {SystemKind.EDGECODEC: "*", SystemKind.ANCHOR: "o", SystemKind.FORCED: "D"}
_Quality = Callable[[CurvePoint | SystemRow], float]


def _psnr(point: CurvePoint | SystemRow) -> float:
    return point.psnr


def _ssim(point: CurvePoint | SystemRow) -> float:
    return point.ssim


def _draw_curves(
    axes: Axes, curves: Sequence[Curve], quality: _Quality, colors: Mapping[str, str]
) -> None:
    for curve in curves:
        points = sorted(curve.points, key=lambda point: point.bitrate_mbps)
        axes.plot(
            [point.bitrate_mbps for point in points],
            [quality(point) for point in points],
            color=colors[curve.name],
            marker="o",
            markersize=4,
            linewidth=1.6,
        )


def _draw_systems(
    axes: Axes,
    curves: Sequence[Curve],
    systems: Sequence[SystemRow],
    quality: _Quality,
    colors: Mapping[str, str],
    theme: Theme,
) -> None:
    """A mark for each system; what lies far below the rest is set on the floor with its value."""
    floor = _floor(curves, systems, quality)
    below = 0
    for row in systems:
        value = quality(row)
        height = value if floor is None else max(value, floor)
        is_below = height > value
        axes.plot(
            [row.bitrate_mbps],
            [height],
            label=row.name,
            color=colors[row.name],
            linestyle="none",
            marker="v" if is_below else _MARKERS[row.kind],
            markersize=14 if row.kind is SystemKind.EDGECODEC else 8,
            markeredgecolor=theme.background,
            zorder=4 if row.kind is SystemKind.EDGECODEC else 3,
        )
        if is_below:
            below += 1
            axes.annotate(
                f"{value:.4g}",
                (row.bitrate_mbps, height),
                xytext=(0, 12 * below - 5),
                textcoords="offset points",
                ha="center",
                color=colors[row.name],
                fontsize=9,
            )


def _floor(
    curves: Sequence[Curve], systems: Sequence[SystemRow], quality: _Quality
) -> float | None:
    """Where the picture ends below: a forced strategy may lie so low that nothing else would
    show. None where everything is forced."""
    compared = [quality(row) for row in systems if row.kind is not SystemKind.FORCED]
    compared += [quality(point) for curve in curves for point in curve.points]
    if not compared:
        return None
    span = max(compared) - min(compared)
    return min(compared) - (span if span else 0.02 * abs(min(compared)))


def _colors(curves: Sequence[Curve], systems: Sequence[SystemRow], theme: Theme) -> dict[str, str]:
    """One colour for each name: ours keep the theme's own."""
    kinds = {row.name: row.kind for row in systems} | {curve.name: curve.kind for curve in curves}
    others = [name for name, kind in kinds.items() if kind is not SystemKind.EDGECODEC]
    palette = {name: theme.others[i % len(theme.others)] for i, name in enumerate(others)}
    return {name: palette.get(name, theme.ours) for name in kinds}


def dress(axes: Axes, label: str, rates: Sequence[float], theme: Theme) -> None:
    """Label the axes of a quality over bitrate, and colour them; `rates` is what is shown."""
    axes.set_facecolor(theme.background)
    axes.set_ylabel(label, color=theme.text)
    axes.set_xlabel("bitrate, Mb/s", color=theme.text)
    # A logarithmic axis only helps where it has room for several ticks.
    if rates and min(rates) > 0 and max(rates) / min(rates) > 3:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.grid(True, color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.text, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
