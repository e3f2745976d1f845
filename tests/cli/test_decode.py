from __future__ import annotations

import hashlib
import json
from pathlib import Path

import av
import pytest
from edgecodec.cli.app import app
from typer.testing import CliRunner

from ..runtime.http_server import Habits, serving

FRAME_BYTES = 64 * 48 * 3 // 2


def decode(runner: CliRunner, *arguments: object) -> dict[str, object]:
    result = runner.invoke(app, ["decode", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.stderr
    report: dict[str, object] = json.loads(result.stdout)
    return report


def test_y4m_holds_every_frame_and_its_samples_have_the_md5(
    runner: CliRunner, stream: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.y4m"
    report = decode(runner, stream, "-o", output)
    assert (report["frames"], report["output"], report["damage"]) == (12, str(output), [])
    header, *frames = output.read_bytes().split(b"FRAME\n")
    assert header.startswith(b"YUV4MPEG2 W64 H48 F25:1")
    assert [len(frame) for frame in frames] == [FRAME_BYTES] * 12
    samples = hashlib.md5(b"".join(frames)).hexdigest()
    assert decode(runner, stream, "-o", "md5:")["md5"] == samples
    assert decode(runner, stream, "-o", "null:", "--verify", samples.upper())["md5"] == samples
    assert decode(runner, stream, "-o", "md5:", "--verify", samples)["md5"] == samples


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_played_file_has_the_video_and_the_sound(
    runner: CliRunner, stream: Path, tmp_path: Path, name: str
) -> None:
    report = decode(runner, stream, "-o", tmp_path / name)
    assert report["frames"] == 12
    with av.open(str(tmp_path / name)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (64, 48)
        assert sound.codec_context.name.startswith("aac")
        assert sum(1 for _ in container.decode(video)) == 12


def test_samples_that_differ_fail_the_gate_and_leave_no_file(
    runner: CliRunner, stream: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.y4m"
    arguments = ["decode", str(stream), "-o", str(output), "--verify", "0" * 32, "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"]["type"] == "GateError"
    assert [path.name for path in tmp_path.iterdir()] == [stream.name]


def test_a_damaged_scene_stops_a_decode_that_was_not_told_to_go_on(
    runner: CliRunner, damaged_stream: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.y4m"
    result = runner.invoke(app, ["decode", str(damaged_stream), "-o", str(output)])
    assert result.exit_code == 3
    assert "--keep-going" in result.stderr
    assert str(damaged_stream) in result.stderr
    assert not output.exists()


def test_keep_going_skips_the_damaged_scene_and_reports_it(
    runner: CliRunner, damaged_stream: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.y4m"
    report = decode(runner, damaged_stream, "-o", output, "--keep-going")
    assert report["frames"] == 6
    assert len(report["damage"]) == 1
    assert output.read_bytes().count(b"FRAME\n") == 6


def test_text_output_says_what_was_done(runner: CliRunner, stream: Path) -> None:
    result = runner.invoke(app, ["decode", str(stream), "-o", "md5:"])
    assert result.exit_code == 0, result.stderr
    assert "12 frames" in result.stdout
    assert "MD5=" in result.stdout


def test_an_output_of_no_known_kind_is_bad_input(
    runner: CliRunner, stream: Path, tmp_path: Path
) -> None:
    result = runner.invoke(app, ["decode", str(stream), "-o", str(tmp_path / "out.gif")])
    assert result.exit_code == 3
    assert ".y4m" in result.stderr


def test_the_input_is_never_the_output(runner: CliRunner, stream: Path) -> None:
    before = stream.read_bytes()
    assert runner.invoke(app, ["decode", str(stream), "-o", str(stream)]).exit_code == 2
    assert stream.read_bytes() == before


def test_what_is_no_stream_is_bad_input(runner: CliRunner, clip: Path) -> None:
    result = runner.invoke(app, ["decode", str(clip), "-o", "null:"])
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: {clip}: not an .ecv stream")


def test_a_stream_plays_from_its_url(runner: CliRunner, stream: Path) -> None:
    wanted = decode(runner, stream, "-o", "md5:")["md5"]
    with serving(Habits(stream.read_bytes())) as url:
        assert decode(runner, url, "-o", "md5:")["md5"] == wanted
    with serving(Habits(b"", failures=[404])) as url:
        result = runner.invoke(app, ["decode", url, "-o", "md5:"])
    assert result.exit_code == 3
    assert f"error: {url}: HTTP 404" in result.stderr
