"""The analysis networks: shapes, and weights that are only tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from edgecodec.decoder import TIERS
from edgecodec.encoder.analysis import (
    QUALITIES,
    analysis_names,
    build_analysis,
    load_analysis,
)
from edgecodec.encoder.analysis_weights import weights_path
from safetensors import SafetensorError
from safetensors.torch import save_file

REFERENCES = {"analysis_i": 0, "analysis_p": 1, "analysis_b": 2}


@pytest.mark.parametrize("name", analysis_names())
@pytest.mark.parametrize("cells", [(2, 4), (6, 10)])
def test_latents_have_half_the_packed_frames_resolution(name: str, cells: tuple[int, int]) -> None:
    network = build_analysis(name, 96).eval()
    references = [torch.rand(2, 96, *cells) * 6 for _ in range(REFERENCES[name])]
    with torch.inference_mode():
        latent = network(torch.rand(2, 96, *cells), *references)
    assert latent.shape == (2, 64, cells[0] // 2, cells[1] // 2)
    assert torch.isfinite(latent).all()


@pytest.mark.parametrize("name", analysis_names())
def test_weights_come_back_in_evaluation_mode(name: str, tmp_path: Path) -> None:
    network = build_analysis(name, 96)
    file = tmp_path / "any.safetensors"
    save_file(network.state_dict(), file)
    loaded = load_analysis(name, 96, file)
    assert not loaded.training
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_a_pickle_is_no_weights(tmp_path: Path) -> None:
    file = tmp_path / "any.safetensors"
    torch.save(build_analysis("analysis_i", 96).state_dict(), file)
    with pytest.raises(SafetensorError):
        load_analysis("analysis_i", 96, file)


def test_the_installed_weights_fit_their_tier() -> None:
    for name in analysis_names():
        load_analysis(name, TIERS["nano"].feature_channels, weights_path(name, "nano"))
    assert not weights_path("analysis_i", "huge").exists()


def test_there_is_an_analysis_for_every_kind_of_frame_and_a_step_for_every_quality() -> None:
    assert set(analysis_names()) == set(REFERENCES)
    assert QUALITIES == 64
