"""One encode, several candidates: without and with a network, its code and a title's weights, at
full and at half size."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder import code_search
from edgecodec.encoder.adaptation import Adaptation, TitleFile
from edgecodec.encoder.base_store import BaseStore
from edgecodec.encoder.code_search import search_code
from edgecodec.encoder.codecs import encoder_for
from edgecodec.encoder.filter_search import search_filter
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies import SETTING_STEP, StandardTrial
from edgecodec.encoder.strategies import standard as standard_module
from edgecodec.runtime.chunks import Chunk, Codec, StrategyId, pack_chunk
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.payloads import ClassicalBody, HybridBody, parse_body
from edgecodec.runtime.records import FRAMING_BYTES
from edgecodec.runtime.scene_code import SceneCode
from edgecodec.runtime.scenes import SceneContext, decode_scene
from edgecodec.runtime.template import read_template
from edgecodec.runtime.title import TensorDelta, TitleWeights, fit_table, pack_title
from edgecodec.runtime.upsample import Upsampling

from .demo_crops import demo_scene
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


@pytest.fixture(scope="module")
def generator_up() -> str:
    return read_models(packaged_models("nano")).network("generator_up").model_id


@pytest.fixture
def free_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches codes as if their bits were nothing, so that even a tiny scene has one."""

    def search(network, crops, base, bits):
        return search_code(network, crops, base, 10**12)

    monkeypatch.setattr(code_search, "search_code", search)


@pytest.fixture
def no_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if none were worth its bits."""
    monkeypatch.setattr(standard_module, "search_filter", lambda *_: None)


@pytest.fixture
def free_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches filters as if their bits were nothing."""

    def search(statistics, bits):
        return search_filter(statistics, 10**9)

    monkeypatch.setattr(standard_module, "search_filter", search)


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


def check_shown(made, scene, resources: Resources, titles=None) -> None:
    chunk = Chunk(0, 0, made.strategy, scene.pts, made.read_body())
    assert made.bits == 8 * (len(pack_chunk(chunk)) + FRAMING_BYTES)
    context = SceneContext(scene.format, resources.networks, threads=1, titles=titles or {})
    shown = decode_scene(chunk, context)
    frames = zip(scene.frames, shown, strict=True)
    measured = [psnr(a, b, scene.format.bit_depth).weighted for a, b in frames]
    assert list(made.frame_psnr) == measured


@pytest.mark.parametrize("depth", [8, 10])
def test_half_the_samples_are_coded_and_the_player_doubles_them(
    draw_planes, resources: Resources, generator_up: str, depth: int
) -> None:
    picture = PictureFormat(LARGER.width, LARGER.height, depth)
    scene = scene_of(draw_planes(picture, 3), picture)
    trial = trial_of(Codec.H265, upsampling=Upsampling.EIGHT_TAP, enhancer=generator_up)
    assert trial.name == "h265 10-bit half"
    made = trial.encode(scene, 20.0, resources)
    assert [each.strategy for each in made] == [StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC]
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


