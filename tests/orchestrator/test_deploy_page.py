"""What docs/deploy.md tells people to type is there to be typed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from edgecodec.cli.app import app
from edgecodec.orchestrator.deployment import deployment
from typer.main import get_command

PAGE = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    set(re.findall(r"^(?:    |ExecStart=\S*/)(edgecodec .*)$", PAGE, re.MULTILINE))
    | set(re.findall(r"`(edgecodec [^`]*)`", PAGE))
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("line", COMMANDS)
def test_verbs_and_options_exist(line: str) -> None:
    words = shlex.split(line.replace("%i", "0"))[1:]
    command = get_command(app)
    while (found := getattr(command, "commands", {}).get(words[0])) is not None:
        command, words = found, words[1:]
        if not words:
            break
    known = {option for parameter in command.params for option in parameter.opts}
    assert not hasattr(command, "commands"), line
    assert {word for word in words if word.startswith("--")} <= known


def test_the_page_has_commands_of_every_verb_of_a_fleet() -> None:
    for verb in ("worker", "doctor", "encode", "experiments run", "experiments status"):
        assert any(line.startswith(f"edgecodec {verb}") for line in COMMANDS), verb


def test_the_addresses_are_addresses() -> None:
    pairs = re.findall(r'EDGECODEC_BROKER="?([^"\s]+)"?\n.*?EDGECODEC_MEDIA="?([^"\s]+)"?', PAGE)
    assert len(pairs) == 3
    assert [deployment(broker, None, media).scheme for broker, media in pairs] == [
        "redis",
        "sqs",
        "sqs",
    ]


def test_the_json_is_json_and_the_script_is_a_script(tmp_path: Path) -> None:
    rules, policy = (json.loads(block) for block in blocks("json"))
    assert rules["Rules"]
    assert policy["Statement"]
    (script,) = blocks("bash")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=30)
