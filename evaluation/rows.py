"""Encodes, measured, as rows of a report."""

from __future__ import annotations

from pathlib import Path

from ..encoder.vmaf import VmafMeter
from ..runtime.frames import Planes
from .anchors import AnchorResult
from .clips import Clip
from .metrics import SequenceMetrics, measure_sequence
from .report_data import CurvePoint, SystemKind, SystemRow
from .streams import play_stream, video_bytes


def measure_stream(
    path: Path,
    name: str,
    kind: SystemKind,
    settings: str,
    clip: Clip,
    vmaf: VmafMeter | None = None,
    encode_fps: float | None = None,
) -> tuple[SystemRow, tuple[Planes, ...]]:
    """Play an `.ecv` stream with the real runtime and compare its frames with the clip.

    Returns the row and the decoded frames. `vmaf` is a meter that holds the clip. Errors as for
    `play_stream` and `measure_sequence`.
    """
    played = play_stream(path)
    quality = measure_sequence(clip.frames, played.frames, clip.format.bit_depth, vmaf)
    size = video_bytes(path)
    rate = clip.bitrate_mbps(size)
    row = _row(name, kind, settings, size, rate, quality, encode_fps, played.decode_fps)
    return row, played.frames


def anchor_row(result: AnchorResult) -> SystemRow:
    """The row of a standard codec's encode."""
    return _row(
        result.name,
        SystemKind.ANCHOR,
        result.settings,
        result.bytes,
        result.bitrate_mbps,
        result.quality,
        result.encode_fps,
        result.decode_fps,
    )


def curve_point(row: SystemRow) -> CurvePoint:
    """Where a row lies in the rate-distortion picture."""
    return CurvePoint(row.bitrate_mbps, row.psnr, row.ssim)


def _row(
    name: str,
    kind: SystemKind,
    settings: str,
    size: int,
    bitrate_mbps: float,
    quality: SequenceMetrics,
    encode_fps: float | None,
    decode_fps: float,
) -> SystemRow:
    return SystemRow(
        name=name,
        kind=kind,
        settings=settings,
        bytes=size,
        bitrate_mbps=bitrate_mbps,
        psnr=quality.psnr.weighted,
        ssim=quality.ssim.all,
        vmaf=quality.vmaf.vmaf if quality.vmaf else None,
        vmaf_neg=quality.vmaf.vmaf_neg if quality.vmaf else None,
        encode_fps=encode_fps,
        decode_fps=decode_fps,
    )
