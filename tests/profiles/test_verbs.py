from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from edgecodec.cli.devices import devices
from edgecodec.cli.profile import profile
from edgecodec.profiles import device_names
from edgecodec.runtime.errors import DeviceError, GateError
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


def test_profile_prints_one_json_document(app: typer.Typer, models: Path, tmp_path: Path) -> None:
    page = tmp_path / "profile.html"
    result = invoke(
        app,
        *("profile", "--models", models, "--size", "128x64", "--runs", 2),
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


def test_wrong_options(app: typer.Typer, models: Path) -> None:
    assert invoke(app, "profile", "--models", models, "--size", "big").exit_code == 2
    unknown = invoke(app, "profile", "--models", models, "--device", "abacus")
    assert isinstance(unknown.exception, DeviceError)


@pytest.mark.parametrize("verb", ["profile", "devices"])
def test_help_shows_an_example(app: typer.Typer, verb: str) -> None:
    assert f"edgecodec {verb} --" in " ".join(invoke(app, verb, "--help").stdout.split())
