from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.cli.app import app
from edgecodec.encoder.fingerprint import fingerprint
from edgecodec.encoder.quality import psnr, ssim
from edgecodec.orchestrator.jobs.experiment import stream_name
from edgecodec.orchestrator.preset import write_preset
from edgecodec.orchestrator.records import Clip, EncodeSettings, Experiment, TargetSpec
from edgecodec.runtime.errors import (
    BitstreamError,
    DispatchError,
    ProviderError,
    UnsupportedError,
)
from typer.testing import CliRunner

from .conftest import QUICK, Bench


def test_its_figures_are_those_of_the_stream_that_it_leaves(bench: Bench, small_clip: Any) -> None:
    clip = bench.clip(small_clip.path)
    result = bench.run([clip])

    (measured,) = result.clips
    (artefact,) = measured.artefacts
    stream = bench.media / artefact.name
    assert artefact.bytes == measured.bytes == stream.stat().st_size
    assert artefact.sha256 == hashlib.sha256(stream.read_bytes()).hexdigest()
    with runtime.open(stream) as video:
        frames = [frame.planes for frame in video]
    pairs = list(zip(small_clip.planes, frames, strict=True))
    assert measured.psnr == pytest.approx(fmean(psnr(*pair).weighted for pair in pairs))
    assert measured.ssim == pytest.approx(fmean(ssim(*pair).all for pair in pairs))
    assert 0 < measured.ms_ssim < 1
    assert measured.frames == len(small_clip.planes)
    seconds = len(small_clip.planes) * Fraction(1, 30)
    assert measured.duration_s == pytest.approx(float(seconds))
    assert measured.bitrate_mbps == pytest.approx(8 * measured.bytes / float(seconds) / 1e6)
    assert measured.strategies == {"classical": len(small_clip.planes)}
    assert (measured.tops_per_frame, measured.verdict, measured.device_ms) == (0.0, "pass", None)
    assert min(measured.encode_fps, measured.decode_fps, result.seconds) > 0
    assert measured.vmaf is None
    assert result.experiment == Experiment((clip,), QUICK).id
    assert result.worker == "tester"
    assert result.versions["fingerprint"] == fingerprint()
    assert {"edgecodec", "av", "torch", "ffmpeg", "hardware"} <= set(result.versions)


def test_the_same_experiment_gives_the_same_figures_elsewhere(
    make_bench: Callable[[str], Bench], cut_clip: Any
) -> None:
    runs = []
    for name in ("one", "other"):
        bench = make_bench(name)
        runs.append(bench.run([bench.clip(cut_clip.path, frames=36)]))
    one, other = (_without_speed(run) for run in runs)
    assert one == other
    assert one["frames"] == 36


def _without_speed(result: Any) -> dict[str, Any]:
    (clip,) = result.to_dict()["clips"]
    speeds = ("encode_fps", "decode_fps")
    (artefact,) = clip.pop("artefacts")
    return {name: value for name, value in clip.items() if name not in speeds} | {
        "sha256": artefact["sha256"]
    }


def test_a_networks_work_is_counted_and_judged(bench: Bench, small_clip: Any) -> None:
    coarse = QUICK.with_target(TargetSpec("quality", 10.0))
    hybrid = replace(coarse, strategies=("hybrid_semantic",))
    (measured,) = bench.run([bench.clip(small_clip.path, frames=4)], hybrid).clips
    assert measured.strategies == {"hybrid_semantic": 4}
    assert measured.tops_per_frame > 0
    assert measured.verdict == "pass"
    assert measured.device_ms is not None
    low, middle, high = measured.device_ms
    assert 0 < low <= middle <= high


def test_trials_of_earlier_experiments_are_not_made_again(bench: Bench, small_clip: Any) -> None:
    clip = bench.clip(small_clip.path, frames=6)
    first = bench.run([clip])
    kept = {path: path.stat().st_mtime_ns for path in bench.trials}
    assert kept
    again = bench.run([clip])
    assert _without_speed(again) == _without_speed(first)
    assert {path: path.stat().st_mtime_ns for path in bench.trials} == kept
    wider = replace(QUICK, strategies=("classical", "procedural"))
    bench.run([clip], wider)
    assert set(kept) < set(bench.trials)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_vmaf_is_measured_where_it_is_asked_for_or_aimed_at(bench: Bench, small_clip: Any) -> None:
    clip = bench.clip(small_clip.path, frames=4)
    asked = bench.run([clip], vmaf=True)
    aimed = bench.run([clip], QUICK.with_target(TargetSpec("vmaf", 60.0)))
    for result in (asked, aimed):
        assert result.vmaf is not None
        assert 0 < result.vmaf <= 100
    assert asked.to_dict()["clips"][0]["psnr"] == bench.run([clip]).clips[0].psnr


