"""What an encode aims at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Metric(Enum):
    """How the likeness of decoded frames and the source's is measured, frame by frame.

    PSNR is (6 Y + U + V) / 8 in dB, SSIM that of ffmpeg's `ssim` filter with the planes weighted
    by their samples, VMAF libvmaf's `vmaf_v0.6.1`.
    """

    PSNR = "psnr"
    SSIM = "ssim"
    VMAF = "vmaf"


class Scope(Enum):
    """What must reach a metric's value: the mean over all frames of the video, or every scene's
    own mean, so that the worst scene reaches it too."""

    MEAN = "mean"
    WORST = "worst"


@dataclass(frozen=True)
class BitrateTarget:
    """An average over the video, in bits a second; audio and subtitles are not counted in it."""

    bits_per_second: float

    def __post_init__(self) -> None:
        if not 0 < self.bits_per_second < float("inf"):
            raise ValueError(
                f"a bitrate of {self.bits_per_second} bits a second is not positive and finite"
            )


@dataclass(frozen=True)
class SizeTarget:
    """The largest size of the whole file in bytes, audio and subtitles included: as much of it
    is used as can be, and it is never exceeded."""

    bytes: int

    def __post_init__(self) -> None:
        if not self.bytes > 0:
            raise ValueError(f"a size of {self.bytes} bytes is not positive")


@dataclass(frozen=True)
class QualityTarget:
    """A constant quality, 0 (smallest stream) to 100, on a scale that every codec maps to its own
    quantiser."""

    quality: float

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 100:
            raise ValueError(f"quality {self.quality} is outside of 0 to 100")


@dataclass(frozen=True)
class MetricTarget:
    """A measured likeness to the source that the smallest possible stream shall have.

    `value` is in dB, above 0 to 100, for PSNR; between 0 and 1 for SSIM; above 0 to 100 for VMAF.
    `scope` says whether the video's mean or every scene must reach it.
    """

    metric: Metric
    value: float
    scope: Scope = Scope.MEAN

    def __post_init__(self) -> None:
        name = self.metric.name
        if self.metric is Metric.SSIM:
            if not 0 < self.value < 1:
                raise ValueError(f"SSIM {self.value} is not between 0 and 1")
        elif not 0 < self.value <= 100:
            unit = " dB" if self.metric is Metric.PSNR else ""
            raise ValueError(f"{name} {self.value}{unit} is not above 0 and at most 100")


Target = BitrateTarget | SizeTarget | QualityTarget | MetricTarget
"""What an encode may aim at."""
