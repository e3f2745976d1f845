"""One encode, measured: what it asked for, what came out, and what its decoded frames score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SceneChoice:
    """How many scenes of an edgecodec stream were coded in one way, and their frames.

    `codec` is "" where a strategy needs none; `way` is what the encoder calls the codec's
    variant, `scene_class` what it took the scenes for; either may be "" where it does not say.
    `adaptation` is what networks were fitted by: "", "code", "title" or "title+code".
    """

    strategy: str
    codec: str
    way: str
    scene_class: str
    scenes: int
    frames: int
    adaptation: str = ""


@dataclass(frozen=True)
class MeasuredPoint:
    """An encode of a whole clip, measured on its decoded bytes.

    `bytes` are the codec's header and packets for a standard codec, and the file without audio
    and subtitles for edgecodec. PSNR are means over frames in dB (`psnr` is (6 Y + U + V) / 8),
    `ssim` is ffmpeg's "All", the VMAF are means of 0 to 100, None where they were not measured.
    Speeds are frames a second on `hardware` at `measured_at` (UTC, ISO 8601).

    `scenes`, `trial_encodes` and `kept_trials` are edgecodec's: how many trials its choice
    stands on, and how many of them lay on disk already, which is time that `encode_fps` lacks.
    So is `title_bytes`: those of `bytes` that are weights of networks.
    """

    setting: str
    bytes: int
    bitrate_mbps: float
    psnr: float
    psnr_y: float
    psnr_u: float
    psnr_v: float
    ssim: float
    vmaf: float | None
    vmaf_neg: float | None
    frames: int
    encode_fps: float
    decode_fps: float
    measured_at: str
    hardware: str
    scenes: tuple[SceneChoice, ...] = ()
    trial_encodes: int | None = None
    kept_trials: int | None = None
    note: str = ""
    title_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The point as JSON takes it."""
        return asdict(self)


def point_from_dict(values: Mapping[str, Any]) -> MeasuredPoint:
    """The point that `MeasuredPoint.to_dict` gave. Raises TypeError or KeyError for others."""
    scenes = tuple(SceneChoice(**scene) for scene in values["scenes"])
    return MeasuredPoint(**{**values, "scenes": scenes})
