"""`edgecodec certify`: what is printed, and what the shell is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from edgecodec.cli.app import app
from edgecodec.runtime.frames import PictureFormat, Planes
from typer.testing import CliRunner

from ..runtime.streams import PYRAMID, classical, latents, stream_of

PICTURE = PictureFormat(192, 128)


@pytest.fixture(scope="module")
def latent_stream(
    tmp_path_factory: pytest.TempPathFactory, draw_planes: Callable[..., tuple[Planes, ...]]
) -> Path:
    """Two scenes, one in latents for the installed networks."""
    scenes = [latents(PICTURE, PYRAMID, seed=1), classical(draw_planes(PICTURE, 2), PICTURE)]
    path = tmp_path_factory.mktemp("certify") / "latents.ecv"
    path.write_bytes(stream_of(scenes, PICTURE))
    return path


def test_the_networks_that_ship_agree_on_every_level(
    runner: CliRunner, latent_stream: Path
) -> None:
    arguments = ["certify", str(latent_stream), "--provider", "cpu", "--require", "exact"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    told = "i_frame_interpolation: symbols identical on 12 of 12 sessions, pixels on 12"
    assert any(line.startswith(told) for line in result.stdout.splitlines())


def test_the_table_joins_what_agrees_and_ends_with_a_verdict(
    runner: CliRunner, latent_stream: Path, fast_models: Path
) -> None:
    arguments = ["certify", str(latent_stream), "--provider", "cpu", "--frames", "2"]
    arguments += ["--models", str(fast_models)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    agreeing, differing = (line for line in lines if "│ i_frame_interpolation" in line)
    assert "cpu all, extended with 1, 2, 4 threads" in agreeing
    assert agreeing.count("identical") == 2
    assert "cpu basic, off with 1, 2, 4 threads" in differing
    assert "% differ, by up to" in differing
    (plain,) = [line for line in lines if "│ classical" in line]
    assert plain.count("identical") == 1
    told = "i_frame_interpolation: symbols identical on 12 of 12 sessions, pixels on 6, elsewhere"
    assert any(line.startswith(told) for line in lines)
    assert "classical: symbols identical on 12 of 12 sessions, pixels on 12" in lines


def test_json_is_one_document_and_a_failed_gate_exits_with_4(
    runner: CliRunner, latent_stream: Path, fast_models: Path
) -> None:
    arguments = ["certify", str(latent_stream), "--provider", "cpu", "--require", "exact", "--json"]
    arguments += ["--models", str(fast_models)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 4
    assert "i_frame_interpolation: other pixels on 6 of 12" in result.stderr
    report = json.loads(result.stdout)
    assert {each["strategy"]: each["pixels_differ"] for each in report["strategies"]} == {
        "i_frame_interpolation": 6,
        "classical": 0,
    }


def test_a_provider_that_was_asked_for_and_is_not_there_exits_with_5(
    runner: CliRunner, stream: Path
) -> None:
    result = runner.invoke(app, ["certify", str(stream), "--provider", "tensorrt", "--json"])
    assert result.exit_code == 5
    assert "has no TensorrtExecutionProvider" in result.stderr
    assert json.loads(result.stdout)["absent"][0]["variant"]["provider"] == "tensorrt"


def test_a_damaged_stream_has_no_certificate(runner: CliRunner, damaged_stream: Path) -> None:
    result = runner.invoke(app, ["certify", str(damaged_stream), "--provider", "cpu"])
    assert result.exit_code == 3
    assert str(damaged_stream) in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("option", "value", "known"), [("--provider", "npu", "openvino"), ("--soc", "9gen9", "8gen2")]
)
def test_an_unknown_provider_or_chip_is_a_usage_error_that_lists_those_known(
    runner: CliRunner, stream: Path, option: str, value: str, known: str
) -> None:
    result = runner.invoke(app, ["certify", str(stream), option, value])
    assert result.exit_code == 2
    assert value in result.stderr
    assert known in result.stderr


def test_chips_without_their_provider_are_a_usage_error(runner: CliRunner, stream: Path) -> None:
    result = runner.invoke(
        app, ["certify", str(stream), "--provider", "cpu", "--soc", "8gen2", "--json"]
    )
    assert result.exit_code == 2
    assert "--provider qnn" in result.stderr
