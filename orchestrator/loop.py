"""The loop: design, dispatch, wait, analyse, and again. It encodes nothing itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..runtime.errors import DispatchError
from .analysis import Analysis, Outcome, analyse, outcomes
from .cost import Cost, Price, cost, forecast
from .design.base import Designer, Proposal, Trial
from .design.goal import Goal
from .dispatch import Dispatcher
from .experiment_job import experiment_job
from .ledger import State
from .records import Clip, Experiment
from .runs import Run, RunBook
from .stop import Rule, Standing, Stop, StopRules

_TICK_S = 1.0
# How long nothing may run while experiments wait before it is said.
_LONELY_S = 20.0


@dataclass(frozen=True)
class Plan:
    """What a run does: `run` is its name in the book, `model` the encoder's fingerprint, `parallel`
    how many experiments are in flight at most."""

    run: str
    clips: tuple[Clip, ...]
    goal: Goal
    designer: Designer
    rules: StopRules
    price: Price
    device: str
    model: str
    seed: int
    parallel: int


@dataclass(frozen=True)
class Board:
    """How a run stands: `fresh` has what ended since the last board, `note` what is wrong, ""
    where nothing is."""

    analysis: Analysis
    standing: Standing
    cost: Cost
    fresh: tuple[Outcome, ...]
    note: str


class Workers(Protocol):
    """Workers of the run's own."""

    def check(self) -> None:
        """See to it that they live. Raises DispatchError where they do not, and why."""

    def stop(self) -> None:
        """End them; jobs that they are at are given back."""

    @property
    def where_to_look(self) -> str:
        """What to do where nobody takes a job."""


