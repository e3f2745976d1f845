from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from edgecodec.orchestrator.cost import Price
from edgecodec.orchestrator.deployment import Deployment, deployment
from edgecodec.orchestrator.design import Goal, Proposal, Trial
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.experiment_job import experiment_job, experiment_of
from edgecodec.orchestrator.ledger import Claim, Ledger, Record, State
from edgecodec.orchestrator.local_workers import LocalWorkers
from edgecodec.orchestrator.loop import Board, Loop, Plan
from edgecodec.orchestrator.records import EncodeSettings, Experiment
from edgecodec.orchestrator.runs import Run, RunBook
from edgecodec.orchestrator.stop import Rule, Stop, StopRules
from edgecodec.orchestrator.tables import Table, open_table
from edgecodec.runtime.errors import DispatchError

from .made_runs import CLIP, result, settings

HOUR = 3600.0
Figures = Callable[[float], tuple[float, float] | None]


@dataclass
class Counting:
    """Proposes quality 1, 2, 3, ... and remembers what it was told."""

    most: int = 1000
    histories: list[list[Trial]] = field(default_factory=list)

    def propose(
        self, history: Sequence[Trial], pending: Sequence[EncodeSettings], count: int
    ) -> list[Proposal]:
        self.histories.append(list(history))
        known = [*(trial.settings for trial in history), *pending]
        new = (each for each in map(settings, map(float, range(1, self.most + 1))))
        fresh = itertools.islice((each for each in new if each not in known), count)
        return [Proposal(each, "counting", "the next number") for each in fresh]


@dataclass
class OneWorker:
    """Does one job whenever the loop looks after it; each takes an hour of its own clock, which is
    ahead, so that what has just been put in the queue is due.

    `figures` makes bitrate and PSNR of a quality, None for a failure.
    """

    table: Table
    figures: Figures = lambda quality: (quality, 30 + quality)
    before: Callable[[int], None] = lambda number: None
    now: float = field(default_factory=lambda: time.time() + HOUR)
    began: list[float] = field(default_factory=list)
    stopped: bool = False
    where_to_look: str = "look at the one worker"
    most_waiting: int = 0

    def check(self) -> None:
        self.before(len(self.began))
        ledger = Ledger(self.table, clock=lambda: self.now)
        waiting = [each for each in ledger.records() if each.state is State.QUEUED]
        self.most_waiting = max(self.most_waiting, len(waiting))
        if not waiting:
            return
        first = min(waiting, key=_quality)
        claim = ledger.claim(first.job.id, "one")
        assert isinstance(claim, Claim)
        self.began.append(_quality(first))
        self.now += HOUR
        measured = self.figures(_quality(first))
        if measured is None:
            ledger.fail(claim, "no luck", final=True)
        else:
            assert ledger.finish(claim, result(first.job.id, *measured).to_dict())

    def stop(self) -> None:
        self.stopped = True


def _quality(record: Record) -> float:
    return experiment_of(record.job).settings.target.value


@pytest.fixture
def fleet(tmp_path: Path) -> Deployment:
    return deployment(f"folder:{tmp_path / 'fleet'}", None, None)


@pytest.fixture
def dispatcher(fleet: Deployment) -> Iterator[Dispatcher]:
    with Dispatcher(fleet) as made:
        yield made


@pytest.fixture
def table(fleet: Deployment) -> Iterator[Table]:
    made = open_table(fleet.results)
    yield made
    made.close()


@pytest.fixture
def book(table: Table) -> RunBook:
    made = RunBook(table)
    made.create("r", "psnr max, bitrate min", {})
    return made


def plan(designer: Counting, rules: StopRules, goal: str = "psnr max, bitrate min") -> Plan:
    return Plan(
        run="r",
        clips=(CLIP,),
        goal=Goal.parse(goal),
        designer=designer,
        rules=rules,
        price=Price(1.0),
        device="snapdragon-40tops",
        model="",
        seed=1,
        parallel=2,
    )


@dataclass
class Boards:
    seen: list[Board] = field(default_factory=list)

    def show(self, board: Board) -> None:
        self.seen.append(board)


def states(book: RunBook, dispatcher: Dispatcher) -> list[str]:
    run = _run(book)
    records = [dispatcher.ledger.get(entry.experiment) for entry in run.entries]
    return [each.state.value for each in records if each is not None]


