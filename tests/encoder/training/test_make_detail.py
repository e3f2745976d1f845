"""What the prior of detail is trained on is what the encoder sends."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.priors import detail_prior
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.training import make_detail
from edgecodec.encoder.training import prior as prior_training
from edgecodec.encoder.training.make_detail import DetailCrop, crop_detail
from edgecodec.encoder.training.symbol_pack import read_symbols
from edgecodec.runtime.detail import seen_before
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.prior import Prior, read_prior
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.prior_part import groups_needed

from ..detail_pictures import grainy

BLOCKS = 8


@pytest.fixture(scope="module")
def coder() -> LatentCoder:
    return Resources(threads=1).latent_coder("edge", "cpu")


def pictures(count: int) -> np.ndarray:
    """[N, 96, 8, 8] of uint8."""
    return np.concatenate([grainy(seed)[:, :, :BLOCKS, :BLOCKS] for seed in range(count)])


def crops(coder: LatentCoder, prior: Prior | None, count: int) -> list[DetailCrop]:
    random = np.random.default_rng(1)
    return [crop_detail(each[None], coder, prior, random) for each in pictures(count)]


def test_symbols_are_those_that_the_encoder_chooses(coder: LatentCoder) -> None:
    prior = detail_prior("edge")
    assert prior is not None
    made = crops(coder, prior, 6)
    assert any(crop.symbols.any() for crop in made)
    for crop in made:
        assert crop.symbols.shape == crop.seen.shape == (96, BLOCKS, BLOCKS)
        assert 0 <= crop.quality < 64
        assert crop.groups == groups_needed(crop.symbols, np.zeros_like(crop.symbols), prior)
        data = encode_with_prior(crop.symbols, crop.quality, prior, crop.seen)
        read = decode_with_prior(data, (BLOCKS, BLOCKS), crop.quality, prior, crop.seen)
        np.testing.assert_array_equal(read, crop.symbols)


def test_before_there_is_a_prior_coefficients_are_rounded(coder: LatentCoder) -> None:
    made = crops(coder, None, 6)
    chosen = crops(coder, detail_prior("edge"), 6)
    for rounded, best in zip(made, chosen, strict=True):
        assert rounded.quality == best.quality
        np.testing.assert_array_equal(rounded.seen, best.seen)
        assert rounded.groups == (255 if rounded.symbols.any() else 0)
    assert any(
        (one.symbols != other.symbols).any() for one, other in zip(made, chosen, strict=True)
    )


def test_the_prior_sees_the_latents_and_their_quality(coder: LatentCoder) -> None:
    (crop,) = crops(coder, None, 1)
    assert len(np.unique(crop.seen[0])) == 1
    assert 14 <= crop.seen[0, 0, 0] < 64
    # Alike in the blocks of a cell.
    np.testing.assert_array_equal(crop.seen[:, ::2, ::2], crop.seen[:, 1::2, 1::2])
    assert seen_before(np.zeros((1, 161, 4, 4), np.uint8), 9).shape == (96, BLOCKS, BLOCKS)


def test_networks_of_few_latents_have_no_detail() -> None:
    nano = Resources(threads=1).latent_coder("nano", "cpu")
    with pytest.raises(EdgecodecError, match="64 channels have no detail: more than 96"):
        crops(nano, None, 1)


def test_from_packs_to_a_prior(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both commands, and files that are there are left as they are."""
    monkeypatch.setattr(make_detail, "_FILE", 3)
    pack, out = tmp_path / "pack", tmp_path / "detail"
    pack.mkdir()
    np.save(pack / "x.npy", pictures(8))
    command = ["make_detail", "--pack", str(pack), "--out", str(out), "--seed", "3"]
    monkeypatch.setattr(sys, "argv", command)
    make_detail.main()
    files = sorted(out.glob("*.npz"))
    assert [path.name for path in files] == ["00-000000.npz", "00-000003.npz", "00-000006.npz"]
    written = [path.read_bytes() for path in files]
    files[1].unlink()
    make_detail.main()
    assert [path.read_bytes() for path in files] == written
    trained, held = read_symbols(out, kind="d")
    assert trained.symbols.dtype == np.int8
    assert 0 < len(held) <= 2
    published = tmp_path / "edge-d.npz"
    command = ["prior", "--pack", str(out), "--kind", "d", "--previous", "seen", "--steps", "2"]
    command += ["--hidden", "8", "--groups", "6", "18", "--batch", "2", "--publish", str(published)]
    monkeypatch.setattr(sys, "argv", [*command, "--checkpoint", str(tmp_path / "run.pt")])
    prior_training.main()
    assert "d of what was not trained on: " in capsys.readouterr().out
    made = read_prior(published)
    assert (made.channels, made.groups) == (96, (6, 18, 72))
