"""Samples for the loss of INT8 are inputs that the installed networks take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.decoder import build, spec
from edgecodec.encoder.analysis import DeepAnalysis, build_analysis
from edgecodec.encoder.samples import latent_samples
from edgecodec.export.loss import packed_psnr
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.sessions import NetworkPool
from safetensors.torch import save_file


def test_samples_are_what_the_networks_take_and_should_give(small_clip) -> None:
    samples = latent_samples([small_clip.path], "nano")
    assert set(samples) == {"iframe_decoder", "generator_p", "generator_b"}
    models = read_models(packaged_models("nano"))
    pool = NetworkPool(threads=1)
    for name, made in samples.items():
        network = pool.network(models.network(name).model_id)
        # One clip at two qualities.
        assert [sample.clip for sample in made] == ["small", "small"]
        for sample in made:
            ports = spec(name, "nano").inputs
            assert set(sample.inputs) == {port.name for port in ports}
            for port in ports:
                given = sample.inputs[port.name]
                assert given.dtype == np.uint8
                assert given.shape == (1, port.channels, 64 // port.stride, 96 // port.stride)
            frame, _ = network.run(sample.inputs)
            assert frame.shape == sample.target.shape == (1, 96, 8, 12)
            assert 5 < packed_psnr(frame, sample.target) < 100
        coarse, fine = made
        assert np.array_equal(coarse.target, fine.target)
        assert not np.array_equal(coarse.inputs["latent"], fine.inputs["latent"])


def test_the_samples_are_of_frames_that_differ(small_clip) -> None:
    samples = latent_samples([small_clip.path], "nano")
    targets = [made[0].target.tobytes() for made in samples.values()]
    assert len(set(targets)) == 3


def test_a_clip_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no clip")
    with pytest.raises(BitstreamError, match=r"broken\.mp4"):
        latent_samples([tmp_path / "broken.mp4"], "nano")


def test_a_whole_brightness_comes_in_two_latents(
    small_clip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A tier that has I-frames alone, and an analysis network of its kind."""
    torch.manual_seed(0)
    decoder, analysis = build("iframe_decoder", "edge"), build_analysis("analysis_i", "edge")
    assert isinstance(analysis, DeepAnalysis)
    with torch.no_grad():
        analysis.transform.weight.mul_(100)
    for name, network in (("iframe_decoder", decoder), ("analysis_i", analysis)):
        tensors = {key: each.contiguous() for key, each in network.state_dict().items()}
        save_file(tensors, tmp_path / f"{name}-edge.safetensors")

    def path(name: str, tier: str) -> Path:
        return tmp_path / f"{name}-{tier}.safetensors"

    for place in (
        "edgecodec.encoder.samples.weights_path",
        "edgecodec.decoder.trained.weights_path",
    ):
        monkeypatch.setattr(place, path)
    monkeypatch.setattr("edgecodec.encoder.samples.light_path", path)
    samples = latent_samples([small_clip.path], "edge")
    assert [len(made) for made in samples.values()] == [2, 0, 0]
    (port,) = spec("iframe_decoder", "edge").inputs
    for sample in samples["iframe_decoder"]:
        latent = sample.inputs["latent"]
        assert latent.shape == (1, port.channels, 4, 6)
        # The second is what is left of fours: none is further than two steps of the quantiser.
        assert np.abs(latent[0, 1].astype(int) - 128).max() <= 2 * 32
        assert all(np.ptp(latent[0, channel]) > 0 for channel in (0, 1, 2))
