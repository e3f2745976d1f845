"""What a report holds: plain values, measured elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class SystemKind(Enum):
    """What a row of the results stands for."""

    EDGECODEC = "edgecodec"
    ANCHOR = "standard codec"
    FORCED = "one strategy forced"


@dataclass(frozen=True)
class SystemRow:
    """One system's encode of the clip, measured on its decoded bytes.

    `psnr` is the mean weighted PSNR in dB, `ssim` that of ffmpeg's filter ("All"), the VMAF means
    are 0 to 100. What was not measured is None, and is shown as such.
    """

    name: str
    kind: SystemKind
    settings: str
    bytes: int
    bitrate_mbps: float
    psnr: float
    ssim: float
    vmaf: float | None = None
    vmaf_neg: float | None = None
    encode_fps: float | None = None
    decode_fps: float | None = None


@dataclass(frozen=True)
class CurvePoint:
    """One encode among several of a system at different rates."""

    bitrate_mbps: float
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Curve:
    """A system's encodes at different rates."""

    name: str
    kind: SystemKind
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class SceneRow:
    """One scene as the encoder coded it; `start` and `frames` count frames."""

    start: int
    frames: int
    strategy: str
    codec: str
    bits: int


@dataclass(frozen=True)
class NetworkRow:
    """One exported network. `drop_db` is the PSNR lost from FP32 to INT8, `placement` says on
    which provider its nodes run."""

    name: str
    file: str
    drop_db: float | None
    size_bytes: int | None
    placement: str


@dataclass(frozen=True)
class PredictedLatency:
    """Milliseconds a frame on the named device, and what the prediction stands on."""

    low_ms: float
    mid_ms: float
    high_ms: float
    basis: str


@dataclass(frozen=True)
class MeasuredLatency:
    """Milliseconds a frame on this machine, by percentile."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    provider: str


@dataclass(frozen=True)
class DeviceProfile:
    """What `edgecodec profile` found. `networks` are its rows, shown column by column."""

    device: str
    networks: tuple[Mapping[str, str | int | float | bool | None], ...]
    tops_per_frame: float | None
    predicted: PredictedLatency | None
    measured: MeasuredLatency | None
    fps: float | None
    passes: bool | None


@dataclass(frozen=True)
class Picture:
    """A PNG with its size in pixels."""

    label: str
    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class FrameComparison:
    """One frame of several systems: whole pictures, shown smaller, and crops, shown 1:1."""

    frame: int
    seconds: float
    crop_x: int
    crop_y: int
    whole: tuple[Picture, ...]
    crops: tuple[Picture, ...]


@dataclass(frozen=True)
class ReportData:
    """All of a report. `facts` are (what, value) pairs: clip, versions, hardware."""

    title: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    systems: tuple[SystemRow, ...]
    curves: tuple[Curve, ...] = ()
    scenes: tuple[SceneRow, ...] = ()
    networks: tuple[NetworkRow, ...] = ()
    device: DeviceProfile | None = None
    comparisons: tuple[FrameComparison, ...] = ()
    notes: tuple[str, ...] = ()
