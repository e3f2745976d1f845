"""The book of a run, over every table."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from edgecodec.orchestrator.runs import Entry, Run, RunBook
from edgecodec.orchestrator.tables import Table, open_table
from edgecodec.runtime.errors import DispatchError, UnsupportedError

from ..memory_table import Clock, MemoryTable

LIMIT_S = 60.0


@pytest.fixture
def table(table_url: str) -> Iterator[Table]:
    opened = open_table(table_url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def entries(book: RunBook, name: str) -> tuple[Entry, ...]:
    run = book.get(name)
    assert run is not None
    return run.entries


def test_a_run_s_life(table: Table, clock: Clock) -> None:
    book = RunBook(table, clock)
    assert book.get("night") is None
    assert book.list() == ()
    run = book.create("night", "psnr>=40, bitrate min", {"count": 25})
    assert run == Run("night", "psnr>=40, bitrate min", {"count": 25}, clock.now, None, "", ())
    assert book.get("night") == run
    clock.now += 10
    first = book.append("night", "e1", "optuna", "a first look")
    second = book.append("night", "e2", "llm", "ünder 40 dB")
    assert (first.number, second.number, second.at) == (1, 2, clock.now)
    assert entries(book, "night") == (first, second)
    book.finish("night", "the target was reached")
    ended = book.get("night")
    assert ended is not None
    assert (ended.ended, ended.end) == (clock.now, "the target was reached")
    assert book.resume("night") == Run(
        "night", run.goal, run.options, run.began, None, "", (first, second)
    )


def test_an_experiment_is_in_a_run_once(table: Table) -> None:
    book = RunBook(table)
    book.create("night", "", {})
    first = book.append("night", "e1", "optuna", "why")
    assert book.append("night", "e1", "llm", "why not") == first
    assert entries(book, "night") == (first,)


def test_runs_do_not_mix(table: Table) -> None:
    book = RunBook(table)
    for name in ("b", "a", "a.1"):
        book.create(name, name, {})
        book.append(name, f"of {name}", "", "")
    assert [run.name for run in book.list()] == ["a", "a.1", "b"]
    assert all(run.entries[0].experiment == f"of {run.name}" for run in book.list())


def test_entries_come_in_order(table: Table) -> None:
    book = RunBook(table)
    book.create("night", "", {})
    for number in range(1, 13):
        book.append("night", f"e{number}", "", "")
    assert [each.experiment for each in entries(book, "night")] == [f"e{n}" for n in range(1, 13)]


def test_several_write_at_once(table: Table) -> None:
    book = RunBook(table)
    book.create("night", "", {})

    def write(writer: int) -> None:
        for number in range(5):
            book.append("night", f"e{writer} {number}", "", "")
            book.append("night", f"shared {number}", str(writer), "")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    written = entries(book, "night")
    assert [entry.number for entry in written] == list(range(1, 21))
    assert len({entry.experiment for entry in written}) == 20


def test_a_write_whose_answer_gets_lost_counts_once() -> None:
    table = MemoryTable()
    book = RunBook(table)
    book.create("night", "", {})
    table.loses_answers = True
    assert book.append("night", "e1", "", "").number == 1
    book.finish("night", "enough")
    table.loses_answers = False
    run = book.get("night")
    assert run is not None
    assert (len(run.entries), run.end) == (1, "enough")


def test_a_name_is_taken_once() -> None:
    book = RunBook(MemoryTable())
    book.create("night", "", {})
    with pytest.raises(DispatchError, match="run night: there is one of that name in memory:"):
        book.create("night", "other", {})


@pytest.mark.parametrize("name", ["", ".", "-a", "a b", "a/b", "ä", "a" * 101, "a\n"])
def test_names_that_no_file_could_have_are_refused(name: str) -> None:
    with pytest.raises(DispatchError, match="a name has"):
        RunBook(MemoryTable()).create(name, "", {})


def test_a_run_that_is_not_there_is_said() -> None:
    book = RunBook(MemoryTable())
    for use in (
        lambda: book.append("day", "e1", "", ""),
        lambda: book.finish("day", ""),
        lambda: book.resume("day"),
    ):
        with pytest.raises(DispatchError, match="run 'day': memory: has no run of that name"):
            use()


def test_a_book_of_a_later_version_is_refused() -> None:
    table = MemoryTable()
    book = RunBook(table)
    book.create("night", "", {})
    row = table.get("run", "night")
    assert row is not None
    table.put("run", "night", dict(row.value) | {"schema": 2}, row.version)
    with pytest.raises(UnsupportedError, match=r"run night: .*schema 2"):
        book.get("night")
