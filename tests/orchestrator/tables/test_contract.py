"""What holds of every table, whatever keeps its rows."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edgecodec.orchestrator.tables import Row, Table, open_table
from edgecodec.runtime.errors import UnsupportedError

from .contender import count_up

LIMIT_S = 120.0
NAMES = ["a b", "a:b", "a%b", "a'b\"c", "ä/ö", "日本", "A", "a", "{a}", "*", "1", "10", "2", " "]
VALUES: list[dict[str, Any]] = [
    {},
    {"text": "ä \U0001f3ac \n\x00 ' \" ", "empty": ""},
    {"numbers": [0, -1, 2**60, 0.1, 1e-300, 1e300], "truths": [True, False, None]},
    {"nested": {"list": [{"a": []}]}, "version": 7, "value": "x", "group": "y"},
    {"long": "x" * 300_000},
]


@pytest.fixture
def table(table_url: str) -> Iterator[Table]:
    opened = open_table(table_url)
    yield opened
    opened.close()


def test_a_row_is_not_there_until_it_is_written(table: Table) -> None:
    assert table.get("group", "name") is None
    assert table.get_many("group", ["name"]) == {}
    assert list(table.scan("group")) == []


def test_a_row_is_written_once_where_there_is_none(table: Table) -> None:
    assert table.put("group", "name", {"a": 1}, None)
    assert not table.put("group", "name", {"a": 2}, None)
    assert table.get("group", "name") == Row({"a": 1}, 1)


def test_a_row_changes_from_the_version_that_was_seen(table: Table) -> None:
    table.put("group", "name", {"a": 1}, None)
    assert table.put("group", "name", {"a": 2}, 1)
    assert not table.put("group", "name", {"a": 3}, 1)
    assert not table.put("group", "name", {"a": 3}, 3)
    assert table.get("group", "name") == Row({"a": 2}, 2)


def test_a_row_that_is_not_there_has_no_version(table: Table) -> None:
    assert not table.put("group", "name", {"a": 1}, 1)
    assert table.get("group", "name") is None


def test_a_row_that_was_taken_away_begins_anew(table: Table) -> None:
    table.put("group", "name", {"a": 1}, None)
    table.put("group", "name", {"a": 2}, 1)
    table.delete("group", "name")
    table.delete("group", "name")
    assert table.get("group", "name") is None
    assert not table.put("group", "name", {"a": 3}, 2)
    assert table.put("group", "name", {"a": 3}, None)
    assert table.get("group", "name") == Row({"a": 3}, 1)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: "-".join(value) or "empty")
def test_values_come_back_as_they_were(table: Table, value: dict[str, Any]) -> None:
    table.put("group", "name", value, None)
    assert table.get("group", "name") == Row(value, 1)


def test_names_are_any_text_and_groups_do_not_mix(table: Table) -> None:
    for name in NAMES:
        assert table.put("one", name, {"name": name}, None)
    table.put("two", "a", {"other": True}, None)
    assert [name for name, _ in table.scan("one")] == sorted(NAMES)
    assert all(row == Row({"name": name}, 1) for name, row in table.scan("one"))
    assert table.get_many("one", [*NAMES, "missing", NAMES[0]]) == dict(table.scan("one"))
    assert dict(table.scan("two")) == {"a": Row({"other": True}, 1)}


def test_many_rows_come_all(table: Table) -> None:
    """More than come at a time from any store, by count and by length."""
    names = [f"{number:03d}" for number in range(230)]
    for name in names:
        table.put("group", name, {"long": name * 1700}, None)
    assert [name for name, _ in table.scan("group")] == names
    assert table.get_many("group", names) == dict(table.scan("group"))
    assert table.get_many("group", []) == {}


@pytest.mark.parametrize("value", [{"a": float("inf")}, {"a": float("nan")}, {"a": {1}}])
def test_what_json_cannot_hold_is_not_written(table: Table, value: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"group name.*JSON"):
        table.put("group", "name", value, None)
    assert table.get("group", "name") is None


def test_whoever_opens_it_by_its_url_has_the_same_rows(table: Table) -> None:
    table.put("group", "name", {"a": 1}, None)
    other = open_table(table.url)
    assert other.get("group", "name") == Row({"a": 1}, 1)
    assert other.put("group", "name", {"a": 2}, 1)
    other.close()
    assert table.get("group", "name") == Row({"a": 2}, 2)


def test_threads_that_share_it_lose_no_change(table: Table) -> None:
    made: list[int] = []
    threads = [
        threading.Thread(target=lambda: made.extend(count_up(table, "group", "name", 15)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(made) == list(range(1, 61))
    assert table.get("group", "name") == Row({"count": 60}, 60)


def test_processes_lose_no_change(table_url: str) -> None:
    """The table itself is made in the contest, too."""
    command = [sys.executable, str(Path(__file__).with_name("contender.py")), table_url]
    contenders = [
        subprocess.Popen([*command, "group", "name", "12"], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    try:
        said = [contender.communicate(timeout=LIMIT_S)[0] for contender in contenders]
    finally:
        for contender in contenders:
            contender.kill()
    assert sorted(int(count) for line in said for count in line.split()) == list(range(1, 37))
    table = open_table(table_url)
    assert table.get("group", "name") == Row({"count": 36}, 36)
    table.close()
