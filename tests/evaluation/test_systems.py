from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.api import EncodeOptions, ProgressCallback
from edgecodec.encoder.effort import Effort, Search
from edgecodec.encoder.report import EncodeProgress, EncodeReport, SceneReport
from edgecodec.encoder.targets import BitrateTarget, QualityTarget
from edgecodec.evaluation import edgecodec_system as edgecodec_module
from edgecodec.evaluation.clips import Clip
from edgecodec.evaluation.digests import clip_digest, code_digest
from edgecodec.evaluation.edgecodec_system import (
    QUALITIES,
    EdgecodecEncoding,
    edgecodec_system,
    scene_choices,
)
from edgecodec.evaluation.metrics import measure_sequence
from edgecodec.evaluation.points import SceneChoice
from edgecodec.evaluation.report_data import SystemKind
from edgecodec.evaluation.streams import video_bytes
from edgecodec.evaluation.systems import ANCHORS, LADDERS, AnchorEncoding, anchor_system
from edgecodec.runtime.container import Codec


def scene(
    strategy: str, codec: str | None, way: str, frames: int, adaptation: str = ""
) -> SceneReport:
    return SceneReport(
        start=0.0,
        frames=frames,
        strategy=strategy,
        codec=codec,
        bits=1000,
        psnr=40.0,
        setting=30.0,
        enhanced_frames=0,
        adaptation=adaptation,
        trials=(),
        skipped=(),
        scene_class="slow",
        way=way,
    )


def report(scenes: tuple[SceneReport, ...], trials: int, encode_fps: float) -> EncodeReport:
    return EncodeReport(
        file="stream.ecv",
        bytes=1,
        frames=12,
        duration_s=0.48,
        bitrate_mbps=1.0,
        other_streams_mbps=0.0,
        psnr=40.0,
        ssim=0.9,
        vmaf=None,
        encode_fps=encode_fps,
        target_met=None,
        scenes=scenes,
        trial_encodes=trials,
        title_bytes=1234,
        note="near enough",
    )


def test_every_anchor_has_a_ladder_of_five_from_good_to_bad() -> None:
    assert set(LADDERS) == set(ANCHORS)
    for name, ladder in LADDERS.items():
        system = anchor_system(name)
        assert system.kind is SystemKind.ANCHOR
        assert [encode.label for encode in system.encodes] == [f"crf {crf}" for crf in ladder]
        assert len(ladder) >= 5
        assert list(ladder) == sorted(ladder)


@pytest.mark.parametrize("name", ["svtav1-p4", "vvenc-fast"])
def test_the_ten_bit_anchors_code_eight_bit_frames(
    name: str, small_clip: Clip, tmp_path: Path
) -> None:
    encoding = AnchorEncoding(ANCHORS[name], LADDERS[name][2])
    coded = encoding.run(small_clip, tmp_path, tmp_path, lambda _: None)
    quality = measure_sequence(small_clip.frames, coded.frames())
    assert 28 < quality.psnr.weighted < 45
    assert "10 bit, 1 keyframe" in coded.note
    assert 100 < coded.bytes < 30_000
    assert min(coded.encode_fps, coded.decode_fps) > 0


@pytest.mark.parametrize("name", sorted(ANCHORS))
def test_keyframes_come_as_often_as_asked(name: str, small_clip: Clip, tmp_path: Path) -> None:
    anchor = ANCHORS[name]
    quick = {"x264": "ultrafast", "x265": "ultrafast", "vvenc-fast": "faster"}.get(name, "12")
    encoding = AnchorEncoding(replace(anchor, preset=quick), anchor.usual_crf, 4)
    coded = encoding.run(small_clip, tmp_path, tmp_path, lambda _: None)
    assert coded.note.endswith("3 keyframes")
    assert len(list(coded.frames())) == 12


