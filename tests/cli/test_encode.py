from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from edgecodec.cli.app import app
from edgecodec.cli.encode import SIZES as SIZE_NAMES
from edgecodec.cli.encode import AdaptName, EffortName, ScopeName, SearchName, TuneName
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.effort import Effort, Search
from edgecodec.encoder.targets import (
    BitrateTarget,
    Metric,
    MetricTarget,
    QualityTarget,
    Scope,
    SizeTarget,
    Target,
)
from edgecodec.encoder.ways import SIZES
from edgecodec.runtime.container import Codec
from typer.testing import CliRunner

QUICK = ("--strategy", "classical", "--codecs", "h264", "--threads", "1", "--jobs", "1")
SCENE = {
    "start": 0.0,
    "frames": 12,
    "scene_class": "animation",
    "strategy": "classical",
    "codec": "av1",
    "way": "av1 10-bit half",
    "bits": 12_000,
    "psnr": 41.5,
    "enhanced_frames": 0,
    "adaptation": "",
}
REPORT = {
    "frames": 12,
    "bytes": 1500,
    "bitrate_mbps": 0.5,
    "psnr": 41.5,
    "ssim": 0.98,
    "vmaf": None,
    "trial_encodes": 17,
    "title_bytes": 0,
    "encode_fps": 2.0,
    "target_met": None,
    "note": "",
    "scenes": [SCENE],
}


