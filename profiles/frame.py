"""What a frame takes on a device: base decoding, entropy decoding and its network.

The three run beside each other on different frames (a video decoder, the CPU, the NPU), so the
slowest of them decides the rate, and their sum how long one frame is under way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from ..runtime.models import ModelEntry
from .device import Decoding, DeviceProfile
from .roofline import Interval
from .size import FrameSize

# A frame of 4:2:0 has 3/2 samples for each pixel.
_SAMPLES_PER_PIXEL = 1.5
# The input that holds the base's own frame.
_BASE = "cur"


class Verdict(StrEnum):
    """Whether the asked rate is met: by the whole interval, by its middle only, or not."""

    PASS = "pass"
    LIKELY = "likely"
    UNLIKELY = "unlikely"
    FAIL = "fail"

    @property
    def passes(self) -> bool:
        """Whether the middle estimate meets it."""
        return self in {Verdict.PASS, Verdict.LIKELY}


@dataclass(frozen=True)
class Stage:
    """One of the things that a frame waits for.

    `ms` is None where its time is not known; then `note` says what is. `impossible` says that the
    device does not do it at all at that size and rate.
    """

    name: str
    runs_on: str
    ms: Interval | None
    note: str
    impossible: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "name": self.name,
            "runs_on": self.runs_on,
            "ms": interval_dict(self.ms) if self.ms else None,
            "note": self.note,
            "impossible": self.impossible,
        }


@dataclass(frozen=True)
class FrameTime:
    """The stages of one network's frames; the last is the network itself."""

    stages: tuple[Stage, ...]

    @property
    def interval(self) -> Interval:
        """Milliseconds from one frame to the next: those of the slowest stage."""
        known = [stage.ms for stage in self.stages if stage.ms]
        slowest = max(known, key=lambda interval: interval.mid)
        return replace(
            slowest,
            low=max(interval.low for interval in known),
            high=max(interval.high for interval in known),
        )

    @property
    def bottleneck(self) -> Stage:
        """The stage that takes longest by its middle estimate, an impossible one before all."""
        return max(
            self.stages,
            key=lambda stage: (stage.impossible, stage.ms.mid if stage.ms else 0.0),
        )

    @property
    def delay_ms(self) -> float:
        """How long one frame is under way through all known stages (middle estimates)."""
        return sum(stage.ms.mid for stage in self.stages if stage.ms)

    def verdict(self, fps: float) -> Verdict:
        """Whether frames come at `fps` a second."""
        budget, interval = 1000 / fps, self.interval
        if self.bottleneck.impossible or interval.low > budget:
            return Verdict.FAIL
        if interval.mid > budget:
            return Verdict.UNLIKELY
        return Verdict.PASS if interval.high <= budget else Verdict.LIKELY

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "ms": interval_dict(self.interval),
            "delay_ms": self.delay_ms,
            "bottleneck": self.bottleneck.name,
            "stages": [stage.to_dict() for stage in self.stages],
        }


def sustained_interval(interval: Interval, factor: float | None) -> Interval:
    """`interval` on a device that keeps only `factor` of its short-run speed once it is warm."""
    if factor is None:
        return interval
    return replace(
        interval,
        low=interval.low / factor,
        mid=interval.mid / factor,
        high=interval.high / factor,
        basis=f"{interval.basis}; assumed to keep {factor:.0%} of that speed when warm",
        coverage=None,
    )


def base_stage(
    network: ModelEntry, size: FrameSize, fps: float, device: DeviceProfile
) -> Stage | None:
    """Decoding the base that a network mends, None for one that mends none.

    A decoder whose source states the most it does takes a frame's share of that; where none is
    stated it is taken to keep up.
    """
    ports = [port for port in network.inputs if port.name == _BASE]
    if not ports or ports[0].shape[1] is None:
        return None
    share = ports[0].shape[1] / (_SAMPLES_PER_PIXEL * ports[0].stride ** 2)
    side = round(1 / share**0.5)
    base = FrameSize(-(-size.width // side), -(-size.height // side))
    for decoder, runs_on in (
        (device.hardware_decode, "video decoder"),
        (device.software_decode, "CPU"),
    ):
        if decoder and decoder.takes(base, fps):
            return _decoding_stage(decoder, base, runs_on)
    what = f"{base} at {fps:g} frames/s"
    return Stage("base decoding", "video decoder", None, f"nothing decodes {what}", impossible=True)


def _decoding_stage(decoder: Decoding, base: FrameSize, runs_on: str) -> Stage:
    if decoder.size is None or decoder.fps is None:
        note = f"{', '.join(decoder.codecs)} of {base}; how fast is not known, real time is taken"
        return Stage("base decoding", runs_on, None, note)
    ms = 1000 * base.pixels / (decoder.size.pixels * decoder.fps)
    interval = Interval(ms, ms, ms, f"the most that its source states: {decoder}", None)
    return Stage("base decoding", runs_on, interval, f"{', '.join(decoder.codecs)} of {base}")


def interval_dict(interval: Interval) -> dict[str, Any]:
    """JSON types."""
    return {
        "low": interval.low,
        "mid": interval.mid,
        "high": interval.high,
        "basis": interval.basis,
        "coverage": interval.coverage,
    }
