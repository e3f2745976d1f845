"""`encode` from a file to a file: reports that are true, files that are whole, and resuming."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from edgecodec import runtime
from edgecodec.encoder import (
    BitrateTarget,
    Effort,
    EncodeOptions,
    EncodeProgress,
    EncodeReport,
    Metric,
    MetricTarget,
    QualityTarget,
    Scope,
    Search,
    SizeTarget,
    encode,
)
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.codecs.x264 import X264
from edgecodec.encoder.codecs.x265 import X265
from edgecodec.encoder.media import open_source, read_aux
from edgecodec.encoder.quality import SequenceQuality
from edgecodec.encoder.strategies import StandardTrial
from edgecodec.encoder.verdict import TOLERANCES
from edgecodec.encoder.vmaf import VmafMeter
from edgecodec.encoder.ways import STRATEGIES
from edgecodec.runtime import (
    BitstreamError,
    EdgecodecError,
    ModelError,
    ProviderError,
    UnsupportedError,
)
from edgecodec.runtime.container import Codec, Reader, StrategyId
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.models import packaged_models, read_models


def options(*strategies: str, codec: Codec = Codec.H264, **more: object) -> EncodeOptions:
    """One codec, quick, in this process."""
    chosen = EncodeOptions(strategies, effort=Effort.FAST, codecs=(codec,), threads=1, jobs=1)
    return replace(chosen, **more)  # type: ignore[arg-type]


QUICK = options("classical")


def check_report(
    report: EncodeReport, source: Path, file: Path, frames: int | None = None
) -> SequenceQuality:
    """Every figure against the decoded file; returns what was measured."""
    data = file.read_bytes()
    assert report.file == str(file)
    assert report.bytes == len(data)
    index = Reader(io.BytesIO(data)).index
    frame_psnr = []
    with open_source(source) as original, runtime.open(file, threads=1) as video:
        quality = SequenceQuality(video.info.format.bit_depth)
        originals = original.frames()
        for shown in video:
            frame = next(originals)
            assert shown.pts == frame.pts
            frame_psnr.append(quality.add(frame.planes, shown.planes).weighted)
        assert quality.frames == frames or next(originals, None) is None
        aux_bytes = sum(len(packet.data) for packet in video.aux_packets())
        duration = video.info.duration
        assert video.info.frames == quality.frames
        assert not video.damage
    assert report.frames == quality.frames
    assert report.duration_s == pytest.approx(duration)
    assert report.psnr == pytest.approx(quality.psnr.weighted)
    assert report.ssim == pytest.approx(quality.ssim.all)
    assert report.bitrate_mbps == pytest.approx(8 * (len(data) - aux_bytes) / duration / 1e6)
    assert report.other_streams_mbps == pytest.approx(8 * aux_bytes / duration / 1e6)
    assert report.encode_fps > 0
    assert len(report.scenes) == len(index)
    for scene, entry in zip(report.scenes, index, strict=True):
        assert scene.bits == 8 * entry.size
        assert scene.frames == entry.frames
        mean = float(np.mean(frame_psnr[entry.start_frame : entry.start_frame + entry.frames]))
        assert scene.psnr == pytest.approx(mean)
        won = (scene.strategy, scene.codec, scene.way, scene.setting, scene.bits)
        tried = [(t.strategy, t.codec, t.way, t.setting, t.bits) for t in scene.trials]
        assert won in tried
        assert scene.psnr == pytest.approx(scene.trials[tried.index(won)].psnr)
    encodes = {(n, t.way, t.setting) for n, s in enumerate(report.scenes) for t in s.trials}
    assert report.trial_encodes >= len(encodes)
    return quality


def beside(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


@pytest.fixture(scope="module")
def still_clip(clip_folder: Path, make_clip, draw_planes):
    """12 frames that are all the same picture."""
    picture = PictureFormat(96, 64)
    return make_clip(clip_folder / "still.mp4", picture, draw_planes(picture, 1) * 12)


@pytest.fixture(scope="module")
def panned_clip(clip_folder: Path, make_clip):
    """Two scenes of 16 frames beside sound, with so much in them that every step of a setting
    shows."""
    picture = PictureFormat(160, 96)
    random = np.random.default_rng(5)
    frames = []
    for blur, brightness in ((1.2, 160), (2.5, 80)):
        texture = cv2.GaussianBlur(random.normal(0, 60 * blur, (200, 400)), (0, 0), blur)
        for number in range(16):
            left, top = 2 * number, number
            seen = texture[top : top + 96, left : left + 160]
            noise = random.normal(0, 2, seen.shape)
            luma = np.clip(seen + noise + brightness, 0, 255).astype(np.uint8)
            chroma = np.clip(seen[::2, ::2] / 3 + brightness, 0, 255).astype(np.uint8)
            frames.append((luma, chroma, 255 - chroma))
    return make_clip(clip_folder / "panned.mp4", picture, frames, audio="aac")


@pytest.mark.parametrize(
    ("strategy", "codec"),
    [
        *[("classical", codec) for codec in Codec],
        ("hybrid_semantic", Codec.H264),
        ("procedural", Codec.H265),
        ("semantic_latent", None),
        ("i_frame_interpolation", None),
    ],
)
def test_a_strategy_end_to_end(request, tmp_path: Path, strategy: str, codec: Codec | None) -> None:
    clip = request.getfixturevalue("still_clip" if strategy == "procedural" else "small_clip")
    output = tmp_path / "out.ecv"
    output.write_bytes(b"what was here before")
    report = encode(clip.path, output, options(strategy, codecs=(codec,) if codec else ()))
    assert beside(output) == ["out.ecv"]
    check_report(report, clip.path, output)
    reader = Reader(io.BytesIO(output.read_bytes()))
    made = STRATEGIES[strategy]
    assert {reader.chunk(entry).strategy for entry in reader.index} == {made}
    (scene,) = report.scenes
    assert scene.strategy == strategy
    assert scene.codec == (codec.name.lower() if codec else None)
    assert {trial.strategy for trial in scene.trials} == {strategy}
    assert (report.target_met, report.note, report.vmaf) == (None, "", None)
    neural = made not in (StrategyId.CLASSICAL, StrategyId.PROCEDURAL)
    installed = tuple(each.model_id for each in read_models(packaged_models("nano")).networks)
    assert reader.header.model_ids == (installed if neural else ())
    assert reader.header.tier == ("nano" if neural else "")
    if made is StrategyId.HYBRID_SEMANTIC:
        assert 0 <= scene.enhanced_frames <= 10
    else:
        assert scene.enhanced_frames == 0


def test_a_still_scene_is_a_program_where_that_may_be(still_clip, tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    report = encode(still_clip.path, output, options("classical", "procedural", codec=Codec.H265))
    check_report(report, still_clip.path, output)
    (scene,) = report.scenes
    assert {"classical", "procedural"} == {trial.strategy for trial in scene.trials}
    assert scene.strategy == "procedural"


def test_auto_names_every_way_and_takes_the_best_trade(small_clip, tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    report = encode(small_clip.path, output, options(codecs=tuple(Codec)))
    check_report(report, small_clip.path, output)
    (scene,) = report.scenes
    tried = {(trial.strategy, trial.codec) for trial in scene.trials}
    assert {("classical", "av1"), ("classical", "vvc")} <= tried
    assert {("hybrid_semantic", "av1"), ("hybrid_semantic", "vvc")} <= tried
    told = {trial.way for trial in scene.trials} | {note.split(":")[0] for note in scene.skipped}
    assert {"h264", "h265", "av1 8-bit"} <= told
    assert {"procedural", "semantic_latent", "i_frame_interpolation"} <= told
    trades = [trial.psnr - 3 * np.log2(trial.bits) for trial in scene.trials]
    assert scene.psnr - 3 * np.log2(scene.bits) == pytest.approx(max(trades))


def test_an_exhaustive_search_tries_everything_around_the_target(
    small_clip, tmp_path: Path
) -> None:
    output = tmp_path / "out.ecv"
    wanted = options(
        codecs=tuple(Codec),
        search=Search.EXHAUSTIVE,
        frames=3,
        target=MetricTarget(Metric.PSNR, 36.0),
    )
    report = encode(small_clip.path, output, wanted)
    check_report(report, small_clip.path, output, frames=3)
    (scene,) = report.scenes
    for way in (
        *("av1 10-bit", "av1 8-bit", "h265 10-bit", "h265 8-bit", "h264 8-bit", "vvc 10-bit"),
        *("semantic_latent", "i_frame_interpolation"),
    ):
        made = [trial for trial in scene.trials if trial.way == way]
        assert len({trial.setting for trial in made}) >= (3 if "-bit" in way else 2)
        if "-bit" in way:
            assert {trial.strategy for trial in made} == {"classical", "hybrid_semantic"}
    assert set(scene.skipped) == {"procedural: it cannot code this scene"}


@pytest.mark.parametrize("name", ["odd_clip", "deep_clip", "variable_rate_clip", "rotated_clip"])
def test_what_a_clip_is_travels_with_it(request, tmp_path: Path, name: str) -> None:
    clip = request.getfixturevalue(name)
    output = tmp_path / "out.ecv"
    report = encode(clip.path, output, options() if name == "deep_clip" else QUICK)
    check_report(report, clip.path, output)
    with open_source(clip.path) as source, runtime.open(output, threads=1) as video:
        told, known = video.info, source.info
        assert told.format == clip.format
        for figure in ("time_base", "color", "rotation", "sample_aspect", "frame_rate"):
            assert getattr(told, figure) == getattr(known, figure)
        times = [frame.pts * frame.time_base for frame in video]
    # Matroska rounds to milliseconds.
    for time, pts in zip(times, clip.pts, strict=True):
        assert abs(time - pts * clip.time_base) <= known.time_base / 2


@pytest.mark.parametrize("name", ["sound_clip", "subtitle_clip"])
def test_sound_and_subtitles_are_copied_bit_by_bit(request, tmp_path: Path, name: str) -> None:
    clip = request.getfixturevalue(name)
    output = tmp_path / "out.ecv"
    report = encode(clip.path, output, QUICK)
    check_report(report, clip.path, output)
    streams, packets = read_aux(clip.path)
    assert packets
    with runtime.open(output) as video:
        assert video.info.aux_streams == streams
        kept = list(video.aux_packets())
    for stream in streams:
        of_stream = [packet for packet in packets if packet.stream == stream.index]
        assert [packet for packet in kept if packet.stream == stream.index] == of_stream
    assert len(kept) == len(packets)
    assert report.other_streams_mbps > 0


@pytest.mark.parametrize("frames", [1, 4, 99])
def test_only_the_first_frames_and_what_is_heard_with_them(
    sound_clip, tmp_path: Path, frames: int
) -> None:
    output = tmp_path / "out.ecv"
    report = encode(sound_clip.path, output, replace(QUICK, frames=frames))
    check_report(report, sound_clip.path, output, frames=frames)
    count = min(frames, 10)
    assert report.frames == count
    assert report.duration_s == pytest.approx(count / 30)
    streams, packets = read_aux(sound_clip.path)
    clock = streams[0].time_base
    due = [packet for packet in packets if packet.pts * clock < report.duration_s]
    with runtime.open(output) as video:
        assert list(video.aux_packets()) == due
    assert (len(due) < len(packets)) == (frames < 10)


@pytest.mark.parametrize(
    ("codec", "asked_mbps"),
    [(Codec.H264, 0.15), (Codec.H264, 1.2), (Codec.H265, 0.4), (Codec.AV1, 0.3)],
)
def test_a_bitrate_is_met_within_three_percent(
    panned_clip, tmp_path: Path, codec: Codec, asked_mbps: float
) -> None:
    output = tmp_path / "out.ecv"
    # Without filters, which at so few bits leave wider gaps between one setting and the next.
    target = BitrateTarget(asked_mbps * 1e6)
    wanted = options("classical", codec=codec, target=target, adapt=Adaptation.NONE)
    report = encode(panned_clip.path, output, wanted)
    check_report(report, panned_clip.path, output)
    assert report.bitrate_mbps == pytest.approx(asked_mbps, rel=0.03)
    assert (report.target_met, report.note) == (True, "")
    assert len(report.scenes) == 2


@pytest.mark.parametrize("wanted_bytes", [20_000, 50_000])
@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_a_size_holds_the_whole_file_and_is_never_exceeded(
    panned_clip, tmp_path: Path, codec: Codec, wanted_bytes: int
) -> None:
    output = tmp_path / "out.ecv"
    wanted = options("classical", codec=codec, target=SizeTarget(wanted_bytes))
    report = encode(panned_clip.path, output, wanted)
    check_report(report, panned_clip.path, output)
    # Sound is a large part of it.
    assert sum(len(packet.data) for packet in read_aux(panned_clip.path)[1]) > 4_000
    assert 0.97 * wanted_bytes <= output.stat().st_size <= wanted_bytes
    assert (report.target_met, report.note) == (True, "")


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize(
    ("metric", "value"), [(Metric.PSNR, 38.0), (Metric.SSIM, 0.95), (Metric.VMAF, 90.0)]
)
def test_a_metric_is_reached_by_the_mean_or_by_every_scene(
    panned_clip, tmp_path: Path, metric: Metric, value: float, scope: Scope
) -> None:
    output = tmp_path / "out.ecv"
    target = MetricTarget(metric, value, scope)
    # Without filters, as above.
    wanted = options("classical", target=target, adapt=Adaptation.NONE)
    report = encode(panned_clip.path, output, wanted)
    quality = check_report(report, panned_clip.path, output)
    scores = frame_scores(metric, panned_clip.path, output, quality)
    parts = [scores] if scope is Scope.MEAN else [scores[:16], scores[16:]]
    for part in parts:
        assert float(np.mean(part)) == pytest.approx(value, abs=TOLERANCES[metric])
    assert (report.target_met, report.note) == (True, "")
    if metric is Metric.VMAF:
        assert report.vmaf == pytest.approx(float(np.mean(scores)), abs=0.01)
    else:
        assert report.vmaf is None


def frame_scores(metric: Metric, source: Path, file: Path, quality: SequenceQuality) -> list[float]:
    """Of a file's decoded frames, measured apart from the encoder."""
    if metric is Metric.PSNR:
        return [each.weighted for each in quality.frame_psnr]
    with open_source(source) as original, runtime.open(file, threads=1) as video:
        planes = [frame.planes for frame in original.frames()]
        shown = [frame.planes for frame in video]
        picture = video.info.format
    if metric is Metric.SSIM:
        singles = []
        for pair in zip(planes, shown, strict=True):
            single = SequenceQuality(picture.bit_depth)
            single.add(*pair)
            singles.append(single.ssim.all)
        return singles
    scores: list[float] = []
    # Motion, which is part of VMAF, does not reach across a cut.
    for part in (slice(0, 16), slice(16, 32)):
        with VmafMeter(planes[part], picture, threads=1) as meter:
            scores += meter.frame_vmaf(shown[part])
    return scores


