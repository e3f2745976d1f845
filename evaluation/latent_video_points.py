"""Points of video in latents and of the standard codecs beside it, each measured once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

from ..encoder.quality import psnr
from .clips import Clip
from .latent_video_clips import Cut, read_clip
from .latent_video_codecs import VideoCodec
from .ms_ssim import LumaMsSsim
from .stills import StillBd, StillPoint, compare

# MS-SSIM takes longer than many an encode. Five shares no factor with the hierarchies of B-frames,
# so that each of their levels is met about as often as it occurs.
_MS_SSIM_EVERY = 5

MEASURED = f"MS-SSIM of every {_MS_SSIM_EVERY}"
"""How points are measured: those that were measured otherwise are others."""


def measure(clip: Clip, codec: VideoCodec, setting: float) -> StillPoint:
    """Code a clip and compare it with itself: means over frames, for MS-SSIM over every fifth.
    Errors as for `VideoCodec.code`."""
    coded = codec.code(clip, setting)
    pairs = list(zip(clip.frames, coded.frames, strict=True))
    scores = [psnr(source, decoded) for source, decoded in pairs]
    likeness = LumaMsSsim()
    for source, decoded in pairs[::_MS_SSIM_EVERY]:
        likeness.add(source[0], decoded[0])
    return StillPoint(
        picture=clip.name,
        codec=codec.name,
        setting=setting,
        pixels=clip.format.width * clip.format.height * len(clip.frames),
        bytes=coded.bytes,
        container_bytes=coded.container_bytes,
        psnr=round(fmean(each.weighted for each in scores), 4),
        psnr_y=round(fmean(each.y for each in scores), 4),
        psnr_u=round(fmean(each.u for each in scores), 4),
        psnr_v=round(fmean(each.v for each in scores), 4),
        ms_ssim=round(likeness.mean, 6),
    )


def against_standard(
    points: Sequence[StillPoint], tested: str, ours: Sequence[str]
) -> list[StillBd]:
    """BD-rates of `tested` against every codec that is not one of `ours`."""
    others = set(ours) - {tested}
    return list(compare([each for each in points if each.codec not in others], tested))


@dataclass(frozen=True)
class Curve:
    """A part of a clip by a codec at every setting: all that a process needs to measure it.

    `number` is its place among the curves, `known` are points from before by setting.
    """

    number: int
    path: Path
    name: str
    cut: Cut
    codec: VideoCodec
    known: Mapping[float, StillPoint] = field(default_factory=dict)

    def measured(self) -> MeasuredCurve:
        """With what was not known. Errors as for `read_clip` and `VideoCodec.code`."""
        start = time.perf_counter()
        points = dict(self.known)
        missing = [each for each in self.codec.settings if each not in points]
        if missing:
            clip = read_clip(self.path, self.name, self.cut)
            points |= {setting: measure(clip, self.codec, setting) for setting in missing}
        ordered = [points[setting] for setting in self.codec.settings]
        return MeasuredCurve(self.number, ordered, time.perf_counter() - start)


@dataclass(frozen=True)
class MeasuredCurve:
    """A curve's points in order of its codec's settings, and the seconds that they took now."""

    number: int
    points: Sequence[StillPoint]
    seconds: float


def measured_curves(curves: Sequence[Curve], jobs: int) -> Iterator[MeasuredCurve]:
    """Curves as they are done, so many at a time; more than one in processes of their own. Errors
    as for `Curve.measured`."""
    if jobs == 1:
        for curve in curves:
            yield curve.measured()
        return
    # Threads of libraries do not survive a fork.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(curve.measured) for curve in curves]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)
