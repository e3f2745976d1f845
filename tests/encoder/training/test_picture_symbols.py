"""Symbols of pictures are those that the encoder sends for I-frames, and packs hold them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.targets import Metric
from edgecodec.encoder.training import picture_symbols
from edgecodec.encoder.training.packs import PicturePack
from edgecodec.encoder.training.picture_symbols import crops
from edgecodec.encoder.training.symbol_pack import read_symbols
from edgecodec.runtime.packing import pack
from edgecodec.runtime.payloads import FrameKind
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior

from ..moving_pictures import panned

CELLS = 16
SIDE = 16 * CELLS


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures as large as crops."""
    folder = tmp_path_factory.mktemp("large")
    np.save(folder / "x.npy", np.stack([pack(panned(SIDE, SIDE, at), 8)[0] for at in range(12)]))
    return folder


@pytest.fixture(scope="module")
def edge() -> LatentCoder:
    return Resources(threads=1).latent_coder("edge", "cpu")


def test_every_row_gives_a_crop_that_players_read(edge: LatentCoder, pictures: Path) -> None:
    random = np.random.default_rng(0)
    made = list(crops(edge, PicturePack(pictures), (0, 3, 3, 11), random))
    prior = edge.priors[FrameKind.I]
    assert len({crop.quality for crop in made}) > 1
    for crop in made:
        assert crop.kind is FrameKind.I
        assert crop.symbols.shape == (159, CELLS, CELLS)
        assert crop.symbols.any()
        assert not crop.previous.any()
        packet = encode_with_prior(crop.symbols, crop.quality, prior, None)
        read = decode_with_prior(packet, (CELLS, CELLS), crop.quality, prior, None)
        np.testing.assert_array_equal(read, crop.symbols)


def test_what_others_continue_is_coded_finer(edge: LatentCoder, pictures: Path) -> None:
    """Half of the crops are the first of a scene: fewer of their symbols are zero."""
    frame = PicturePack(pictures).crop(0, np.random.default_rng(1), 2 * CELLS)
    alone, first = (
        np.count_nonzero(edge.symbols(frame, FrameKind.I, (), 30, followers=count))
        for count in (0, 31)
    )
    assert alone < first


def test_latents_for_another_measure_have_symbols_of_their_own(pictures: Path) -> None:
    made = []
    for tune in (Metric.PSNR, Metric.SSIM):
        coder = Resources(threads=1).latent_coder("edge", "cpu", tune=tune)
        made += crops(coder, PicturePack(pictures), (2,), np.random.default_rng(2))
    assert made[0].quality == made[1].quality
    assert not np.array_equal(made[0].symbols, made[1].symbols)


def test_the_command_goes_on_where_it_stopped(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_symbols, "_CROPS", 3)
    out = tmp_path / "symbols"
    arguments = ["--tier", "edge", "--pack", pictures, "--out", out, "--count", 6, "--threads", 1]
    monkeypatch.setattr(sys, "argv", ["picture_symbols", *map(str, arguments)])
    picture_symbols.main()
    trained, held = read_symbols(out, kind=FrameKind.I)
    assert (len(trained), len(held)) == (3, 3)
    first, second = sorted(out.iterdir())
    kept = second.read_bytes()
    first.write_bytes(b"kept as it is")
    second.unlink()
    picture_symbols.main()
    assert (first.read_bytes(), second.read_bytes()) == (b"kept as it is", kept)
