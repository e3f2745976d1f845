"""Candidates in the metric that is aimed at: that of the frames which the player shows."""

from __future__ import annotations

import pytest
from edgecodec.encoder.quality import ssim
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.scoring import frame_scores
from edgecodec.encoder.strategies import Candidate, StandardTrial
from edgecodec.encoder.targets import Metric
from edgecodec.encoder.vmaf import VmafMeter
from edgecodec.runtime.chunks import Chunk, Codec
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.scenes import SceneContext, decode_scene

from .fakes import scene_of

SMALL = PictureFormat(96, 64)
DEEP = PictureFormat(96, 64, 10)


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


def coded(scene: Scene, setting: float, resources: Resources) -> tuple[Candidate, ...]:
    enhancer = read_models(packaged_models("nano")).network("enhancer").model_id
    depth = scene.format.bit_depth
    trial = StandardTrial(Codec.H264, depth, "ultrafast", enhancer=enhancer)
    return trial.encode(scene, setting, resources)


def shown(scene: Scene, made: Candidate, resources: Resources) -> list[Planes]:
    chunk = Chunk(0, 0, made.strategy, scene.pts, made.read_body())
    return list(decode_scene(chunk, SceneContext(scene.format, resources.networks, 1)))


def test_psnr_is_known_already(draw_planes, resources: Resources) -> None:
    scene = scene_of(draw_planes(SMALL, 2))
    (made, _) = coded(scene, 40.0, resources)
    assert frame_scores(Metric.PSNR, scene, made, resources) == made.frame_psnr


@pytest.mark.parametrize("picture", [SMALL, DEEP], ids=["8 bit", "10 bit"])
def test_ssim_is_that_of_the_shown_frames(
    draw_planes, resources: Resources, picture: PictureFormat
) -> None:
    scene = scene_of(draw_planes(picture, 3), picture)
    for made in coded(scene, 40.0, resources):
        frames = zip(scene.frames, shown(scene, made, resources), strict=True)
        expected = [ssim(a, b, picture.bit_depth).all for a, b in frames]
        assert frame_scores(Metric.SSIM, scene, made, resources) == tuple(expected)
        assert 0 < min(expected) < max(expected) < 1


def test_vmaf_is_that_of_the_shown_frames(draw_planes, resources: Resources) -> None:
    scene = scene_of(draw_planes(SMALL, 3))
    fine, coarse = (coded(scene, setting, resources)[0] for setting in (20.0, 45.0))
    with VmafMeter(scene.frames, SMALL, threads=1) as meter:
        expected = meter.frame_vmaf(shown(scene, coarse, resources))
    scores = frame_scores(Metric.VMAF, scene, coarse, resources)
    assert scores == pytest.approx(expected, abs=1e-4)
    better = frame_scores(Metric.VMAF, scene, fine, resources)
    assert sum(better) > sum(scores)
    assert all(0 <= score <= 100 for score in (*scores, *better))
