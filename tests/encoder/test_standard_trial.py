"""One encode, two candidates: with and without the enhancer, at full and at half size."""

from __future__ import annotations

import pickle

import pytest
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies import SETTING_STEP, StandardTrial
from edgecodec.runtime.chunks import Chunk, Codec, StrategyId, pack_chunk
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.payloads import ClassicalBody, HybridBody, parse_body
from edgecodec.runtime.records import FRAMING_BYTES
from edgecodec.runtime.scenes import SceneContext, decode_scene
from edgecodec.runtime.upsample import Upsampling

from .fakes import scene_of

SMALL = PictureFormat(96, 64)
LARGER = PictureFormat(130, 128)
DEEP = PictureFormat(96, 64, 10)
FAST = {Codec.AV1: "10", Codec.H265: "ultrafast", Codec.H264: "ultrafast", Codec.VVC: "faster"}


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


@pytest.fixture(scope="module")
def enhancer() -> str:
    return read_models(packaged_models("nano")).network("enhancer").model_id


def trial_of(codec: Codec, **more: object) -> StandardTrial:
    depth = 8 if codec is Codec.H264 else 10
    return StandardTrial(codec, depth, FAST[codec], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", Codec)
def test_both_candidates_measure_what_the_player_shows(
    draw_planes, resources: Resources, enhancer: str, codec: Codec
) -> None:
    scene = scene_of(draw_planes(SMALL, 4))
    trial = trial_of(codec, enhancer=enhancer)
    setting = trial.usual_setting + SETTING_STEP
    made = trial.encode(scene, setting, resources)
    assert [each.strategy for each in made] == [StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC]
    for each in made:
        assert (each.codec, each.trial, each.setting) == (codec, trial.name, setting)
        check_shown(each, scene, resources)


def check_shown(made, scene, resources: Resources) -> None:
    chunk = Chunk(0, 0, made.strategy, scene.pts, made.read_body())
    assert made.bits == 8 * (len(pack_chunk(chunk)) + FRAMING_BYTES)
    shown = decode_scene(chunk, SceneContext(scene.format, resources.networks, threads=1))
    frames = zip(scene.frames, shown, strict=True)
    measured = [psnr(a, b, scene.format.bit_depth).weighted for a, b in frames]
    assert list(made.frame_psnr) == measured


@pytest.mark.parametrize("depth", [8, 10])
def test_half_the_samples_are_coded_and_the_player_doubles_them(
    draw_planes, resources: Resources, enhancer: str, depth: int
) -> None:
    picture = PictureFormat(LARGER.width, LARGER.height, depth)
    scene = scene_of(draw_planes(picture, 3), picture)
    trial = trial_of(Codec.H265, upsampling=Upsampling.EIGHT_TAP, enhancer=enhancer)
    assert trial.name == "h265 10-bit half"
    made = trial.encode(scene, 20.0, resources)
    assert len(made) == (2 if depth == 8 else 1)
    for each in made:
        body = parse_body(each.strategy, each.read_body(), 3)
        assert isinstance(body, ClassicalBody | HybridBody)
        assert body.upsampling is Upsampling.EIGHT_TAP
        assert (body.base.width, body.base.height) == (66, 64)
        check_shown(each, scene, resources)


def test_only_frames_that_gain_are_enhanced(
    draw_planes, resources: Resources, enhancer: str
) -> None:
    scene = scene_of(draw_planes(SMALL, 6))
    trial = trial_of(Codec.H264, enhancer=enhancer)
    plain, mended = trial.encode(scene, 40.0, resources)
    body = parse_body(mended.strategy, mended.read_body(), 6)
    assert isinstance(body, HybridBody)
    assert body.enhancer == enhancer
    for flag, better, before in zip(
        body.enhanced, mended.frame_psnr, plain.frame_psnr, strict=True
    ):
        assert better > before if flag else better == before
    simple = parse_body(plain.strategy, plain.read_body(), 6)
    assert isinstance(simple, ClassicalBody)
    assert simple.base == body.base


def test_without_an_enhancer_or_with_ten_bits_there_is_one_candidate(
    draw_planes, resources: Resources, enhancer: str
) -> None:
    scene = scene_of(draw_planes(SMALL, 2))
    (made,) = trial_of(Codec.H264).encode(scene, 30.0, resources)
    assert made.strategy is StrategyId.CLASSICAL
    deep = scene_of(draw_planes(DEEP, 2), DEEP)
    trial = StandardTrial(Codec.H264, 10, "ultrafast", enhancer=enhancer)
    (made,) = trial.encode(deep, 30.0, resources)
    assert made.strategy is StrategyId.CLASSICAL
    check_shown(made, deep, resources)


@pytest.mark.parametrize("codec", Codec)
def test_settings_are_the_encoders_and_a_lower_one_is_better(
    draw_planes, resources: Resources, codec: Codec
) -> None:
    trial = trial_of(codec)
    lowest, highest = trial.settings
    assert lowest < trial.usual_setting < highest
    assert trial.settings_per_octave > 0
    scene = scene_of(draw_planes(SMALL, 2))
    coarse, fine = (
        trial.encode(scene, trial.usual_setting + step, resources)[0] for step in (8.0, -8.0)
    )
    assert fine.psnr > coarse.psnr
    assert fine.bits > coarse.bits


@pytest.mark.parametrize("codec", Codec)
def test_half_the_samples_start_from_a_finer_setting(codec: Codec) -> None:
    """So that the bits of both are about alike."""
    whole, half = trial_of(codec), trial_of(codec, upsampling=Upsampling.EIGHT_TAP)
    assert half.usual_setting < whole.usual_setting
    assert half.settings == whole.settings


def test_trials_are_values_that_travel(enhancer: str) -> None:
    trial = trial_of(Codec.VVC, upsampling=Upsampling.EIGHT_TAP, enhancer=enhancer)
    again = pickle.loads(pickle.dumps(trial))
    assert again == trial
    assert repr(again) == repr(trial)
    assert repr(trial) != repr(trial_of(Codec.VVC, enhancer=enhancer))
