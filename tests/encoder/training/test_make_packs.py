"""Packs made from clips are what the trainings read."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from edgecodec.encoder.training import make_packs
from edgecodec.encoder.training.make_packs import CROP, filtered, halves, sequences, triplets
from edgecodec.encoder.training.packs import (
    PicturePack,
    SequencePack,
    TripletPack,
    channels_stored,
    plane_errors,
)
from edgecodec.encoder.training.sources import Segment
from edgecodec.runtime.container import Codec
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.packing import unpack

PICTURE = PictureFormat(160, 144)
CROPPED = PictureFormat(CROP, CROP)
H264_ONLY = {Codec.H264: (23, 42, 1)}


@pytest.fixture
def segment(draw_planes) -> Segment:
    return Segment("drawn", draw_planes(PICTURE, 9), PICTURE, Fraction(25))


def crops_of(segment: Segment, frame: int) -> list[np.ndarray]:
    y = segment.frames[frame][0]
    return [
        y[row : row + CROP, column : column + CROP]
        for row in range(0, PICTURE.height - CROP + 1, 8)
        for column in range(0, PICTURE.width - CROP + 1, 8)
    ]


def test_sequences_are_crops_of_consecutive_source_frames(segment: Segment) -> None:
    made = list(sequences(segment, 3, np.random.default_rng(0)))
    assert [each.shape for each in made] == [(9, 96, 16, 16)] * 3
    for each in made:
        for number in range(9):
            y, _, _ = unpack(each[number][None], PictureFormat(CROP, CROP))
            assert any(np.array_equal(y, crop) for crop in crops_of(segment, number))


@pytest.mark.parametrize("half", [False, True])
def test_samples_hold_what_the_network_sees_the_base_and_the_source(
    segment: Segment, half: bool
) -> None:
    made = list((halves if half else triplets)(segment, 2, np.random.default_rng(0)))
    # Two encodes of AV1 (and of VVC at half size), one of the others; two crops of each.
    assert len(made) == (12 if half else 10)
    assert {int(condition[1]) for _, condition in made} == {0, 85, 170, 255}
    channels = 6 if half else 24
    for sample, condition in made:
        assert sample.shape == (channels_stored(channels), 32, 32)
        assert sample.dtype == condition.dtype == np.uint8
        assert 0 < condition[0] < 255
        shown = sample[: 3 * channels].reshape(3, channels, 32, 32)
        beyond, source = (
            unpack(sample[None, start : start + 24 or None], CROPPED)[0].astype(int)
            for start in (-48, -24)
        )
        at = [
            number
            for number in range(9)
            if any(np.array_equal(source, crop) for crop in crops_of(segment, number))
        ]
        assert len(at) == 1
        full = sample[18:42] if half else shown[1]
        base = unpack(full[None], CROPPED)[0] + (beyond - 128) / 4
        assert np.abs(beyond - 128).max() <= 3
        if condition[1] == 170 and not half:
            assert not (beyond - 128).any()  # 8 bits have nothing beyond 8 bits
        # The decoded frame is near its source.
        assert 0 < np.square(base - source).mean() < (600 if half else 200)
        if half:
            small = unpack(shown[1][None], PictureFormat(CROP // 2, CROP // 2))[0].astype(float)
            means = base.reshape(CROP // 2, 2, CROP // 2, 2).mean(axis=(1, 3))
            assert np.abs(means - small).mean() < 3


def test_filtered_samples_show_the_base_and_add_to_what_its_filter_makes(
    segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_packs, "_RANGES", H264_ONLY)
    # So small a scene would not pay for one.
    monkeypatch.setattr(make_packs, "_SCENE_SEGMENTS", 10**6)
    (plain, _), (through, _) = (
        next(iter(kind(segment, 1, np.random.default_rng(3)))) for kind in (triplets, filtered)
    )
    np.testing.assert_array_equal(plain[:72], through[:72])  # what the network sees
    np.testing.assert_array_equal(plain[-24:], through[-24:])  # what it should be
    before, after = (plane_errors(each[None])[0] for each in (plain, through))
    assert after[0] < 0.98 * before[0]


def test_a_samples_distortion_is_that_of_its_encode(
    draw_planes, make_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_packs, "_RANGES", {Codec.H264: (23, 42, 2)})
    data = tmp_path / "data"
    data.mkdir()
    picture = PictureFormat(320, 288)
    make_clip(data / "one.mp4", picture, draw_planes(picture, 25))
    command(monkeypatch, "triplets", data, tmp_path / "t")
    distortion = np.load(tmp_path / "t" / "distortion.npy")
    errors = plane_errors(np.load(tmp_path / "t" / "x.npy"))
    assert distortion.shape == errors.shape == (4, 3)
    for encode in (slice(0, 2), slice(2, 4)):
        assert np.allclose(distortion[encode], errors[encode].mean(axis=0))


def command(monkeypatch: pytest.MonkeyPatch, kind: str, data: Path, pack: Path) -> None:
    arguments = [kind, "--data", data, "--pack", pack, "--segments", 1, "--crops", 2]
    monkeypatch.setattr(sys, "argv", ["make_packs", *map(str, arguments)])
    make_packs.main()


def test_the_command_writes_packs_that_training_reads(
    draw_planes, make_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ranges in ("_RANGES", "_HALF_RANGES"):
        monkeypatch.setattr(make_packs, ranges, H264_ONLY)
    data = tmp_path / "data"
    data.mkdir()
    make_clip(data / "one.mp4", PICTURE, draw_planes(PICTURE, 25))
    command(monkeypatch, "sequences", data, tmp_path / "s")
    x = SequencePack(tmp_path / "s").batch(np.random.default_rng(0), 2)
    assert x.shape == (2, 9, 96, 16, 16)
    for kind, channels in (("triplets", 24), ("filtered", 24), ("halves", 6)):
        command(monkeypatch, kind, data, tmp_path / kind)
        batch = TripletPack(tmp_path / kind).batch(np.random.default_rng(0), 2)
        assert batch.shown.shape == (2, 3, channels, 32, 32)
        names = sorted(path.name for path in (tmp_path / kind).iterdir())
        assert names == ["condition.npy", "distortion.npy", "x.npy"]


def test_clips_that_are_all_too_short_are_an_error(
    small_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "short.mp4").write_bytes(small_clip.path.read_bytes())
    with pytest.raises(EdgecodecError, match="no clip has 25 frames of 8 bits"):
        command(monkeypatch, "triplets", data, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()


def test_pictures_are_crops_of_stills_and_of_single_frames(
    draw_planes, make_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    large = PictureFormat(640, 640)
    make_clip(data / "one.mp4", large, draw_planes(large, 1))
    random = np.random.default_rng(0)
    still = cv2.resize(random.uniform(0, 255, (9, 9, 3)).astype(np.float32), (700, 650))
    cv2.imwrite(str(data / "still.png"), still)
    # Too small for one crop.
    cv2.imwrite(str(data / "tiny.png"), still[:200])
    command(monkeypatch, "pictures", data, tmp_path / "p")
    pack = PicturePack(tmp_path / "p")
    assert len(pack) in (2, 4)
    assert pack.batch(np.random.default_rng(0), 2, 32).shape == (2, 96, 32, 32)