def _run(book: RunBook, name: str = "r") -> Run:
    run = book.get(name)
    assert run is not None
    return run


def test_experiments_are_designed_dispatched_and_learnt_from(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    designer, worker, boards = Counting(), OneWorker(table), Boards()
    loop = Loop(plan(designer, StopRules(count=5)), dispatcher, book, worker, boards.show)
    stop = loop.run()
    assert stop.rule is Rule.COUNT
    assert _run(book).end.startswith("count")
    assert worker.began == [1, 2, 3, 4, 5]
    assert states(book, dispatcher) == ["done"] * 5
    assert [entry.by for entry in _run(book).entries] == ["counting"] * 5
    assert worker.most_waiting == 2
    ended = [each.number for board in boards.seen for each in board.fresh]
    assert ended == [1, 2, 3, 4, 5]
    last = designer.histories[-1]
    assert {trial.settings for trial in last} <= {settings(float(n)) for n in range(1, 5)}
    assert all(trial.result is not None for trial in last)


def test_a_run_goes_on_where_it_ended(table: Table, book: RunBook, dispatcher: Dispatcher) -> None:
    worker = OneWorker(table)
    Loop(plan(Counting(), StopRules(count=3)), dispatcher, book, worker, Boards().show).run()
    designer = Counting()
    Loop(plan(designer, StopRules(count=5)), dispatcher, book, worker, Boards().show).run()
    assert len(designer.histories[0]) == 3
    assert worker.began == [1, 2, 3, 4, 5]


def test_what_somebody_calls_off_teaches_nothing_and_is_not_proposed_again(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    def call_off(number: int) -> None:
        if number == 1:
            waiting = [each for each in dispatcher.ledger.records() if each.state is State.QUEUED]
            dispatcher.cancel(max(waiting, key=_quality).job.id)

    designer, worker = Counting(), OneWorker(table, before=call_off)
    Loop(plan(designer, StopRules(count=4)), dispatcher, book, worker, Boards().show).run()
    assert worker.began == [1, 2, 4, 5]
    assert all(trial.result for history in designer.histories for trial in history)


def test_an_interrupted_run_calls_off_what_waits_and_goes_on_with_it(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    def interrupt(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    worker = OneWorker(table, before=interrupt)
    loop = Loop(plan(Counting(), StopRules(count=4)), dispatcher, book, worker, Boards().show)
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert worker.stopped
    assert _run(book).end == "interrupted"
    left = states(book, dispatcher)
    assert left.count("done") == 2
    assert left.count("cancelled") == len(left) - 2 > 0
    again = OneWorker(table)
    Loop(plan(Counting(), StopRules(count=4)), dispatcher, book, again, Boards().show).run()
    assert states(book, dispatcher) == ["done"] * 4
    assert sorted(worker.began + again.began) == [1, 2, 3, 4]


def test_an_error_leaves_the_run_to_be_gone_on_with(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    def fail(number: int) -> None:
        raise DispatchError("the workers died")

    worker = OneWorker(table, before=fail)
    loop = Loop(plan(Counting(), StopRules()), dispatcher, book, worker, Boards().show)
    with pytest.raises(DispatchError, match="died"):
        loop.run()
    assert "the workers died" in _run(book).end
    assert set(states(book, dispatcher)) == {"cancelled"}


def test_money_ends_a_run_before_it_is_overspent(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    worker, boards = OneWorker(table), Boards()
    rules = StopRules(count=None, budget=4.5)
    stop = Loop(plan(Counting(), rules), dispatcher, book, worker, boards.show).run()
    assert stop.rule is Rule.BUDGET
    assert len(worker.began) == 4
    assert boards.seen[-1].cost.amount == pytest.approx(4.0)


def test_a_reached_goal_calls_off_what_waits(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    worker = OneWorker(table)
    wanted = plan(Counting(), StopRules(), goal="psnr>=33, bitrate<=5")
    stop = Loop(wanted, dispatcher, book, worker, Boards().show).run()
    assert stop.rule is Rule.TARGET
    assert worker.began == [1, 2, 3]
    assert set(states(book, dispatcher)[3:]) <= {"cancelled"}


def test_no_progress_ends_it(table: Table, book: RunBook, dispatcher: Dispatcher) -> None:
    worker = OneWorker(table, figures=lambda quality: (1.0, 40.0 - quality))
    stop = Loop(
        plan(Counting(), StopRules(patience=3)), dispatcher, book, worker, Boards().show
    ).run()
    assert stop.rule is Rule.PATIENCE
    assert len(worker.began) == 4


def test_failures_are_told_to_the_designer(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    designer = Counting()
    worker = OneWorker(table, figures=lambda quality: None if quality == 2 else (quality, 30.0))
    Loop(plan(designer, StopRules(count=5)), dispatcher, book, worker, Boards().show).run()
    assert states(book, dispatcher) == ["done", "dead", "done", "done", "done"]
    failed = [trial for trial in designer.histories[-1] if trial.result is None]
    assert [(trial.settings, trial.error) for trial in failed] == [(settings(2.0), "no luck")]


def test_where_everything_fails_it_ends_soon(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    worker = OneWorker(table, figures=lambda quality: None)
    stop = Loop(plan(Counting(), StopRules()), dispatcher, book, worker, Boards().show).run()
    assert stop.rule is Rule.FAILING
    assert len(worker.began) == 3


def test_a_used_up_space_ends_it(table: Table, book: RunBook, dispatcher: Dispatcher) -> None:
    worker = OneWorker(table)
    stop = Loop(plan(Counting(most=3), StopRules()), dispatcher, book, worker, Boards().show).run()
    assert stop.rule is Rule.USED_UP
    assert worker.began == [1, 2, 3]


def test_what_another_run_paid_for_is_not_paid_for_again(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    worker = OneWorker(table, now=time.time() - 10 * HOUR)
    Loop(plan(Counting(), StopRules(count=3)), dispatcher, book, worker, Boards().show).run()
    book.create("second", "psnr max, bitrate min", {})
    idle, boards = OneWorker(table), Boards()
    second = replace(plan(Counting(), StopRules(count=3)), run="second")
    assert Loop(second, dispatcher, book, idle, boards.show).run().rule is Rule.COUNT
    assert idle.began == []
    assert boards.seen[-1].cost.amount == 0
    assert boards.seen[-1].standing.results == 3


def test_what_another_run_called_off_begins_for_this_one(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    job = experiment_job(Experiment((CLIP,), settings(1.0)), vmaf=False)
    dispatcher.submit(job)
    dispatcher.cancel(job.id)
    worker = OneWorker(table)
    Loop(plan(Counting(), StopRules(count=1)), dispatcher, book, worker, Boards().show).run()
    assert worker.began == [1]


def test_a_run_that_somebody_calls_off_ends(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    def call_off(number: int) -> None:
        if number == 2:
            book.finish("r", "cancelled: by hand")

    worker = OneWorker(table, before=call_off)
    stop = Loop(plan(Counting(), StopRules()), dispatcher, book, worker, Boards().show).run()
    assert stop.rule is Rule.CANCELLED
    assert "queued" not in states(book, dispatcher)


def test_hours_end_it_at_once(table: Table, book: RunBook, dispatcher: Dispatcher) -> None:
    worker = OneWorker(table)
    rules = StopRules(hours=1e-9)
    stop: Stop = Loop(plan(Counting(), rules), dispatcher, book, worker, Boards().show).run()
    assert stop.rule is Rule.HOURS
    assert worker.began == []


def test_a_goal_with_vmaf_asks_for_it_and_gets_results_of_its_own(
    table: Table, book: RunBook, dispatcher: Dispatcher
) -> None:
    plain = experiment_job(Experiment((CLIP,), settings(1.0)), vmaf=False)
    with_vmaf = experiment_job(Experiment((CLIP,), settings(1.0)), vmaf=True)
    assert plain.id != with_vmaf.id
    assert with_vmaf.payload["vmaf"] is True
    assert experiment_of(plain) == experiment_of(with_vmaf)
    wanted = plan(Counting(), StopRules(hours=1e-9), goal="vmaf>=90, bitrate min")
    Loop(wanted, dispatcher, book, OneWorker(table), Boards().show).run()
    assert all(entry.experiment.endswith("-vmaf") for entry in _run(book).entries)


def test_workers_that_keep_dying_are_an_error_with_their_last_words(
    fleet: Deployment, tmp_path: Path
) -> None:
    with (
        LocalWorkers(fleet, 1, tmp_path / "logs", ("--no-such-option",)) as workers,
        pytest.raises(DispatchError, match="No such option"),
    ):
        _check_for(workers, seconds=60)


def _check_for(workers: LocalWorkers, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        workers.check()
        time.sleep(0.02)
