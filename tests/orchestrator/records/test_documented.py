"""The records that the documentation shows are records."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from edgecodec.orchestrator.ledger import Ledger
from edgecodec.orchestrator.ledger.record import Job, Record, State
from edgecodec.orchestrator.records import Experiment, Result
from edgecodec.orchestrator.runs import RunBook

from ..memory_table import MemoryTable

PAGE = Path(__file__).parents[3] / "docs" / "experiments-format.md"


@pytest.fixture(scope="module")
def shown() -> list[Any]:
    """Experiment, result, job, run, entry."""
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    return [json.loads(block.replace("{ ... }", "{}")) for block in blocks]


def test_the_experiment_has_the_id_that_is_told(shown: list[Any]) -> None:
    experiment = Experiment.from_dict(shown[0])
    assert experiment.to_dict() == shown[0]
    assert f"here `{experiment.id}`" in PAGE.read_text(encoding="utf-8")
    assert shown[4]["experiment"] == experiment.id


def test_the_result_is_the_experiment_s(shown: list[Any]) -> None:
    result = Result.from_dict(shown[1])
    assert result.experiment == Experiment.from_dict(shown[0]).id
    assert json.loads(json.dumps(result.to_dict())) == shown[1]


def test_the_job_is_as_the_ledger_writes_it(shown: list[Any]) -> None:
    record = Record.from_dict("id", shown[2], 1)
    assert json.loads(json.dumps(record.to_dict())) == shown[2]
    assert record.state is State.DONE


def test_the_run_is_as_the_book_writes_it(shown: list[Any]) -> None:
    table = MemoryTable()
    table.put("run", "night", shown[3], None)
    table.put("run night", "00000001", shown[4], None)
    run = RunBook(table).get("night")
    assert run is not None
    assert run.entries[0].experiment == shown[4]["experiment"]


def test_the_groups_are_those_that_are_told() -> None:
    table = MemoryTable()
    groups: set[str] = set()
    table.before_put = lambda group, name: groups.add(group)
    Ledger(table).add(Job("probe", "id", {}))
    book = RunBook(table)
    book.create("NAME", "", {})
    book.append("NAME", "id", "", "")
    text = PAGE.read_text(encoding="utf-8")
    assert groups == {"job", "open", "run", "run NAME"}
    assert all(f"| `{group}` |" in text for group in groups)