@pytest.mark.parametrize(
    ("target", "note"),
    [
        (BitrateTarget(1_000), "0.001 Mb/s was asked; the smallest stream found near it has"),
        (BitrateTarget(1e9), "1000 Mb/s was asked; the largest stream found near it has"),
        (SizeTarget(100), "at most 100 bytes were asked; the smallest stream found has"),
        (MetricTarget(Metric.PSNR, 99.0), "PSNR 99 was asked; the mean found nearest is"),
        (MetricTarget(Metric.PSNR, 3.0, Scope.WORST), "PSNR 3 was asked; a scene's mean is"),
    ],
    ids=["rate too low", "rate too high", "size", "psnr too high", "psnr too low"],
)
def test_a_target_out_of_reach_ends_near_it_and_says_so(
    panned_clip, tmp_path: Path, target, note: str
) -> None:
    output = tmp_path / "out.ecv"
    report = encode(panned_clip.path, output, options("classical", target=target))
    check_report(report, panned_clip.path, output)
    assert report.target_met is False
    assert report.note.startswith(note)
    # At the edge of what the codec can do.
    coarse = "smallest" in note or "PSNR 3 " in note
    assert {scene.setting for scene in report.scenes} == {51.0 if coarse else 0.0}


def test_a_size_that_nothing_fills_is_met_and_says_so(small_clip, tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    report = encode(small_clip.path, output, options("classical", target=SizeTarget(10_000_000)))
    assert report.target_met is True
    assert "no stream found uses more" in report.note


def test_progress_goes_forward_through_the_stages(cut_clip, tmp_path: Path) -> None:
    told: list[EncodeProgress] = []
    wanted = options("classical", target=BitrateTarget(300_000))
    encode(cut_clip.path, tmp_path / "out.ecv", wanted, told.append)
    stages = sorted({each.stage for each in told}, key=[each.stage for each in told].index)
    rounds = [stage for stage in stages if stage.startswith("round ")]
    assert stages == ["looking", "trials", *rounds, "writing", "measuring"]
    assert rounds == [f"round {n}" for n in range(2, 2 + len(rounds))]
    assert all(0 <= each.done <= 1 for each in told)
    for part in (told[: stages_until(told, "writing")], told[stages_until(told, "measuring") :]):
        done = [each.done for each in part]
        assert done == sorted(done)
    details = [each.detail for each in told if each.stage == "trials"]
    assert details == ["", "scene 1", "scene 2"]
    trials = [each for each in told if each.stage == "trials"]
    assert trials[0].seconds_left is None
    assert all(each.seconds_left is not None and each.seconds_left >= 0 for each in trials[1:])
    assert told[-1].done == 1


def stages_until(told: list[EncodeProgress], stage: str) -> int:
    return [each.stage for each in told].index(stage)


class Interrupting:
    """Ctrl-C at the n-th time that a scene is done in a stage."""

    def __init__(self, stage: str, count: int = 1) -> None:
        self.stage, self.left = stage, count

    def __call__(self, progress: EncodeProgress) -> None:
        if progress.stage == self.stage and (progress.detail or self.stage in LATE):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


LATE = ("writing", "measuring")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, float]]:
    """Every trial of a standard codec that runs from here on: (scene, name, setting)."""
    ran: list[tuple[int, str, float]] = []
    encode_scene = StandardTrial.encode

    def spy(self: StandardTrial, scene, setting, resources):
        ran.append((scene.index, self.name, setting))
        return encode_scene(self, scene, setting, resources)

    monkeypatch.setattr(StandardTrial, "encode", spy)
    return ran