def test_an_anchors_identity_tells_all_that_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = AnchorEncoding(ANCHORS["x265"], 27)
    others = [
        replace(encoding, crf=28),
        replace(encoding, anchor=ANCHORS["x264"]),
        replace(encoding, keyframe_interval=30),
        replace(encoding, anchor=replace(ANCHORS["x265"], bit_depth=10)),
    ]
    identities: list[Mapping[str, Any]] = [each.identity() for each in (encoding, *others)]
    monkeypatch.setattr("edgecodec.evaluation.systems.ANCHOR_RECIPE", 999)
    identities.append(encoding.identity())
    assert all(identities.count(identity) == 1 for identity in identities)
    # Threads change how long it takes, not what comes out.
    assert encoding.identity() == AnchorEncoding(ANCHORS["x265"], 27, threads=9).identity()


def test_a_clips_digest_is_that_of_its_samples(small_clip: Clip) -> None:
    digest = clip_digest(small_clip)
    assert clip_digest(replace(small_clip, name="another name")) == digest
    assert clip_digest(replace(small_clip, frames=small_clip.frames[:-1])) != digest
    assert clip_digest(replace(small_clip, frame_rate=small_clip.frame_rate * 2)) != digest
    y, u, v = small_clip.frames[3]
    changed = y.copy()
    changed[5, 7] ^= 1
    frames = (*small_clip.frames[:3], (changed, u, v), *small_clip.frames[4:])
    assert clip_digest(replace(small_clip, frames=frames)) != digest


def test_the_codes_digest_changes_with_any_source_or_model(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    (folder / "weights").mkdir(parents=True)
    (folder / "api.py").write_text("a = 1\n")
    (folder / "weights" / "net.onnx").write_bytes(b"\0\1")
    digests = [code_digest([folder])]
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "api.pyc").write_bytes(b"compiled")
    assert code_digest([folder]) == digests[0]
    (folder / "api.py").write_text("a = 2\n")
    digests.append(code_digest([folder]))
    (folder / "weights" / "net.onnx").write_bytes(b"\0\2")
    digests.append(code_digest([folder]))
    (folder / "api.py").rename(folder / "other.py")
    digests.append(code_digest([folder]))
    assert len(set(digests)) == 4
    assert code_digest() == code_digest()


