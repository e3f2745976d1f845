"""What a file on a disk can do to a table."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from edgecodec.orchestrator.tables import open_table
from edgecodec.runtime.errors import DispatchError

LIMIT_S = 60.0
WRITE_ON = """
import sys
from edgecodec.orchestrator.tables import open_table
table = open_table(sys.argv[1])
number = 0
while table.put("group", f"{number:06d}", {"number": number}, None):
    number += 1
    print(number, flush=True)
"""
WRITE_UNTIL_FULL = """
import resource, sys
from edgecodec.orchestrator.tables import open_table
from edgecodec.runtime.errors import DispatchError
table = open_table(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
number = 0
try:
    while table.put("group", f"{number:06d}", {"long": "x" * 20_000}, None):
        number += 1
except DispatchError as error:
    print(number, error)
"""


def test_what_was_told_outlives_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'results.sqlite'}"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE_ON, url], stdout=subprocess.PIPE, text=True
    )
    # So that the test ends even if the writer says nothing.
    watch = threading.Timer(LIMIT_S, writer.kill)
    watch.start()
    try:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(50)][-1]
        writer.kill()
        told = max([told, *map(int, writer.stdout.read().splitlines())])
    finally:
        watch.cancel()
        writer.kill()
        writer.communicate()
    table = open_table(url)
    assert [row.value["number"] for _, row in table.scan("group")][:told] == list(range(told))
    assert table.put("group", "next", {}, None)
    table.close()


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'results.sqlite'}"
    said = subprocess.run(
        [sys.executable, "-c", WRITE_UNTIL_FULL, url],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    ).stdout
    number, _, message = said.partition(" ")
    assert url in message
    assert "disk" in message
    table = open_table(url)
    assert len(list(table.scan("group"))) == int(number) > 0
    assert table.put("group", "next", {}, None)
    table.close()


def test_another_program_s_file_is_not_taken_for_a_table(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    with pytest.raises(DispatchError, match=r"notes\.txt: .*give another file"):
        open_table(f"sqlite:{path}")
    assert path.read_text() == "not a database " * 100


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DispatchError, match="see that the folder is there"):
        open_table(f"sqlite:{tmp_path / 'file' / 'results.sqlite'}")


def test_a_later_version_s_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    file = sqlite3.connect(path)
    file.execute("PRAGMA user_version = 2")
    file.close()
    with pytest.raises(DispatchError, match="later version"):
        open_table(f"sqlite:{path}")


def test_a_damaged_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    table = open_table(f"sqlite:{path}")
    table.put("group", "name", {}, None)
    for damage in ("{", "[]"):
        file = sqlite3.connect(path)
        with file:
            file.execute("UPDATE edgecodec_rows SET value = ?", (damage,))
        file.close()
        with pytest.raises(DispatchError, match="group name: the row is damaged"):
            table.get("group", "name")
    table.close()


def test_a_closed_table_says_so(tmp_path: Path) -> None:
    table = open_table(f"sqlite:{tmp_path / 'results.sqlite'}")
    table.close()
    with pytest.raises(DispatchError, match="closed"):
        table.get("group", "name")
