"""Small networks with random weights, exported once for all tests here."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from edgecodec.decoder import build, network_names
from edgecodec.export import Cache, ExportOptions, Manifest, export_networks
from safetensors.torch import save_file


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights for every nano network; no head is zero."""
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(network_names()):
        torch.manual_seed(seed)
        network = build(name, "nano")
        for parameter in network.head.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        save_file(network.state_dict(), folder / f"{name}-nano.safetensors")
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """For exports whose float graphs are not the point: making those takes most of the time."""
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def exported(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """All networks as INT8 graphs of dynamic size, their float graphs beside them."""
    folder = tmp_path_factory.mktemp("exported") / "models"
    options = ExportOptions(
        folder, weights=weights, keep_float=True, simplify=False, max_drop_db=None
    )
    return folder, export_networks(options)


@pytest.fixture(scope="session")
def moving_texture() -> Callable[[Path, int, tuple[int, int]], Path]:
    """Writes a moving texture of `frames` frames of `(width, height)` to a file."""

    def make(path: Path, frames: int, size: tuple[int, int]) -> Path:
        width, height = size
        random = np.random.default_rng(1)
        coarse = random.integers(40, 215, (height // 8, width // 8, 3), dtype=np.uint8)
        picture = coarse.repeat(8, axis=0).repeat(8, axis=1)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": "10", "preset": "ultrafast"}
            for shift in range(frames):
                moved = np.roll(picture, 2 * shift, axis=1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
            container.mux(stream.encode(None))
        return path

    return make
