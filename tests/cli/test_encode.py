from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
import torch
from edgecodec.cli.app import app
from edgecodec.cli.encode import StrategyName
from edgecodec.runtime.container import StrategyId
from typer.testing import CliRunner

QUICK = ("--strategy", "classical", "--codecs", "h264", "--threads", "1")


def test_the_strategies_are_those_of_the_format() -> None:
    names = {strategy.name.lower() for strategy in StrategyId}
    assert set(get_args(StrategyName)) <= names | {"auto"}


def test_json_reports_the_file_that_was_written(
    runner: CliRunner, clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.ecv"
    result = runner.invoke(app, ["encode", str(clip), "-o", str(output), *QUICK, "--json"])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["bytes"] == output.stat().st_size
    assert report["psnr"] > 20
    assert 0 < report["ssim"] <= 1
    assert report["bitrate_mbps"] > 0
    assert report["encode_fps"] > 0
    assert sum(scene["frames"] for scene in report["scenes"]) == 12
    for scene in report["scenes"]:
        assert (scene["strategy"], scene["codec"]) == ("classical", "h264")
        assert scene["bits"] > 0
    told = json.loads(runner.invoke(app, ["info", str(output), "--json"]).stdout)
    assert (told["width"], told["height"], told["frames"]) == (64, 48, 12)
    assert told["bitrate_mbps"] == pytest.approx(report["bitrate_mbps"])
    assert told["streams"][0]["codec"] == "aac"


def test_a_lower_bitrate_makes_a_smaller_file(
    runner: CliRunner, clip: Path, tmp_path: Path
) -> None:
    sizes = []
    for rate in ("40k", "400k"):
        output = tmp_path / f"{rate}.ecv"
        arguments = ["encode", str(clip), "-o", str(output), *QUICK, "--bitrate", rate]
        assert runner.invoke(app, arguments).exit_code == 0
        sizes.append(output.stat().st_size)
    assert sizes[0] < sizes[1]


def test_text_output_sums_up_and_lists_the_scenes(
    runner: CliRunner, clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.ecv"
    result = runner.invoke(app, ["encode", str(clip), "-o", str(output), *QUICK])
    assert result.exit_code == 0, result.stderr
    assert f"{output}: 12 frames" in result.stdout
    assert "classical" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--bitrate", "1M", "--quality", "50"], "exclude one another"),
        (["--quality", "50", "--target-psnr", "40"], "exclude one another"),
        (["--quality", "101"], "--quality"),
        (["--bitrate", "fast"], "is not a bitrate"),
        (["--codecs", "h264,mpeg2"], "mpeg2"),
        (["--codecs", ","], "known are"),
        (["--strategy", "magic"], "--strategy"),
        (["--tier", "huge"], "--tier"),
        (["--device", "tpu"], "--device"),
        (["--threads", "-1"], "--threads"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(
    runner: CliRunner, clip: Path, tmp_path: Path, arguments: list[str], why: str
) -> None:
    output = tmp_path / "out.ecv"
    result = runner.invoke(app, ["encode", str(clip), "-o", str(output), *arguments])
    assert result.exit_code == 2
    assert why in result.stderr
    assert not output.exists()


def test_an_existing_file_is_replaced_only_by_force(
    runner: CliRunner, clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.ecv"
    output.write_bytes(b"precious")
    arguments = ["encode", str(clip), "-o", str(output), *QUICK]
    refused = runner.invoke(app, arguments)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert output.read_bytes() == b"precious"
    assert runner.invoke(app, [*arguments, "-y"]).exit_code == 0
    assert output.read_bytes() != b"precious"


def test_the_input_is_never_the_output(runner: CliRunner, clip: Path) -> None:
    before = clip.read_bytes()
    result = runner.invoke(app, ["encode", str(clip), "-o", str(clip), "--force"])
    assert result.exit_code == 2
    assert clip.read_bytes() == before


@pytest.mark.parametrize("name", ["missing.mp4", "garbage.mp4"])
def test_an_input_that_is_no_video_is_bad_input(
    runner: CliRunner, tmp_path: Path, name: str
) -> None:
    (tmp_path / "garbage.mp4").write_bytes(b"not a video at all" * 100)
    output = tmp_path / "out.ecv"
    result = runner.invoke(app, ["encode", str(tmp_path / name), "-o", str(output), *QUICK])
    assert result.exit_code == 3
    assert name in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["garbage.mp4"]


def test_cuda_without_a_gpu_is_a_missing_device(
    runner: CliRunner, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    output = tmp_path / "out.ecv"
    arguments = ["encode", str(clip), "-o", str(output), *QUICK, "--device", "cuda", "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 5
    assert json.loads(result.stdout)["error"]["type"] == "ProviderError"
    assert not output.exists()
