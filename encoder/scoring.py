"""Candidates in another metric than PSNR: decoded again, as a player does."""

from __future__ import annotations

from ..runtime.chunks import Chunk
from ..runtime.frames import Planes
from ..runtime.scenes import SceneContext, decode_scene
from .adaptation import TitleFile
from .quality import ssim
from .resources import Resources
from .scene import Scene
from .strategies import Candidate
from .targets import Metric
from .vmaf import VmafMeter


def frame_scores(
    metric: Metric,
    scene: Scene,
    made: Candidate,
    resources: Resources,
    title: TitleFile | None = None,
) -> tuple[float, ...]:
    """The metric of each frame, in display order: SSIM -1 to 1, VMAF 0 to 100.

    `title` is what the candidate's trial had. Raises UnsupportedError where ffmpeg has no libvmaf.
    """
    if metric is Metric.PSNR:
        return made.frame_psnr
    chunk = Chunk(scene.index, scene.start, made.strategy, scene.pts, made.read_body())
    context = SceneContext(
        scene.format, resources.networks, resources.threads, titles=resources.titles(title)
    )
    decoded = decode_scene(chunk, context)
    if metric is Metric.VMAF:
        full_range = scene.color.full_range
        meter = VmafMeter(
            scene.frames, scene.format, full_range=full_range, threads=resources.threads
        )
        with meter:
            return meter.frame_vmaf(decoded)
    depth = scene.format.bit_depth

    def frame_ssim(source: Planes, planes: Planes) -> float:
        return ssim(source, planes, depth).all

    return tuple(map(frame_ssim, scene.frames, decoded))
