"""Words and numbers that every human-readable report shares."""

from __future__ import annotations

from .advice import Advice
from .frame import Stage, Verdict
from .network import NetworkProfile
from .report import SEED_TERA_OPERATIONS, ProfileReport
from .roofline import Interval, LayerTime
from .timing import Measurement

HEADINGS = (
    *("network", "GMAC", "kMAC/px", "TOP/frame", "parameters", "activations MB"),
    *("predicted ms (low / mid / high)", "here ms (p50 / p90 / p99)", "placement here"),
)
LAYER_HEADINGS = ("layer", "op", "ms", "share", "bound by")
MEASURED_HEADINGS = ("network", "provider", "p50 / p90 / p99 ms", "runs", "peak MB", "placement")
_KERNELS = 3
_SAVES = 0.97
_VERDICTS = {
    Verdict.PASS: "PASS, with the whole interval",
    Verdict.LIKELY: "PASS by the middle estimate; the slow end of the interval fails",
    Verdict.UNLIKELY: "FAIL by the middle estimate; the fast end of the interval passes",
    Verdict.FAIL: "FAIL, with the whole interval",
}


def network_cells(network: NetworkProfile) -> tuple[str, ...]:
    """One network's line under `HEADINGS`."""
    measured, placement = network.measured, network.placement
    return (
        network.name,
        f"{network.cost.macs * 1e-9:.3f}",
        f"{network.macs_per_pixel * 1e-3:.3f}",
        f"{network.tops:.4f}",
        f"{network.cost.parameters:,}",
        f"{network.cost.activation_bytes * 1e-6:.1f}",
        interval_text(network.predicted, 2),
        f"{measured.p50_ms:.1f} / {measured.p90_ms:.1f} / {measured.p99_ms:.1f}"
        if measured
        else "not measured",
        _percent(placement.percent, placement.provider) if placement else "unknown",
    )


def layer_cells(layer: LayerTime, network: NetworkProfile) -> tuple[str, ...]:
    """One layer's line under `LAYER_HEADINGS`."""
    share = layer.ms / network.prediction.interval.mid
    return layer.layer.name, layer.layer.op, f"{layer.ms:.3f}", f"{share:.0%}", layer.bound


def measured_cells(network: str, measurement: Measurement) -> tuple[str, ...]:
    """One measurement's line under `MEASURED_HEADINGS`."""
    timing, placement, peak = (
        measurement.timing,
        measurement.placement,
        measurement.peak_memory_bytes,
    )
    times = f"{timing.p50_ms:.1f} / {timing.p90_ms:.1f} / {timing.p99_ms:.1f}"
    return (
        network,
        _short(timing.provider),
        f"simulated in {timing.p50_ms:.0f} (no speed)" if timing.simulated else times,
        str(timing.runs),
        f"{peak * 1e-6:.0f}" if peak else "-",
        _percent(placement.percent, placement.provider) if placement else "unknown",
    )


def interval_text(interval: Interval, digits: int) -> str:
    """Low, mid and high."""
    return " / ".join(
        f"{value:.{digits}f}" for value in (interval.low, interval.mid, interval.high)
    )


def verdict_line(report: ProfileReport) -> str:
    """Pass or fail, of which frame, and with how much to spare."""
    frame = report.slowest.frame
    bottleneck, interval = frame.bottleneck, frame.interval
    word = _VERDICTS[report.verdict]
    if bottleneck.impossible:
        return f"{word}: {bottleneck.name}: {bottleneck.note}."
    return (
        f"{word}: slowest frame ({report.slowest.name}) {report.fps:.1f} frames/s, between"
        f" {1000 / interval.high:.1f} and {1000 / interval.low:.1f}, against"
        f" {report.target_fps:g} asked: {report.headroom:.2g} times enough."
        f" {bottleneck.name.capitalize()} decides."
    )


def stage_line(stage: Stage) -> str:
    """One stage of a frame."""
    if stage.ms is None:
        return f"{stage.name} ({stage.runs_on}): {stage.note}"
    if stage.ms.low == stage.ms.high:
        return f"{stage.name} ({stage.runs_on}): {stage.ms.mid:.2f} ms; {stage.ms.basis}"
    return f"{stage.name} ({stage.runs_on}): {interval_text(stage.ms, 2)} ms; {stage.note}"


def verdict(report: ProfileReport) -> tuple[str, ...]:
    """What the numbers come to, how they are known and where they may be wrong."""
    slowest = report.slowest
    low, high = SEED_TERA_OPERATIONS
    lines = [
        f"Most operations in a frame: {report.tops_per_frame:.4f} tera-operations"
        f" ({report.tops_per_frame * report.target_fps:.2f} TOPS at {report.target_fps:g} fps),"
        f" {report.tops_per_frame / low:.1%} of the {low:g} to {high:g} a frame that a 40-TOPS"
        " device was to be given.",
        verdict_line(report),
        *(f"Of that frame, side by side: {stage_line(each)}." for each in slowest.frame.stages),
        f"{slowest.name} is bound by {slowest.prediction.bound};"
        f" {slowest.prediction.dispatch_ms:.2f} ms of it are dispatch. {_nearest(slowest)}",
    ]
    if report.sustained:
        lines.append(
            f"Sustained, an assumption: the device keeps {report.sustained:.0%} of its short-run"
            " speed. No source gives that for this network."
        )
    lines.append(
        "Not in the prediction: copies between the stages, display, other load, heat"
        f"{'' if report.sustained else ' (--sustained assumes some)'}."
        " A label's TOPS are not what a network gets."
    )
    lines += (
        f"Nor what some streams ask for beside it: {stage_line(each)}." for each in report.uncounted
    )
    if label := report.device.label:
        lines.append(f"Label: {label.tops:g} TOPS ({label.meaning}); {label.source}.")
    return tuple(lines)


def advice_line(advice: Advice) -> str:
    """A change with what it is predicted to do."""
    times = f"{advice.before_ms:.2f} to {advice.after_ms:.2f} ms"
    if advice.ratio <= _SAVES:
        return f"{advice.text}: {1 - advice.ratio:.0%} less ({times})"
    if advice.ratio < 1 / _SAVES:
        return f"{advice.text}: no effect ({times})"
    return f"{advice.text}: {advice.ratio - 1:.0%} MORE ({times})"


def kernel_lines(report: ProfileReport) -> tuple[str, ...]:
    """The slowest kernels that were measured here, a line for each network and provider."""
    return tuple(
        f"Slowest kernels of {network.name} on {_short(each.timing.provider)}: "
        + ", ".join(f"{k.name} ({k.op}) {k.ms:.2f} ms" for k in each.layers[:_KERNELS])
        for network in report.networks
        for each in network.measurements
        if each.layers
    )


def missing_line(provider: str, reason: str) -> str:
    """A provider that measured nothing."""
    return f"{provider} did not measure here: {reason}"


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")


def _percent(percent: float, provider: str) -> str:
    return f"{percent:.0f} % {_short(provider)}"


def _nearest(network: NetworkProfile) -> str:
    parts = [
        f"{item.network} ({item.gmacs:g} GMAC) x{item.predicted_over_measured:.2f}"
        for item in network.prediction.nearest
    ]
    if not parts:
        return ""
    return f"Nearest measured networks, predicted/measured: {', '.join(parts)}."
