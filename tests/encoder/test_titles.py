"""Weights of a title's own in whole encodes: taken where they pay, counted, and resumed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
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
    encode,
)
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.codecs.x264 import X264
from edgecodec.encoder.media import open_source
from edgecodec.encoder.quality import SequenceQuality
from edgecodec.encoder.title_task import TitleTuning
from edgecodec.encoder.title_worth import title_bits
from edgecodec.runtime.container import Codec, Reader
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import HybridBody, parse_body

from .title_scenes import shifted, textured

PICTURE = PictureFormat(96, 80)
TITLE = EncodeOptions(
    ("classical", "hybrid_semantic"),
    target=QualityTarget(70),
    effort=Effort.FAST,
    codecs=(Codec.H264,),
    threads=1,
    jobs=1,
    adapt=Adaptation.TITLE,
    title_steps=60,
)


@pytest.fixture(scope="module")
def two_scenes(clip_folder: Path, make_clip):
    """16 frames of one picture and 16 of another, darker one."""
    darker = (tuple(plane // 2 + 20 for plane in each) for each in textured(PICTURE, 16, 9))
    frames = (*textured(PICTURE, 16), *darker)
    return make_clip(clip_folder / "two.mp4", PICTURE, frames)


@pytest.fixture
def bright_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that makes everything too bright, which weights of a few bytes can mend; scenes this
    small may have them, and few samples are drawn."""
    encode_frames = X264.encode

    def too_bright(self, frames, settings):
        return encode_frames(self, tuple(shifted(planes) for planes in frames), settings)

    monkeypatch.setattr(X264, "encode", too_bright)
    # A code would mend it as well.
    monkeypatch.setattr("edgecodec.encoder.code_search.search_code", lambda *_: None)
    monkeypatch.setattr("edgecodec.encoder.titles._LEAST_BITS", 0)
    quick = TitleTuning(steps=60, batch=4, crop=64, samples=60, rate=4e-3)
    monkeypatch.setattr(EncodeOptions, "tuning", quick)


def numbers_of(file: Path) -> list[int | None]:
    """The title weights that each scene names."""
    reader = Reader(io.BytesIO(file.read_bytes()))
    bodies = []
    for entry in reader.index:
        chunk = reader.chunk(entry)
        bodies.append(parse_body(chunk.strategy, chunk.body, len(chunk.pts)))
    return [body.title if isinstance(body, HybridBody) else None for body in bodies]


def measured(source: Path, file: Path) -> float:
    with open_source(source) as original, runtime.open(file, threads=1) as video:
        quality = SequenceQuality()
        for frame, shown in zip(original.frames(), video, strict=True):
            quality.add(frame.planes, shown.planes)
    return quality.psnr.weighted


def check(report: EncodeReport, source: Path, file: Path) -> None:
    """What is reported of title weights is so."""
    reader = Reader(io.BytesIO(file.read_bytes()))
    titles = [reader.titles[number] for number in sorted(reader.titles)]
    assert 8 * report.title_bytes == title_bits(titles)
    assert report.psnr == pytest.approx(measured(source, file))
    assert report.bytes == file.stat().st_size
    named = {number for number in numbers_of(file) if number is not None}
    assert named == set(range(len(titles)))
    for scene, number in zip(report.scenes, numbers_of(file), strict=True):
        assert ("title" in scene.adaptation.split("+")) == (number is not None)


def test_weights_that_pay_are_sent_and_counted(two_scenes, bright_codec, tmp_path: Path) -> None:
    output, plain = tmp_path / "out.ecv", tmp_path / "plain.ecv"
    report = encode(two_scenes.path, output, TITLE)
    check(report, two_scenes.path, output)
    without = encode(two_scenes.path, plain, replace(TITLE, adapt=Adaptation.CODE))
    check(without, two_scenes.path, plain)
    assert without.title_bytes == 0
    assert report.title_bytes > 300
    assert report.psnr > without.psnr + 2
    assert numbers_of(output) == [0, 0]
    in_scenes = sum(scene.bits for scene in report.scenes) // 8
    around = without.bytes - sum(scene.bits for scene in without.scenes) // 8
    # The header may name networks that the other stream does without.
    assert 0 <= report.bytes - in_scenes - report.title_bytes - around < 100


def test_a_bitrate_is_met_with_the_weights_in_it(two_scenes, bright_codec, tmp_path: Path) -> None:
    output = tmp_path / "out.ecv"
    report = encode(two_scenes.path, output, replace(TITLE, target=BitrateTarget(160_000)))
    check(report, two_scenes.path, output)
    assert report.title_bytes > 0
    assert report.target_met is True


