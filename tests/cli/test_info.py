from __future__ import annotations

import json
from pathlib import Path

import pytest
from edgecodec.cli.app import app
from typer.testing import CliRunner


def test_json_tells_the_header_the_scenes_and_the_sound(runner: CliRunner, stream: Path) -> None:
    result = runner.invoke(app, ["info", str(stream), "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["width"], told["height"], told["bit_depth"]) == (64, 48, 8)
    assert (told["frames"], told["frame_rate"], told["tier"]) == (12, "25", "nano")
    assert told["duration"] == pytest.approx(12 / 25)
    assert told["bytes"] == stream.stat().st_size
    (sound,) = told["streams"]
    video_bytes = told["bytes"] - sound["bytes"]
    assert told["bitrate_mbps"] == pytest.approx(8 * video_bytes / told["duration"] / 1e6)
    assert told["other_streams_mbps"] == pytest.approx(8 * sound["bytes"] / told["duration"] / 1e6)
    assert [(s["start"], s["frames"], s["strategy"], s["codec"]) for s in told["scenes"]] == [
        (0.0, 6, "classical", "h264"),
        (pytest.approx(0.24), 6, "classical", "h264"),
    ]
    assert 0 < sum(scene["bits"] for scene in told["scenes"]) < 8 * told["bytes"]
    assert (sound["kind"], sound["codec"], sound["channels"]) == ("audio", "aac", 1)
    assert sound["packets"] >= 10
    assert told["damage"] == []


def test_a_damaged_scene_is_named_and_the_rest_is_told(
    runner: CliRunner, damaged_stream: Path
) -> None:
    result = runner.invoke(app, ["info", str(damaged_stream), "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    first, last = told["scenes"]
    assert (first["strategy"], first["problem"]) == ("classical", None)
    assert last["strategy"] is None
    assert (last["start_frame"], last["frames"]) == (6, 6)
    assert last["problem"]
    (damage,) = told["damage"]
    assert damage["size"] * 8 == last["bits"]


def test_a_stream_that_is_cut_off_still_reads(
    runner: CliRunner, tmp_path: Path, stream_bytes: bytes
) -> None:
    cut = tmp_path / "cut.ecv"
    cut.write_bytes(stream_bytes[: stream_bytes.rindex(b"CHNK") + 100])
    told = json.loads(runner.invoke(app, ["info", str(cut), "--json"]).stdout)
    assert [scene["frames"] for scene in told["scenes"]] == [6]


def test_the_table_names_each_scene_and_the_damage(runner: CliRunner, damaged_stream: Path) -> None:
    result = runner.invoke(app, ["info", str(damaged_stream)])
    assert result.exit_code == 0
    assert "64x48" in result.stdout
    assert "classical" in result.stdout
    assert "unreadable" in result.stdout
    assert "damage:" in result.stdout


@pytest.mark.parametrize("content", [b"", b"hello, world", b"\x9fECVHEAD" + bytes(100)])
def test_what_is_no_stream_is_bad_input(runner: CliRunner, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.ecv"
    path.write_bytes(content)
    result = runner.invoke(app, ["info", str(path), "--json"])
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["type"] == "BitstreamError"
    assert result.stderr.startswith(f"error: {path}: ")
