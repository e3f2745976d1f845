"""Symbols for priors are those that the encoder sends, with what was sent before them."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import latent_scene as latent_module
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_scene import coded_frames
from edgecodec.encoder.training import make_symbols
from edgecodec.encoder.training.make_symbols import CELLS, SymbolCrop, crops
from edgecodec.encoder.training.sources import Segment
from edgecodec.encoder.training.symbol_pack import read_symbols
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import ColorInfo, PictureFormat
from edgecodec.runtime.payloads import FrameKind
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.prior_part import groups_needed

from ..moving_pictures import panned

SIDE = 16 * CELLS
PICTURE = PictureFormat(SIDE, SIDE + 40)
FRAMES = 11
I, P, B, C = FrameKind  # noqa: E741 (the kinds' own names)


@pytest.fixture(scope="module")
def coder() -> LatentCoder:
    return Resources(threads=1).latent_coder("nano", "cpu")


def segment_of(draw_planes, picture: PictureFormat = PICTURE) -> Segment:
    return Segment("drawn", draw_planes(picture, FRAMES), picture, Fraction(25))


def of_kind(made: list[SymbolCrop], kind: FrameKind) -> list[SymbolCrop]:
    return [crop for crop in made if crop.kind is kind]


def test_every_frame_of_both_strategies_gives_a_crop(coder: LatentCoder, draw_planes) -> None:
    made = list(crops(coder, segment_of(draw_planes), np.random.default_rng(0)))
    assert [len(of_kind(made, kind)) for kind in (I, P, B)] == [1 + 3, FRAMES - 1, FRAMES - 3]
    for crop in made:
        assert crop.symbols.shape == crop.previous.shape == (64, CELLS, CELLS)
        assert crop.symbols.dtype == crop.previous.dtype == np.int16
        assert 0 <= crop.quality < 64
        assert 0 <= crop.groups <= len(coder.priors[crop.kind].groups)
        # A crop may need fewer groups than its frame, and never more.
        needed = groups_needed(crop.symbols, np.zeros_like(crop.symbols), coder.priors[crop.kind])
        assert needed <= crop.groups
    assert all(crop.symbols.any() for crop in of_kind(made, I))


def test_the_first_of_its_kind_has_nothing_before_it_and_others_have(
    coder: LatentCoder, draw_planes
) -> None:
    # As high as the crops: they are all from the same place.
    square = segment_of(draw_planes, PictureFormat(SIDE, SIDE))
    made = list(crops(coder, square, np.random.default_rng(1)))
    predicted = of_kind(made, P)
    assert not predicted[0].previous.any()
    for before, crop in pairwise(predicted):
        assert np.array_equal(crop.previous, before.symbols)
    alone, first, *others = of_kind(made, I)
    assert not alone.previous.any()
    assert not first.previous.any()
    assert np.array_equal(others[0].previous, first.symbols)


def test_frames_that_are_smaller_than_a_crop_give_none(coder: LatentCoder, draw_planes) -> None:
    small = segment_of(draw_planes, PictureFormat(SIDE, SIDE - 16))
    assert not list(crops(coder, small, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def edge() -> LatentCoder:
    """What continues frames by motion."""
    return Resources(threads=1).latent_coder("edge", "cpu")


def panning(side: int = SIDE, count: int = 4) -> Segment:
    frames = tuple(panned(side, side, 3 * at) for at in range(count))
    return Segment("drawn", frames, PictureFormat(side, side), Fraction(25))


def test_of_frames_that_move_it_is_what_their_prior_sees(edge: LatentCoder) -> None:
    segment = panning()
    # As large as the crops: they are the whole frames.
    made = list(crops(edge, segment, np.random.default_rng(4)))
    # The tier has no networks to interpolate with. Frames that continue another are few.
    assert [crop.kind for crop in made] == [I, C, C, C, B, B]
    for again in made[2:4]:
        np.testing.assert_array_equal(again.symbols, made[1].symbols)
    first, *others = made[:2] + made[4:]
    assert not first.previous.any()
    pts = tuple(range(len(segment.frames)))
    scene = Scene(0, 0, segment.frames, pts, segment.format, segment.frame_rate, ColorInfo())
    coded = coded_frames(edge, StrategyId.SEMANTIC_LATENT, scene, first.quality)
    _, *wanted = coded
    coarser = latent_module._REACHING_QUALITY_OFFSETS
    for crop, (planned, used, frame) in zip(others, wanted, strict=True):
        prior = edge.priors[crop.kind]
        assert crop.kind is planned.kind
        assert crop.quality == used == max(0, first.quality - coarser[planned.depth])
        assert frame.moved is not None
        assert np.array_equal(crop.symbols, frame.moved.symbols)
        assert np.array_equal(crop.previous, frame.moved.seen(used))
        nothing = np.zeros_like(crop.symbols)
        assert crop.groups == groups_needed(crop.symbols, nothing, prior)
        assert crop.symbols.shape == crop.previous.shape == (prior.channels, CELLS, CELLS)
        assert crop.symbols.dtype == crop.previous.dtype == np.int16
        # Under which players decode what is left.
        left = encode_with_prior(crop.symbols, used, prior, crop.previous)
        assert frame.moved.packet(used, prior).endswith(left)
        read = decode_with_prior(left, (CELLS, CELLS), used, prior, crop.previous)
        assert np.array_equal(read, crop.symbols)
    # How far cells have moved in three frames, and that most are seen in both of two.
    continued, *between = others
    assert np.median(continued.previous[0]) == 18
    assert all(np.median(crop.previous[0]) >= 0 for crop in between)
    assert not np.array_equal(others[1].previous, others[0].symbols)


def test_crops_of_frames_that_move_are_cut_from_the_same_place(edge: LatentCoder) -> None:
    """What the prior sees of a cell is what was expected of that cell."""
    made = list(crops(edge, panning(SIDE + 64, 3), np.random.default_rng(5)))
    assert [crop.kind for crop in made] == [I, C, C, C, B]
    assert len({crop.previous.tobytes() for crop in made[1:4]}) > 1
    for crop in made[1:]:
        assert crop.symbols.shape == crop.previous.shape == (159, CELLS, CELLS)
        seen, left = (np.abs(each[1:]).sum(axis=0) for each in (crop.previous, crop.symbols))
        assert seen.any()
        assert left.shape == seen.shape


def command(monkeypatch: pytest.MonkeyPatch, data: Path, out: Path, *more: str) -> None:
    arguments = ["--data", data, "--out", out, "--segments", 2, *more]
    monkeypatch.setattr(sys, "argv", ["make_symbols", *map(str, arguments)])
    make_symbols.main()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_symbols, "_FRAMES", 3)


@pytest.fixture
def clips(draw_planes, make_clip, tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    # At a half it is still as large as a crop.
    large = PictureFormat(2 * SIDE, 2 * SIDE)
    for name in ("one", "two"):
        make_clip(data / f"{name}.mp4", large, draw_planes(large, 3))
    return data


@pytest.mark.usefixtures("short")
def test_the_command_writes_a_file_for_each_source_and_goes_on_where_it_stopped(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "symbols"
    command(monkeypatch, clips, out)
    made = sorted(out.iterdir())
    assert [path.name for path in made] == ["0000-one.npz", "0001-two.npz"]
    bytes_made = [path.read_bytes() for path in made]
    made[0].write_bytes(b"kept as it is")
    made[1].unlink()
    command(monkeypatch, clips, out)
    assert [path.read_bytes() for path in made] == [b"kept as it is", bytes_made[1]]


@pytest.mark.usefixtures("short")
def test_no_quality_is_coarser_than_the_coarsest_asked_for(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "symbols"
    command(monkeypatch, clips, out, "--coarsest", "62")
    pack, _ = read_symbols(out, kind="i")
    assert set(pack.quality.tolist()) <= {62, 63}


@pytest.mark.usefixtures("short")
def test_no_source_is_begun_after_the_time(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EdgecodecError, match="no source has 3 frames of 8 bits"):
        command(monkeypatch, clips, tmp_path / "symbols", "--minutes", "0")


@pytest.mark.usefixtures("short")
def test_a_training_reads_them_and_keeps_a_source_for_measuring(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "symbols"
    command(monkeypatch, clips, out)
    for kind, count in ((I, 6), (P, 4), (B, 2)):
        trained, held = read_symbols(out, kind=kind.name.lower())
        assert len(trained) == len(held) == count
        batch = trained.batch(np.random.default_rng(0), 5)
        assert batch.symbols.shape == batch.previous.shape == (5, 64, CELLS, CELLS)
        assert batch.quality.shape == (5,)
        more, _ = read_symbols(out, out, kind=kind.name.lower())
        assert len(more) == 2 * count
    (out / "0000-one.npz").unlink()
    with pytest.raises(EdgecodecError, match="1 files with symbols of kind i, two are needed"):
        read_symbols(out, kind="i")