class Loop:
    """One sitting of a run, from its first experiment or from where an earlier sitting ended.

    Everything that it knows is in the book and the ledger, so it may be cut off at any time.
    `show` gets a board about once a second.
    """

    def __init__(
        self,
        plan: Plan,
        dispatcher: Dispatcher,
        book: RunBook,
        workers: Workers,
        show: Callable[[Board], None],
    ) -> None:
        self._plan = plan
        self._dispatcher = dispatcher
        self._book = book
        self._workers = workers
        self._show = show
        self._began = self._busy = time.monotonic()
        # What the last look found, and what was begun since.
        self._known: dict[str, Outcome] = {}
        self._new: set[str] = set()
        self._shown: frozenset[int] | None = None
        self._analysis: tuple[tuple[str, ...], Analysis] | None = None
        # What an earlier sitting called off is taken up again; what this one does is not.
        self._left = {
            each.record.job.id
            for each in self._outcomes()
            if each.record.state is State.CANCELLED and each.experiment.model == plan.model
        }

    def run(self) -> Stop:
        """Go on until a stop rule holds, and say which. The run's end is in the book then.

        On KeyboardInterrupt what waits is called off, own workers are ended, and the run is left so
        that another sitting goes on with it. Raises DispatchError and UnsupportedError as
        designers, workers and stores do; the run is left likewise.
        """
        self._book.resume(self._plan.run)
        try:
            stop = self._until_stopped()
            self._wind_down(stop)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            self._leave("interrupted" if interrupted else f"stopped by an error: {error}")
            raise
        self._book.finish(self._plan.run, f"{stop.rule.value}: {stop.why}")
        return stop

    def _until_stopped(self) -> Stop:
        while True:
            board = self._look()
            if self._run().end:
                return Stop(Rule.CANCELLED, "somebody called the run off")
            if stop := self._plan.rules.stop(board.standing):
                return stop
            room = self._plan.rules.room(board.standing, self._plan.parallel)
            began = self._begin(board.analysis, room) if room else 0
            if room and not began and not board.standing.in_flight:
                return Stop(Rule.USED_UP, "the designer proposes nothing more")
            self._wait()

    def _wind_down(self, stop: Stop) -> None:
        """Call off what waits; what runs is let to its end unless a limit forbids."""
        at_once = stop.at_once
        while running := [each for each in self._look().analysis.outcomes if each.open]:
            for each in running:
                if at_once or each.record.state is State.QUEUED:
                    self._dispatcher.cancel(each.record.job.id)
            self._wait()
            later = self._plan.rules.stop(self._look().standing)
            at_once = at_once or (later is not None and later.at_once)

    def _leave(self, why: str) -> None:
        self._call_off_waiting()
        self._workers.stop()
        self._call_off_waiting()  # what the workers gave back
        self._book.finish(self._plan.run, why)

    def _call_off_waiting(self) -> None:
        for each in self._outcomes():
            if each.record.state is State.QUEUED:
                self._dispatcher.cancel(each.record.job.id)

    def _begin(self, analysis: Analysis, count: int) -> int:
        """Begin up to `count` experiments: what was left, then what is proposed."""
        began = 0
        while self._left and began < count:
            id = self._left.pop()
            if self._dispatcher.retry(id):
                self._new.add(id)
                began += 1
        if began == count:
            return began
        # What somebody called off says nothing about its settings, and is not proposed again.
        unknown = (State.QUEUED, State.RUNNING, State.CANCELLED)
        history = [
            Trial(each.experiment.settings, each.result, each.error or each.record.state.value)
            for each in analysis.outcomes
            if each.record.state not in unknown
        ]
        pending = [
            each.experiment.settings for each in analysis.outcomes if each.record.state in unknown
        ]
        proposals = self._plan.designer.propose(history, pending, count - began)
        return began + sum(self._submit(each) for each in proposals)

    def _submit(self, proposal: Proposal) -> bool:
        """Whether the run has it only now."""
        plan = self._plan
        experiment = Experiment(plan.clips, proposal.settings, plan.device, plan.model, plan.seed)
        job = experiment_job(experiment, vmaf=plan.goal.needs_vmaf)
        if not self._dispatcher.submit(job):
            # Another run has it too. What that one called off begins; what failed has failed.
            known = self._dispatcher.ledger.get(job.id)
            if known is not None and known.state is State.CANCELLED:
                self._dispatcher.retry(job.id)
        before = {entry.experiment for entry in self._run().entries}
        self._new.add(job.id)
        self._book.append(plan.run, job.id, proposal.by, proposal.why)
        return job.id not in before

    def _wait(self) -> None:
        self._workers.check()
        open_ids = {id for id, each in self._known.items() if each.open} | self._new
        if open_ids:
            self._dispatcher.wait(open_ids, enough=1, timeout_s=_TICK_S)

    def _look(self) -> Board:
        """How the run stands now; shown, too."""
        found = self._outcomes()
        analysis = self._analysed(found)
        paid = [each.record for each in found if each.paid]
        spent = cost(paid, self._plan.price)
        likely = forecast([each.record for each in found], self._plan.price)
        standing = Standing(
            begun=sum(each.record.state is not State.CANCELLED for each in found),
            in_flight=sum(each.open for each in found),
            results=len(analysis.measured),
            failed=sum(each.failed for each in found),
            spent=spent.amount,
            expected=likely.in_flight,
            next_cost=likely.one_more,
            hours=(time.monotonic() - self._began) / 3600,
            reached=analysis.reached,
            without_progress=analysis.without_progress,
        )
        ended = frozenset(each.number for each in found if not each.open)
        known = ended if self._shown is None else self._shown
        self._shown = ended
        fresh = tuple(each for each in found if each.number in ended - known)
        board = Board(analysis, standing, spent, fresh, self._lonely(found))
        self._show(board)
        return board

    def _lonely(self, found: tuple[Outcome, ...]) -> str:
        """Says so where nobody takes what waits."""
        waiting = any(each.record.state is State.QUEUED for each in found)
        if not waiting or any(each.record.state is State.RUNNING for each in found):
            self._busy = time.monotonic()
        alone = time.monotonic() - self._busy
        if alone < _LONELY_S:
            return ""
        return f"nobody has taken an experiment for {alone:.0f} s: {self._workers.where_to_look}"

    def _analysed(self, found: tuple[Outcome, ...]) -> Analysis:
        states = tuple(f"{each.record.job.id} {each.record.version}" for each in found)
        if self._analysis is None or self._analysis[0] != states:
            self._analysis = states, analyse(found, self._plan.goal)
        return self._analysis[1]

    def _outcomes(self) -> tuple[Outcome, ...]:
        found = outcomes(self._run(), self._dispatcher.ledger, self._known)
        self._known = {each.record.job.id: each for each in found}
        self._new = set()
        return found

    def _run(self) -> Run:
        run = self._book.get(self._plan.run)
        if run is None:
            raise DispatchError(f"run {self._plan.run} is no longer in the book")
        return run
