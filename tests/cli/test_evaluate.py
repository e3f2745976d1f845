from __future__ import annotations

import json
from pathlib import Path

import pytest
from edgecodec.cli.app import app
from edgecodec.evaluation import systems as systems_module
from typer.testing import CliRunner

LADDER = ("--points", "x264=20,25,30,35,40", "--points", "x265=20,25,30,35,40")
QUICK = ("--systems", "x264,x265", *LADDER, "--frames", "8", "--no-vmaf")
FILES = {"results.json", "points.csv", "bd_rates.csv", "results.md", "report.html", "curves"}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing may be kept in the user's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches"


def test_codecs_are_compared_and_files_written(
    runner: CliRunner, clip: Path, tmp_path: Path, cache_folder: Path
) -> None:
    out = tmp_path / "results"
    result = runner.invoke(app, ["evaluate", str(clip), "-o", str(out), *QUICK, "--json"])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    (measured,) = report["clips"]
    assert (measured["name"], measured["width"], measured["frames"]) == ("clip.mp4", 64, 8)
    assert [system["name"] for system in measured["systems"]] == ["x264", "x265"]
    assert [len(system["points"]) for system in measured["systems"]] == [5, 5]
    (psnr,) = [rate for rate in report["mean_bd_rates"] if rate["metric"] == "psnr"]
    assert (psnr["test"], psnr["reference"], psnr["of"]) == ("x264", "x265", 1)
    assert report["failures"] == []
    assert "the first 8 of each clip" in report["facts"]["frames"]
    assert {path.name for path in out.iterdir()} == FILES
    assert json.loads((out / "results.json").read_text(encoding="utf-8")) == report
    assert result.stderr.count("clip.mp4: x265 crf") == 5
    assert len(list((cache_folder / "edgecodec/evaluate/points").iterdir())) == 10


def test_a_second_run_encodes_nothing(
    runner: CliRunner, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ("--cache", str(tmp_path / "kept"))
    arguments = ["evaluate", str(clip.parent), *QUICK, *cache, "-o"]
    first = runner.invoke(app, [*arguments, str(tmp_path / "one")])
    assert first.exit_code == 0, first.stderr
    assert "x264" in first.stdout
    assert "mean BD-rate" in first.stdout

    def never(*arguments: object) -> None:
        raise AssertionError("an encode was made again")

    monkeypatch.setattr(systems_module, "encode_anchor", never)
    second = runner.invoke(app, [*arguments, str(tmp_path / "two")])
    assert second.exit_code == 0, second.stderr
    csv = [(tmp_path / name / "points.csv").read_bytes() for name in ("one", "two")]
    assert csv[0] == csv[1]
    assert first.stdout == second.stdout


def test_edgecodec_stands_beside_the_codecs(runner: CliRunner, clip: Path, tmp_path: Path) -> None:
    ours = "auto:strategies=classical:codecs=h264:sizes=full:adapt=none"
    arguments = ["evaluate", str(clip), "-o", str(tmp_path / "out"), "--systems", f"x264,{ours}"]
    arguments += [*LADDER[:2], "--points", f"{ours}=20,35,50,65,80", "--no-vmaf", "--json"]
    result = runner.invoke(app, [*arguments, "--frames", "6", "--reference", "x264"])
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    measured = report["clips"][0]["systems"][1]
    assert (measured["name"], measured["kind"]) == (ours, "edgecodec")
    assert measured["points"][0]["setting"] == "quality 20"
    assert len(measured["points"]) == 5
    for point in measured["points"]:
        assert point["frames"] == 6
        assert point["trial_encodes"] >= 1
        (choice,) = point["scenes"]
        assert (choice["strategy"], choice["codec"]) == ("classical", "h264")
        assert choice["scene_class"]
    rates = [point["bitrate_mbps"] for point in measured["points"]]
    assert rates == sorted(rates)
    (psnr,) = [rate for rate in report["bd_rates"] if rate["metric"] == "psnr"]
    assert (psnr["test"], psnr["reference"]) == (ours, "x264")


def test_a_clip_that_cannot_be_read_ends_in_bad_input(
    runner: CliRunner, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    clips = [str(tmp_path / "missing.mp4"), str(clip)]
    result = runner.invoke(app, ["evaluate", *clips, "-o", str(out), *QUICK, "--json"])
    assert result.exit_code == 3
    assert "missing.mp4" in result.stderr
    report = json.loads(result.stdout)
    assert [each["name"] for each in report["clips"]] == ["clip.mp4"]
    assert "missing.mp4" in report["failures"][0]

    none = runner.invoke(app, ["evaluate", clips[0], "-o", str(tmp_path / "none"), *QUICK])
    assert none.exit_code == 3
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--systems", "x264,magic"], "'magic' is no system"),
        (["--systems", " , "], "names no system"),
        (["--anchor", "divx"], "'divx' is no system"),
        (["--systems", "auto:adapt=much"], "'much' is no adapt"),
        (["--systems", "auto:effort=great"], "'great' is no effort"),
        (["--points", "x264=good"], "write one of x264, x265"),
        (["--points", "mpeg2=20"], "write one of x264, x265"),
        (["--points", "x264=20.5"], "no whole number from 0 to 51"),
        (["--points", "x265=70"], "no whole number from 0 to 51"),
        (["--systems", "auto", "--points", "auto=101"], "quality"),
        (["--systems", "auto", "--bitrates", "0.1,0.3"], "100k,0.3M"),
        (["--frames", "-1"], "--frames"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(
    runner: CliRunner, clip: Path, tmp_path: Path, arguments: list[str], why: str
) -> None:
    out = tmp_path / "results"
    chosen = [] if "--systems" in arguments else ["--systems", "x264,x265"]
    result = runner.invoke(app, ["evaluate", str(clip), "-o", str(out), *chosen, *arguments])
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())
    assert not out.exists()


def test_the_output_is_a_folder(runner: CliRunner, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_bytes(b"precious")
    result = runner.invoke(app, ["evaluate", str(clip), "-o", str(out), *QUICK])
    assert result.exit_code == 2
    assert out.read_bytes() == b"precious"
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = runner.invoke(app, ["evaluate", str(empty), "-o", str(tmp_path / "out"), *QUICK])
    assert nothing.exit_code == 3
    assert "holds no video" in nothing.stderr
