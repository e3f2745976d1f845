"""What an encode tells while it runs and when it is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class EncodeProgress:
    """`done` is the share of the video that is finished, 0 to 1."""

    stage: str
    done: float
    detail: str = ""


@dataclass(frozen=True)
class TrialReport:
    """Something that was encoded to see whether to use it."""

    strategy: str
    codec: str | None
    setting: int
    bits: int
    psnr: float


@dataclass(frozen=True)
class SceneReport:
    """How a scene was coded.

    `start` is seconds from the first frame, `bits` its chunk's size in the file, `psnr` the mean
    over its frames of (6 Y + U + V) / 8 in dB. `enhanced_frames` counts frames that the enhancer
    improves. `skipped` says which ways were not followed to the end, and why.
    """

    start: float
    frames: int
    strategy: str
    codec: str | None
    bits: int
    psnr: float
    setting: int
    enhanced_frames: int
    trials: tuple[TrialReport, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class EncodeReport:
    """A finished stream, measured on its decoded bytes.

    `bytes` is the file's size; `bitrate_mbps` is everything in it but audio and subtitles, over
    the video's duration. `psnr` (dB) and `ssim` are means over frames. `target_met` is None
    where nothing was asked that could be missed.
    """

    file: str
    bytes: int
    frames: int
    duration_s: float
    bitrate_mbps: float
    other_streams_mbps: float
    psnr: float
    ssim: float
    encode_fps: float
    target_met: bool | None
    scenes: tuple[SceneReport, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON takes it."""
        return asdict(self)
