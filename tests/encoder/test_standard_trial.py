"""One encode, two candidates: with and without the enhancer."""

from __future__ import annotations

import pytest
from edgecodec.encoder.codecs import encoder_for
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.strategies import StandardTrial
from edgecodec.runtime.chunks import Chunk, Codec, StrategyId, pack_chunk
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.payloads import ClassicalBody, HybridBody, parse_body
from edgecodec.runtime.records import FRAMING_BYTES
from edgecodec.runtime.scenes import SceneContext, decode_scene
from edgecodec.runtime.sessions import Network, NetworkPool

from .fakes import scene_of

SMALL = PictureFormat(96, 64)
DEEP = PictureFormat(96, 64, 10)


@pytest.fixture(scope="module")
def enhancer() -> Network:
    entry = read_models(packaged_models("nano")).network("enhancer")
    return NetworkPool(threads=1).network(entry.model_id)


@pytest.mark.parametrize("codec", Codec)
def test_both_candidates_measure_what_the_player_shows(
    draw_planes, enhancer: Network, codec: Codec
) -> None:
    scene = scene_of(draw_planes(SMALL, 4))
    trial = StandardTrial(encoder_for(codec), enhancer, threads=1)
    made = trial.encode(scene, trial.usual_setting)
    assert [each.strategy for each in made] == [StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC]
    context = SceneContext(SMALL, NetworkPool(threads=1), threads=1)
    for each in made:
        assert (each.codec, each.setting) == (codec, trial.usual_setting)
        assert each.trial_name == trial.name
        chunk = Chunk(0, 0, each.strategy, scene.pts, each.body)
        assert each.bits == 8 * (len(pack_chunk(chunk)) + FRAMING_BYTES)
        shown = decode_scene(chunk, context)
        measured = [psnr(a, b).weighted for a, b in zip(scene.frames, shown, strict=True)]
        assert list(each.frame_psnr) == measured


def test_only_frames_that_gain_are_enhanced(draw_planes, enhancer: Network) -> None:
    scene = scene_of(draw_planes(SMALL, 6))
    plain, mended = StandardTrial(encoder_for(Codec.H264), enhancer, 1).encode(scene, 40)
    body = parse_body(mended.strategy, mended.body, 6)
    assert isinstance(body, HybridBody)
    assert body.enhancer == enhancer.entry.model_id
    for flag, better, before in zip(
        body.enhanced, mended.frame_psnr, plain.frame_psnr, strict=True
    ):
        assert better > before if flag else better == before
    simple = parse_body(plain.strategy, plain.body, 6)
    assert isinstance(simple, ClassicalBody)
    assert simple.base == body.base


def test_without_an_enhancer_or_with_ten_bits_there_is_one_candidate(
    draw_planes, enhancer: Network
) -> None:
    scene = scene_of(draw_planes(SMALL, 2))
    (made,) = StandardTrial(encoder_for(Codec.H264), None, 1).encode(scene, 30)
    assert made.strategy is StrategyId.CLASSICAL
    deep = scene_of(draw_planes(DEEP, 2), DEEP)
    (made,) = StandardTrial(encoder_for(Codec.H264), enhancer, 1).encode(deep, 30)
    assert made.strategy is StrategyId.CLASSICAL


@pytest.mark.parametrize("codec", Codec)
def test_settings_are_the_encoders_and_a_lower_one_is_better(draw_planes, codec: Codec) -> None:
    trial = StandardTrial(encoder_for(codec), threads=1)
    lowest, highest = trial.settings
    assert lowest < trial.usual_setting < highest
    assert trial.settings_per_octave > 0
    scene = scene_of(draw_planes(SMALL, 2))
    coarse, fine = (trial.encode(scene, trial.usual_setting + step)[0] for step in (8, -8))
    assert fine.psnr > coarse.psnr
    assert fine.bits > coarse.bits
