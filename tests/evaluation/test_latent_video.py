"""Video in latents beside the standard codecs: which frames, what is coded, and the tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.effort import Effort
from edgecodec.encoder.targets import Metric
from edgecodec.encoder.training.sources import resized
from edgecodec.evaluation import latent_video
from edgecodec.evaluation.anchors import X264_MEDIUM
from edgecodec.evaluation.clips import Clip, load_clip
from edgecodec.evaluation.latent_video_clips import Cut, read_clip, shrunk, write_part
from edgecodec.evaluation.latent_video_codecs import (
    CodedVideo,
    LatentVideo,
    StandardVideo,
    scenes_of,
)
from edgecodec.evaluation.latent_video_points import (
    Curve,
    against_standard,
    measure,
    measured_curves,
)
from edgecodec.evaluation.stills import StillPoint
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.container import Reader
from edgecodec.runtime.errors import UnsupportedError
from edgecodec.runtime.frames import PictureFormat, Planes

SEMANTIC, INTERPOLATED = StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION


@pytest.fixture(scope="module")
def tiny(small_clip: Clip) -> Clip:
    """Six frames of 160x90."""
    frames = tuple(resized(planes, 160, 90) for planes in small_clip.frames[:6])
    return replace(small_clip, name="tiny", frames=frames, format=PictureFormat(160, 90))


@dataclass(frozen=True)
class Given:
    """A codec that decodes to these frames."""

    frames: tuple[Planes, ...]
    name: str = "given"
    settings: tuple[float, ...] = (1,)
    intra: int = 0
    recipe: str = ""

    def code(self, clip: Clip, setting: float) -> CodedVideo:
        return CodedVideo(1000, 100, self.frames)


def test_clips_are_scaled_to_their_shorter_side_with_even_sides() -> None:
    assert shrunk(PictureFormat(1920, 1080), 540) == PictureFormat(960, 540)
    assert shrunk(PictureFormat(1080, 1920), 540) == PictureFormat(540, 960)
    assert shrunk(PictureFormat(2048, 1810), 540) == PictureFormat(612, 540)
    assert shrunk(PictureFormat(960, 540), 540) == PictureFormat(960, 540)
    assert shrunk(PictureFormat(320, 180), 540) == PictureFormat(320, 180)
    assert shrunk(PictureFormat(1920, 1080), 0) == PictureFormat(1920, 1080)


def test_a_part_of_a_clip_is_its_frames_from_there_on(clip_path: Path, tmp_path: Path) -> None:
    cut = Cut(frames=3, start=2, short_side=90)
    made = read_clip(clip_path, "part", cut)
    whole = load_clip(clip_path, 5)
    assert made.format == PictureFormat(160, 90)
    assert made.frame_rate == whole.frame_rate
    assert len(made.frames) == 3
    for planes, source in zip(made.frames, whole.frames[2:], strict=True):
        for plane, expected in zip(planes, resized(source, 160, 90), strict=True):
            assert np.array_equal(plane, expected)
    written = tmp_path / "part.y4m"
    assert write_part(clip_path, cut, written) == 3
    again = load_clip(written)
    assert again.frame_rate == made.frame_rate
    for planes, expected_planes in zip(again.frames, made.frames, strict=True):
        assert all(map(np.array_equal, planes, expected_planes))


def test_a_part_that_is_not_there_and_more_than_8_bits_are_refused(
    small_file: Path, deep_clip, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match="no frame 12"):
        read_clip(small_file, "late", Cut(frames=4, start=12))
    with pytest.raises(UnsupportedError, match="no frame 12"):
        write_part(small_file, Cut(start=12), tmp_path / "late.y4m")
    with pytest.raises(UnsupportedError, match="10 bits"):
        read_clip(deep_clip.path, "deep", Cut())


def test_scenes_follow_one_another_and_the_last_has_what_is_left(small_clip: Clip) -> None:
    scenes = list(scenes_of(small_clip, 5))
    assert [len(scene.frames) for scene in scenes] == [5, 5, 2]
    assert [scene.start for scene in scenes] == [0, 5, 10]
    assert scenes[1].pts == (5, 6, 7, 8, 9)
    assert scenes[1].frames[0] is small_clip.frames[5]
    (whole,) = scenes_of(small_clip, 0)
    assert whole.frames == small_clip.frames


def test_standard_codecs_have_a_keyframe_at_every_period(small_clip: Clip) -> None:
    alone, often = (StandardVideo(X264_MEDIUM, (30,), intra, 1) for intra in (0, 3))
    one, four = (measure(small_clip, codec, 30) for codec in (alone, often))
    # Three more keyframes in twelve frames.
    assert four.bytes > 1.5 * one.bytes
    assert one.container_bytes == four.container_bytes == 0
    assert one.codec == "x264 medium"
    assert one.pixels == 12 * 320 * 180
    assert measure(small_clip, alone, 45).psnr < one.psnr - 3


@pytest.mark.parametrize("strategy", [SEMANTIC, INTERPOLATED])
def test_chunks_of_a_real_stream_stand_alone(strategy: StrategyId, tiny: Clip) -> None:
    whole = LatentVideo(strategy, "nano", 3, 1).code(tiny, 40)
    alone = LatentVideo(strategy, "nano", 0, 1)
    parts = [alone.code(replace(tiny, frames=tiny.frames[at : at + 3]), 40) for at in (0, 3)]
    assert len(whole.frames) == 6
    for planes, expected in zip(whole.frames, parts[0].frames + parts[1].frames, strict=True):
        assert all(map(np.array_equal, planes, expected))
    bodies = [each.bytes - each.container_bytes for each in (whole, *parts)]
    assert bodies[0] == bodies[1] + bodies[2]
    assert parts[0].container_bytes < whole.container_bytes < 500


def test_coarser_latents_are_fewer_bytes(tiny: Clip) -> None:
    codec = LatentVideo(SEMANTIC, "nano", 0, 1)
    coarse, fine = (measure(tiny, codec, setting) for setting in (2, 60))
    assert coarse.codec == "semantic_latent"
    assert coarse.bytes < fine.bytes / 2
    assert coarse.psnr < fine.psnr


def test_the_written_stream_has_a_chunk_for_every_period(tiny: Clip, monkeypatch) -> None:
    lengths = []

    def watched(path: Path, threads: int) -> tuple[Planes, ...]:
        with path.open("rb") as file:
            lengths.extend(entry.frames for entry in Reader(file).index)
        return ()

    monkeypatch.setattr("edgecodec.evaluation.latent_video_codecs.stream_frames", watched)
    LatentVideo(SEMANTIC, "nano", 4, 1).code(tiny, 2)
    assert lengths == [4, 2]


def test_psnr_is_of_every_frame_and_ms_ssim_of_every_fifth(tiny: Clip) -> None:
    def with_black(position: int) -> tuple[Planes, ...]:
        frames = list(tiny.frames)
        y, u, v = frames[position]
        frames[position] = (np.zeros_like(y), u, v)
        return tuple(frames)

    second, sixth = (measure(tiny, Given(with_black(at)), 1) for at in (1, 5))
    assert second.ms_ssim == 1
    assert sixth.ms_ssim < 0.7
    assert second.psnr < 90
    assert (second.psnr_u, second.psnr_v) == (100, 100)
    assert (second.bytes, second.container_bytes) == (1000, 100)
    with pytest.raises(ValueError, match="shorter"):
        measure(tiny, Given(tiny.frames[:5]), 1)


def curve(codec: str, factor: float) -> list[StillPoint]:
    """Points that need `factor` times the bytes of another."""
    return [
        StillPoint("c", codec, n, 1000, round(factor * 1000 * 2**n), 0, *[30.0 + n] * 4, 0.9)
        for n in range(6)
    ]


def test_only_what_is_not_known_is_measured(small_file: Path, tiny: Clip) -> None:
    known = measure(tiny, Given(tiny.frames), 1)
    codec = Given((), settings=(1,))
    (done,) = measured_curves([Curve(0, small_file, "clip", Cut(), codec, {1: known})], 1)
    assert done.points == [known]
    with pytest.raises(ValueError, match="shorter"):
        list(measured_curves([Curve(0, small_file, "clip", Cut(), codec)], 1))


def test_a_strategy_stands_against_the_standard_codecs_alone() -> None:
    points = curve("x264", 2.0) + curve("a", 1.0) + curve("b", 4.0)
    for tested, percent in (("a", -50), ("b", 100)):
        found = against_standard(points, tested, ["a", "b"])
        assert {each.anchor for each in found} == {"x264"}
        (psnr,) = [each.percent for each in found if each.metric == "psnr"]
        assert psnr == pytest.approx(percent, abs=0.01)


def test_the_command_prints_tables_and_measures_nothing_twice(
    small_file: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    keep, result = tmp_path / "keep.json", tmp_path / "result.json"
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "clip.mkv").symlink_to(small_file)
    command = ["--data", str(tmp_path), "--tier", "nano", "--frames", "2", "--intra", "1", "0"]
    command += ["--short-side", "64", "--qualities", "2", "12", "22", "32", "42", "60"]
    command += ["--keep", str(keep), "--json", str(result), "--strategies", "semantic_latent"]
    latent_video.main(command)
    printed = capsys.readouterr()
    for intra in ("intra period 1", "one I-frame"):
        for metric in ("psnr", "ms_ssim", "psnr_file"):
            assert f"semantic_latent of tier nano, {intra}, {metric}:" in printed.out
    assert printed.out.count("| clip | x264 medium | x265 medium | SVT-AV1 preset 6 |") == 6
    assert printed.out.count("| clip.mkv |") == printed.out.count("| mean (clips) |") == 6
    assert "broken.mp4" in printed.err
    assert "4 of 8     clip.mkv, intra 1, semantic_latent: 0." in printed.err
    written = json.loads(result.read_text())
    assert [clip["name"] for clip in written["clips"]] == ["clip.mkv"]
    assert {point["intra"] for point in written["points"]} == {0, 1}
    assert len(written["points"]) == 2 * (3 * 5 + 6)
    point = written["points"][0]
    assert point["mbps"] == pytest.approx(point["bytes"] * 8 * 25 / 2 / 1e6)
    assert {each["strategy"] for each in written["bd_rates"]} == {"semantic_latent"}
    # Again, under another name of the clip, and with other code that makes latents.
    (tmp_path / "clip.mkv").rename(tmp_path / "same.mkv")
    monkeypatch.setattr(StandardVideo, "code", None)
    with monkeypatch.context() as latents:
        latents.setattr(LatentVideo, "code", None)
        latent_video.main(command)
        assert capsys.readouterr().out == printed.out.replace("clip.mkv", "same.mkv")
        latents.setattr(latent_video, "code_digest", lambda: "other")
        with pytest.raises(TypeError):
            latent_video.main(command)


def test_another_process_measures_the_same(small_file: Path) -> None:
    codec = StandardVideo(X264_MEDIUM, (45, 30), 0, 1)
    curve = Curve(7, small_file, "clip", Cut(frames=2, short_side=90), codec)
    ((here,), (there,)) = (list(measured_curves([curve], jobs)) for jobs in (1, 2))
    assert here.number == there.number == 7
    assert here.points == there.points
    assert [each.setting for each in here.points] == [45, 30]


def test_a_strategy_that_the_tier_lacks_is_left_out_unless_it_is_named(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    def lacking(strategy: StrategyId, tier: str) -> str:
        return "no generator_b" if strategy is INTERPOLATED else ""

    monkeypatch.setattr(latent_video, "missing_networks", lacking)
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    command = ["--data", str(broken), "--tier", "nano"]
    with pytest.raises(SystemExit) as left:
        latent_video.main(command)
    # Nothing could be read.
    assert left.value.code == 3
    assert "i_frame_interpolation: left out: no generator_b" in capsys.readouterr().err
    with pytest.raises(SystemExit) as refused:
        latent_video.main([*command, "--strategies", "i_frame_interpolation"])
    assert refused.value.code == 2
    assert "i_frame_interpolation: no generator_b" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--frames", "-1"], ["--intra", "8", "-2"], ["--jobs", "0"]])
def test_counts_below_0_are_refused(wrong: list[str], clip_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as refused:
        latent_video.main(["--data", str(clip_path), "--tier", "nano", *wrong])
    assert refused.value.code == 2
    assert "or more" in capsys.readouterr().err


def test_a_tier_that_is_not_tuned_for_a_measure_is_refused(clip_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as refused:
        latent_video.main(["--data", str(clip_path), "--tier", "nano", "--tune", "ssim"])
    assert refused.value.code == 2
    assert "tier nano has no analysis network for --tune ssim" in capsys.readouterr().err


def test_points_are_of_an_effort_and_a_measure() -> None:
    plain = LatentVideo(SEMANTIC, "edge", 0, 1)
    others = [replace(plain, effort=Effort.HIGH), replace(plain, tune=Metric.SSIM)]
    assert len({each.recipe for each in (plain, *others)}) == 3
