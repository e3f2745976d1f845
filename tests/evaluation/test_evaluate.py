"""The run itself: what is encoded, what is kept, and what a failure costs."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from edgecodec.evaluation import evaluate as evaluate_module
from edgecodec.evaluation.anchors import X264_MEDIUM
from edgecodec.evaluation.clips import Clip, load_clip
from edgecodec.evaluation.evaluate import (
    EvaluateOptions,
    EvaluateProgress,
    Evaluation,
    evaluate,
    find_clips,
)
from edgecodec.evaluation.point_cache import PointCache, usual_cache_folder
from edgecodec.evaluation.report_data import SystemKind
from edgecodec.evaluation.systems import Advance, AnchorEncoding, Coded, Encode, System
from edgecodec.runtime.errors import UnsupportedError

CRFS = (30, 40, 50)


@dataclass
class CountedEncoding:
    """A real encode of x264 that is counted, and that fails where it is told to."""

    crf: int
    made: list[int]
    version: int = 1
    failing: dict[int, BaseException] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"crf {self.crf}"

    def identity(self) -> Mapping[str, Any]:
        return {"crf": self.crf, "version": self.version, "list": (1, 2)}

    def run(self, clip: Clip, path: Path, folder: Path, advance: Advance) -> Coded:
        if self.crf in self.failing:
            raise self.failing[self.crf]
        self.made.append(self.crf)
        advance(0.5)
        return AnchorEncoding(X264_MEDIUM, self.crf).run(clip, path, folder, advance)


@dataclass
class Bench:
    """Runs evaluations of one system on the small clip against one cache."""

    path: Path
    cache: PointCache
    made: list[int] = field(default_factory=list)

    def run(
        self,
        paths: list[Path] | None = None,
        *,
        version: int = 1,
        failing: dict[int, BaseException] | None = None,
        frames: int | None = 6,
        vmaf: bool = False,
        told: list[EvaluateProgress] | None = None,
    ) -> Evaluation:
        self.made.clear()
        encodes: tuple[Encode, ...] = tuple(
            CountedEncoding(crf, self.made, version, failing or {}) for crf in CRFS
        )
        systems = [System("ours", SystemKind.EDGECODEC, encodes)]
        options = EvaluateOptions(self.cache, frames, vmaf)
        progress = told.append if told is not None else None
        return evaluate(paths or [self.path], systems, options, progress)


@pytest.fixture
def bench(small_file: Path, tmp_path: Path) -> Bench:
    return Bench(small_file, PointCache(tmp_path / "points"))


def test_points_are_measured_once_and_then_kept(bench: Bench, small_file: Path) -> None:
    first = bench.run()
    assert bench.made == list(CRFS)
    (clip,) = first.clips
    assert (clip.name, clip.width, clip.height, clip.frames) == ("small.mkv", 320, 180, 6)
    (system,) = clip.systems
    rates = [point.bitrate_mbps for point in system.points]
    assert rates == sorted(rates, reverse=True)
    for point in system.points:
        assert point.bitrate_mbps == pytest.approx(point.bytes * 8 / clip.seconds / 1e6)
        weighted = (6 * point.psnr_y + point.psnr_u + point.psnr_v) / 8
        assert point.psnr == pytest.approx(weighted)
        assert 20 < point.psnr < 45
        assert 0.5 < point.ssim < 1
        assert point.vmaf is None
        assert min(point.encode_fps, point.decode_fps) > 0
        assert point.hardware
        assert point.measured_at.endswith("+00:00")

    assert bench.run() == first
    assert bench.made == []
    # The same frames under another name are the same clip.
    again = bench.run([small_file.rename(small_file.with_name("renamed.mkv"))])
    small_file.with_name("renamed.mkv").rename(small_file)
    assert bench.made == []
    assert again.clips[0].systems == first.clips[0].systems


def test_other_frames_and_other_code_are_measured_anew(bench: Bench) -> None:
    first = bench.run()
    assert bench.run(frames=5).clips[0].sha256 != first.clips[0].sha256
    assert bench.made == list(CRFS)
    bench.run(version=2)
    assert bench.made == list(CRFS)
    bench.run(frames=None)
    assert bench.made == list(CRFS)
    bench.run()
    assert bench.made == []


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(bench: Bench) -> None:
    with pytest.raises(KeyboardInterrupt):
        bench.run(failing={CRFS[2]: KeyboardInterrupt()})
    assert bench.made == list(CRFS[:2])
    assert len(bench.run().clips[0].systems[0].points) == 3
    assert bench.made == [CRFS[2]]


@pytest.mark.parametrize("damage", ["cut off", "not text", "another figure", "another type"])
def test_a_damaged_point_counts_as_absent(bench: Bench, damage: str) -> None:
    first = bench.run()
    point = first.clips[0].systems[0].points[1]
    identity = {"clip": first.clips[0].sha256, "crf": CRFS[1], "version": 1, "list": (1, 2)}
    path = bench.cache.path(identity)
    text = path.read_text(encoding="utf-8")
    if damage == "cut off":
        path.write_text(text[: len(text) // 2], encoding="utf-8")
    elif damage == "not text":
        path.write_bytes(b"\xff\xfe\x00\x80")
    elif damage == "another figure":
        assert text.count(str(point.psnr)) == 1
        path.write_text(text.replace(str(point.psnr), "99.0"), encoding="utf-8")
    else:
        path.write_text(json.dumps([1, 2, 3]), encoding="utf-8")
    assert bench.run().clips[0].systems[0].points[1].psnr == point.psnr
    assert bench.made == [CRFS[1]]


def test_vmaf_is_measured_when_it_is_asked_for_later(bench: Bench) -> None:
    bench.run()
    measured = bench.run(vmaf=True).clips[0].systems[0].points
    assert bench.made == list(CRFS)
    scores = [point.vmaf for point in measured if point.vmaf is not None]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert all(point.vmaf_neg is not None for point in measured)
    assert bench.run().clips[0].systems[0].points == measured
    assert bench.made == []


def test_a_clip_that_cannot_be_read_costs_only_itself(
    bench: Bench, tmp_path: Path, small_file: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video at all" * 100)
    told: list[EvaluateProgress] = []
    paths = [broken, tmp_path / "missing.mp4", small_file]
    evaluation = bench.run(paths, told=told)
    assert [clip.name for clip in evaluation.clips] == ["small.mkv"]
    assert len(evaluation.clips[0].systems[0].points) == 3
    assert "broken.mp4" in evaluation.failures[0]
    assert "missing.mp4" in evaluation.failures[1]
    assert len(evaluation.failures) == 2
    assert told[-1].done == told[-1].total == 9


def test_an_encode_that_fails_costs_only_itself(bench: Bench) -> None:
    told: list[EvaluateProgress] = []
    evaluation = bench.run(failing={CRFS[1]: UnsupportedError("no such preset")}, told=told)
    (system,) = evaluation.clips[0].systems
    assert [point.setting for point in system.points] == ["crf 30", "crf 50"]
    assert evaluation.failures == ("small.mkv: ours: crf 40: UnsupportedError: no such preset",)
    assert any("failed: UnsupportedError" in progress.finished for progress in told)
    # It is tried again, for it was not kept.
    assert len(bench.run().clips[0].systems[0].points) == 3
    assert bench.made == [CRFS[1]]


def test_progress_counts_shares_and_estimates_the_time_left(bench: Bench) -> None:
    told: list[EvaluateProgress] = []
    bench.run(told=told)
    assert {progress.total for progress in told} == {3}
    assert [p.done for p in told if p.done % 1] == [0.5, 1.5, 2.5]
    assert told[0].seconds_left is None
    finished = [progress for progress in told if progress.finished]
    assert [progress.done for progress in finished] == [1, 2, 3]
    lefts = [progress.seconds_left for progress in finished]
    assert lefts[-1] == 0
    assert all(left is not None and left > 0 for left in lefts[:-1])
    assert "Mb/s" in finished[0].finished
    assert (told[-1].done, told[-1].doing) == (3, "")
    # What is kept is no news.
    told.clear()
    bench.run(told=told)
    assert not any(progress.finished for progress in told)


def test_one_clip_is_in_memory_at_a_time(
    bench: Bench, small_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref[Clip]] = []

    def watched(path: Path, frames: int | None) -> Clip:
        gc.collect()
        assert [ref for ref in loaded if ref() is not None] == []
        clip = load_clip(path, frames)
        loaded.append(weakref.ref(clip))
        return clip

    monkeypatch.setattr(evaluate_module, "load_clip", watched)
    evaluation = bench.run([small_file, small_file, small_file])
    assert len(evaluation.clips) == len(loaded) == 3


def test_folders_are_searched_for_videos(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    (folder / "inner.mp4").mkdir(parents=True)
    for name in ("b.MKV", "a.mp4", "notes.txt"):
        (folder / name).touch()
    single = tmp_path / "single.bin"
    found = find_clips([single, folder, folder / "a.mp4"])
    assert found == [single, folder / "a.mp4", folder / "b.MKV"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnsupportedError, match="empty: the folder holds no video"):
        find_clips([empty])


def test_clips_of_one_name_are_told_apart(bench: Bench, small_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / small_file.name
    other.parent.mkdir()
    other.write_bytes(small_file.read_bytes())
    names = [clip.name for clip in bench.run([small_file, other]).clips]
    assert names == [small_file.as_posix(), other.as_posix()]
    assert bench.made == list(CRFS)


def test_the_cache_lies_where_caches_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert usual_cache_folder() == tmp_path / "edgecodec" / "evaluate"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert usual_cache_folder() == Path.home() / ".cache" / "edgecodec" / "evaluate"
