"""The analysis networks: shapes, and weights that are only tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from edgecodec.decoder import TIERS
from edgecodec.encoder.analysis import (
    QUALITIES,
    REFINEMENT,
    DeepAnalysis,
    analysis_names,
    build_analysis,
    load_analysis,
)
from edgecodec.encoder.analysis_weights import weights_path
from edgecodec.runtime.latents import step_size
from safetensors import SafetensorError
from safetensors.torch import save_file

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
    assert latent.shape == (2, 64, cells[0] // 2, cells[1] // 2)
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


def test_the_second_latent_is_what_rounding_the_first_leaves() -> None:
    torch.manual_seed(2)
    network = DeepAnalysis().eval()
    frame = torch.rand(1, 96, 8, 8)
    brightness = []
    for quality in (0, 20, 40, 63):
        with torch.inference_mode():
            latent = network(frame, torch.tensor([quality]))
        step = step_size(quality)
        coarse, rest = latent[:, :1], latent[:, 1:2]
        assert rest.abs().max() <= REFINEMENT * step / 2 * 1.001
        sum_of_both = REFINEMENT * (coarse / step).round() * step + rest
        # Together they are the same at every quality, but for what draws latents to zero.
        assert (sum_of_both - REFINEMENT * coarse).abs().max() < 0.1 * step
        brightness.append(coarse)
    assert all(torch.equal(each, brightness[0]) for each in brightness)


def test_the_quality_shapes_the_latents() -> None:
    torch.manual_seed(2)
    network = DeepAnalysis()
    torch.nn.init.normal_(network.gains.weight, std=0.1)
    network.eval()
    frame = torch.rand(1, 96, 8, 8).repeat(2, 1, 1, 1)
    with torch.inference_mode():
        low, high = network(frame, torch.tensor([2, 60]))
        alone = network(frame[:1], torch.tensor([60]))[0]
    assert not torch.allclose(low[2:], high[2:])
    assert torch.allclose(high, alone, atol=1e-5)
