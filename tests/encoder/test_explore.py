"""The first trials of a scene: what is asked, what is dropped, and what is said of it."""

from __future__ import annotations

import itertools
import math

import pytest
from edgecodec.encoder.classify import SceneClass
from edgecodec.encoder.explore import Exploration, setting_at
from edgecodec.encoder.goal import BestTrade
from edgecodec.encoder.lineup import lineup
from edgecodec.encoder.strategies import LatentTrial, StandardTrial
from edgecodec.encoder.targets import Metric
from edgecodec.runtime.container import Codec, StrategyId
from edgecodec.runtime.upsample import Upsampling

from .fakes import Curve, FakeLaboratory, FakeTrial, halving, scene_file_of

SCENE = scene_file_of(30)
EVERYTHING = frozenset(StrategyId)


def standard(codec: Codec, depth: int = 8, size: Upsampling = Upsampling.NONE) -> StandardTrial:
    return StandardTrial(codec, depth, None, size)


EVERY_STANDARD = [
    standard(codec, depth, size)
    for size in Upsampling
    for codec, depths in {
        Codec.AV1: (10, 8),
        Codec.H265: (10, 8),
        Codec.H264: (8,),
        Codec.VVC: (10,),
    }.items()
    for depth in depths
]


def exploration(laboratory: FakeLaboratory, octaves: float = 0.0) -> Exploration:
    return Exploration(SCENE, laboratory, EVERYTHING, Metric.PSNR, octaves)  # type: ignore[arg-type]


def way(name: str, curve: Curve) -> FakeTrial:
    return FakeTrial(name, curve)


def behind(db: float) -> Curve:
    return halving(db=50 - db)


def test_where_all_layers_have_half_the_size_they_are_tried_at_once() -> None:
    halves = [each for each in EVERY_STANDARD if each.upsampling is not Upsampling.NONE]
    line = lineup(halves, SceneClass.ANIMATION)
    assert {each.name for each in line.first} == {"vvc 10-bit half", "av1 10-bit half"}
    assert line.halves == ()


@pytest.mark.parametrize("scene_class", list(SceneClass))
def test_two_codecs_at_their_greatest_depth_are_tried(scene_class: SceneClass) -> None:
    line = lineup(EVERY_STANDARD, scene_class)
    assert {each.name for each in line.first} == {"vvc 10-bit", "av1 10-bit"}
    assert {each.name for each in line.halves} == {"vvc 10-bit half", "av1 10-bit half"}
    tried = len(line.first) + len(line.halves)
    codecs_left_out = sum(note.startswith(("h264:", "h265:")) for note in line.left_out)
    depths_left_out = sum(note.startswith("av1 8-bit") for note in line.left_out)
    assert (tried, codecs_left_out, depths_left_out) == (4, 2, 2)


def test_screens_have_av1_first() -> None:
    assert lineup(EVERY_STANDARD, SceneClass.SCREEN).first[0].name == "av1 10-bit"
    assert lineup(EVERY_STANDARD, SceneClass.FAST).first[0].name == "vvc 10-bit"


def test_the_codecs_that_are_allowed_come_in() -> None:
    old = [each for each in EVERY_STANDARD if each.codec in (Codec.H264, Codec.H265)]
    line = lineup(old, SceneClass.SLOW)
    assert [each.name for each in line.first] == ["h265 10-bit", "h264 8-bit"]
    only = lineup([standard(Codec.H264)], SceneClass.SLOW)
    assert [each.name for each in only.first] == ["h264 8-bit"]
    assert only.left_out == ()


def test_other_ways_are_tried_too_and_latents_wait() -> None:
    latent = LatentTrial(StrategyId.SEMANTIC_LATENT, "nano", "cpu")
    other = way("procedural", behind(0))
    line = lineup([*EVERY_STANDARD, other, latent], SceneClass.SLOW)
    assert line.first[-1] is other
    assert line.latents == (latent,)


def test_settings_are_quarter_steps_within_the_range() -> None:
    trial = way("any", behind(0))
    assert setting_at(trial, 0.0) == 26.0
    assert setting_at(trial, 1.0) == 32.0
    assert setting_at(trial, 0.21) == 27.25
    assert setting_at(trial, 9.0) == 51.0
    assert setting_at(trial, -9.0) == 0.0


