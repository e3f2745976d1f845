from __future__ import annotations

import pytest
from edgecodec.cli.app import app, installed_version
from typer.testing import CliRunner

VERBS = (
    "encode",
    "decode",
    "info",
    "evaluate",
    "export",
    "certify",
    "profile",
    "devices",
    "doctor",
    "worker",
)


def test_the_help_lists_the_verbs_that_exist(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(verb in result.stdout for verb in VERBS)
    assert {command.callback.__name__ for command in app.registered_commands} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example_and_json(runner: CliRunner, verb: str) -> None:
    result = runner.invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert f"edgecodec {verb}" in result.stdout
    assert "--json" in result.stdout


def test_the_version_is_the_installed_one(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"edgecodec {installed_version()}\n")


def test_an_unknown_verb_is_a_usage_error(runner: CliRunner) -> None:
    result = runner.invoke(app, ["transmogrify"])
    assert result.exit_code == 2
    assert "transmogrify" in result.stderr
