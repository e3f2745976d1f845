"""Packs made from clips are what the trainings read."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.training import make_packs
from edgecodec.encoder.training.make_packs import CROP, sequences, triplets
from edgecodec.encoder.training.packs import SequencePack, TripletPack
from edgecodec.encoder.training.sources import Segment
from edgecodec.runtime.container import Codec
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.packing import unpack

PICTURE = PictureFormat(160, 144)
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


def test_triplets_hold_decoded_frames_their_source_and_their_condition(segment: Segment) -> None:
    made = list(triplets(segment, 2, np.random.default_rng(0)))
    # Two encodes of AV1, H.265 and VVC each, one of H.264; two crops of each.
    assert len(made) == 14
    assert {int(condition[1]) for _, condition in made} == {0, 85, 170, 255}
    for frames, condition in made:
        assert frames.shape == (4, 24, 32, 32)
        assert frames.dtype == condition.dtype == np.uint8
        assert 0 < condition[0] < 255
        before, shown, after, source = (
            unpack(frame[None], PictureFormat(CROP, CROP))[0].astype(int) for frame in frames
        )
        at = [
            number
            for number in range(9)
            if any(np.array_equal(source, crop) for crop in crops_of(segment, number))
        ]
        assert len(at) == 1
        # The decoded frame is near its source, and nearer than its neighbours are.
        loss = [np.square(each - source).mean() for each in (before, shown, after)]
        assert 0 < loss[1] < 200
        assert loss[1] <= min(loss) * 1.5


def command(monkeypatch: pytest.MonkeyPatch, kind: str, data: Path, pack: Path) -> None:
    arguments = [kind, "--data", data, "--pack", pack, "--segments", 1, "--crops", 2]
    monkeypatch.setattr(sys, "argv", ["make_packs", *map(str, arguments)])
    make_packs.main()


def test_the_command_writes_packs_that_training_reads(
    draw_planes, make_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_packs, "_RANGES", H264_ONLY)
    data = tmp_path / "data"
    data.mkdir()
    make_clip(data / "one.mp4", PICTURE, draw_planes(PICTURE, 25))
    command(monkeypatch, "sequences", data, tmp_path / "s")
    x = SequencePack(tmp_path / "s").batch(np.random.default_rng(0), 2)
    assert x.shape == (2, 9, 96, 16, 16)
    command(monkeypatch, "triplets", data, tmp_path / "t")
    frames, condition, _ = TripletPack(tmp_path / "t").batch(np.random.default_rng(0), 2)
    assert frames.shape == (2, 3, 24, 32, 32)
    assert condition.shape == (2, 2, 32, 32)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("[st]/*"))
    assert names == ["s/x.npy", "t/condition.npy", "t/x.npy"]


def test_clips_that_are_all_too_short_are_an_error(
    small_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "short.mp4").write_bytes(small_clip.path.read_bytes())
    with pytest.raises(EdgecodecError, match="no clip has 25 frames of 8 bits"):
        command(monkeypatch, "triplets", data, tmp_path / "pack")
    assert not (tmp_path / "pack").exists()
