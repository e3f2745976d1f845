"""`edgecodec doctor --broker`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from edgecodec.cli.app import app
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER", "RESULTS", "MEDIA"):
        monkeypatch.delenv(f"EDGECODEC_{name}", raising=False)


def test_a_fleet_in_order_is_ready_though_nobody_works(runner: CliRunner, tmp_path: Path) -> None:
    broker = f"folder:{tmp_path}/fleet"
    result = runner.invoke(app, ["doctor", "--broker", broker, "--wait", "0", "--json"])
    report = json.loads(result.stdout)
    assert (result.exit_code, report["ready"]) == (0, True)
    assert {check["area"] for check in report["checks"]} == {"fleet"}
    assert [check["name"] for check in report["checks"] if check["status"] != "ok"] == [
        "round trip"
    ]


def test_a_fleet_that_lacks_something_exits_with_5(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "media").touch()
    options = ["--broker", f"folder:{tmp_path}", "--wait", "0"]
    result = runner.invoke(app, ["doctor", *options])
    assert result.exit_code == 5
    assert "missing" in result.stdout
    report = json.loads(runner.invoke(app, ["doctor", *options, "--json"]).stdout)
    assert report["ready"] is False


def test_an_option_that_is_missing_is_named(runner: CliRunner) -> None:
    result = runner.invoke(app, ["doctor", "--broker", "redis://127.0.0.1"])
    assert result.exit_code != 0
    assert "--media is missing" in str(result.exception) + result.output
