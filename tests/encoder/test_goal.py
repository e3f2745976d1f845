"""What a target asks of all scenes together: which candidates, and how far off they are."""

from __future__ import annotations

import pytest
from edgecodec.encoder.curves import trade
from edgecodec.encoder.goal import BestTrade, Budget, EachScore, Goal, MeanScore
from edgecodec.encoder.strategies import Candidate

from .fakes import made


def ladder(bits: int, psnr: float, steps: int = 6) -> list[Candidate]:
    """Candidates of which each has twice the bits of the one before and 3 dB more."""
    return [made(bits * 2**n, psnr + 3 * n, setting=50.0 - n) for n in range(steps)]


SCENES = [ladder(1000, 30.0), ladder(3000, 33.0)]


def total(chosen: list[Candidate]) -> int:
    return sum(each.bits for each in chosen)


def mean(chosen: list[Candidate]) -> float:
    return sum(each.score for each in chosen) / len(chosen)


def test_the_best_trade_is_chosen_scene_by_scene_and_misses_nothing() -> None:
    better = made(5000, 39.0)
    scenes = [[*SCENES[0], better], SCENES[1]]
    goal = BestTrade()
    chosen = goal.choose(scenes)
    assert chosen[0] is better
    assert trade(chosen[1]) == max(map(trade, SCENES[1]))
    assert goal.off(chosen) == 0.0


def test_a_budget_may_be_passed_by_its_share_and_no_more() -> None:
    loose, strict = Budget(10_000, 0.02, 0.02), Budget(10_000, 0.0, 0.02)
    scenes = [[made(10_100, 40.0), made(9_000, 38.0), made(10_300, 45.0)]]
    assert loose.choose(scenes)[0].bits == 10_100
    assert strict.choose(scenes)[0].bits == 9_000
    assert total(strict.choose(SCENES)) <= 10_000


def test_what_is_off_a_budget_is_one_at_both_ends_of_what_is_allowed() -> None:
    for goal, least, most in (
        (Budget(10_000, 0.02, 0.02), 9_800, 10_200),
        (Budget(10_000, 0.0, 0.025), 9_750, 10_000),
    ):
        assert goal.off([made(most, 30.0)]) == pytest.approx(1.0)
        assert goal.off([made(least, 30.0)]) == pytest.approx(-1.0)
        assert goal.off([made(round(goal.aim), 30.0)]) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("bits", [-5000.0, 0.0, 1.0])
def test_a_budget_that_is_used_up_before_the_first_scene_takes_the_smallest(bits: float) -> None:
    goal = Budget(bits, 0.0, 0.025)
    chosen = goal.choose(SCENES)
    assert [each.bits for each in chosen] == [1000, 3000]
    assert abs(goal.off(chosen)) > 1


@pytest.mark.parametrize("value", [33.0, 37.5, 45.0])
def test_a_mean_is_reached_with_the_fewest_bits(value: float) -> None:
    goal = MeanScore(value, 0.1)
    chosen = goal.choose(SCENES)
    assert mean(chosen) >= value - 0.1
    for one in SCENES[0]:
        for other in SCENES[1]:
            if mean([one, other]) >= value:
                assert total(chosen) <= total([one, other])


def test_a_mean_may_be_a_little_short() -> None:
    near, far = made(900, 39.93), made(1000, 41.0)
    assert MeanScore(40.0, 0.1).choose([[near, far]]) == [near]
    assert MeanScore(40.0, 0.05).choose([[near, far]]) == [far]


def test_a_mean_counts_frames_and_not_scenes() -> None:
    scenes = [[made(1000, 30.0, 30.0, 30.0), made(2000, 34.0, 34.0, 34.0)], [made(1000, 38.0)]]
    goal = MeanScore(32.0, 0.1)
    chosen = goal.choose(scenes)
    assert chosen[0].bits == 1000
    assert goal.off(chosen) == pytest.approx(0.0)
    assert goal.off([scenes[0][1], scenes[1][0]]) == pytest.approx(30.0)


def test_every_scene_reaches_a_value_by_itself_and_the_farthest_counts() -> None:
    goal = EachScore(39.0, 0.1)
    chosen = goal.choose(SCENES)
    assert [each.score for each in chosen] == [39.0, 39.0]
    assert goal.off(chosen) == 0.0
    assert goal.off([made(1, 39.1), made(1, 38.7)]) == pytest.approx(-3.0)
    assert goal.off([made(1, 39.5), made(1, 38.7)]) == pytest.approx(5.0)


def test_scores_count_where_they_are_not_the_psnr() -> None:
    scenes = [[made(1, 50.0, frame_scores=(0.9,)), made(2, 10.0, frame_scores=(0.95,))]]
    for goal in (MeanScore(0.95, 0.002), EachScore(0.95, 0.002)):
        assert goal.choose(scenes)[0].bits == 2
        assert goal.off(goal.choose(scenes)) == pytest.approx(0.0)


@pytest.mark.parametrize("goal", [MeanScore(90.0, 0.1), EachScore(90.0, 0.1)])
def test_what_cannot_be_reached_takes_the_best_there_is_and_is_off(goal: Goal) -> None:
    chosen = goal.choose(SCENES)
    assert [each.score for each in chosen] == [45.0, 48.0]
    assert goal.off(chosen) < -1


@pytest.mark.parametrize("goal", [MeanScore(38.0, 0.1), EachScore(38.0, 0.1)])
def test_the_aim_is_inside_of_what_is_met_and_of_what_is_chosen(goal: MeanScore) -> None:
    aimed = made(1, goal.aim)
    assert abs(goal.off([aimed])) < 0.5
    assert goal.choose([[aimed, made(2, 40.0)]]) == [aimed]
