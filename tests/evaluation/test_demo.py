"""The demo's own plumbing: the `edgecodec` command is faked, but its streams are real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from edgecodec.evaluation.clips import Clip
from edgecodec.evaluation.command_line import CommandFailed, CommandLine
from edgecodec.evaluation.metrics import measure_sequence
from edgecodec.evaluation.streams import play_stream, video_bytes
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.y4m import write_y4m_frame, write_y4m_header

from .scripts import load_script

CRF = {"0.1M": 36, "0.2M": 30, "0.4M": 24}


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    return load_script("examples/demo.py")


@dataclass
class FakeCommand:
    """Stands for `edgecodec`: same arguments in, same JSON out, real streams written."""

    clip: Clip
    write_stream: Callable[[Path, int], bytes]
    failing: tuple[str, ...] = ()
    wrong_psnr: float = 0.0
    calls: list[list[str]] = field(default_factory=list)

    def __call__(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        words = list(command[1:])
        self.calls.append(words)
        broken = [word for word in words if word in self.failing]
        if broken:
            return subprocess.CompletedProcess(words, 3, "", f"error: {broken[0]} is broken")
        answer = {
            "encode": self.encode,
            "export": self.export,
            "profile": self.profile,
            "decode": self.decode,
        }[words[0]](words)
        return subprocess.CompletedProcess(words, 0, json.dumps(answer), "")

    def encode(self, words: list[str]) -> dict[str, Any]:
        path = Path(words[words.index("-o") + 1])
        strategy = words[words.index("--strategy") + 1] if "--strategy" in words else "classical"
        self.write_stream(path, CRF[words[words.index("--bitrate") + 1]])
        quality = measure_sequence(self.clip.frames, play_stream(path).frames)
        return {
            "bitrate_mbps": self.clip.bitrate_mbps(video_bytes(path)),
            "psnr": quality.psnr.weighted + self.wrong_psnr,
            "ssim": quality.ssim.all,
            "encode_fps": 7.25,
            "scenes": [
                {"start": 0.0, "frames": 12, "strategy": strategy, "codec": "h264", "bits": 98765}
            ],
        }

    def export(self, words: list[str]) -> dict[str, Any]:
        folder = Path(words[words.index("-o") + 1])
        folder.mkdir(parents=True)
        (folder / "enhancer.onnx").write_bytes(b"0" * 4321)
        placement = {"provider": "CPUExecutionProvider", "percent": 100.0}
        network = {"name": "enhancer", "file": "enhancer.onnx", "drop_db": 0.0421}
        return {"networks": [{**network, "placement": placement}]}

    def profile(self, words: list[str]) -> dict[str, Any]:
        predicted = {"low": 1.5, "mid": 2.25, "high": 4.75, "basis": "fitted to 50 networks"}
        measured = {"p50": 30.5, "p90": 33.25, "p99": 41.75, "provider": "CPUExecutionProvider"}
        network = {"name": "enhancer", "macs": 7_400_000_000, "layers": [1, 2]}
        return {
            "networks": [{**network, "predicted_ms": predicted, "measured_ms": measured}],
            "tops_per_frame": 0.0148,
            "predicted_ms": predicted,
            "measured_ms": measured,
            "fps": 444.4,
            "passes": True,
        }

    def decode(self, words: list[str]) -> dict[str, Any]:
        target = Path(words[words.index("-o") + 1])
        if target.suffix == ".y4m":
            with target.open("wb") as file:
                rate, square = self.clip.frame_rate, Fraction(1)
                write_y4m_header(file, self.clip.format, rate, square, full_range=False)
                for planes in play_stream(Path(words[1])).frames:
                    write_y4m_frame(file, planes)
        return {}


@pytest.fixture
def fake(small_clip: Clip, write_stream: Callable[[Path, int], bytes]) -> FakeCommand:
    return FakeCommand(small_clip, write_stream)


@pytest.fixture
def run(
    demo: ModuleType, fake: FakeCommand, small_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Runs the demo on the small clip with the faked command; returns its exit code."""
    real = subprocess.run

    def dispatch(command: Sequence[str], **options: Any) -> Any:
        return fake(command) if command[0] == "edgecodec" else real(command, **options)

    monkeypatch.setattr(subprocess, "run", dispatch)

    def demo_on_small_clip(*arguments: str | Path) -> int:
        words = ["--clip", str(small_file), *map(str, arguments), "--bitrate", "0.2M"]
        words += ["--anchor-encodes", "2"]
        return int(demo.main(words, CommandLine(["edgecodec"])))

    return demo_on_small_clip


