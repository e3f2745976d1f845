"""What an encode aims at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BitrateTarget:
    """An average over the video, in bits a second; audio and subtitles are not counted in it."""

    bits_per_second: float

    def __post_init__(self) -> None:
        if not self.bits_per_second > 0:
            raise ValueError(f"a bitrate of {self.bits_per_second} bits a second is not positive")


@dataclass(frozen=True)
class QualityTarget:
    """A constant quality, 0 (smallest stream) to 100, on a scale that every codec maps to its own
    quantiser."""

    quality: float

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 100:
            raise ValueError(f"quality {self.quality} is outside of 0 to 100")


@dataclass(frozen=True)
class PsnrTarget:
    """A mean over each scene's frames of (6 Y + U + V) / 8, in dB."""

    db: float

    def __post_init__(self) -> None:
        if not self.db > 0:
            raise ValueError(f"a PSNR of {self.db} dB is not positive")


Target = BitrateTarget | QualityTarget | PsnrTarget
