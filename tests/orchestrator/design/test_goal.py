from __future__ import annotations

import pytest
from edgecodec.orchestrator.design import Goal, Objective
from edgecodec.runtime.errors import UnsupportedError
from hypothesis import given
from hypothesis import strategies as st

from .made import made_result, made_settings

BITRATE, PSNR, TOPS = (
    Objective("bitrate_mbps", "min"),
    Objective("psnr", "max"),
    Objective("tops_per_frame", "min"),
)


def test_a_goal_without_more_is_bitrate_quality_and_operations() -> None:
    assert Goal().objectives == (BITRATE, PSNR, TOPS)
    assert Goal().feasible(made_result())
    assert not Goal().reached(made_result())


def test_a_text_names_bounds_and_objectives() -> None:
    goal = Goal.parse("psnr>=38, verdict >= likely, tops<=.5, bitrate min")
    assert goal == Goal((BITRATE,), min_psnr=38, max_tops_per_frame=0.5, needs_verdict="likely")


@pytest.mark.parametrize(
    ("text", "most"), [("bitrate<=0.8", 0.8), ("bitrate<=700k", 0.7), ("bitrate<=1.5M", 1.5)]
)
def test_bitrates_are_in_megabits_or_have_a_unit(text: str, most: float) -> None:
    assert Goal.parse(text).max_bitrate_mbps == most


def test_bounds_without_objectives_are_to_get_better() -> None:
    goal = Goal.parse("psnr>=40, bitrate<=1")
    assert goal.objectives == (PSNR, BITRATE)
    assert Goal.parse("verdict>=pass").objectives == Goal().objectives


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("psnr", "psnr"),
        ("psnr<=38", "psnr<=38"),
        ("psnr>=high", "high"),
        ("psnr>=38k", "38k"),
        ("psnr>=nan", "nan"),
        ("psnr>=138", "min_psnr"),
        ("bitrate<=64000", "max_bitrate_mbps"),
        ("beauty max", "beauty"),
        ("psnr min", "psnr min"),
        ("psnr max, psnr max", "once"),
        ("psnr>=38, psnr>=39", "twice"),
        ("verdict>=great", "great"),
        ("verdict>=unknown", "unknown"),
        ("objectives>=1", "objectives"),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused_with_its_part(text: str, named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        Goal.parse(text)


bounds = st.none() | st.floats(0.001, 99)
goals = st.builds(
    Goal,
    st.lists(st.sampled_from([BITRATE, PSNR, TOPS]), min_size=1, unique=True).map(tuple),
    min_psnr=bounds,
    min_ssim=st.none() | st.floats(0, 0.999),
    min_vmaf=bounds,
    max_bitrate_mbps=bounds,
    max_tops_per_frame=st.none() | st.floats(0, 1e6),
    needs_verdict=st.sampled_from([None, "pass", "likely", "unlikely"]),
)


def test_a_goal_reads_as_it_was_written() -> None:
    for text in ("psnr>=38, bitrate min", "bitrate<=0.8, verdict>=likely, psnr max, tops min"):
        assert str(Goal.parse(text)) == text


@given(goals)
def test_text_and_back_is_the_same_goal(goal: Goal) -> None:
    assert Goal.parse(str(goal)) == goal


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("psnr>=40", {"psnr": 39.99}),
        ("ssim>=0.97", {"ssim": 0.969}),
        ("vmaf>=90", {"vmaf": 89.0}),
        ("bitrate<=1", {"bitrate_mbps": 1.01}),
        ("tops<=0", {"tops_per_frame": 0.001}),
        ("verdict>=likely", {"verdict": "unlikely"}),
        ("verdict>=likely", {"verdict": "unknown"}),
    ],
)
def test_a_missed_bound_makes_a_result_unfit(text: str, figures: dict[str, object]) -> None:
    goal = Goal.parse(f"{text}, bitrate min")
    assert goal.feasible(made_result(vmaf=90.0))
    assert not goal.feasible(made_result(**figures))
    assert max(goal.shortfalls(made_result(**figures))) > 0


def test_a_goal_ends_where_every_objective_has_a_bound() -> None:
    good = made_result(psnr=41.0, bitrate_mbps=0.5)
    assert Goal.parse("psnr>=40, bitrate<=0.8").reached(good)
    assert Goal.parse("psnr>=40, bitrate<=0.8, bitrate min").reached(good)
    assert not Goal.parse("psnr>=42, bitrate<=0.8").reached(good)
    assert not Goal.parse("psnr>=40, bitrate min").reached(good)


def test_values_come_in_the_order_of_the_objectives() -> None:
    result = made_result(psnr=41.0, bitrate_mbps=0.5)
    assert Goal((PSNR, BITRATE)).values(result) == (41.0, 0.5)


def test_a_vmaf_that_was_not_measured_is_said() -> None:
    goal = Goal.parse("vmaf>=90, bitrate min")
    assert goal.needs_vmaf
    assert not Goal().needs_vmaf
    with pytest.raises(UnsupportedError, match="no vmaf"):
        goal.feasible(made_result())


def test_better_is_nowhere_worse_and_bounds_come_first() -> None:
    goal = Goal((BITRATE, PSNR), min_psnr=38)
    good = made_result(psnr=40.0, bitrate_mbps=1.0)
    smaller = made_result(psnr=40.0, bitrate_mbps=0.9)
    poorer = made_result(psnr=37.0, bitrate_mbps=0.1)
    poorest = made_result(psnr=36.0, bitrate_mbps=0.05)
    assert goal.dominates(smaller, good)
    assert not goal.dominates(good, smaller)
    assert not goal.dominates(good, good)
    assert goal.dominates(good, poorer)
    assert goal.dominates(poorer, poorest)
    other = made_result(psnr=41.0, bitrate_mbps=2.0)
    assert not goal.dominates(other, good)
    assert not goal.dominates(good, other)


def test_targets_that_cannot_keep_a_bound_are_known() -> None:
    goal = Goal.parse("psnr>=38, bitrate<=1")
    assert goal.hopeless(made_settings(37.0, "psnr")) is not None
    assert goal.hopeless(made_settings(37.95, "psnr")) is None
    assert goal.hopeless(made_settings(1.2e6, "bitrate")) is not None
    assert goal.hopeless(made_settings(1.02e6, "bitrate")) is None
    assert goal.hopeless(made_settings(10.0, "quality")) is None
