from __future__ import annotations

import pytest
from edgecodec.orchestrator.design import Goal, Space, Trial, default_space, designer
from edgecodec.orchestrator.design.optuna_designer import OptunaDesigner
from edgecodec.runtime.errors import UnsupportedError

from .made import encoded, made_settings

GOAL = Goal.parse("psnr>=38, bitrate min")
SPACE = default_space(GOAL)
SMALL = Space("quality", (40.0, 50.0), 50.0, codecs=(("av1",), ("h264",)), tiers=("nano", "edge"))


def run(made: OptunaDesigner, count: int, at_a_time: int = 1) -> list[Trial]:
    history: list[Trial] = []
    while len(history) < count:
        history += [encoded(each.settings) for each in made.propose(history, [], at_a_time)]
    return history


def best(history: list[Trial]) -> float:
    return min(
        each.result.bitrate_mbps for each in history if each.result and GOAL.feasible(each.result)
    )


def test_it_begins_with_the_first_points() -> None:
    points = SPACE.first_points()
    made = OptunaDesigner(SPACE, GOAL)
    proposals = made.propose([], [], len(points))
    assert [each.settings for each in proposals] == points
    assert {each.by for each in proposals} == {"optuna"}
    rest = made.propose([encoded(points[0])], points[1:3], len(points) - 3)
    assert [each.settings for each in rest] == points[3:]


def test_nothing_is_proposed_twice() -> None:
    history = run(OptunaDesigner(SPACE, GOAL), 40, at_a_time=4)
    assert len({each.settings for each in history}) == len(history)
    pending = [each.settings for each in history[20:]]
    more = OptunaDesigner(SPACE, GOAL).propose(history[:20], pending, 10)
    assert not {each.settings for each in more} & {each.settings for each in history}
    assert all(SPACE.holds(each.settings) for each in more)


def test_the_same_history_gives_the_same_proposals() -> None:
    history = run(OptunaDesigner(SPACE, GOAL), 15)
    one = OptunaDesigner(SPACE, GOAL).propose(history, [], 3)
    assert one == OptunaDesigner(SPACE, GOAL).propose(history, [], 3)
    assert one != OptunaDesigner(SPACE, GOAL, seed=2).propose(history, [], 3)


def test_it_improves_on_what_it_began_with() -> None:
    runs = [run(OptunaDesigner(SPACE, GOAL, seed), 25) for seed in range(3)]
    first = best(runs[0][: len(SPACE.first_points())])
    assert all(best(each) < first for each in runs)


def test_it_keeps_to_where_the_bound_holds() -> None:
    # Below 40, that is in most of the space, the PSNR is too low.
    goal = Goal.parse("psnr>=46, bitrate min")
    space = Space("quality", tuple(map(float, range(101))), 50.0, codecs=(("av1",), ("h264",)))
    history: list[Trial] = []
    made = OptunaDesigner(space, goal)
    while len(history) < 30:
        history += [encoded(each.settings) for each in made.propose(history, [], 1)]
    kept = [each.result is not None and goal.feasible(each.result) for each in history[-10:]]
    assert sum(kept) >= 3


def test_several_objectives_give_a_front() -> None:
    goal = Goal.parse("bitrate min, psnr max, tops min")
    history: list[Trial] = []
    made = OptunaDesigner(default_space(goal), goal)
    while len(history) < 25:
        history += [encoded(each.settings) for each in made.propose(history, [], 2)]
    assert len({each.settings.target.value for each in history}) > 5


def test_a_space_that_is_used_up_gives_fewer_and_then_none() -> None:
    made = OptunaDesigner(SMALL, Goal())
    history = [encoded(each.settings) for each in made.propose([], [], 3)]
    rest = made.propose(history, [], 100)
    assert len(rest) == SMALL.size() - 3
    assert made.propose(history, [each.settings for each in rest], 100) == []
    assert made.propose([], [], 0) == []


def test_what_fails_is_left_alone() -> None:
    def tried(settings_tier: str) -> int:
        history: list[Trial] = []
        goal = Goal.parse("bitrate min")
        space = Space(
            "quality", tuple(map(float, range(101))), 50.0, tiers=("nano", "edge"), adapts=("none",)
        )
        made = OptunaDesigner(space, goal)
        while len(history) < 30:
            for each in made.propose(history, [], 1):
                fails = each.settings.tier == settings_tier
                history.append(
                    Trial(each.settings, None, "no such network")
                    if fails
                    else encoded(each.settings)
                )
        return sum(each.settings.tier == settings_tier for each in history[10:])

    assert tried("edge") < 10


def test_only_failures_do_not_stop_it() -> None:
    history = [Trial(each, None, "broken") for each in SPACE.first_points()]
    assert len(OptunaDesigner(SPACE, GOAL).propose(history, [], 5)) == 5


def test_settings_of_another_space_do_not_disturb() -> None:
    history = [encoded(made_settings(float(i))) for i in range(12)]
    assert len(OptunaDesigner(SPACE, GOAL).propose(history, [made_settings(99.0)], 4)) == 4


def test_a_figure_that_was_not_measured_is_said() -> None:
    goal = Goal.parse("vmaf>=90, bitrate min")
    history = [encoded(each) for each in SPACE.first_points()]
    with pytest.raises(UnsupportedError, match="no vmaf"):
        OptunaDesigner(SPACE, goal).propose(history, [], 5)


def test_it_is_made_by_its_name() -> None:
    made = designer("optuna", space=SPACE, goal=GOAL, seed=7, environ={})
    assert made == OptunaDesigner(SPACE, GOAL, 7)