@pytest.mark.parametrize(
    ("wanted", "stage", "count"),
    [
        (options("classical", codec=Codec.H265, target=BitrateTarget(300_000)), "trials", 1),
        (options("classical", target=BitrateTarget(200_000)), "round 2", 1),
        (options("hybrid_semantic"), "trials", 2),
        (options("classical", target=MetricTarget(Metric.SSIM, 0.9)), "writing", 1),
        (QUICK, "measuring", 3),
    ],
    ids=["first scene", "second round", "last scene", "writing", "measuring"],
)
def test_an_interrupted_encode_goes_on_to_the_same_file(
    cut_clip, tmp_path: Path, encoded: list, wanted: EncodeOptions, stage: str, count: int
) -> None:
    whole, output = tmp_path / "whole.ecv", tmp_path / "out.ecv"
    first = encode(cut_clip.path, whole, wanted)
    expected = sorted(encoded)
    assert len(set(expected)) == len(expected)

    encoded.clear()
    output.write_bytes(b"what was here before")
    with pytest.raises(KeyboardInterrupt):
        encode(cut_clip.path, output, wanted, Interrupting(stage, count))
    before = list(encoded)
    assert before
    assert output.read_bytes() == b"what was here before"
    assert beside(output) == ["out.ecv", "out.ecv.parts", "whole.ecv"]
    kept = list((tmp_path / "out.ecv.parts").iterdir())
    assert {path.suffix for path in kept} <= {".trial", ".base"}
    assert sum(path.suffix == ".trial" for path in kept) == len(before)

    encoded.clear()
    report = encode(cut_clip.path, output, wanted)
    assert sorted(before + encoded) == expected
    assert bool(encoded) == (stage not in LATE and count == 1)
    assert beside(output) == ["out.ecv", "whole.ecv"]
    assert output.read_bytes() == whole.read_bytes()
    check_report(report, cut_clip.path, output)
    assert (report.scenes, report.trial_encodes) == (first.scenes, first.trial_encodes)