class FakeEncoder:
    """Takes what the verb asks of the encoder and answers with a report."""

    def __init__(self) -> None:
        self.options: Any = None
        self.answer = dict(REPORT)

    def __call__(
        self, source: Path, output: Path, options: Any, progress: Any, bench: Any
    ) -> FakeEncoder:
        assert bench is None  # trials are made here where nobody names a broker
        self.options = options
        return self

    def to_dict(self) -> dict[str, Any]:
        return self.answer


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    fake = FakeEncoder()
    monkeypatch.setattr("edgecodec.encoder.encode", fake)
    return fake


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A device that decodes H.265 and H.264, and whose networks take seconds a frame."""
    path = tmp_path / "board.toml"
    path.write_text(
        """
        format = 1
        name = "board"
        title = "A slow board"
        basis = "label-scaled"
        parameters = "rb3-gen2"
        [dense_int8_tops]
        value = 0.0001
        source = "a test"
        [dram_gbps]
        value = 0.01
        source = "a test"
        [dispatch_us]
        value = 900000.0
        source = "a test"
        [hardware_decode]
        codecs = ["vp9", "h265", "h264"]
        source = "a test"
        """
    )
    return path


def test_the_choices_are_those_of_the_encoder() -> None:
    for names, kind in (
        (AdaptName, Adaptation),
        (EffortName, Effort),
        (SearchName, Search),
        (ScopeName, Scope),
        (TuneName, Metric),
    ):
        assert list(get_args(names)) == [each.value for each in kind]
    assert SIZE_NAMES.split(",") == list(SIZES)


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ([], QualityTarget(50)),
        (["--quality", "70"], QualityTarget(70)),
        (["--bitrate", "1.5M"], BitrateTarget(1.5e6)),
        (["--max-size", "20MB"], SizeTarget(20_000_000)),
        (["--max-size", "1.5MiB"], SizeTarget(1_572_864)),
        (["--target-psnr", "40"], MetricTarget(Metric.PSNR, 40)),
        (["--target-ssim", "0.98"], MetricTarget(Metric.SSIM, 0.98)),
        (
            ["--target-vmaf", "93", "--target-scope", "worst"],
            MetricTarget(Metric.VMAF, 93, Scope.WORST),
        ),
    ],
)
def test_the_encoder_is_given_the_target(
    runner: CliRunner, encoder: FakeEncoder, tmp_path: Path, arguments: list[str], target: Target
) -> None:
    result = runner.invoke(app, ["encode", "in.mp4", "-o", str(tmp_path / "o.ecv"), *arguments])
    assert result.exit_code == 0, result.stderr
    assert encoder.options.target == target


def test_the_encoder_is_given_every_choice(
    runner: CliRunner, encoder: FakeEncoder, tmp_path: Path
) -> None:
    arguments = ["encode", "in.mp4", "-o", str(tmp_path / "o.ecv")]
    assert runner.invoke(app, arguments).exit_code == 0
    options = encoder.options
    assert (options.strategies, options.effort, options.search) == (
        (),
        Effort.NORMAL,
        Search.PRUNED,
    )
    assert set(options.codecs) == set(Codec)
    assert (options.jobs, options.threads, options.frames, options.cache) == (0, 0, None, None)
    assert (options.adapt, options.sizes) == (None, ("full", "half"))
    assert options.tune is None
    arguments += ["--strategy", "classical,procedural", "--codecs", "vvc,av1", "--effort", "high"]
    arguments += ["--search", "exhaustive", "--jobs", "3", "--threads", "2", "--frames", "60"]
    arguments += ["--adapt", "title", "--sizes", "half", "--tune", "ssim"]
    assert runner.invoke(app, [*arguments, "--cache", str(tmp_path)]).exit_code == 0
    options = encoder.options
    assert options.strategies == ("classical", "procedural")
    assert options.codecs == (Codec.VVC, Codec.AV1)
    assert (options.effort, options.search) == (Effort.HIGH, Search.EXHAUSTIVE)
    assert (options.jobs, options.threads, options.frames, options.cache) == (3, 2, 60, tmp_path)
    assert (options.adapt, options.sizes) == (Adaptation.TITLE, ("half",))
    assert options.tune is Metric.SSIM


@pytest.mark.parametrize("sizes", ["quarter", "full,half,third", ","])
def test_sizes_that_there_are_not_are_refused(
    runner: CliRunner, encoder: FakeEncoder, tmp_path: Path, sizes: str
) -> None:
    arguments = ["encode", "in.mp4", "-o", str(tmp_path / "o.ecv"), "--sizes", sizes]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "known are full, half" in result.stderr
    assert encoder.options is None


@pytest.mark.parametrize("note", ["", "the hull ends at 43.1 dB"])
def test_a_missed_target_is_told_and_is_no_failure(
    runner: CliRunner, encoder: FakeEncoder, tmp_path: Path, note: str
) -> None:
    encoder.answer |= {"target_met": False, "note": note}
    arguments = ["encode", "in.mp4", "-o", str(tmp_path / "o.ecv"), "--target-psnr", "60"]
    for more in ([], ["--json"]):
        result = runner.invoke(app, [*arguments, *more])
        assert result.exit_code == 0
        assert "the target was missed: " + (note or "this is the nearest") in result.stderr
    report = json.loads(result.stdout)
    assert (report["target_met"], report["note"]) == (False, note)


def test_a_note_of_an_encode_that_met_its_target_is_told(
    runner: CliRunner, encoder: FakeEncoder, tmp_path: Path
) -> None:
    encoder.answer |= {"target_met": True, "note": "a trial failed"}
    result = runner.invoke(app, ["encode", "in.mp4", "-o", str(tmp_path / "o.ecv")])
    assert result.stderr.splitlines() == ["note: a trial failed"]


def test_the_text_report_tells_class_way_and_trials(
    runner: CliRunner, encoder: FakeEncoder, tmp_path: Path
) -> None:
    encoder.answer |= {"vmaf": 93.25}
    result = runner.invoke(app, ["encode", "in.mp4", "-o", str(tmp_path / "o.ecv")])
    for part in ("animation", "classical", "av1 10-bit half", "17 trial encodes", "VMAF 93.25"):
        assert part in result.stdout


def test_the_text_report_tells_what_a_title_has_of_its_own(
    runner: CliRunner, encoder: FakeEncoder, tmp_path: Path
) -> None:
    mended = SCENE | {"enhanced_frames": 12, "adaptation": "title"}
    encoder.answer |= {"title_bytes": 480, "scenes": [mended]}
    result = runner.invoke(app, ["encode", "in.mp4", "-o", str(tmp_path / "o.ecv")])
    assert "1,500 bytes (480 of them weights of its own)" in result.stdout
    assert "12 title" in result.stdout


def test_for_a_device_only_what_it_decodes_is_chosen(
    runner: CliRunner, encoder: FakeEncoder, clip: Path, tmp_path: Path
) -> None:
    arguments = ["encode", str(clip), "-o", str(tmp_path / "o.ecv")]
    arguments += ["--for-device", "snapdragon-8gen3", "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert encoder.options.codecs == (Codec.AV1, Codec.H265, Codec.H264)
    assert encoder.options.strategies == ()
    note = "snapdragon-8gen3 does not decode vvc for 8-bit video of 64x48 at 25 frames/s"
    assert result.stderr.splitlines() == [f"note: {note}"]
    told = json.loads(result.stdout)["for_device"]
    assert told == {"name": "snapdragon-8gen3", "notes": [note]}


def test_for_a_device_codecs_that_were_forbidden_stay_so(
    runner: CliRunner, encoder: FakeEncoder, clip: Path, tmp_path: Path
) -> None:
    arguments = ["encode", str(clip), "-o", str(tmp_path / "o.ecv"), "--codecs", "vvc,h264"]
    assert runner.invoke(app, [*arguments, "--for-device", "qcs6490"]).exit_code == 0
    assert encoder.options.codecs == (Codec.H264,)


def test_a_device_that_decodes_none_of_the_codecs_says_what_it_does(
    runner: CliRunner, encoder: FakeEncoder, clip: Path, tmp_path: Path
) -> None:
    arguments = ["encode", str(clip), "-o", str(tmp_path / "o.ecv"), "--codecs", "vvc,av1"]
    result = runner.invoke(app, [*arguments, "--for-device", "qcs6490"])
    assert result.exit_code == 2
    assert "h264, h265, vp9" in " ".join(result.stderr.split())
    assert encoder.options is None


def test_for_a_slow_device_no_networks_are_chosen(
    runner: CliRunner, encoder: FakeEncoder, clip: Path, tmp_path: Path, board: Path
) -> None:
    arguments = ["encode", str(clip), "-o", str(tmp_path / "o.ecv"), "--for-device", str(board)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    assert set(encoder.options.strategies) == {"classical", "procedural"}
    assert encoder.options.codecs == (Codec.H265, Codec.H264)
    assert "board is predicted to run hybrid_semantic at" in result.stderr
    assert "frames/s" in result.stderr
    encoder.options = None
    refused = runner.invoke(app, [*arguments, "--strategy", "semantic_latent"])
    assert refused.exit_code == 2
    assert "semantic_latent" in refused.stderr
    assert encoder.options is None


def test_an_unknown_device_names_the_known_ones(
    runner: CliRunner, encoder: FakeEncoder, clip: Path, tmp_path: Path
) -> None:
    arguments = ["encode", str(clip), "-o", str(tmp_path / "o.ecv"), "--for-device", "abacus"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 5
    assert "snapdragon-40tops" in result.stderr
    assert encoder.options is None


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
        (["--max-size", "1MB", "--target-vmaf", "90"], "exclude one another"),
        (["--target-scope", "worst"], "--target-scope"),
        (["--bitrate", "1M", "--target-scope", "mean"], "--target-psnr"),
        (["--target-psnr", "0"], "--target-psnr"),
        (["--target-ssim", "98"], "between 0 and 1"),
        (["--target-vmaf", "101"], "at most 100"),
        (["--max-size", "big"], "is not a size"),
        (["--quality", "101"], "--quality"),
        (["--bitrate", "fast"], "is not a bitrate"),
        (["--codecs", "h264,mpeg2"], "mpeg2"),
        (["--codecs", ","], "known are"),
        (["--strategy", "magic"], "--strategy"),
        (["--strategy", "auto,classical"], "known are"),
        (["--effort", "some"], "--effort"),
        (["--search", "lazy"], "--search"),
        (["--jobs", "-1"], "--jobs"),
        (["--frames", "0"], "--frames"),
        (["--tier", "huge"], "--tier"),
        (["--device", "tpu"], "--device"),
        (["--threads", "-1"], "--threads"),
        (["--tune", "looks"], "--tune"),
        (["--tune", "ssim", "--target-psnr", "40"], "--target-psnr compares by psnr"),
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
