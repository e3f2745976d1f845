from __future__ import annotations

import itertools
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from edgecodec.cli.app import app
from edgecodec.orchestrator import analysis
from edgecodec.orchestrator.analysis import analyse, encode_command, hypervolume, pareto
from edgecodec.orchestrator.design.goal import Goal
from edgecodec.orchestrator.ledger import Ledger
from edgecodec.orchestrator.ledger.record import Outcome as Ending
from edgecodec.orchestrator.ledger.record import State
from edgecodec.orchestrator.records import EncodeSettings, TargetSpec
from edgecodec.orchestrator.runs import RunBook
from edgecodec.orchestrator.tables import Table, open_table
from hypothesis import given
from hypothesis import strategies as st

from .made_runs import attempt, dead, done, waiting

GOAL = Goal.parse("psnr>=38, bitrate min")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return open_table(f"sqlite:{tmp_path / 'results.sqlite'}")


grid_points = st.integers(1, 4).flatmap(
    lambda size: st.lists(st.tuples(*[st.integers(0, 4)] * size), min_size=1, max_size=7)
)


@given(grid_points)
def test_the_volume_is_the_number_of_unit_cubes_that_are_beaten(
    points: list[tuple[int, ...]],
) -> None:
    size = len(points[0])
    cubes = itertools.product(range(5), repeat=size)
    beaten = sum(
        any(all(a <= b for a, b in zip(point, cube, strict=True)) for point in points)
        for cube in cubes
    )
    floats = [tuple(map(float, point)) for point in points]
    assert hypervolume(floats, (5.0,) * size) == pytest.approx(beaten)


@given(grid_points)
def test_the_front_covers_what_all_points_cover_and_holds_none_in_vain(
    points: list[tuple[int, ...]],
) -> None:
    floats = [tuple(map(float, point)) for point in points]
    worst = (5.0,) * len(points[0])
    front = [floats[place] for place in pareto(floats)]
    whole = hypervolume(floats, worst)
    assert hypervolume(front, worst) == pytest.approx(whole)
    for left_out in range(len(front)):
        rest = front[:left_out] + front[left_out + 1 :]
        assert hypervolume(rest, worst) < whole


def test_with_one_objective_the_least_within_the_bounds_is_best() -> None:
    found = analyse([done(1, 0.5, 36), done(2, 1.5, 39), done(3, 1.2, 38.5), done(4, 2, 42)], GOAL)
    assert found.best is not None
    assert found.best.number == 3
    assert found.feasible == {2, 3, 4}
    assert found.front == (1, 2, 3, 4)
    assert not found.reached


def test_nothing_within_the_bounds_means_no_best() -> None:
    found = analyse([done(1, 0.5, 36), done(2, 0.6, 37)], GOAL)
    assert found.best is None
    assert [step.improved for _, step in found.steps] == [True, True]
    assert [step.covered for _, step in found.steps] == [0, 0]


def test_with_several_objectives_the_best_is_a_compromise_whatever_the_units() -> None:
    goal = Goal.parse("bitrate min, psnr max")
    for scale in (1.0, 1000.0):
        some = [done(1, 1 * scale, 30), done(2, 2 * scale, 39), done(3, 10 * scale, 40)]
        found = analyse(some, goal)
        assert found.best is not None
        assert found.best.number == 2
        assert found.front == (1, 2, 3)


def test_an_objective_that_never_changes_decides_nothing() -> None:
    found = analyse([done(1, 1, 30), done(2, 2, 39), done(3, 10, 40)], Goal())
    assert found.best is not None
    assert found.best.number == 2
    assert 0 < found.steps[0][1].covered < found.steps[2][1].covered <= 1


def test_progress_is_told_from_standing_still() -> None:
    some = [
        done(1, 2.0, 37.0),
        done(2, 2.0, 36.0),
        done(3, 2.0, 39.0),
        done(4, 1.5, 38.5),
        done(5, 1.4999, 38.5),
        done(6, 3.0, 45.0),
        done(7, 0.1, 20.0),
    ]
    found = analyse(some, GOAL)
    improved = [step.improved for _, step in found.steps]
    assert improved == [True, False, True, True, False, False, False]
    assert found.without_progress == 3
    covered = [step.covered for _, step in found.steps]
    assert covered == sorted(covered)
    assert covered[-1] == pytest.approx(1.0)


def test_results_count_in_the_order_in_which_they_came() -> None:
    late = done(1, 1.0, 39, attempts=(attempt(1, Ending.DONE, seconds=9000),))
    found = analyse([late, done(2, 2.0, 39)], GOAL)
    assert [number for number, _ in found.steps] == [2, 1]