def test_planes_that_the_network_spoils_are_left_as_they_are(
    draw_planes, resources: Resources, enhancer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that finds the luma of every frame and makes chroma grey."""
    scene = scene_of(draw_planes(SMALL, 3))
    grey = np.full(SMALL.chroma_shape, 128, np.uint8)

    def enhance(deep, *_arguments, **_options):
        for _, (y, _u, _v) in zip(deep, scene.frames, strict=True):
            yield y, grey, grey

    monkeypatch.setattr(standard_module, "enhance", enhance)
    plain, mended = trial_of(Codec.H264, enhancer=enhancer).encode(scene, 40.0, resources)
    body = parse_body(mended.strategy, mended.read_body(), 3)
    assert isinstance(body, HybridBody)
    assert body.planes == (True, False, False)
    assert body.enhanced == (True, True, True)
    # Its luma counts six times of eight, the chroma is that of the plain candidate.
    assert all(a > b for a, b in zip(mended.frame_psnr, plain.frame_psnr, strict=True))


@pytest.mark.usefixtures("no_filters")
@pytest.mark.parametrize("adapt", [Adaptation.NONE, Adaptation.FILTER, Adaptation.CODE])
def test_without_an_enhancer_there_is_one_candidate(
    draw_planes, resources: Resources, adapt: Adaptation
) -> None:
    scene = scene_of(draw_planes(SMALL, 2))
    (made,) = trial_of(Codec.H264, adapt=adapt).encode(scene, 30.0, resources)
    assert made.strategy is StrategyId.CLASSICAL
    check_shown(made, scene, resources)


def test_video_of_ten_bits_is_mended_in_ten_bits(
    draw_planes, resources: Resources, enhancer: str
) -> None:
    deep = scene_of(draw_planes(DEEP, 3), DEEP)
    trial = StandardTrial(Codec.H264, 10, "ultrafast", enhancer=enhancer)
    plain, mended = trial.encode(deep, 40.0, resources)
    check_shown(plain, deep, resources)
    check_shown(mended, deep, resources)
    assert mended.strategy is StrategyId.HYBRID_SEMANTIC


@pytest.mark.usefixtures("free_codes", "no_filters")
@pytest.mark.parametrize("depth", [8, 10])
def test_a_code_is_a_third_candidate_that_is_better(
    draw_planes, resources: Resources, enhancer: str, depth: int
) -> None:
    picture = PictureFormat(LARGER.width, LARGER.height, depth)
    scene = scene_of(draw_planes(picture, 4), picture)
    trial = StandardTrial(Codec.H264, depth, "ultrafast", enhancer=enhancer, adapt=Adaptation.CODE)
    plain, generic, coded = trial.encode(scene, 36.0, resources)
    assert coded.strategy is StrategyId.HYBRID_SEMANTIC
    assert coded.psnr > generic.psnr >= plain.psnr
    assert coded.bits > generic.bits
    check_shown(coded, scene, resources)
    bodies = [parse_body(each.strategy, each.read_body(), 4) for each in (generic, coded)]
    codes = [body.scene_code for body in bodies if isinstance(body, HybridBody)]
    assert codes[0] is None
    assert codes[1] is not None
    assert codes[1].channels == 64


@pytest.mark.usefixtures("no_filters")
def test_a_code_that_makes_it_worse_is_no_candidate(
    draw_planes, resources: Resources, enhancer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extreme = SceneCode((191,) * 64, (255,) * 64)
    monkeypatch.setattr(code_search, "search_code", lambda *_: extreme)
    scene = scene_of(draw_planes(SMALL, 2))
    trial = trial_of(Codec.H264, enhancer=enhancer, adapt=Adaptation.CODE)
    made = trial.encode(scene, 24.0, resources)
    assert len(made) == 2


@pytest.mark.usefixtures("free_codes", "no_filters")
def test_a_titles_weights_are_what_the_player_runs(
    draw_planes, resources: Resources, enhancer: str, tmp_path: Path
) -> None:
    title = title_for(enhancer)
    data = pack_title(title)
    path = tmp_path / "own.title"
    path.write_bytes(data)
    own = TitleFile(path, hashlib.sha256(data).hexdigest())
    scene = scene_of(draw_planes(SMALL, 3))
    generic = trial_of(Codec.H264, enhancer=enhancer)
    titled = trial_of(Codec.H264, enhancer=enhancer, title=own, adapt=Adaptation.CODE)
    assert titled.name == "h264 8-bit title"
    assert generic.encode(scene, 40.0, resources)[1].frame_psnr != (
        titled.encode(scene, 40.0, resources)[1].frame_psnr
    )
    for made in titled.encode(scene, 40.0, resources)[1:]:
        body = parse_body(made.strategy, made.read_body(), 3)
        assert isinstance(body, HybridBody)
        assert body.title == 0
        check_shown(made, scene, resources, {0: title})


def bodies_of(made, frames: int) -> list[ClassicalBody | HybridBody]:
    bodies = [parse_body(each.strategy, each.read_body(), frames) for each in made]
    return [body for body in bodies if isinstance(body, ClassicalBody | HybridBody)]


@pytest.mark.usefixtures("free_filters")
def test_a_filter_is_a_second_candidate_that_is_better(resources: Resources) -> None:
    scene = demo_scene(128, 128, 3)
    plain, filtered = trial_of(Codec.H264, adapt=Adaptation.FILTER).encode(scene, 34.0, resources)
    assert [plain.strategy, filtered.strategy] == [StrategyId.CLASSICAL] * 2
    assert filtered.psnr > plain.psnr + 0.1
    assert filtered.bits > plain.bits
    check_shown(plain, scene, resources)
    check_shown(filtered, scene, resources)
    simple, body = bodies_of((plain, filtered), 3)
    assert simple.filter is None
    assert replace(body, filter=None) == simple
    assert trial_of(Codec.H264).encode(scene, 34.0, resources) == (plain,)


@pytest.mark.usefixtures("no_filters")
def test_a_filter_that_is_not_worth_its_bits_is_no_candidate(
    resources: Resources, enhancer: str
) -> None:
    scene = demo_scene(64, 64, 2)
    (plain,) = trial_of(Codec.H264, adapt=Adaptation.FILTER).encode(scene, 34.0, resources)
    (simple,) = bodies_of([plain], 2)
    assert simple.filter is None
    mending = trial_of(Codec.H264, enhancer=enhancer, adapt=Adaptation.FILTER)
    again, mended = mending.encode(scene, 34.0, resources)
    assert again == plain
    assert mended == replace(mending, adapt=Adaptation.NONE).encode(scene, 34.0, resources)[1]


@pytest.mark.usefixtures("free_filters")
@pytest.mark.parametrize("upsampling", [Upsampling.NONE, Upsampling.EIGHT_TAP])
def test_networks_mend_what_a_filter_of_their_own_leaves(
    resources: Resources, enhancer: str, generator_up: str, upsampling: Upsampling
) -> None:
    scene = demo_scene(128, 128, 3)
    network = enhancer if upsampling is Upsampling.NONE else generator_up
    generic = trial_of(Codec.H265, upsampling=upsampling, enhancer=network)
    before = generic.encode(scene, 30.0, resources)
    made = replace(generic, adapt=Adaptation.FILTER).encode(scene, 30.0, resources)
    strategies = [StrategyId.CLASSICAL, StrategyId.CLASSICAL, StrategyId.HYBRID_SEMANTIC]
    assert [each.strategy for each in made] == strategies
    assert made[0] == before[0]
    plain, filtered, mended = bodies_of(made, 3)
    assert isinstance(mended, HybridBody)
    assert any(mended.enhanced)
    assert mended.filter is not None
    assert mended.filter != filtered.filter
    assert plain.filter is None
    assert made[2].psnr > before[1].psnr
    for each in made:
        check_shown(each, scene, resources)


@pytest.mark.usefixtures("free_filters", "free_codes")
@pytest.mark.parametrize("depth", [8, 10])
def test_codes_are_searched_beside_filters(
    draw_planes, resources: Resources, enhancer: str, depth: int
) -> None:
    picture = PictureFormat(LARGER.width, LARGER.height, depth)
    scene = scene_of(draw_planes(picture, 3), picture)
    trial = StandardTrial(Codec.H264, depth, "ultrafast", enhancer=enhancer, adapt=Adaptation.CODE)
    made = trial.encode(scene, 36.0, resources)
    bodies = bodies_of(made, 3)
    filters = [body.filter is not None for body in bodies]
    codes = [isinstance(body, HybridBody) and body.scene_code is not None for body in bodies]
    assert filters == [False, True, True, True]
    assert codes == [False, False, False, True]
    assert made[3].psnr > made[2].psnr > made[1].psnr > made[0].psnr
    for each in made:
        check_shown(each, scene, resources)


def title_for(model_id: str) -> TitleWeights:
    """Biases of the head that are a little off: brightness changes."""
    template = read_template(read_models(packaged_models("nano")).network("enhancer"))
    deltas = [TensorDelta(0, 0, np.zeros(each.values.size, np.int8)) for each in template.tensors]
    symbols = np.full(template.tensors[-1].values.size, 4, np.int8)
    deltas[-1] = TensorDelta(10, fit_table(symbols), symbols)
    return TitleWeights(model_id, tuple(deltas))


def test_trials_that_differ_above_the_layer_share_it(
    draw_planes, enhancer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encodes: list[Codec] = []

    def counted(codec: Codec):
        encodes.append(codec)
        return encoder_for(codec)

    monkeypatch.setattr(standard_module, "encoder_for", counted)
    resources = Resources(1, BaseStore(tmp_path))
    scene = replace(scene_of(draw_planes(SMALL, 3)), digest="a scene")
    simple = trial_of(Codec.H264)
    (alone,) = simple.encode(scene, 30.0, resources)
    shared = replace(simple, enhancer=enhancer).encode(scene, 30.0, resources)
    assert shared[0] == alone
    assert len(encodes) == 1
    simple.encode(scene, 30.25, resources)
    simple.encode(scene.head(2), 30.0, resources)
    replace(simple, preset="superfast").encode(scene, 30.0, resources)
    replace(simple, upsampling=Upsampling.EIGHT_TAP).encode(scene, 30.0, resources)
    simple.encode(replace(scene, digest="another"), 30.0, resources)
    assert len(encodes) == 6
    nameless = replace(scene, digest="")
    simple.encode(nameless, 30.0, resources)
    simple.encode(nameless, 30.0, resources)
    assert len(encodes) == 8


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
    coded = replace(trial, adapt=Adaptation.CODE)
    assert repr(coded) != repr(trial)
    # Weights are told apart by what they are, wherever they lie.
    here, there, other = (
        replace(trial, title=TitleFile(Path(place), digest))
        for place, digest in (("a", "1"), ("b", "1"), ("a", "2"))
    )
    assert repr(here) == repr(there)
    assert repr(here) != repr(other)
