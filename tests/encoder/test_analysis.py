"""The analysis networks: shapes, and weights that are only tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.decoder import TIERS, load
from edgecodec.encoder.analysis import (
    QUALITIES,
    REFINEMENT,
    DeepAnalysis,
    analysis_names,
    build_analysis,
    load_analysis,
    spread_brightness,
)
from edgecodec.encoder.analysis_weights import weights_path
from edgecodec.runtime.latents import step_size
from edgecodec.runtime.prior_coding import network_symbols
from safetensors import SafetensorError
from safetensors.torch import save_file

from .prior_samples import prior_of

REFERENCES = {"analysis_i": 0, "analysis_p": 1, "analysis_b": 2}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", analysis_names())
@pytest.mark.parametrize("cells", [(2, 4), (6, 10)])
def test_latents_have_half_the_packed_frames_resolution(
    name: str, cells: tuple[int, int], tier: str
) -> None:
    network = build_analysis(name, tier).eval()
    channels = TIERS[tier].feature_channels
    references = [torch.rand(2, channels, *cells) * 6 for _ in range(REFERENCES[name])]
    with torch.inference_mode():
        latent = network(torch.rand(2, 96, *cells), torch.tensor([3, 60]), *references)
    # A deep analysis gives the brightness as one, which the decoder takes as two.
    count = TIERS[tier].latents - isinstance(network, DeepAnalysis)
    assert latent.shape == (2, count, cells[0] // 2, cells[1] // 2)
    assert torch.isfinite(latent).all()


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", analysis_names())
def test_weights_come_back_in_evaluation_mode(name: str, tier: str, tmp_path: Path) -> None:
    network = build_analysis(name, tier)
    file = tmp_path / "any.safetensors"
    save_file(network.state_dict(), file)
    loaded = load_analysis(name, tier, file)
    assert not loaded.training
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_a_pickle_is_no_weights(tmp_path: Path) -> None:
    file = tmp_path / "any.safetensors"
    torch.save(build_analysis("analysis_i", "nano").state_dict(), file)
    with pytest.raises(SafetensorError):
        load_analysis("analysis_i", "nano", file)


def test_the_installed_weights_fit_their_tier() -> None:
    for name in analysis_names():
        load_analysis(name, "nano", weights_path(name, "nano"))
    assert not weights_path("analysis_i", "huge").exists()


def test_there_is_an_analysis_for_every_kind_of_frame_and_a_step_for_every_quality() -> None:
    assert set(analysis_names()) == set(REFERENCES)
    assert QUALITIES == 64


def test_a_whole_brightness_is_spread_as_players_do() -> None:
    random = np.random.default_rng(2)
    symbols = random.integers(-120, 121, (5, 6, 7)).astype(np.int16)
    spread = spread_brightness(torch.from_numpy(symbols).float()[None])[0]
    prior = prior_of(5, whole=True)
    assert (spread.numpy() == network_symbols(symbols, prior)).all()
    assert (REFINEMENT * spread[0] + spread[1]).numpy() == pytest.approx(symbols[0])


def test_gradients_pass_through_the_first_latent() -> None:
    symbols = torch.randn(1, 3, 2, 2, requires_grad=True)
    spread_brightness(symbols).sum().backward()
    assert symbols.grad is not None
    assert torch.allclose(symbols.grad[:, 0], torch.full((1, 2, 2), 1 / REFINEMENT))
    assert torch.allclose(symbols.grad[:, 1:], torch.ones(1, 2, 2, 2))


def test_the_quality_shapes_the_latents() -> None:
    torch.manual_seed(2)
    network = DeepAnalysis(128)
    torch.nn.init.normal_(network.gains.weight, std=0.1)
    network.eval()
    frame = torch.rand(1, 96, 8, 8).repeat(2, 1, 1, 1)
    with torch.inference_mode():
        low, high = network(frame, torch.tensor([2, 60]))
        alone = network(frame[:1], torch.tensor([60]))[0]
    assert not torch.allclose(low[1:], high[1:])
    assert torch.allclose(high, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("tier", "level"),
    [("nano", 16), ("nano", 128), ("nano", 235), *(("edge", n) for n in (0, 16, 128, 235, 255))],
)
def test_flat_pictures_keep_their_brightness(tier: str, level: int) -> None:
    """A decoder once had neither black nor white: its first features were full before."""
    analysis = load_analysis("analysis_i", tier, weights_path("analysis_i", tier))
    decoder = load("iframe_decoder", tier).module
    frame = torch.full((1, 96, 16, 16), 128 / 255)
    frame[:, :64] = level / 255
    quality = QUALITIES - 4
    step = step_size(quality)
    with torch.inference_mode():
        symbols = (analysis(frame, torch.tensor([quality])) / step).round()
        if isinstance(analysis, DeepAnalysis):
            symbols = spread_brightness(symbols)
        shown, _ = decoder((symbols * step).clamp(-32, 31.75))
    luma = 255 * shown[0, :64, 4:-4, 4:-4]
    assert float((luma.clamp(0, 255) - level).abs().mean()) < 4