def test_failures_and_open_experiments_are_no_results() -> None:
    found = analyse([dead(1, "no"), waiting(2), waiting(3, State.RUNNING), done(4, 1, 39)], GOAL)
    assert [each.number for each in found.measured] == [4]
    assert [each.failed for each in found.outcomes] == [True, False, False, False]
    assert [each.open for each in found.outcomes] == [False, True, True, False]
    assert found.outcomes[0].error == "no"
    assert found.outcomes[0].repeated


def test_a_reached_goal_is_seen() -> None:
    goal = Goal.parse("psnr>=38, bitrate<=1, bitrate min")
    assert not analyse([done(1, 2, 39)], goal).reached
    assert analyse([done(1, 2, 39), done(2, 0.9, 38.1)], goal).reached


def test_settings_that_had_several_values_are_compared() -> None:
    some = [done(1, 2, 39), done(2, 1, 39, codec="vvc"), done(3, 4, 39), done(4, 0.1, 20)]
    found = {(each.setting, each.value): each for each in analyse(some, GOAL).influences}
    assert {setting for setting, _ in found} == {"codecs"}
    av1 = found["codecs", "av1"]
    assert (av1.results, av1.feasible, av1.best, av1.mean) == (3, 2, 2, 3)


def test_work_that_an_earlier_run_paid_for_costs_nothing() -> None:
    earlier = done(1, 2, 39, attempts=(attempt(1, Ending.DONE, began=0.0),))
    assert earlier.seconds == 0
    assert earlier.attempts == ()
    assert done(2, 2, 39).seconds == 30


def test_a_book_and_a_ledger_become_outcomes(table: Table) -> None:
    book, ledger = RunBook(table), Ledger(table)
    book.create("r", str(GOAL), {})
    ended, open_one = done(1, 2, 39), waiting(2)
    for each in (ended, open_one):
        ledger.add(each.record.job)
        book.append("r", each.record.job.id, "optuna", "because")
    book.append("r", "f" * 32, "optuna", "never handed in")
    claim = ledger.claim(ended.record.job.id, "w")
    assert ended.result is not None
    assert ledger.finish(claim, ended.result.to_dict())  # type: ignore[arg-type]
    run = book.get("r")
    assert run is not None
    found = analysis.outcomes(run, ledger)
    assert [each.number for each in found] == [1, 2]
    assert [each.experiment for each in found] == [ended.experiment, open_one.experiment]
    assert [each.result for each in found] == [ended.result, None]
    assert found[0].entry.why == "because"


def test_a_result_of_a_later_version_is_trouble_and_not_a_crash(table: Table) -> None:
    book, ledger = RunBook(table), Ledger(table)
    book.create("r", str(GOAL), {})
    job = waiting(1).record.job
    ledger.add(job)
    book.append("r", job.id, "optuna", "")
    claim = ledger.claim(job.id, "w")
    ledger.finish(claim, {"schema": 99})  # type: ignore[arg-type]
    run = book.get("r")
    assert run is not None
    (found,) = analysis.outcomes(run, ledger)
    assert found.failed
    assert "99" in found.error


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (EncodeSettings(TargetSpec("quality", 50)), {"quality": 50}),
        (
            EncodeSettings(TargetSpec("bitrate", 800_000), codecs=("vvc",), effort="fast"),
            {"bitrate": 800_000, "codecs": "vvc", "effort": "fast"},
        ),
        (
            EncodeSettings(
                TargetSpec("ssim", 0.975),
                strategies=("classical", "hybrid_semantic"),
                sizes=("half",),
                tier="edge",
                search="exhaustive",
                adapt="title",
                title_steps=70,
            ),
            {
                "target_ssim": 0.975,
                "strategy": "classical,hybrid_semantic",
                "sizes": "half",
                "tier": "edge",
                "search": "exhaustive",
                "adapt": "title",
                "title_steps": 70,
            },
        ),
        (EncodeSettings(TargetSpec("vmaf", 93.5)), {"target_vmaf": 93.5}),
        (EncodeSettings(TargetSpec("psnr", 38.05)), {"target_psnr": 38.05}),
    ],
)
def test_a_command_says_what_is_not_usual(settings: EncodeSettings, said: dict[str, Any]) -> None:
    words = shlex.split(encode_command(settings, "IN.mp4", "OUT.ecv"))
    assert words[:2] == ["edgecodec", "encode"]
    command: Any = typer.main.get_command(app)
    verb = command.commands["encode"]
    usual = verb.make_context("encode", ["IN.mp4", "-o", "OUT.ecv"]).params
    assert verb.make_context("encode", words[2:]).params == usual | said