def test_an_interruption_ends_after_the_trial_at_work(
    cut_clip, tmp_path: Path, encoded: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not after all those of its scene."""
    output = tmp_path / "out.ecv"
    wanted = options(
        "classical",
        codecs=(Codec.H264, Codec.H265),
        search=Search.EXHAUSTIVE,
        target=MetricTarget(Metric.PSNR, 36.0),
    )
    encode_scene = StandardTrial.encode
    handled = threading.Event()

    def handle(number: int, frame: object) -> None:
        handled.set()
        raise KeyboardInterrupt

    def interrupts(self: StandardTrial, scene, setting, resources):
        if len(encoded) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            assert handled.wait(60)
        return encode_scene(self, scene, setting, resources)

    monkeypatch.setattr(StandardTrial, "encode", interrupts)
    before = signal.signal(signal.SIGINT, handle)
    try:
        with pytest.raises(KeyboardInterrupt):
            encode(cut_clip.path, output, wanted)
    finally:
        signal.signal(signal.SIGINT, before)
    # Of nine for the first scene; one more may have begun meanwhile.
    assert 3 <= len(encoded) <= 4
    assert len(list((tmp_path / "out.ecv.parts").glob("*.trial"))) == len(encoded)


def test_other_options_use_no_trial_that_is_not_theirs(
    cut_clip, tmp_path: Path, encoded: list
) -> None:
    output, alone = tmp_path / "out.ecv", tmp_path / "alone.ecv"
    with pytest.raises(KeyboardInterrupt):
        encode(cut_clip.path, output, QUICK, Interrupting("trials"))
    encoded.clear()
    other = replace(QUICK, effort=Effort.NORMAL)
    encode(cut_clip.path, output, other)
    assert [scene for scene, _, _ in encoded] == [0, 1]
    encode(cut_clip.path, alone, other)
    assert output.read_bytes() == alone.read_bytes()


def test_a_cache_keeps_trials_for_other_encodes(
    cut_clip, small_clip, tmp_path: Path, encoded: list
) -> None:
    cache, first, second = tmp_path / "cache", tmp_path / "first.ecv", tmp_path / "second.ecv"
    wanted = replace(QUICK, cache=cache)
    one = encode(cut_clip.path, first, wanted)
    assert len(encoded) == 2
    assert beside(first) == ["cache", "first.ecv"]
    encoded.clear()
    other = encode(cut_clip.path, second, wanted)
    assert encoded == []
    assert (other.trial_encodes, other.scenes) == (one.trial_encodes, one.scenes)
    assert second.read_bytes() == first.read_bytes()
    # Another setting, another preset, another metric, another picture.
    for changed, source in (
        (replace(wanted, target=QualityTarget(40)), cut_clip),
        (replace(wanted, effort=Effort.NORMAL), cut_clip),
        (wanted, small_clip),
    ):
        encoded.clear()
        apart = tmp_path / "apart.ecv"
        encode(source.path, second, changed)
        assert len(encoded) == (1 if source is small_clip else 2)
        encode(source.path, apart, replace(changed, cache=None))
        assert second.read_bytes() == apart.read_bytes()
    # A part of the same video is a scene of its own; the scene that is whole is not.
    encoded.clear()
    encode(cut_clip.path, second, replace(wanted, frames=40))
    assert [scene for scene, _, _ in encoded] == [1]


def test_an_interrupted_encode_with_a_cache_leaves_nothing_beside_the_output(
    cut_clip, tmp_path: Path, encoded: list
) -> None:
    output = tmp_path / "out.ecv"
    wanted = replace(QUICK, cache=tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        encode(cut_clip.path, output, wanted, Interrupting("trials"))
    assert beside(output) == ["cache"]
    encode(cut_clip.path, output, wanted)
    assert [scene for scene, _, _ in encoded] == [0, 1]


def test_jobs_and_threads_change_nothing_in_the_file(cut_clip, tmp_path: Path) -> None:
    target = BitrateTarget(250_000)
    reports = []
    for name, jobs, threads in (("one.ecv", 1, 1), ("two.ecv", 2, 2)):
        wanted = options(
            "classical",
            "hybrid_semantic",
            codecs=(Codec.H265, Codec.H264),
            target=target,
            jobs=jobs,
            threads=threads,
        )
        reports.append(encode(cut_clip.path, tmp_path / name, wanted))
    one, two = reports
    assert (tmp_path / "one.ecv").read_bytes() == (tmp_path / "two.ecv").read_bytes()
    assert one.scenes == two.scenes
    assert one.trial_encodes == two.trial_encodes


def failing(*arguments: object) -> object:
    raise EdgecodecError("the encoder said no")


def test_a_codec_that_fails_costs_only_itself(
    cut_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(X265, "encode", failing)
    output = tmp_path / "out.ecv"
    report = encode(cut_clip.path, output, options("classical", codecs=(Codec.H264, Codec.H265)))
    check_report(report, cut_clip.path, output)
    for scene in report.scenes:
        assert scene.codec == "h264"
        assert "h265 10-bit: EdgecodecError: the encoder said no" in scene.skipped


def test_a_codec_that_fails_in_a_later_round_costs_only_itself(
    cut_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_scene = X265.encode
    left = 2

    def tires(self, frames, settings):
        nonlocal left
        left -= 1
        return encode_scene(self, frames, settings) if left >= 0 else failing()

    monkeypatch.setattr(X265, "encode", tires)
    output = tmp_path / "out.ecv"
    wanted = options("classical", codec=Codec.H265, target=BitrateTarget(40_000))
    report = encode(cut_clip.path, output, wanted)
    check_report(report, cut_clip.path, output)
    assert report.target_met is False
    assert any("the encoder said no" in note for note in report.scenes[0].skipped)


def test_where_every_way_fails_the_scene_is_named_and_nothing_is_left(
    cut_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_scene = X264.encode

    def fails_later(self, frames, settings):
        # The second scene's first frame is another picture.
        if np.array_equal(frames[0][0], cut_clip.planes[0][0]):
            return encode_scene(self, frames, settings)
        return failing()

    monkeypatch.setattr(X264, "encode", fails_later)
    monkeypatch.setattr(X265, "encode", failing)
    wanted = options("classical", codecs=(Codec.H264, Codec.H265))
    with pytest.raises(EdgecodecError) as raised:
        encode(cut_clip.path, tmp_path / "out.ecv", wanted)
    told = str(raised.value)
    assert told.startswith("scene 1 (frames 30 to 59): every way to code it failed: ")
    assert "h264 8-bit: EdgecodecError: the encoder said no" in told
    assert "h265 10-bit: EdgecodecError: the encoder said no" in told
    # The first scene's trials may be of use another time.
    assert beside(tmp_path / "out.ecv") == ["out.ecv.parts"]
    assert {path.suffix for path in (tmp_path / "out.ecv.parts").iterdir()} <= {".trial", ".base"}


def test_a_strategy_that_fits_no_scene_is_an_error_that_says_so(small_clip, tmp_path: Path) -> None:
    with pytest.raises(EdgecodecError, match=r"scene 0 .*procedural: it cannot code this scene"):
        encode(small_clip.path, tmp_path / "out.ecv", options("procedural"))
    assert "out.ecv" not in beside(tmp_path / "out.ecv")


def test_the_output_is_never_half_written(small_clip, tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    output.write_bytes(b"what was here before")
    seen: list[bytes] = []

    def look(progress: EncodeProgress) -> None:
        seen.append(output.read_bytes())

    encode(small_clip.path, output, QUICK, look)
    assert set(seen) == {b"what was here before"}
    assert output.read_bytes()[:4] == b"\x9fECV"


def test_a_stream_that_does_not_decode_to_the_sources_times_is_not_put_in_place(
    small_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.ecv"
    frames = runtime.Video.__next__

    def late(self: runtime.Video) -> runtime.Frame:
        frame = frames(self)
        return runtime.Frame(frame.planes, frame.format, frame.pts + 1, frame.time_base)

    monkeypatch.setattr(runtime.Video, "__next__", late)
    with pytest.raises(EdgecodecError, match="this is a bug"):
        encode(small_clip.path, output, QUICK)
    assert not output.exists()
    assert not output.with_name("out.ecv.partial").exists()


def test_the_source_is_never_overwritten(small_clip, tmp_path: Path) -> None:
    before = small_clip.path.read_bytes()
    other = tmp_path / "linked.mp4"
    other.symlink_to(small_clip.path)
    for output in (small_clip.path, other):
        with pytest.raises(UnsupportedError, match="is the source itself"):
            encode(small_clip.path, output, QUICK)
    assert small_clip.path.read_bytes() == before


def test_a_folder_that_is_in_the_way_is_refused_and_kept(small_clip, tmp_path: Path) -> None:
    parts = tmp_path / "out.ecv.parts"
    parts.mkdir()
    (parts / "thesis.txt").write_text("years of work")
    with pytest.raises(UnsupportedError, match="holds something else"):
        encode(small_clip.path, tmp_path / "out.ecv", QUICK)
    assert (parts / "thesis.txt").read_text() == "years of work"


def write_422(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv422p"
        container.mux(stream.encode(av.VideoFrame(96, 64, "yuv422p")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def refused(small_clip, deep_clip, tmp_path: Path) -> dict[str, tuple[Path, EncodeOptions]]:
    folder = tmp_path / "folder"
    folder.mkdir()
    text = tmp_path / "notes.txt"
    text.write_text("this is no video\n" * 40)
    return {
        "nowhere": (tmp_path / "nowhere.mp4", QUICK),
        "folder": (folder, QUICK),
        "text": (text, QUICK),
        "4:2:2": (write_422(tmp_path / "422.mp4"), QUICK),
        "10 bit": (deep_clip.path, options("semantic_latent")),
        "strategy": (small_clip.path, options("classical", "best")),
        "no codec": (small_clip.path, options("classical", codecs=())),
        "tier": (small_clip.path, options("semantic_latent", tier="huge")),
        "device": (small_clip.path, options("classical", device="tpu")),
        "cuda": (small_clip.path, options("classical", device="cuda")),
    }


@pytest.mark.parametrize(
    ("case", "error", "message"),
    [
        ("nowhere", FileNotFoundError, r"nowhere\.mp4: no such file"),
        ("folder", UnsupportedError, "is a folder: name a video file in it"),
        ("text", BitstreamError, r"notes\.txt is text, not a video"),
        ("4:2:2", UnsupportedError, r"yuv422p is not supported.*convert it: ffmpeg -i"),
        ("10 bit", UnsupportedError, "networks take 8 bits a sample, the source has 10"),
        ("strategy", UnsupportedError, "unknown strategy 'best': choose one of auto"),
        ("no codec", UnsupportedError, "no standard codec is allowed"),
        ("tier", ModelError, "no networks of tier 'huge' are installed"),
        ("device", ProviderError, "unknown device 'tpu': choose cpu or cuda"),
        ("cuda", ProviderError, "no CUDA device"),
    ],
)
def test_what_cannot_be_encoded_says_why_and_leaves_nothing(
    refused: dict[str, tuple[Path, EncodeOptions]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    source, wanted = refused[case]
    before = beside(tmp_path / "any")
    with pytest.raises(error, match=message):
        encode(source, tmp_path / "out.ecv", wanted)
    assert beside(tmp_path / "any") == before


def test_an_output_that_is_a_folder_is_refused_before_the_work(
    small_clip, tmp_path: Path, encoded: list
) -> None:
    with pytest.raises(UnsupportedError, match="is a folder: name a file"):
        encode(small_clip.path, tmp_path, QUICK)
    assert encoded == []
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """Neither a decoder's nor a scene's."""
    yield
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("edgecodec-prefetch", "scene"))]


@pytest.mark.parametrize("effort", Effort)
def test_a_fast_encode_fits_only_filters_to_the_title_unless_told(effort: Effort) -> None:
    usual = Adaptation.FILTER if effort is Effort.FAST else Adaptation.TITLE
    assert EncodeOptions(effort=effort).adaptation is usual
    for named in Adaptation:
        assert EncodeOptions(effort=effort, adapt=named).adaptation is named


def test_no_sizes_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="no sizes: choose of full, half"):
        EncodeOptions(sizes=())


@pytest.mark.parametrize("frames", [0, -3])
def test_no_frames_at_all_are_refused(frames: int) -> None:
    with pytest.raises(ValueError, match=f"the first {frames} frames: at least one"):
        EncodeOptions(frames=frames)
