"""Every device in one table: the same networks, counted once, predicted for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..runtime.errors import EdgecodecError, GateError
from .counted import CountedModels
from .device import DeviceProfile
from .frame import Verdict, interval_dict
from .predictor import predictor
from .providers import Measured
from .report import ProfileReport, report_on
from .roofline import Interval
from .size import FrameSize

COMPARISON_HEADINGS = (
    *("device", "slowest network", "its ms (low / mid / high)", "bound by", "its frames/s"),
    *("all stages' frames/s", "verdict", "decided by", "basis"),
)


@dataclass(frozen=True)
class ComparedDevice:
    """One device's line: its slowest network, and the frame that takes longest."""

    device: DeviceProfile
    network: str
    predicted: Interval
    bound: str
    dispatch_ms: float
    fps: float
    headroom: float
    verdict: Verdict
    bottleneck: str

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "device": self.device.name,
            "basis": self.device.basis.value,
            "slowest_network": self.network,
            "predicted_ms": interval_dict(self.predicted),
            "bound": self.bound,
            "dispatch_ms": self.dispatch_ms,
            "fps": self.fps,
            "headroom": self.headroom,
            "verdict": self.verdict.value,
            "passes": self.verdict.passes,
            "bottleneck": self.bottleneck,
        }


@dataclass(frozen=True)
class Comparison:
    """Devices side by side, the fastest first; `left_out` says why others are not there."""

    tier: str
    size: FrameSize
    target_fps: float
    sustained: float | None
    rows: tuple[ComparedDevice, ...]
    left_out: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "tier": self.tier,
            "size": {"width": self.size.width, "height": self.size.height},
            "target_fps": self.target_fps,
            "sustained": self.sustained,
            "devices": [row.to_dict() for row in self.rows],
            "left_out": dict(self.left_out),
        }


def compare_devices(
    models: CountedModels,
    devices: Sequence[DeviceProfile],
    fps: float,
    sustained: float | None = None,
) -> Comparison:
    """The same networks on every device. Nothing is measured; this machine is probed."""
    rows, left_out = [], {}
    for device in devices:
        try:
            report = report_on(
                models, device, fps, predictor(device), Measured({}, {}), sustained=sustained
            )
        except EdgecodecError as error:
            left_out[device.name] = str(error)
        else:
            rows.append(_row(report))
    rows.sort(key=lambda row: row.predicted.mid)
    return Comparison(models.tier, models.size, fps, sustained, tuple(rows), left_out)


def comparison_cells(row: ComparedDevice) -> tuple[str, ...]:
    """One device's line under `COMPARISON_HEADINGS`."""
    low, mid, high = row.predicted.low, row.predicted.mid, row.predicted.high
    return (
        row.device.name,
        row.network,
        f"{low:.2f} / {mid:.2f} / {high:.2f}",
        row.bound,
        f"{1000 / mid:.1f}",
        f"{row.fps:.1f}",
        row.verdict.value,
        row.bottleneck,
        row.device.basis.value,
    )


def check_all_min_fps(comparison: Comparison, min_fps: float) -> None:
    """Raise `GateError` naming the devices whose middle estimate is below `min_fps` frames/s."""
    slow = [f"{row.device.name} ({row.fps:.1f})" for row in comparison.rows if row.fps < min_fps]
    if slow:
        raise GateError(f"below --min-fps {min_fps:g} are {', '.join(slow)} frames/s")


def _row(report: ProfileReport) -> ComparedDevice:
    heaviest = max(report.networks, key=lambda network: network.predicted.mid)
    return ComparedDevice(
        device=report.device,
        network=heaviest.name,
        predicted=heaviest.predicted,
        bound=heaviest.prediction.bound,
        dispatch_ms=heaviest.prediction.dispatch_ms,
        fps=report.fps,
        headroom=report.headroom,
        verdict=report.verdict,
        bottleneck=report.slowest.frame.bottleneck.name,
    )
