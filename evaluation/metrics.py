"""Every metric of one decoded sequence against its source, on 4:2:0 planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..encoder.quality import PlanePsnr, PlaneSsim, SequenceQuality
from ..runtime.frames import Planes
from .vmaf import VmafMeter, VmafScores


@dataclass(frozen=True)
class SequenceMetrics:
    """What a whole sequence scores.

    `psnr` is the mean of the frames' PSNR in dB (`psnr.weighted` is the figure of record),
    `pooled_psnr` the PSNR of the pooled error, `ssim` the mean SSIM, `vmaf` None where it was not
    measured.
    """

    frames: int
    psnr: PlanePsnr
    pooled_psnr: PlanePsnr
    ssim: PlaneSsim
    vmaf: VmafScores | None = None


def measure_sequence(
    source: Sequence[Planes],
    decoded: Sequence[Planes],
    bit_depth: int = 8,
    vmaf: VmafMeter | None = None,
) -> SequenceMetrics:
    """Compare two sequences frame by frame.

    `vmaf` is a meter that holds the same source; without one VMAF stays unmeasured. Raises
    ValueError where the sequences differ in length, or a pair of frames in shape or type.
    """
    if len(source) != len(decoded):
        raise ValueError(f"{len(decoded)} decoded frames, but the source has {len(source)}")
    quality = SequenceQuality(bit_depth)
    for original, copy in zip(source, decoded, strict=True):
        quality.add(original, copy)
    return SequenceMetrics(
        frames=quality.frames,
        psnr=quality.psnr,
        pooled_psnr=quality.pooled_psnr,
        ssim=quality.ssim,
        vmaf=vmaf.measure(decoded) if vmaf is not None else None,
    )
