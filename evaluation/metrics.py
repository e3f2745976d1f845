"""Every metric of one decoded sequence against its source, on 4:2:0 planes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..encoder.quality import PlanePsnr, PlaneSsim, SequenceQuality
from ..encoder.vmaf import VmafMeter, VmafScores
from ..runtime.frames import Planes


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
    decoded: Iterable[Planes],
    bit_depth: int = 8,
    vmaf: VmafMeter | None = None,
) -> SequenceMetrics:
    """Compare two sequences frame by frame; decoded frames are taken as they come, and not kept.

    `vmaf` is a meter that holds the same source; without one VMAF stays unmeasured. Raises
    ValueError where the sequences differ in length, or a pair of frames in shape or type.
    """
    quality = SequenceQuality(bit_depth)

    def compared() -> Iterator[Planes]:
        count = 0
        for count, copy in enumerate(decoded, start=1):
            if count <= len(source):
                quality.add(source[count - 1], copy)
                yield copy
        if count != len(source):
            raise ValueError(f"{count} decoded frames, but the source has {len(source)}")

    scores = None
    if vmaf is not None:
        scores = vmaf.measure(compared())
    else:
        deque(compared(), maxlen=0)
    return SequenceMetrics(
        frames=quality.frames,
        psnr=quality.psnr,
        pooled_psnr=quality.pooled_psnr,
        ssim=quality.ssim,
        vmaf=scores,
    )