def test_all_trials_at_every_place_and_nothing_dropped() -> None:
    laboratory = FakeLaboratory()
    found = exploration(laboratory)
    trials = [way("a", behind(0)), way("b", behind(9))]
    found.everything(trials, (-1.0, 0.0, 1.0))
    assert laboratory.asked == [(0, n, s) for s in (20.0, 26.0, 32.0) for n in ("a", "b")]
    assert found.alive == trials
    assert len(found.made) == 6
    assert found.skipped == []


def test_what_is_far_behind_is_tried_once_and_says_so() -> None:
    laboratory = FakeLaboratory()
    found = exploration(laboratory)
    good, bad = way("good", behind(0)), way("bad", behind(3))
    found.pruned([good, bad], SceneClass.SLOW)
    assert found.alive == [good]
    assert [name for _, name, _ in laboratory.asked] == ["good", "bad"]
    assert {each.trial for each in found.made} == {"good", "bad"}
    assert found.skipped == ["bad: needs 26 % more bits or so"]


def test_what_is_far_behind_only_by_a_guess_of_the_slope_stays() -> None:
    """Half the bits at 4 dB less: worse by the usual slope, better by twice that."""
    found = exploration(FakeLaboratory())
    large = way("large", halving(bits=200_000, db=54.0))
    small = way("small", halving(bits=100_000, db=50.0))
    found.pruned([large, small], SceneClass.SLOW)
    assert set(found.alive) == {large, small}


def test_two_that_are_close_are_brought_to_like_bits() -> None:
    laboratory = FakeLaboratory()
    found = exploration(laboratory)
    first = way("first", halving(bits=100_000, db=50.0))
    second = way("second", halving(bits=130_000, db=51.0))
    found.pruned([first, second], SceneClass.SLOW)
    assert len(laboratory.asked) == 3
    bits = sorted(each.bits for each in found.made)
    closest = min(math.log2(b / a) for a, b in itertools.pairwise(bits))
    assert closest < 0.06


def test_a_way_that_breaks_costs_only_itself() -> None:
    found = exploration(FakeLaboratory(frozenset({"broken"})))
    good = way("good", behind(0))
    found.pruned([way("broken", behind(0)), good], SceneClass.SLOW)
    assert found.alive == [good]
    assert found.skipped == ["broken: it broke"]


def test_nothing_that_works_leaves_nothing() -> None:
    found = exploration(FakeLaboratory(frozenset({"a", "b"})))
    found.pruned([way("a", behind(0)), way("b", behind(0))], SceneClass.SLOW)
    assert found.made == []
    assert found.skipped == ["a: it broke", "b: it broke"]


def test_only_wanted_strategies_count() -> None:
    laboratory = FakeLaboratory()
    found = Exploration(
        SCENE,
        laboratory,
        frozenset({StrategyId.PROCEDURAL}),
        Metric.PSNR,
        0.0,  # type: ignore[arg-type]
    )
    wanted = FakeTrial("wanted", behind(5), strategy=StrategyId.PROCEDURAL)
    found.pruned([way("other", behind(0)), wanted], SceneClass.SLOW)
    assert [each.trial for each in found.made] == ["wanted"]
    assert found.alive == [wanted]


def test_latents_are_not_tried_where_codecs_do_well() -> None:
    laboratory = FakeLaboratory()
    found = exploration(laboratory)
    latent = LatentTrial(StrategyId.SEMANTIC_LATENT, "nano", "cpu")
    found.pruned([way("good", behind(0)), latent], SceneClass.SLOW)
    assert [name for _, name, _ in laboratory.asked] == ["good"]
    assert found.skipped == ["semantic_latent: not tried where good is above 34 dB"]


def test_steep_scenes_are_judged_by_their_own_slope() -> None:
    """As on drawn screens: 8 dB for twice the bits, and the worse codec begins with more of them.
    The usual slope would take the larger candidate for the better one."""
    found = exploration(FakeLaboratory())
    worse = way("worse", halving(bits=200_000, db=57.0, per_octave=8.0))
    better = way("better", halving(bits=100_000, db=51.0, per_octave=8.0))
    found.pruned([worse, better], SceneClass.SCREEN)
    (chosen,) = BestTrade().choose([found.made])
    assert chosen.trial == "better"
