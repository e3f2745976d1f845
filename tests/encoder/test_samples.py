"""Samples for the loss of INT8 are inputs that the installed networks take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgecodec.decoder import spec
from edgecodec.encoder.samples import latent_samples
from edgecodec.export.loss import packed_psnr
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.models import packaged_models, read_models
from edgecodec.runtime.sessions import NetworkPool


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
