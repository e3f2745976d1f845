"""`edgecodec export` as a user calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from edgecodec.cli._errors import ExitCode, exit_code
from edgecodec.cli.export import export
from edgecodec.export import Arithmetic, Cache, ExportOptions
from edgecodec.export.stages import StageRunner
from edgecodec.runtime.errors import UnsupportedError
from typer.testing import CliRunner

Texture = Callable[[Path, int, tuple[int, int]], Path]


@pytest.fixture
def app(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("EDGECODEC_CACHE", str(cache.folder))
    app = typer.Typer()
    app.command()(export)
    return app


def test_json_is_the_manifest_with_its_folder(
    app: typer.Typer, weights: Path, moving_texture: Texture, tmp_path: Path
) -> None:
    clip = moving_texture(tmp_path / "clip.mp4", 12, (96, 64))
    arguments = ["--int8", "--network", "enhancer", "--size", "96x64", "--clip", str(clip)]
    folder = tmp_path / "models"
    page = tmp_path / "report.html"
    paths = ["--weights", str(weights), "-o", str(folder), "--json", "--html", str(page)]
    gates = ["--max-drop", "1", "--require-placement", "100", "--max-size", "200kB"]
    result = CliRunner().invoke(app, [*arguments, *paths, *gates], catch_exceptions=False)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["directory"] == str(folder)
    (network,) = report["networks"]
    assert network["name"] == "enhancer"
    assert (folder / network["file"]).is_file()
    assert network["drop_db"] is not None
    assert network["placement"]["percent"] == 100
    assert report["gates"] == {
        "max_drop_db": 1.0,
        "placement_percent": 100.0,
        "max_bytes": 200_000,
    }
    for layer in network["sensitivity"]["ranking"]:
        assert f">{layer['layer']}</text>" in page.read_text()
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


@pytest.mark.parametrize(
    ("flags", "given"),
    [([], None), (["--exact"], Arithmetic.EXACT), (["--fast"], Arithmetic.FAST)],
)
def test_arithmetic_is_by_network_unless_it_is_forced(
    app: typer.Typer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    given: object,
) -> None:
    asked: list[ExportOptions] = []

    def plan(options: ExportOptions, *samples: object) -> tuple[()]:
        asked.append(options)
        return ()

    monkeypatch.setattr("edgecodec.export.plan_export", plan)
    arguments = ["--int8", *flags, "--dry-run", "--json", "-o", str(tmp_path / "m")]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert [options.arithmetic for options in asked] == [given]


def test_a_size_that_is_none_is_a_usage_error(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--size", "huge", "-o", str(tmp_path / "m")])
    assert result.exit_code == 2
    assert "is not a size" in result.stderr


def test_an_unknown_target_is_an_unsupported_error(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--int8", "--target", "abacus", "-o", str(tmp_path / "m")])
    assert isinstance(result.exception, UnsupportedError)
    assert "cpu, openvino, tensorrt, qnn" in str(result.exception)


def test_the_plan_says_what_is_cached(app: typer.Typer, weights: Path, tmp_path: Path) -> None:
    arguments = ["--network", "enhancer", "--size", "32x32", "--weights", str(weights)]
    paths = ["-o", str(tmp_path / "m"), "--cache", str(tmp_path / "cache")]
    made = CliRunner().invoke(app, [*arguments, *paths], catch_exceptions=False)
    assert made.exit_code == 0

    def cached(*more: str) -> list[str]:
        asked = [*arguments, *paths, "--dry-run", "--json", *more]
        result = CliRunner().invoke(app, asked, catch_exceptions=False)
        (network,) = json.loads(result.stdout)["networks"]
        assert network["stages"] == ["onnx", "simplify", "placement"]
        stages: list[str] = network["cached"]
        return stages

    assert cached() == ["onnx", "simplify", "placement"]
    assert cached("--from", "simplify") == ["onnx"]
    assert cached("--no-cache") == []


def test_without_a_clip_nothing_says_what_int8_costs(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgecodec.export.demo_clips", lambda: ())
    result = CliRunner().invoke(app, ["--int8", "-o", str(tmp_path / "m")])
    assert result.exit_code == 2
    assert "--max-drop inf" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--soc", "8gen3"], "leave --soc out, or give --target qnn"),
        (["--sm", "86"], "leave --sm out, or give --target tensorrt"),
        (["--target", "qnn", "--size", "720p", "--sm", "86"], "leave --sm out"),
        (["--target", "tensorrt", "--size", "720p", "--sm", "999"], "75, 80, 86, 89, 120, 121"),
        (["--target", "tensorrt", "--size", "720p", "--soc", "8gen3"], "leave --soc out"),
    ],
)
@pytest.mark.parametrize("run", [[], ["--dry-run"]])
def test_a_device_that_the_target_does_not_have_is_refused_before_any_work(
    app: typer.Typer,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: list[str],
    flags: list[str],
    why: str,
) -> None:
    monkeypatch.setattr(StageRunner, "run", lambda *_: pytest.fail("a stage ran"))
    arguments = ["--int8", *flags, *run, "--weights", str(weights), "-o", str(tmp_path / "m")]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UnsupportedError)
    assert why in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "option", "why"),
    [
        (["--html", "none/report.html"], "--html", "lies in no folder"),
        (["--max-size", "foo"], "--max-size", "is not a size"),
    ],
)
def test_an_option_that_is_wrong_is_named_before_any_work(
    app: typer.Typer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: list[str],
    option: str,
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgecodec.export.export_networks", lambda *_: pytest.fail("it began"))
    result = CliRunner().invoke(app, ["--int8", *flags, "-o", "m"])
    assert result.exit_code == 2
    assert option in result.stderr
    assert why in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_export_is_not_replaced(app: typer.Typer, tmp_path: Path) -> None:
    file = tmp_path / "thesis.txt"
    file.touch()
    for output, why in ((file, "is a file"), (tmp_path, "it holds no manifest")):
        result = CliRunner().invoke(app, ["--int8", "-o", str(output)])
        assert result.exception is not None
        assert exit_code(result.exception) == ExitCode.BAD_INPUT
        assert why in str(result.exception)
        assert "Errno" not in str(result.exception)
