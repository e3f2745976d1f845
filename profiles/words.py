"""Words and numbers that every human-readable report shares."""

from __future__ import annotations

from .report import NetworkProfile, ProfileReport

HEADINGS = (
    *("network", "GMAC", "kMAC/px", "TOP/frame", "parameters", "activations MB"),
    *("predicted ms (low / mid / high)", "here ms (p50 / p90 / p99)", "placement here"),
)


def network_cells(network: NetworkProfile) -> tuple[str, ...]:
    """One network's line under `HEADINGS`."""
    predicted, measured = network.predicted, network.measured
    times = (
        f"{measured.p50_ms:.1f} / {measured.p90_ms:.1f} / {measured.p99_ms:.1f}"
        if measured
        else "not measured"
    )
    return (
        network.name,
        f"{network.cost.macs * 1e-9:.3f}",
        f"{network.macs_per_pixel * 1e-3:.3f}",
        f"{network.tops:.4f}",
        f"{network.cost.parameters:,}",
        f"{network.cost.activation_bytes * 1e-6:.1f}",
        f"{predicted.low:.2f} / {predicted.mid:.2f} / {predicted.high:.2f}",
        times,
        _placement(network),
    )


def verdict(report: ProfileReport) -> tuple[str, ...]:
    """What the numbers come to, how they are known and where they may be wrong."""
    slowest = report.slowest
    low, mid, high = (
        1000 / ms for ms in (slowest.predicted.high, slowest.predicted.mid, slowest.predicted.low)
    )
    word = "PASS" if report.passes else "FAIL"
    lines = [
        f"Most operations in a frame: {report.tops_per_frame:.4f} tera-operations"
        f" ({report.tops_per_frame * report.target_fps:.2f} TOPS at {report.target_fps:g} fps).",
        f"{word}: slowest frame ({slowest.name}) {mid:.1f} frames/s, between {low:.1f} and"
        f" {high:.1f}, against {report.target_fps:g} asked.",
        f"Basis: {slowest.predicted.basis}.",
    ]
    if slowest.prediction:
        lines.append(f"Bound by {slowest.prediction.bound}; {_nearest(slowest)}")
        lines.append(
            "Not in the prediction: base decoding, entropy decoding, copies, heat."
            " A label's TOPS are not what a network gets."
        )
    if label := report.device.label:
        lines.append(f"Label: {label.tops:g} TOPS ({label.meaning}); {label.source}.")
    return tuple(lines)


def _placement(network: NetworkProfile) -> str:
    """Where the nodes ran, in a few words."""
    placement = network.placement
    if not placement:
        return "unknown"
    provider = placement.provider.removesuffix("ExecutionProvider")
    return f"{placement.percent:.0f} % {provider}"


def _nearest(network: NetworkProfile) -> str:
    assert network.prediction is not None
    parts = [
        f"{item.network} ({item.gmacs:g} GMAC) x{item.predicted_over_measured:.2f}"
        for item in network.prediction.nearest
    ]
    return f"nearest measured networks, predicted/measured: {', '.join(parts)}."
