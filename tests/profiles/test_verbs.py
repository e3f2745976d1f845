from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from edgecodec.cli.devices import devices
from edgecodec.cli.profile import profile
from edgecodec.profiles import device_names
from edgecodec.runtime.errors import DeviceError, GateError, ProviderError
from typer.testing import CliRunner


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(profile)
    app.command()(devices)
    return app


def invoke(app: typer.Typer, *arguments: object) -> Any:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def test_devices_lists_all_as_json(app: typer.Typer) -> None:
    result = invoke(app, "devices", "--json")
    listed = json.loads(result.stdout)
    assert [device["name"] for device in listed] == list(device_names())
    assert "snapdragon-40tops" in invoke(app, "devices").stdout


def test_profile_prints_one_json_document(
    app: typer.Typer, enhancer_only: Path, tmp_path: Path
) -> None:
    page = tmp_path / "profile.html"
    result = invoke(
        app,
        *("profile", "--models", enhancer_only, "--size", "128x64", "--runs", 2),
        *("--html", page, "--json"),
    )
    assert result.exit_code == 0, result.exception
    report = json.loads(result.stdout)
    assert report["device"] == "snapdragon-40tops"
    assert report["measured_ms"]["runs"] == 2
    assert report["passes"]
    assert page.read_text().startswith("<!doctype html>")


def test_profile_prints_a_table(app: typer.Typer, models: Path) -> None:
    result = invoke(app, "profile", "--models", models, "--size", "128x64", "--no-measure")
    assert result.exit_code == 0, result.exception
    assert "generator_b" in result.stdout
    assert "not measured" in result.stdout


@pytest.mark.parametrize("tier", ["nano", "edge"])
def test_profile_finds_the_networks_of_a_tier(app: typer.Typer, tier: str) -> None:
    request = ("profile", "--tier", tier, "--size", "128x64", "--no-measure", "--json")
    report = json.loads(invoke(app, *request).stdout)
    assert report["tier"] == tier
    names = {network["name"] for network in report["networks"]}
    assert {"enhancer", "generator_up"} <= names
    assert report["slowest_network"] in names


def test_min_fps_fails_after_the_report(app: typer.Typer, models: Path) -> None:
    request = ("profile", "--models", models, "--size", "4k", "--no-measure", "--min-fps", 100_000)
    result = invoke(app, *request)
    assert isinstance(result.exception, GateError)
    assert "generator_b" in result.stdout


def test_min_fps_leaves_one_json_document(app: typer.Typer, models: Path) -> None:
    request = ("profile", "--models", models, "--size", "4k", "--no-measure", "--min-fps", 100_000)
    result = invoke(app, *request, "--json")
    assert result.exit_code == 4
    assert json.loads(result.stdout)["fps"] < 100_000
    assert "error: " in result.stderr


def test_all_devices_in_one_table(app: typer.Typer) -> None:
    request = ("profile", "--all", "--size", "360p")
    result = invoke(app, *request, "--min-fps", 100_000, "--json")
    names = {row["device"] for row in json.loads(result.stdout)["devices"]}
    assert names == set(device_names())
    assert result.exit_code == 4
    assert "qcs6490" in result.stderr
    assert invoke(app, *request, "--html", "x.html").exit_code == 2


def test_reports_are_compared_by_the_same_verb(app: typer.Typer, tmp_path: Path) -> None:
    files = []
    for size in ("360p", "720p"):
        made = invoke(app, "profile", "--size", size, "--no-measure", "--json")
        files.append(tmp_path / f"{size}.json")
        files[-1].write_text(made.stdout)
    shown = invoke(app, "profile", "diff", *files)
    assert shown.exit_code == 0, shown.exception
    assert "640x360 in A, 1280x720 in B" in " ".join(shown.stdout.split())
    data = json.loads(invoke(app, "profile", "diff", *files, "--json").stdout)
    assert {"what": "enhancer: parameters", "a": 80216, "b": 80216, "ratio": 1.0} in data["rows"]
    for wrong in (("diff",), ("diff", files[0]), ("dif", *files)):
        assert invoke(app, "profile", *wrong).exit_code == 2


def test_sustained_is_a_share(app: typer.Typer) -> None:
    request = ("profile", "--size", "360p", "--no-measure", "--json")
    cool, warm = (
        json.loads(invoke(app, *request, *extra).stdout) for extra in ((), ("--sustained", 0.5))
    )
    assert warm["predicted_ms"]["mid"] == pytest.approx(2 * cool["predicted_ms"]["mid"])
    assert invoke(app, *request, "--sustained", 1.5).exit_code == 2


def test_providers_by_name(app: typer.Typer, enhancer_only: Path) -> None:
    request = ("profile", "--models", enhancer_only, "--size", "128x64", "--runs", 1)
    report = json.loads(invoke(app, *request, "--provider", "cpu", "--json").stdout)
    assert report["measured_ms"]["provider"] == "CPUExecutionProvider"
    unknown = invoke(app, *request, "--provider", "abacus")
    assert isinstance(unknown.exception, ProviderError)
    assert invoke(app, *request, "--provider", ",").exit_code == 2


def test_wrong_options(app: typer.Typer, models: Path) -> None:
    assert invoke(app, "profile", "--models", models, "--size", "big").exit_code == 2
    unknown = invoke(app, "profile", "--models", models, "--device", "abacus")
    assert isinstance(unknown.exception, DeviceError)
    assert invoke(app, "profile", "--all", "--device", "qcs6490").exit_code == 2
    nowhere = models / "nowhere" / "page.html"
    assert invoke(app, "profile", "--models", models, "--html", nowhere).exit_code == 2
    assert invoke(app, "profile", "--models", models, "--html", models).exit_code == 2


@pytest.mark.parametrize("verb", ["profile", "devices"])
def test_help_shows_an_example(app: typer.Typer, verb: str) -> None:
    assert f"edgecodec {verb} --" in " ".join(invoke(app, verb, "--help").stdout.split())