def test_every_clip_gets_a_result_and_a_stream_of_its_own(
    bench: Bench, small_clip: Any, cut_clip: Any
) -> None:
    clips = [
        bench.clip(small_clip.path, 4, "a/clip.mp4"),
        bench.clip(cut_clip.path, 6, "b/clip.mp4"),
    ]
    result = bench.run(clips)
    assert [clip.clip for clip in result.clips] == ["a/clip.mp4", "b/clip.mp4"]
    assert [clip.frames for clip in result.clips] == [4, 6]
    names = [clip.artefacts[0].name for clip in result.clips]
    assert names == [
        f"results/{result.experiment}/clip.mp4.ecv",
        f"results/{result.experiment}/1-clip.mp4.ecv",
    ]
    shares = [share for share, _ in bench.told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.5
    assert shares[-1] == pytest.approx(1.0)
    assert any(text.startswith("clip.mp4: playing and measuring") for _, text in bench.told)


def test_streams_never_share_a_name() -> None:
    clips = tuple(Clip(f"{folder}/x.mp4", "0" * 64) for folder in "abc")
    experiment = Experiment(clips, QUICK)
    assert len({stream_name(experiment, number) for number in range(3)}) == 3


def test_an_encoder_of_another_version_does_not_begin(bench: Bench, small_clip: Any) -> None:
    other = "ab" * 32
    experiment = Experiment((bench.clip(small_clip.path),), QUICK, model=other)
    with pytest.raises(UnsupportedError) as error:
        bench.payload(experiment.to_dict())
    assert other[:16] in str(error.value)
    assert fingerprint()[:16] in str(error.value)
    assert "install the same version" in str(error.value)
    assert not (bench.media / "results").exists()


def test_an_encoder_of_this_version_does(bench: Bench, small_clip: Any) -> None:
    clip = bench.clip(small_clip.path, frames=2)
    experiment = Experiment((clip,), QUICK, model=fingerprint())
    assert bench.payload(experiment.to_dict()).experiment == experiment.id


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"device": "abacus"}, "abacus"),
        ({"device": "/etc/device.toml"}, "snapdragon-40tops"),
        ({"vmaf": "yes"}, "vmaf"),
        ({"shutter": 3}, "shutter"),
        ({"schema": 99}, "install"),
        ({"clips": []}, "at least one"),
    ],
)
def test_a_payload_that_it_does_not_know_is_refused(
    bench: Bench, change: dict[str, Any], named: str
) -> None:
    experiment = Experiment((Clip("clips/x.mp4", "0" * 64),), QUICK)
    with pytest.raises(UnsupportedError, match=named):
        bench.payload(experiment.to_dict() | change)


def test_a_clip_that_is_not_there_is_named(bench: Bench) -> None:
    with pytest.raises(DispatchError, match="clips/gone"):
        bench.run([Clip("clips/gone.mp4", "0" * 64)])


def test_a_clip_that_has_changed_is_refused(bench: Bench, small_clip: Any, cut_clip: Any) -> None:
    clip = bench.clip(small_clip.path, name="clips/x.mp4")
    bench.clip(cut_clip.path, name="clips/x.mp4")
    with pytest.raises(DispatchError, match=r"clips/x\.mp4"):
        bench.run([clip])


def test_a_damaged_clip_is_the_clips_fault(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(np.random.default_rng(1).bytes(5000))
    with pytest.raises(BitstreamError, match=r"clips/noise\.mp4"):
        bench.run([bench.clip(path)])


def test_settings_that_cannot_code_the_clip_are_refused(bench: Bench, small_clip: Any) -> None:
    half = EncodeSettings(TargetSpec("quality", 50.0), ("classical",), sizes=("half",))
    clip = bench.clip(small_clip.path)
    with pytest.raises(UnsupportedError, match="half"):
        bench.run([clip], replace(half, codecs=("h264",)))


def test_a_worker_with_a_gpu_encodes_on_it(
    bench: Bench, small_clip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    bench.gpu = 0
    with pytest.raises(ProviderError, match="CUDA"):
        bench.run([bench.clip(small_clip.path)])


def test_a_preset_of_its_settings_encodes_the_same_stream(
    bench: Bench, cut_clip: Any, tmp_path: Path
) -> None:
    settings = replace(QUICK, strategies=(), target=TargetSpec("psnr", 36.0))
    (measured,) = bench.run([bench.clip(cut_clip.path, frames=34)], settings).clips
    preset, stream = tmp_path / "preset.toml", tmp_path / "by-preset.ecv"
    write_preset(preset, settings)
    arguments = ["encode", str(cut_clip.path), "-o", str(stream), "--preset", str(preset)]
    done = CliRunner().invoke(app, [*arguments, "--frames", "34", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert stream.read_bytes() == (bench.media / measured.artefacts[0].name).read_bytes()