def test_a_quality_counts_what_the_weights_add(two_scenes, bright_codec, tmp_path: Path) -> None:
    output, wanted = tmp_path / "out.ecv", 36.5
    target = MetricTarget(Metric.PSNR, wanted)
    report = encode(two_scenes.path, output, replace(TITLE, target=target))
    check(report, two_scenes.path, output)
    assert report.title_bytes > 0
    # How near it comes depends on the weights, which are not the same on every processor.
    assert report.psnr == pytest.approx(wanted, abs=0.6)


def test_weights_that_do_not_pay_are_left_out(
    two_scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A codec that is as good as it gets leaves nothing for some hundred bytes to mend."""
    monkeypatch.setattr("edgecodec.encoder.titles._LEAST_BITS", 0)
    monkeypatch.setattr("edgecodec.encoder.code_search.search_code", lambda *_: None)
    monkeypatch.setattr(EncodeOptions, "tuning", TitleTuning(2, batch=2, crop=32, samples=8))
    output, plain = tmp_path / "out.ecv", tmp_path / "plain.ecv"
    report = encode(two_scenes.path, output, TITLE)
    check(report, two_scenes.path, output)
    assert report.title_bytes == 0
    assert all("do not pay" in scene.skipped[-1] for scene in report.scenes)
    encode(two_scenes.path, plain, replace(TITLE, adapt=Adaptation.CODE))
    assert output.read_bytes() == plain.read_bytes()


def test_scenes_too_small_to_pay_are_not_tuned(small_clip, tmp_path: Path) -> None:
    told: list[EncodeProgress] = []
    report = encode(small_clip.path, tmp_path / "out.ecv", TITLE, told.append)
    assert report.title_bytes == 0
    assert "tuning" not in {each.stage for each in told}


def test_a_tuning_that_fails_costs_only_itself(
    two_scenes, bright_codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise EdgecodecError("no luck")

    monkeypatch.setattr("edgecodec.encoder.title_tuning.tune", fails)
    report = encode(two_scenes.path, tmp_path / "out.ecv", TITLE)
    assert report.title_bytes == 0
    assert {scene.skipped[-1] for scene in report.scenes} == {"title weights: no luck"}


class Interrupting:
    """Ctrl-C once a stage's share of the work is done."""

    def __init__(self, stage: str, after: str = "tuning") -> None:
        self.stage, self.after, self.seen = stage, after, False

    def __call__(self, progress: EncodeProgress) -> None:
        if progress.stage == self.stage and self.seen and progress.detail == "":
            raise KeyboardInterrupt
        self.seen = self.seen or progress.stage == self.after


@pytest.fixture
def tunings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The network of every tuning that runs from here on."""
    from edgecodec.encoder import title_tuning

    ran: list[str] = []
    tune = title_tuning.tune

    def spy(task, tell):
        ran.append(task.network)
        return tune(task, tell)

    monkeypatch.setattr("edgecodec.encoder.title_tuning.tune", spy)
    return ran


@pytest.mark.parametrize(("stage", "again"), [("tuning", 1), ("trials", 0), ("writing", 0)])
def test_an_interrupted_encode_goes_on_with_finished_weights(
    two_scenes, bright_codec, tunings: list, tmp_path: Path, stage: str, again: int
) -> None:
    whole, output = tmp_path / "whole.ecv", tmp_path / "out.ecv"
    encode(two_scenes.path, whole, TITLE)
    with pytest.raises(KeyboardInterrupt):
        encode(two_scenes.path, output, TITLE, Interrupting(stage))
    kept = {path.suffix for path in (tmp_path / "out.ecv.parts").iterdir()}
    assert kept == {".trial", ".base"} | (set() if again else {".title"})
    tunings.clear()
    encode(two_scenes.path, output, TITLE)
    assert tunings == ["enhancer"] * again
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.ecv", "whole.ecv"]


def test_progress_goes_forward(two_scenes, bright_codec, tmp_path: Path) -> None:
    told: list[EncodeProgress] = []
    encode(two_scenes.path, tmp_path / "out.ecv", TITLE, told.append)
    stages = [each.stage for each in told]
    before = told[: stages.index("writing")]
    done = [each.done for each in before]
    assert done == sorted(done)
    assert all(0 <= each <= 1 for each in done)
    assert {"trials", "tuning"} <= set(stages)
    assert stages.index("tuning") > stages.index("trials")


def test_steps_are_at_least_one() -> None:
    with pytest.raises(ValueError, match="0 steps"):
        EncodeOptions(title_steps=0)


def test_more_effort_searches_weights_longer() -> None:
    steps = [EncodeOptions(effort=effort).tuning.steps for effort in Effort]
    assert steps == sorted(set(steps))
    assert EncodeOptions(title_steps=7).tuning.steps == 7
    assert EncodeOptions(effort=Effort.FAST).adaptation is Adaptation.FILTER
    assert EncodeOptions(effort=Effort.HIGH).adaptation is Adaptation.TITLE
