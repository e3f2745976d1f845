"""What became of the experiments of a run: its book joined with the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...runtime.errors import UnsupportedError
from ..experiment_job import experiment_of
from ..ledger import Attempt, Ledger, Record, State
from ..ledger.record import Outcome as Ending
from ..records import Experiment, Result
from ..runs import Entry, Run


@dataclass(frozen=True)
class Outcome:
    """One experiment of a run: the book's entry, the ledger's record, and what both mean.

    `result` is None where there is none (yet); `trouble` then says what is wrong with one that
    this version cannot read.
    """

    entry: Entry
    record: Record
    experiment: Experiment
    result: Result | None
    trouble: str = ""

    @property
    def number(self) -> int:
        """Its place in the run, from 1."""
        return self.entry.number

    @property
    def open(self) -> bool:
        """Whether it waits or runs."""
        return self.record.state.open

    @property
    def failed(self) -> bool:
        """Whether it ended without a result that can be read, and nobody called it off."""
        return not self.open and self.result is None and self.record.state is not State.CANCELLED

    @property
    def error(self) -> str:
        """What is wrong with it, "" where nothing is."""
        if self.trouble or self.result is not None:
            return self.trouble
        return self.record.error

    @property
    def paid(self) -> bool:
        """Whether this run pays for it: not where an earlier one had it done."""
        last = max((each.began + each.seconds for each in self.record.attempts), default=0.0)
        return self.open or last >= self.entry.at

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What workers did about it that this run pays for."""
        return self.record.attempts if self.paid else ()

    @property
    def seconds(self) -> float:
        """Worker time of those attempts, lost ones too."""
        return sum(attempt.seconds for attempt in self.attempts)

    @property
    def repeated(self) -> bool:
        """Whether an attempt was lost or failed."""
        return any(each.outcome in (Ending.ERROR, Ending.LOST) for each in self.attempts)

    @property
    def ended(self) -> float:
        """When this run knew how it ended, Unix s; before that, when it began."""
        last = max((each.began + each.seconds for each in self.record.attempts), default=0.0)
        return self.entry.at if self.open else max(last, self.entry.at)


def outcomes(
    run: Run, ledger: Ledger, known: Mapping[str, Outcome] | None = None
) -> tuple[Outcome, ...]:
    """The run's experiments in the order in which they were proposed.

    What is done stays as it is: outcomes of an earlier look, `known` by the job's id, save asking
    for it again. Raises UnsupportedError for an experiment of a later version.
    """
    kept = {id: each for id, each in (known or {}).items() if each.record.state is State.DONE}
    wanted = [entry.experiment for entry in run.entries if entry.experiment not in kept]
    records = {record.job.id: record for record in ledger.records(wanted)}
    return tuple(_outcomes(run, records, kept))


def _outcomes(
    run: Run, records: Mapping[str, Record], kept: Mapping[str, Outcome]
) -> Iterator[Outcome]:
    for entry in run.entries:
        if entry.experiment in kept:
            yield kept[entry.experiment]
        # One that was put down and never handed in, for want of time, is as good as not there.
        elif entry.experiment in records:
            record = records[entry.experiment]
            result, trouble = _result(record)
            yield Outcome(entry, record, experiment_of(record.job), result, trouble)


def _result(record: Record) -> tuple[Result | None, str]:
    if record.state is not State.DONE:
        return None, ""
    try:
        return Result.from_dict(record.result, f"result of {record.job.id}"), ""
    except UnsupportedError as error:
        return None, str(error)
