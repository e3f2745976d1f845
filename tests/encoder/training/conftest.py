"""Packs as small as the networks allow, of noise and gradients."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from edgecodec.encoder.training.packs import plane_errors
from edgecodec.runtime.packing import pack


@pytest.fixture(scope="session")
def triplet_packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """8 samples of 16x16 pixels each, of full-size bases and of half-size ones."""
    return {
        kind: _triplets(tmp_path_factory.mktemp(kind), channels)
        for kind, channels in (("full", 24), ("half", 6))
    }


@pytest.fixture(scope="session")
def triplet_pack(triplet_packs: dict[str, Path]) -> Path:
    """The pack of full-size bases."""
    return triplet_packs["full"]


def _triplets(folder: Path, channels: int) -> Path:
    random = np.random.default_rng(0)
    source = random.integers(40, 200, (8, 24, 4, 4))
    decoded = source[:, None, :channels] + random.normal(0, 6, (8, 3, channels, 4, 4))
    parts = [decoded.reshape(8, 3 * channels, 4, 4)]
    if channels == 6:
        parts.append(source + random.normal(0, 6, source.shape))
    parts += [random.integers(126, 130, source.shape), source]
    x = np.concatenate(parts, axis=1).clip(0, 255).astype(np.uint8)
    np.save(folder / "x.npy", x)
    np.save(folder / "condition.npy", random.integers(0, 256, (8, 2)).astype(np.uint8))
    np.save(folder / "distortion.npy", plane_errors(x))
    return folder


@pytest.fixture(scope="session")
def sequence_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 sequences of 64x64 pixels."""
    folder = tmp_path_factory.mktemp("sequences")
    random = np.random.default_rng(0)
    level = random.integers(40, 200, (6, 1, 96, 1, 1))
    moving = 3 * np.arange(9)[None, :, None, None, None] + 4 * np.arange(8)
    x = np.broadcast_to(level + moving, (6, 9, 96, 8, 8)).clip(0, 255).astype(np.uint8)
    np.save(folder / "x.npy", x)
    return folder


@pytest.fixture(scope="session")
def picture_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures of 128x128 pixels: soft shapes that blocks share, and some noise."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(4)
    made = []
    for _ in range(24):
        planes = []
        for side in (128, 64, 64):
            coarse = random.uniform(30, 220, (6, 6)).astype(np.float32)
            smooth = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
            noisy = smooth + random.normal(0, 2, smooth.shape)
            planes.append(noisy.clip(0, 255).astype(np.uint8))
        made.append(pack((planes[0], planes[1], planes[2]), 8)[0])
    np.save(folder / "x.npy", np.stack(made))
    return folder
