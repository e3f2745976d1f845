"""The choice over all scenes, against every possible one."""

from __future__ import annotations

import itertools
import math

import pytest
from edgecodec.encoder.choose import each_reaching, least_reaching, most_within
from edgecodec.encoder.strategies import Candidate
from hypothesis import given, settings
from hypothesis import strategies as st

from .fakes import made

relaxed = settings(deadline=None, max_examples=80)
Scenes = list[list[Candidate]]


@st.composite
def scenes(draw: st.DrawFn) -> Scenes:
    """Up to four scenes of different lengths, with up to four candidates each."""
    found = []
    for frames in draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)):
        pairs = st.tuples(st.integers(50, 5000), st.floats(10, 60))
        points = draw(st.lists(pairs, min_size=1, max_size=4))
        found.append([made(bits, *[psnr] * frames) for bits, psnr in points])
    return found


def bits(chosen: list[Candidate] | tuple[Candidate, ...]) -> int:
    return sum(each.bits for each in chosen)


def value(chosen: list[Candidate] | tuple[Candidate, ...]) -> float:
    return sum(sum(each.scores) for each in chosen)


def from_each(chosen: list[Candidate], every: Scenes) -> bool:
    return all(each in made for each, made in zip(chosen, every, strict=True))


@relaxed
@given(scenes(), st.floats(0, 1))
def test_a_budget_gets_the_best_choice_that_keeps_it(every: Scenes, where: float) -> None:
    least = sum(min(each.bits for each in made) for made in every)
    most = sum(max(each.bits for each in made) for made in every)
    budget = least + where * (most - least)
    chosen = most_within(every, budget)
    assert from_each(chosen, every)
    assert bits(chosen) <= budget
    fitting = [each for each in itertools.product(*every) if bits(each) <= budget]
    assert value(chosen) == pytest.approx(max(map(value, fitting)))


@relaxed
@given(scenes())
def test_a_budget_that_nothing_keeps_gets_the_smallest(every: Scenes) -> None:
    least = sum(min(each.bits for each in made) for made in every)
    assert bits(most_within(every, least - 1)) == least


@relaxed
@given(scenes(), st.floats(0, 1))
def test_a_mean_is_reached_with_the_fewest_bits(every: Scenes, where: float) -> None:
    frames = sum(len(made[0].scores) for made in every)
    worst = sum(min(sum(each.scores) for each in made) for made in every) / frames
    best = sum(max(sum(each.scores) for each in made) for made in every) / frames
    # Not what candidates have to the last digit: sums in another order would fall short of it.
    mean = worst + where * (best - worst) * 0.999 - 1e-9
    chosen = least_reaching(every, mean)
    assert from_each(chosen, every)
    assert value(chosen) / frames >= mean - 1e-6
    enough = [each for each in itertools.product(*every) if value(each) >= mean * frames]
    assert bits(chosen) <= min(map(bits, enough))


@relaxed
@given(scenes())
def test_a_mean_that_nothing_reaches_gets_the_highest_scores(every: Scenes) -> None:
    best = sum(max(sum(each.scores) for each in made) for made in every)
    assert value(least_reaching(every, 61.0)) == pytest.approx(best)


@relaxed
@given(scenes(), st.floats(10, 60))
def test_each_scene_reaches_a_value_by_itself_or_does_its_best(every: Scenes, mean: float) -> None:
    for chosen, made_of_scene in zip(each_reaching(every, mean), every, strict=True):
        enough = [each for each in made_of_scene if each.score >= mean]
        if enough:
            assert chosen.score >= mean - 1e-6
            assert chosen.bits <= min(each.bits for each in enough)
        else:
            assert chosen.score == max(each.score for each in made_of_scene)


def test_the_metric_that_is_aimed_at_counts_where_there_is_one() -> None:
    sharp = made(100, 40.0, frame_scores=(0.90,))
    soft = made(100, 30.0, frame_scores=(0.95,))
    assert most_within([[sharp, soft]], 100) == [soft]


def test_many_scenes_are_within_a_hair_of_the_best_price() -> None:
    """300 scenes of 12 candidates on noisy curves: nothing at one price of bits does better."""
    every = []
    for scene in range(300):
        weight = 1 + (scene * 7 % 13)
        every.append(
            [
                made(
                    weight * 1000 * 2**step + scene % 5,
                    30 + 3 * step + 0.3 * math.sin(scene + step),
                )
                for step in range(12)
            ]
        )
    for budget in (5e6, 3e7, 4e8):
        chosen = most_within(every, budget)
        assert bits(chosen) <= budget
        best_at_a_price = max(
            value(picked)
            for price in (10.0**exponent for exponent in range(-9, 0))
            for picked in [[max(m, key=lambda e, p=price: e.score - p * e.bits) for m in every]]
            if bits(picked) <= budget
        )
        assert value(chosen) >= best_at_a_price
