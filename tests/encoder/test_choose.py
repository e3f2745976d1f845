"""The choice over all scenes."""

from __future__ import annotations

import itertools
import math

import pytest
from edgecodec.encoder import BitrateTarget, PsnrTarget, QualityTarget
from edgecodec.encoder.choose import choose, trade
from edgecodec.encoder.strategies import Candidate
from hypothesis import given, settings
from hypothesis import strategies as st

from .fakes import made

CANDIDATES = st.builds(
    lambda bits, psnr, frames: made(bits, *[psnr] * frames),
    st.integers(50, 5000),
    st.floats(10, 60),
    st.just(1),
)

relaxed = settings(deadline=None, max_examples=60)


@st.composite
def scenes(draw: st.DrawFn) -> list[list[Candidate]]:
    """Up to four scenes of different lengths, a candidate at each of the same few settings."""
    count = draw(st.integers(1, 4))
    length = st.integers(1, 3)
    found = []
    for frames in draw(st.lists(length, min_size=1, max_size=4)):
        pairs = st.tuples(st.integers(50, 5000), st.floats(10, 60))
        curve = draw(st.lists(pairs, min_size=count, max_size=count))
        found.append([made(bits, *[psnr] * frames) for bits, psnr in curve])
    return found


def bits(chosen: list[Candidate] | tuple[Candidate, ...]) -> int:
    return sum(each.bits for each in chosen)


def value(chosen: list[Candidate] | tuple[Candidate, ...]) -> float:
    return sum(sum(each.frame_psnr) for each in chosen)


@relaxed
@given(scenes(), st.floats(0, 1), st.integers(0, 400))
def test_a_bitrate_gets_the_best_choice_that_keeps_it(
    every: list[list[Candidate]], where: float, other: int
) -> None:
    least = sum(min(each.bits for each in candidates) for candidates in every)
    most = sum(max(each.bits for each in candidates) for candidates in every)
    budget = least + where * (most - least)
    chosen = choose(every, BitrateTarget((budget + other) / 8), 8.0, other)
    assert all(each in candidates for each, candidates in zip(chosen, every, strict=True))
    assert bits(chosen) <= budget
    fitting = [each for each in itertools.product(*every) if bits(each) <= budget]
    assert value(chosen) == pytest.approx(max(map(value, fitting)))


def long_video(count: int) -> list[list[Candidate]]:
    """Scenes of 3 dB an octave, each from another start; every fifth of them hard to code."""
    found = []
    for number in range(count):
        start = 2000 * (7 if number % 5 == 0 else 1) + 137 * (number % 11)
        curve = [(start * 2**step + 61 * (number * step % 13), 30 + 3 * step) for step in range(6)]
        found.append([made(size, *[psnr + number % 7] * 4) for size, psnr in curve])
    return found


def most_at_any_price(every: list[list[Candidate]], budget: float) -> float:
    """No choice of at most `budget` bits is worth more: the Lagrangian dual, from above."""
    return min(
        price * budget
        + sum(max(value([each]) - price * each.bits for each in scene) for scene in every)
        for price in (2.0 ** (step / 4) for step in range(-64, -16))
    )


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.9])
def test_many_scenes_beat_any_setting_for_all_and_come_near_the_bound(share: float) -> None:
    every = long_video(150)
    least, most = (
        sum(pick(each.bits for each in candidates) for candidates in every) for pick in (min, max)
    )
    budget = least + share * (most - least)
    chosen = choose(every, BitrateTarget(budget), 1.0, 0)
    assert bits(chosen) <= budget
    for same in zip(*every, strict=True):
        if bits(same) <= budget:
            assert value(chosen) >= value(same)
    frames = 4 * len(every)
    assert value(chosen) / frames >= most_at_any_price(every, budget) / frames - 0.02


def test_where_nothing_fits_the_smallest_stream_is_made() -> None:
    every = [[made(500, 30.0), made(90, 20.0), made(90, 21.0)], [made(70, 9.0), made(80, 50.0)]]
    chosen = choose(every, BitrateTarget(1.0), 1.0, 0)
    assert chosen == [every[0][2], every[1][0]]


def test_where_everything_fits_the_best_is_made_of_equals_the_smallest() -> None:
    every = [[made(500, 40.0), made(400, 40.0), made(100, 20.0)]]
    assert choose(every, BitrateTarget(1e9), 1.0, 0) == [every[0][1]]


def test_what_else_the_stream_needs_is_taken_off() -> None:
    every = [[made(500, 40.0), made(400, 30.0)]]
    assert choose(every, BitrateTarget(500), 1.0, 0) == [every[0][0]]
    assert choose(every, BitrateTarget(500), 1.0, 1) == [every[0][1]]


def test_a_psnr_gets_the_fewest_bits_that_reach_it_in_every_scene() -> None:
    first = [made(900, 41.0), made(700, 38.0), made(650, 38.5), made(100, 30.0)]
    second = [made(900, 33.0), made(950, 32.0)]
    assert choose([first, second], PsnrTarget(38.0), 1.0, 0) == [first[2], second[0]]
    # A twentieth of a dB is below what whole settings can do.
    assert choose([first], PsnrTarget(38.54), 1.0, 0) == [first[2]]
    assert choose([first], PsnrTarget(38.56), 1.0, 0) == [first[0]]


@relaxed
@given(st.lists(CANDIDATES, min_size=1, max_size=6), st.floats(5, 65))
def test_no_smaller_candidate_reaches_the_psnr(every: list[Candidate], db: float) -> None:
    (chosen,) = choose([every], PsnrTarget(db), 1.0, 0)
    enough = [each for each in every if each.psnr >= db - 0.05]
    if enough:
        assert chosen in enough
        assert chosen.bits == min(each.bits for each in enough)
    else:
        assert chosen.psnr == max(each.psnr for each in every)


def test_a_quality_gets_the_best_trade_of_each_scene() -> None:
    # Half the bits are worth 3 dB.
    every = [made(1000, 40.0), made(500, 36.9), made(2000, 43.1)]
    assert choose([every], QualityTarget(50), 1.0, 0) == [every[2]]
    assert trade(every[0]) == pytest.approx(40 - 3 * math.log2(1000))
