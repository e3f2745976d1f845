"""A finished stream against its source: played by the real runtime, frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean

from ...encoder.media import open_source
from ...encoder.quality import SequenceQuality
from ...encoder.vmaf import VmafMeter
from ...evaluation.ms_ssim import LumaMsSsim
from ...evaluation.streams import stream_frames, time_stream
from ...runtime.errors import EdgecodecError
from ...runtime.frames import Planes


@dataclass(frozen=True)
class ClipMeasures:
    """Means over the frames; `vmaf` is None where it was not asked for.

    `psnr` is (6 Y + U + V) / 8 in dB, `ssim` that of all planes weighted by their samples,
    `ms_ssim` that of the luma (`LumaMsSsim`), `vmaf` libvmaf's `vmaf_v0.6.1`. `decode_fps` is how
    fast the runtime plays the stream here when nothing is measured.
    """

    frames: int
    psnr: float
    ssim: float
    ms_ssim: float
    vmaf: float | None
    decode_fps: float


@dataclass(frozen=True)
class Comparison:
    """The first `frames` frames (None: all) of `source` and those of `stream`.

    No more than a few frames are in memory at a time; VMAF keeps both sequences in `folder` while
    it measures, as samples. `threads` 0 is one for each core.
    """

    source: Path
    stream: Path
    frames: int | None
    folder: Path
    threads: int = 0

    def measure(self, tell: Callable[[int], None], *, vmaf: bool) -> ClipMeasures:
        """Play and compare; `tell` hears how many frames were compared.

        Raises EdgecodecError where the two differ in length, and as `edgecodec.runtime.open`,
        `open_source` and `VmafMeter` do.
        """
        speed = time_stream(self.stream, threads=self.threads)
        with open_source(self.source) as video:
            info = video.info
        quality, luma = SequenceQuality(info.format.bit_depth), LumaMsSsim(info.format.bit_depth)

        def compared() -> Iterator[Planes]:
            decoded = stream_frames(self.stream, threads=self.threads)
            with open_source(self.source) as video:
                originals = (frame.planes for frame in islice(video.frames(), self.frames))
                for original, frame in _pairs(originals, decoded, self.stream):
                    quality.add(original, frame)
                    luma.add(original[0], frame[0])
                    tell(quality.frames)
                    yield frame

        scores: tuple[float, ...] = ()
        with ExitStack() as stack:
            if vmaf:
                with open_source(self.source) as video:
                    originals = (frame.planes for frame in islice(video.frames(), self.frames))
                    meter = VmafMeter(
                        originals,
                        info.format,
                        full_range=info.color.full_range,
                        threads=self.threads,
                        temporary_folder=self.folder,
                    )
                stack.enter_context(meter)
                scores = meter.frame_vmaf(compared())
            else:
                deque(compared(), maxlen=0)
        return ClipMeasures(
            frames=quality.frames,
            psnr=quality.psnr.weighted,
            ssim=quality.ssim.all,
            ms_ssim=luma.mean,
            vmaf=fmean(scores) if vmaf else None,
            decode_fps=speed.decode_fps,
        )


def _pairs(
    originals: Iterator[Planes], decoded: Iterator[Planes], stream: Path
) -> Iterator[tuple[Planes, Planes]]:
    try:
        yield from zip(originals, decoded, strict=True)
    except ValueError as error:
        raise EdgecodecError(
            f"{stream}: it decodes to another number of frames than its source has; this is a"
            " bug, please report it"
        ) from error
