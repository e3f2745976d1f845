"""The search for a setting, on trials whose curves are known."""

from __future__ import annotations

import math

import pytest
from edgecodec.encoder.search import BitsAim, PsnrAim, ShareAim, search
from hypothesis import given, settings
from hypothesis import strategies as st

from .fakes import FakeTrial, halving, made, scene_of

SCENE = scene_of([()] * 1)  # type: ignore[list-item]
LADDERS = st.sampled_from([(0, 51), (1, 63), (0, 63)])

relaxed = settings(deadline=None, max_examples=60)


@relaxed
@given(
    ladder=LADDERS,
    claimed=st.floats(5, 20),
    mistaken=st.floats(0.8, 1.25),
    where=st.floats(0, 1),
    begin=st.none() | st.integers(-5, 80),
)
def test_four_encodes_come_within_a_setting_of_the_best(
    ladder: tuple[int, int], claimed: float, mistaken: float, where: float, begin: int | None
) -> None:
    """Also where bits halve a quarter sooner or later than the trial says."""
    octave = claimed * mistaken
    lowest, highest = ladder
    trial = FakeTrial(halving(octave, bits=1 << 22), settings=ladder, settings_per_octave=claimed)
    aim = BitsAim(2 ** (22 - (lowest + where * (highest - lowest)) / octave))
    found = search(trial, SCENE, aim, begin)
    assert len(found) <= 4
    asked = [setting for setting, _ in trial.asked]
    assert len(set(asked)) == len(asked)
    assert all(lowest <= setting <= highest for setting in asked)
    nearest = min(abs(aim.octaves_off(each)) for each in found)
    assert nearest <= 1.5 / octave


@relaxed
@given(where=st.floats(0, 1), share=st.floats(0.8, 1.25))
def test_a_psnr_is_found_as_a_size_is(where: float, share: float) -> None:
    trial = FakeTrial(halving(6 * share, bits=1 << 22, db=55), settings_per_octave=6)
    wanted = 55 - 3 * where * 51 / (6 * share)
    found = search(trial, SCENE, PsnrAim(wanted))
    assert len(found) <= 4
    assert min(abs(each.psnr - wanted) for each in found) <= 3 * 1.5 / (6 * share)


def test_a_hit_ends_the_search() -> None:
    trial = FakeTrial(halving())
    search(trial, SCENE, BitsAim(trial.curve(26)[0]))
    assert trial.asked == [(26, 1)]


def test_it_begins_where_it_is_told_within_the_range() -> None:
    for begin, first in ((40, 40), (99, 51), (-3, 0), (None, 26)):
        trial = FakeTrial(halving())
        search(trial, SCENE, BitsAim(1000.0), begin)
        assert trial.asked[0][0] == first


@pytest.mark.parametrize(("bits", "end"), [(1e12, 0), (1e-3, 51)])
def test_an_aim_out_of_reach_ends_at_the_end_of_the_range(bits: float, end: int) -> None:
    trial = FakeTrial(halving())
    found = search(trial, SCENE, BitsAim(bits))
    assert found[-1].setting == end
    assert len(found) == 2


def test_a_caller_may_end_it() -> None:
    trial = FakeTrial(halving())
    offered = []

    def once(latest: object) -> bool:
        offered.append(latest)
        return len(offered) < 2

    found = search(trial, SCENE, BitsAim(10.0), 0, once)
    assert len(found) == len(offered) == 2


@pytest.mark.parametrize(("share", "setting"), [(0.0, 51), (1.0, 0), (0.5, 26)])
def test_a_share_of_the_range_needs_one_encode(share: float, setting: int) -> None:
    trial = FakeTrial(halving())
    (only,) = search(trial, SCENE, ShareAim(share), begin=3)
    assert only.setting == setting


def test_a_curve_that_goes_the_wrong_way_ends_too() -> None:
    """A scene may cost less at a finer setting; nothing is tried twice all the same."""
    trial = FakeTrial(lambda setting: (1000 + 100 * setting, 30.0))
    for aim in (1.0, 1e9, 3000.0):
        trial.asked.clear()
        search(trial, SCENE, BitsAim(aim))
        assert 1 <= len(trial.asked) <= 4
        assert len(set(trial.asked)) == len(trial.asked)


def test_how_far_off_counts_in_octaves() -> None:
    assert BitsAim(1000).octaves_off(made(4000)) == 2
    assert BitsAim(1000).octaves_off(made(500)) == -1
    assert PsnrAim(30).octaves_off(made(1, 36.0)) == 2
    assert PsnrAim(30).octaves_off(made(1, 27.0)) == -1
    assert math.isclose(BitsAim(1).tolerance_octaves, math.log2(1.02))
