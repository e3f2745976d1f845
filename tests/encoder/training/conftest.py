"""Packs as small as the networks allow, of noise and gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def triplet_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 triplets of 16x16 pixels."""
    folder = tmp_path_factory.mktemp("triplets")
    random = np.random.default_rng(0)
    source = random.integers(40, 200, (8, 1, 24, 4, 4))
    decoded = source + random.normal(0, 6, (8, 3, 24, 4, 4))
    x = np.concatenate([decoded, source], axis=1).clip(0, 255).astype(np.uint8)
    np.save(folder / "x.npy", x)
    np.save(folder / "condition.npy", random.integers(0, 256, (8, 2)).astype(np.uint8))
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
