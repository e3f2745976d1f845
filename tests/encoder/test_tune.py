"""What latents are made for, and what ways are compared by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder import EncodeOptions
from edgecodec.encoder.analysis_weights import tuned, weights_name
from edgecodec.encoder.effort import Effort
from edgecodec.encoder.media import open_source
from edgecodec.encoder.priors import tier_priors
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import LatentTrial
from edgecodec.encoder.targets import BitrateTarget, Metric, MetricTarget
from edgecodec.encoder.ways import ways
from edgecodec.evaluation.ms_ssim import LumaMsSsim
from edgecodec.runtime.chunks import Chunk, Codec, StrategyId
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import FrameKind
from edgecodec.runtime.prior import packaged_priors
from edgecodec.runtime.scenes import SceneContext, decode_scene

from .fakes import scene_of

SEMANTIC = StrategyId.SEMANTIC_LATENT
SIDE = 256
CLIP = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"


@dataclass(frozen=True)
class Shown:
    """Bits, and likeness in dB, of a scene as a player shows it."""

    bits: int
    likeness_db: float


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The middle of a frame of the demo clip."""
    with open_source(CLIP) as video:
        planes = next(iter(video.frames())).planes
    middle = tuple(
        np.ascontiguousarray(plane[200 // part :, 400 // part :][: SIDE // part, : SIDE // part])
        for plane, part in zip(planes, (1, 2, 2), strict=True)
    )
    return scene_of([(middle[0], middle[1], middle[2])], PictureFormat(SIDE, SIDE))


def shown(resources: Resources, scene: Scene, tune: Metric, quality: int) -> Shown:
    trial = LatentTrial(SEMANTIC, "edge", "cpu", Effort.FAST, tune)
    (made,) = trial.encode(scene, trial.finest_quality - quality, resources)
    chunk = Chunk(0, 0, SEMANTIC, scene.pts, made.read_body())
    (planes,) = decode_scene(chunk, SceneContext(scene.format, resources.networks, 1))
    score = LumaMsSsim().add(scene.frames[0][0], planes[0])
    return Shown(made.bits, -10 * math.log10(1 - score))


def test_latents_for_ssim_are_more_alike_in_as_many_bits(
    resources: Resources, scene: Scene
) -> None:
    qualities = (15, 31, 47)
    plain = [shown(resources, scene, Metric.PSNR, each) for each in reversed(qualities)]
    for quality in qualities[1:]:
        made = shown(resources, scene, Metric.SSIM, quality)
        as_many = np.interp(
            math.log(made.bits),
            [math.log(each.bits) for each in reversed(plain)],
            [each.likeness_db for each in reversed(plain)],
        )
        assert made.likeness_db > as_many


def test_only_what_was_trained_is_taken() -> None:
    assert tuned("edge", Metric.SSIM) is Metric.SSIM
    assert tuned("edge", Metric.VMAF) is tuned("nano", Metric.SSIM) is Metric.PSNR
    assert weights_name("analysis_i", "edge") == "analysis_i-edge.safetensors"
    assert weights_name("analysis_i", "edge", Metric.SSIM) == "analysis_i-edge-ssim.safetensors"


def test_the_same_priors_but_for_i_frames() -> None:
    plain, other = tier_priors("edge"), tier_priors("edge", Metric.SSIM)
    assert plain.keys() == other.keys()
    assert other[FrameKind.I].prior_id == packaged_priors()["edge-s"].prior_id
    assert plain[FrameKind.C] is other[FrameKind.C]
    assert plain[FrameKind.B] is other[FrameKind.B]


@pytest.mark.parametrize(
    ("tier", "asked", "made"),
    [
        ("edge", Metric.SSIM, Metric.SSIM),
        ("edge", Metric.PSNR, Metric.PSNR),
        ("nano", Metric.SSIM, Metric.PSNR),
    ],
)
def test_ways_in_latents_are_made_for_what_is_asked(tier: str, asked: Metric, made: Metric) -> None:
    found = ways(
        ("semantic_latent",), (Codec.AV1,), Effort.FAST, tier, "cpu", PictureFormat(96, 64),
        tune=asked,
    )  # fmt: skip
    (trial,) = found.trials
    assert isinstance(trial, LatentTrial)
    assert trial.tune is made


def test_ways_are_compared_by_the_target_or_as_asked() -> None:
    assert EncodeOptions().metric is Metric.PSNR
    assert EncodeOptions(target=BitrateTarget(1e6), tune=Metric.SSIM).metric is Metric.SSIM
    wanted = MetricTarget(Metric.SSIM, 0.98)
    assert EncodeOptions(target=wanted).metric is Metric.SSIM
    assert EncodeOptions(target=wanted, tune=Metric.SSIM).metric is Metric.SSIM
    with pytest.raises(ValueError, match="reached by SSIM, not by VMAF"):
        EncodeOptions(target=wanted, tune=Metric.VMAF)