def test_a_change_of_code_or_options_makes_another_point(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = EdgecodecEncoding(EncodeOptions())
    options = encoding.options
    others = [
        replace(options, strategies=("classical",)),
        replace(options, target=QualityTarget(51.0)),
        replace(options, target=BitrateTarget(51.0)),
        replace(options, effort=Effort.HIGH),
        replace(options, search=Search.EXHAUSTIVE),
        replace(options, codecs=(Codec.AV1,)),
        replace(options, sizes=("full",)),
        replace(options, adapt=Adaptation.NONE),
        replace(options, adapt=Adaptation.CODE),
        replace(options, title_steps=17),
    ]
    identities = [EdgecodecEncoding(each).identity() for each in (options, *others)]
    # Where trials are kept, and how the work is shared out, changes nothing.
    same = replace(options, cache=Path("elsewhere"), jobs=7, threads=9)
    assert EdgecodecEncoding(same).identity() == identities[0]
    # What the effort means anyway is the same when it is said; steps count only where some are run.
    said = replace(options, adapt=Adaptation.TITLE, title_steps=options.tuning.steps)
    assert EdgecodecEncoding(said).identity() == identities[0]
    codes = replace(options, adapt=Adaptation.CODE)
    more = replace(codes, title_steps=17)
    assert EdgecodecEncoding(more).identity() == EdgecodecEncoding(codes).identity()
    monkeypatch.setattr(edgecodec_module, "_code_digest", lambda: "other code")
    identities.append(encoding.identity())
    assert all(identities.count(identity) == 1 for identity in identities)


def test_a_system_is_named_with_its_options(tmp_path: Path) -> None:
    usual = edgecodec_system("auto", trials=tmp_path, threads=3)
    assert usual.kind is SystemKind.EDGECODEC
    assert [encode.label for encode in usual.encodes] == [f"quality {q:g}" for q in QUALITIES]
    options = [encode.options for encode in usual.encodes if isinstance(encode, EdgecodecEncoding)]
    assert len(options) == 5
    assert {(each.strategies, each.cache, each.threads) for each in options} == {((), tmp_path, 3)}

    name = "auto-no-networks:effort=high:search=exhaustive:codecs=av1+vvc"
    system = edgecodec_system(name, [BitrateTarget(300_000.0)])
    assert system.name == name
    (encode,) = system.encodes
    assert isinstance(encode, EdgecodecEncoding)
    assert encode.label == "300 kb/s"
    assert encode.options.strategies == ("classical", "procedural")
    assert encode.options.effort is Effort.HIGH
    assert encode.options.search is Search.EXHAUSTIVE
    assert encode.options.codecs == (Codec.AV1, Codec.VVC)

    (fitted,) = edgecodec_system(
        "auto:strategies=hybrid_semantic:sizes=half+full:adapt=title:title-steps=250:tier=edge",
        [QualityTarget(40.0)],
    ).encodes
    assert isinstance(fitted, EdgecodecEncoding)
    assert fitted.options.strategies == ("hybrid_semantic",)
    assert fitted.options.sizes == ("half", "full")
    assert fitted.options.adapt is Adaptation.TITLE
    assert fitted.options.title_steps == 250
    assert fitted.options.tier == "edge"

    for wrong, why in (
        ("magic", "no system is called 'magic'"),
        ("auto:effort=great", "'great' is no effort"),
        ("auto:codecs=mpeg2", "'mpeg2' is no codecs"),
        ("auto:colour=red", "'colour' is no option of a system: known are effort, search"),
        ("auto:sizes=quarter", "'quarter' is no sizes"),
        ("auto:adapt=all", "'all' is no adapt"),
        ("auto:title-steps=0", "'0' is no title-steps"),
        ("auto:title-steps=many", "'many' is no title-steps"),
    ):
        with pytest.raises(ValueError, match=why):
            edgecodec_system(wrong)


def test_our_streams_are_encoded_played_and_weighed(
    small_clip: Clip, tmp_path: Path, write_stream: Callable[[Path, int], bytes]
) -> None:
    trials = tmp_path / "trials"
    trials.mkdir()
    (trials / "older.trial").touch()
    seen: list[EncodeOptions] = []

    def encode(
        source: Path, output: Path, options: EncodeOptions, progress: ProgressCallback
    ) -> EncodeReport:
        seen.append(options)
        progress(EncodeProgress("trials", 0.25))
        for kept in ("newer.trial", "newer.base", "newer.title"):
            (trials / kept).touch()
        write_stream(output, 30)
        return report((scene("classical", "h264", "h264 8-bit", 12),), 4, 7.5)

    system = edgecodec_system("auto", [QualityTarget(40.0)], trials, encode=encode)
    shares: list[float] = []
    coded = system.encodes[0].run(small_clip, tmp_path / "small.mkv", tmp_path, shares.append)
    assert seen[0].frames == 12
    assert shares == [0.25]
    assert coded.bytes == video_bytes(tmp_path / "stream.ecv")
    assert coded.encode_fps == 7.5
    assert coded.decode_fps > 0
    assert (coded.trial_encodes, coded.kept_trials) == (4, 3)
    assert coded.note == "near enough"
    assert coded.title_bytes == 1234
    assert coded.scenes == (SceneChoice("classical", "h264", "h264 8-bit", "slow", 1, 12),)
    assert 30 < measure_sequence(small_clip.frames, coded.frames()).psnr.weighted < 50


def test_scenes_are_counted_by_how_they_were_coded() -> None:
    scenes = (
        scene("classical", "av1", "av1 10-bit", 20),
        scene("procedural", None, "", 50),
        scene("classical", "av1", "av1 10-bit", 25),
        scene("hybrid_semantic", "av1", "av1 10-bit", 30, "code"),
        scene("hybrid_semantic", "av1", "av1 10-bit", 10),
    )
    assert scene_choices(scenes) == (
        SceneChoice("procedural", "", "", "slow", 1, 50),
        SceneChoice("classical", "av1", "av1 10-bit", "slow", 2, 45),
        SceneChoice("hybrid_semantic", "av1", "av1 10-bit", "slow", 1, 30, "code"),
        SceneChoice("hybrid_semantic", "av1", "av1 10-bit", "slow", 1, 10),
    )