def test_the_whole_demo(
    run: Callable[..., int],
    fake: FakeCommand,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "demo"
    assert run("--out", out, "--curve", "0.1M,0.4M") == 0
    printed = capsys.readouterr()
    assert printed.out == ""

    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    systems = {row["name"]: row for row in results["systems"]}
    assert list(systems) == [
        *("edgecodec auto", "x265 medium", "SVT-AV1 preset 6", "classical", "hybrid_semantic"),
        *("semantic_latent", "i_frame_interpolation"),
    ]
    assert all(row["vmaf"] is not None for row in systems.values())
    ours = systems["edgecodec auto"]
    assert ours["bytes"] == video_bytes(out / "small.ecv")
    assert ours["encode_fps"] == 7.25
    curves = {curve["name"]: curve["points"] for curve in results["curves"]}
    assert len(curves["edgecodec auto"]) == 3
    assert {len(curves[name]) for name in ("x265 medium", "SVT-AV1 preset 6")} <= {1, 2}
    for points in curves.values():
        rates = [point["bitrate_mbps"] for point in points]
        assert rates == sorted(rates)
    assert results["scenes"] == [
        {"start": 0, "frames": 12, "strategy": "classical", "codec": "h264", "bits": 98765}
    ]
    assert results["networks"][0]["size_bytes"] == 4321
    assert results["notes"] == []

    page = (out / "report.html").read_text(encoding="utf-8")
    for shown in (
        *(f"{ours['psnr']:.2f}", f"{ours['vmaf']:.2f}", "98765", "0.042", "4321"),
        *("1.50 to 4.75", "30.50", "41.75", "fitted to 50 networks", "7400000000"),
        *("edgecodec export --int8 --size 720p --target cpu", "Frame 3 (", "Frame 9 ("),
    ):
        assert shown in page, shown
        assert "small.mkv" in page
    assert f"{ours['psnr']:.2f}" in printed.err
    assert "i_frame_interpolation" in printed.err
    verbs = [words[0] for words in fake.calls]
    assert verbs == ["encode", "export", "profile", "decode", "decode", *["encode"] * 6]
    assert {path.name for path in out.iterdir()} == {
        *("small.ecv", "small.y4m", "models", "strategies", "curve"),
        *("report.html", "results.json"),
    }


def test_a_strategy_that_fails_is_reported_and_ends_in_an_error(
    run: Callable[..., int],
    fake: FakeCommand,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake.failing = ("semantic_latent",)
    assert run("--out", tmp_path, "--curve", "") == 1
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert "semantic_latent" not in {row["name"] for row in results["systems"]}
    assert "error: semantic_latent is broken" in results["notes"][0]
    assert "semantic_latent is broken" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "semantic_latent is broken" in capsys.readouterr().err


def test_figures_that_the_stream_does_not_have_are_an_error(
    run: Callable[..., int], fake: FakeCommand, tmp_path: Path
) -> None:
    fake.wrong_psnr = 0.5
    assert run("--out", tmp_path, "--curve", "0.4M", "--seconds", "0") == 1
    notes = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["notes"]
    assert notes[0].startswith("encode reported PSNR")
    assert notes[1].startswith("the curve has no point at 0.4M")


def test_a_failing_first_command_ends_the_demo(
    run: Callable[..., int],
    fake: FakeCommand,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake.failing = ("export",)
    assert run("--out", tmp_path) == 1
    error = capsys.readouterr().err
    assert "edgecodec export --int8" in error
    assert "export is broken" in error
    assert not (tmp_path / "report.html").exists()


def test_frames_that_differ_are_found(
    demo: ModuleType, small_clip: Clip, small_file: Path, blurred: tuple[Planes, ...]
) -> None:
    frames = small_clip.frames
    assert demo.first_difference(small_file, frames) is None
    assert demo.first_difference(small_file, (*frames[:4], blurred[4], *frames[5:])) == 4
    assert demo.first_difference(small_file, frames[:-1]) == 11
    assert demo.first_difference(small_file, (*frames, frames[0])) == 12


def test_what_a_command_prints_must_be_what_was_asked_for() -> None:
    def printing(text: str) -> CommandLine:
        return CommandLine([sys.executable, "-c", f"print({text!r})"])

    command = printing('{"psnr": 40}')
    assert command.run_json("encode", Path("a b.mp4")) == {"psnr": 40}
    assert command.history == ["edgecodec encode 'a b.mp4' --json"]
    with pytest.raises(CommandFailed, match="lacks ssim"):
        command.run_json("encode", needs=["psnr", "ssim"])
    with pytest.raises(CommandFailed, match="no JSON"):
        printing("done").run_json("encode")
    failing = "import sys; sys.stderr.write('no such clip'); sys.exit(3)"
    with pytest.raises(CommandFailed, match=r"(?s)exit code 3.*no such clip"):
        CommandLine([sys.executable, "-c", failing]).run("encode")
