"""Which trials a scene goes through, and when one is given up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from edgecodec.encoder import BitrateTarget, PsnrTarget, QualityTarget
from edgecodec.encoder.plan import Plan, make_plan
from edgecodec.encoder.strategies import StandardTrial, Trial
from edgecodec.runtime.container import Codec, StrategyId
from edgecodec.runtime.errors import ModelError, ProviderError, UnsupportedError
from edgecodec.runtime.frames import PictureFormat

from .fakes import Curve, FakeTrial, halving, scene_of

SMALL = PictureFormat(96, 64)
DEEP = PictureFormat(96, 64, 10)
EVERYTHING = frozenset(StrategyId)
SCENE = scene_of([()] * 30)  # type: ignore[list-item]
BITRATE = BitrateTarget(300_000)
SEMANTIC, INTERPOLATION = StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION


def standard(codec: Codec, behind_db: float = 0.0, larger: float = 1.0) -> FakeTrial:
    """`larger`: how many times the bits of another trial it needs at a setting, for their worth."""
    curve = halving(bits=round(100_000 * larger), db=50 - behind_db + 3 * math.log2(larger))
    return FakeTrial(curve, codec)


def latent(strategy: StrategyId = SEMANTIC, behind_db: float = 0.0) -> FakeTrial:
    curve = halving(20, db=50 - behind_db)
    return FakeTrial(curve, None, strategy, (0, 63), 31, settings_per_octave=20.0)


def plan(
    trials: Sequence[Trial],
    latents: Sequence[Trial] = (),
    wanted: frozenset[StrategyId] = EVERYTHING,
) -> Plan:
    return Plan(wanted, tuple(trials), tuple(latents))


def test_all_that_was_made_is_offered_and_meets_the_bitrate() -> None:
    trials = [standard(Codec.AV1), standard(Codec.H264)]
    made, skipped = plan(trials).candidates(SCENE, BITRATE)
    assert [each.codec for each in made] == [
        *[Codec.AV1] * len(trials[0].asked),
        *[Codec.H264] * len(trials[1].asked),
    ]
    for trial in trials:
        nearest = min((each for each in made if each.codec is trial.codec), key=off(300_000))
        assert nearest.bits == pytest.approx(300_000, rel=0.07)
    assert skipped == []


def off(bits: int):
    return lambda each: abs(each.bits - bits)


def test_a_quality_is_one_encode_of_each_codec_and_a_psnr_is_reached() -> None:
    trials = [standard(codec) for codec in Codec]
    made, _ = plan(trials).candidates(SCENE, QualityTarget(50))
    assert [(each.codec, each.setting) for each in made] == [(codec, 26) for codec in Codec]
    made, _ = plan([standard(Codec.H264)]).candidates(SCENE, PsnrTarget(38.0))
    assert made[-1].psnr == pytest.approx(38.0, abs=0.3)


def test_a_codec_that_is_far_behind_is_tried_once_and_says_so() -> None:
    good, bad = standard(Codec.AV1), standard(Codec.H264, behind_db=2.5, larger=3.0)
    made, skipped = plan([good, bad]).candidates(SCENE, BITRATE)
    assert len(bad.asked) == 1
    assert [each.codec for each in made].count(Codec.H264) == 1
    (note,) = skipped
    assert note.startswith("h264: 2.5 dB behind")


def test_a_codec_that_is_a_little_behind_is_followed() -> None:
    good, bad = standard(Codec.AV1), standard(Codec.H264, behind_db=0.9, larger=3.0)
    _, skipped = plan([good, bad]).candidates(SCENE, BITRATE)
    assert len(bad.asked) > 1
    assert skipped == []


def test_the_next_scene_begins_where_the_last_one_ended() -> None:
    trial = standard(Codec.H264)
    going = plan([trial])
    made, _ = going.candidates(SCENE, BITRATE)
    first = len(trial.asked)
    going.candidates(SCENE, BITRATE)
    assert trial.asked[first][0] == made[-1].setting
    assert len(trial.asked) == first + 1


def test_a_codec_begins_where_the_one_before_it_ended() -> None:
    """At as many octaves from its usual setting; in the next scene where it ended itself."""
    first = standard(Codec.AV1)
    second = FakeTrial(halving(9), Codec.VVC, settings=(0, 63), usual_setting=30)
    second.settings_per_octave = 9.0
    going = plan([first, second])
    made, _ = going.candidates(SCENE, BITRATE)
    octaves = ([each for each in made if each.codec is Codec.AV1][-1].setting - 26) / 6
    assert second.asked[0][0] == round(30 + 9 * octaves)
    going.candidates(SCENE, BITRATE)
    assert second.asked[-1][0] == made[-1].setting


def test_remembering_a_scene_is_as_having_made_it() -> None:
    """An encode that resumes must go on as the one that was cut off would have."""
    made_here = plan([standard(Codec.AV1), standard(Codec.H264, 3.0)], [latent()])
    kept, _ = made_here.candidates(SCENE, BITRATE)
    resumed = plan([standard(Codec.AV1), standard(Codec.H264, 3.0)], [latent()])
    resumed.remember(kept)
    assert resumed.last_settings == made_here.last_settings
    assert set(resumed.last_settings) == {"av1", "h264", "semantic_latent"}
    target = BitrateTarget(123_000)
    assert resumed.candidates(SCENE, target) == made_here.candidates(SCENE, target)


def test_only_what_was_asked_for_is_offered() -> None:
    trials = plan([standard(Codec.H264)], [latent()], frozenset({SEMANTIC}))
    made, _ = trials.candidates(SCENE, BITRATE)
    assert {each.strategy for each in made} == {SEMANTIC}


def test_a_latent_trial_is_first_tried_on_the_head_of_a_scene() -> None:
    base, costly = standard(Codec.H264), latent(behind_db=5.0)
    made, skipped = plan([base], [costly]).candidates(SCENE, BITRATE)
    assert {frames for _, frames in costly.asked} == {9}
    assert {each.strategy for each in made} == {StrategyId.CLASSICAL}
    (note,) = skipped
    assert note.startswith("semantic_latent: 5.0 dB behind on its first 9 frames")
    # The rival is the best candidate of the scene, coded again on the head.
    assert [setting for setting, frames in base.asked if frames == 9] == [made[-1].setting]


def test_a_latent_trial_that_holds_its_own_codes_the_whole_scene() -> None:
    costly = latent()
    made, skipped = plan([standard(Codec.H264)], [costly]).candidates(SCENE, BITRATE)
    assert {frames for _, frames in costly.asked} == {9, 30}
    assert [each for each in made if each.strategy is SEMANTIC]
    assert skipped == []


def test_latents_alone_are_not_tried_on_the_head() -> None:
    costly = latent()
    plan([], [costly]).candidates(SCENE, BITRATE)
    assert {frames for _, frames in costly.asked} == {30}


@pytest.mark.parametrize("standards", [1, 0])
def test_latents_that_lead_are_the_next_ones_rival(standards: int) -> None:
    """The best so far may itself be in latents, of no codec."""
    first, second = latent(behind_db=-8.0), latent(INTERPOLATION)
    made, skipped = plan([standard(Codec.H264)] * standards, [first, second]).candidates(
        SCENE, BITRATE
    )
    assert max(made, key=lambda each: each.psnr).strategy is SEMANTIC
    assert [note.split(":")[0] for note in skipped] == ["i_frame_interpolation"]
    assert {frames for _, frames in second.asked} == {9}


@pytest.mark.parametrize("curve", [lambda _: (1, 20.0), lambda _: (10**9, 60.0)])
def test_a_scene_whose_size_no_setting_changes_ends(curve: Curve) -> None:
    made, _ = plan([FakeTrial(curve)]).candidates(SCENE, BITRATE)
    assert 1 <= len(made) <= 4


def make(
    strategy: str, picture: PictureFormat = SMALL, tier: str = "nano", **others: object
) -> Plan:
    values: dict[str, object] = {"codecs": tuple(Codec), "device": "cpu", "threads": 1, **others}
    return make_plan(strategy, tier=tier, picture=picture, **values)  # type: ignore[arg-type]


def names(trials: Sequence[Trial]) -> list[str]:
    return [each.name for each in trials]


def test_every_strategy_gets_the_trials_it_needs() -> None:
    made = make("classical")
    assert names(made.standard) == ["av1", "h265", "h264", "vvc"]
    assert all(isinstance(each, StandardTrial) and not each.enhancer for each in made.standard)
    assert made.latent == ()
    made = make("hybrid_semantic", codecs=(Codec.H264,))
    (only,) = made.standard
    assert isinstance(only, StandardTrial)
    assert only.enhancer is not None
    assert only.enhancer.entry.name == "enhancer"
    for strategy in ("semantic_latent", "i_frame_interpolation"):
        made = make(strategy)
        assert (names(made.standard), names(made.latent)) == ([], [strategy])
    made = make("auto")
    assert names(made.standard) == ["av1", "h265", "h264", "vvc"]
    assert names(made.latent) == ["semantic_latent", "i_frame_interpolation"]


def test_ten_bits_leave_auto_the_standard_codecs() -> None:
    made = make("auto", DEEP)
    assert made.wanted == {StrategyId.CLASSICAL}
    assert made.latent == ()
    (note,) = made.notes
    assert "the source has 10" in note
    made_here, skipped = Plan(made.wanted, (standard(Codec.H264),), (), made.notes).candidates(
        SCENE, BITRATE
    )
    assert made_here
    assert skipped == [note]


@pytest.mark.parametrize(
    "strategy", ["hybrid_semantic", "semantic_latent", "i_frame_interpolation"]
)
def test_ten_bits_with_networks_are_refused_with_what_to_do(strategy: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{strategy}: networks take 8 bits") as raised:
        make(strategy, DEEP)
    assert "--strategy classical" in str(raised.value)


def test_an_unknown_strategy_lists_the_known_ones() -> None:
    with pytest.raises(UnsupportedError, match="unknown strategy 'best'") as raised:
        make("best")
    assert "semantic_latent" in str(raised.value)


@pytest.mark.parametrize("strategy", ["hybrid_semantic", "semantic_latent"])
def test_a_tier_without_networks_is_an_error_where_they_were_asked_for(strategy: str) -> None:
    with pytest.raises(ModelError, match="'huge'"):
        make(strategy, tier="huge")


def test_a_tier_without_networks_leaves_auto_the_standard_codecs() -> None:
    made = make("auto", tier="huge")
    assert len(made.standard) == 4
    assert made.latent == ()
    assert any("'huge'" in note for note in made.notes)


def test_no_codec_at_all_is_refused_where_one_is_needed() -> None:
    with pytest.raises(UnsupportedError, match="no standard codec is allowed"):
        make("classical", codecs=())
    assert names(make("semantic_latent", codecs=()).latent) == ["semantic_latent"]


def test_a_device_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ProviderError, match="no CUDA device"):
        make("semantic_latent", device="cuda")
