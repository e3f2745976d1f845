"""The curve of gain over encoder time: real streams, by an encoder that is faked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.api import EncodeOptions, ProgressCallback
from edgecodec.encoder.report import EncodeReport
from edgecodec.encoder.targets import QualityTarget

from .scripts import load_script

QUALITIES = "20,35,50,65,80"
NAMES = ["the codec alone", "filters", "generic", "codes", "weights, 30 steps"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("benchmarks/title_gain.py")


@dataclass
class FakeEncoder:
    """Writes streams of one scene; what is fitted more is coded finer, in as many steps."""

    write_stream: Callable[[Path, int], bytes]
    asked: list[EncodeOptions] = field(default_factory=list)
    found: list[int] = field(default_factory=list)

    def __call__(
        self, source: Path, output: Path, options: EncodeOptions, progress: ProgressCallback
    ) -> EncodeReport:
        assert isinstance(options.target, QualityTarget)
        assert options.cache is not None
        self.asked.append(options)
        self.found.append(len(list(options.cache.glob("*.base"))))
        quality = options.target.quality
        (options.cache / f"{quality:g}.base").write_bytes(b"a base")
        (options.cache / f"{quality:g}.trial").write_bytes(b"a trial")
        self.write_stream(output, round(45 - quality / 4))
        titled = options.adaptation is Adaptation.TITLE
        return EncodeReport(
            file=str(output),
            bytes=output.stat().st_size,
            frames=12,
            duration_s=0.48,
            bitrate_mbps=1.0,
            other_streams_mbps=0.0,
            psnr=40.0,
            ssim=0.9,
            vmaf=None,
            encode_fps=0.5 if titled else 4.0,
            trial_encodes=1,
            title_bytes=1000 if titled else 0,
            target_met=None,
            note="",
            scenes=(),
        )


@pytest.fixture
def encoder(write_stream: Callable[[Path, int], bytes]) -> FakeEncoder:
    return FakeEncoder(write_stream)


def test_every_way_is_measured_once(
    script: ModuleType,
    encoder: FakeEncoder,
    small_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [str(small_file), "--cache", str(tmp_path), "--codec", "h264", "--tier", "edge"]
    arguments += ["--steps", "0,30", "--qualities", QUALITIES, "--json"]
    assert script.main(arguments, encoder) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["hardware"]
    assert (found["codec"], found["tier"], found["frames"]) == ("h264", "edge", 12)
    assert [row["name"] for row in found["rows"]] == NAMES
    assert [row["steps"] for row in found["rows"]] == [None, None, None, None, 30]
    assert [row["seconds"] for row in found["rows"]] == [3.0, 3.0, 3.0, 3.0, 24.0]
    assert [row["weights_bytes"] for row in found["rows"]] == [0, 0, 0, 0, 1000]
    assert found["rows"][0]["bd_rates"] == {"psnr": None, "psnr_y": None, "chroma": None}
    for row in found["rows"][1:]:  # the fake streams are all the same
        assert row["bd_rates"] == pytest.approx({"psnr": 0, "psnr_y": 0, "chroma": 0}, abs=1e-6)
    assert [len(points) for points in found["points"].values()] == [5, 5, 5, 5, 5]

    strategies = [each.strategies for each in encoder.asked[::5]]
    assert strategies == [*[("classical",)] * 2, *[("classical", "hybrid_semantic")] * 3]
    fitted = [(each.adapt, each.title_steps) for each in encoder.asked[5::5]]
    assert fitted == [
        (Adaptation.FILTER, None),
        (Adaptation.NONE, None),
        (Adaptation.CODE, None),
        (Adaptation.TITLE, 30),
    ]
    assert {each.sizes for each in encoder.asked} == {("full",)}
    # The codec alone starts from nothing; the others have its streams, and nothing else.
    assert encoder.found == [0] * 5 + [5] * 20

    encoder.asked.clear()
    assert script.main([*arguments[:-1]], encoder) == 0
    assert encoder.asked == []
    shown = capsys.readouterr().out
    assert "weights, 30 steps" in shown
    assert "BD-rate 6:1:1" in shown


def test_a_run_that_was_cut_off_goes_on(
    script: ModuleType, encoder: FakeEncoder, small_file: Path, tmp_path: Path
) -> None:
    arguments = [str(small_file), "--cache", str(tmp_path), "--codec", "h264", "--steps", "30"]
    arguments += ["--qualities", QUALITIES]

    def stopped(
        source: Path, output: Path, options: EncodeOptions, progress: ProgressCallback
    ) -> EncodeReport:
        if options.adaptation is Adaptation.TITLE:
            raise KeyboardInterrupt
        return encoder(source, output, options, progress)

    with pytest.raises(KeyboardInterrupt):
        script.main(arguments, stopped)
    assert len(encoder.asked) == 15
    assert script.main(arguments, encoder) == 0
    assert len(encoder.asked) == 20


def test_a_clip_that_cannot_be_read_is_told(
    script: ModuleType, encoder: FakeEncoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing.mp4")
    assert script.main([missing, "--cache", str(tmp_path / "kept")], encoder) == 1
    assert "missing.mp4" in capsys.readouterr().err
