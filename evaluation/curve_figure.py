"""One clip's rate-quality curves, a panel for each metric."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .comparison import METRICS, CurveMetric
from .evaluate import ClipResult, SystemResult
from .points import MeasuredPoint
from .report_data import SystemKind
from .report_figure import Theme, dress

_SHOWN = ("psnr", "ssim", "vmaf")
_OUR_LINES = ("-", "--", ":", "-.")


def curve_figure(clip: ClipResult, theme: Theme) -> bytes:
    """A PNG with PSNR, SSIM and, where it was measured, VMAF over bitrate."""
    measured = [point for system in clip.systems for point in system.points]
    metrics = [metric for metric in METRICS if metric.name in _SHOWN and _has(measured, metric)]
    figure = Figure(figsize=(5.2 * len(metrics) + 1, 4.6), dpi=100, facecolor=theme.background)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    styles = _styles(clip.systems, theme)
    for axes, metric in zip(panels, metrics, strict=True):
        for system in clip.systems:
            color, line = styles[system.name]
            points = sorted(system.points, key=lambda point: point.bitrate_mbps)
            axes.plot(
                [point.bitrate_mbps for point in points],
                [metric.value(point) for point in points],
                label=system.name,
                color=color,
                linestyle=line,
                marker="o",
                markersize=4,
                linewidth=2.2 if system.kind is SystemKind.EDGECODEC else 1.4,
                zorder=4 if system.kind is SystemKind.EDGECODEC else 3,
            )
        dress(axes, metric.title, [point.bitrate_mbps for point in measured], theme)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="lower center",
        ncols=len(labels),
        frameon=False,
        labelcolor=theme.text,
        fontsize=9.5,
    )
    figure.tight_layout(rect=(0, 0.07, 1, 1), w_pad=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=theme.background, metadata={"Software": None})
    return buffer.getvalue()


def _has(points: Sequence[MeasuredPoint], metric: CurveMetric) -> bool:
    return bool(points) and all(metric.value(point) is not None for point in points)


def _styles(systems: Sequence[SystemResult], theme: Theme) -> dict[str, tuple[str, str]]:
    """Colour and line of each system: ours share the theme's own colour."""
    styles = {}
    ours = others = 0
    for system in systems:
        if system.kind is SystemKind.EDGECODEC:
            styles[system.name] = (theme.ours, _OUR_LINES[ours % len(_OUR_LINES)])
            ours += 1
        else:
            styles[system.name] = (theme.others[others % len(theme.others)], "-")
            others += 1
    return styles
