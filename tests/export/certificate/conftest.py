"""Streams of a few frames, and networks in exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.payloads import LatentBody

from ...runtime.streams import (
    CHAIN,
    PYRAMID,
    Scene,
    classical,
    hybrid,
    latents,
    stream_of,
    title_weights,
)
from .exact_networks import GENERATOR_ID, IFRAME_ID, write_exact_networks

Draw = Callable[..., tuple[Planes, ...]]
# Large enough that some samples of the installed networks come near a tie.
PICTURE = PictureFormat(192, 128)


@pytest.fixture(scope="session")
def fast_stream(tmp_path_factory: pytest.TempPathFactory, draw_planes: Draw) -> Path:
    """B frames, a mended base with title weights and a plain base, for the installed networks."""
    planes = draw_planes(PICTURE, 2)
    scenes = [
        latents(PICTURE, PYRAMID, seed=1),
        hybrid(planes, PICTURE, (True, True), title=0),
        classical(planes, PICTURE),
    ]
    path = tmp_path_factory.mktemp("certificate") / "fast.ecv"
    path.write_bytes(stream_of(scenes, PICTURE, titles=[title_weights()]))
    return path


@pytest.fixture(scope="session")
def exact_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks whose every requantisation is a shift without ties."""
    return write_exact_networks(tmp_path_factory.mktemp("exact") / "models")


@pytest.fixture(scope="session")
def exact_stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """P frames that name the networks of `exact_models`."""
    scene = latents(PICTURE, CHAIN, seed=1)
    assert isinstance(scene.body, LatentBody)
    body = replace(scene.body, models=(IFRAME_ID, GENERATOR_ID))
    path = tmp_path_factory.mktemp("certificate") / "exact.ecv"
    path.write_bytes(stream_of([Scene(body, scene.frames, scene.strategy)], PICTURE))
    return path
