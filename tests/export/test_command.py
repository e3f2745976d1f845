"""`edgecodec export` as a user calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from edgecodec.cli.export import export
from edgecodec.runtime.errors import UnsupportedError
from typer.testing import CliRunner

Texture = Callable[[Path, int, tuple[int, int]], Path]


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(export)
    return app


def test_json_is_the_manifest_with_its_folder(
    app: typer.Typer, weights: Path, moving_texture: Texture, tmp_path: Path
) -> None:
    clip = moving_texture(tmp_path / "clip.mp4", 12, (96, 64))
    arguments = ["--int8", "--network", "enhancer", "--size", "96x64", "--clip", str(clip)]
    folder = tmp_path / "models"
    paths = ["--weights", str(weights), "-o", str(folder), "--json"]
    result = CliRunner().invoke(app, [*arguments, *paths], catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["directory"] == str(folder)
    (network,) = report["networks"]
    assert network["name"] == "enhancer"
    assert (folder / network["file"]).is_file()
    assert network["drop_db"] is not None
    assert network["placement"]["percent"] == 100
    assert json.loads((folder / "manifest.json").read_text()) == {
        key: value for key, value in report.items() if key != "directory"
    }


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    app: typer.Typer, weights: Path, tmp_path: Path
) -> None:
    arguments = ["--int8", "--size", "720p", "--weights", str(weights), "--dry-run", "--json"]
    result = CliRunner().invoke(
        app, [*arguments, "-o", str(tmp_path / "m")], catch_exceptions=False
    )
    plan = json.loads(result.stdout)
    assert [network["name"] for network in plan["networks"]][-1] == "enhancer"
    assert plan["networks"][-1]["outputs"][0]["shape"] == [1, 24, 180, 320]
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_is_none_is_a_usage_error(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--size", "huge", "-o", str(tmp_path / "m")])
    assert result.exit_code == 2
    assert "is not a size" in result.stderr


def test_an_unknown_target_is_an_unsupported_error(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--int8", "--target", "qnn", "-o", str(tmp_path / "m")])
    assert isinstance(result.exception, UnsupportedError)
    assert "cpu" in str(result.exception)
