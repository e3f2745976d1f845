"""The networks of a folder, counted for frames of one size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..runtime.errors import ModelError
from ..runtime.models import ModelEntry, read_models
from .count import GraphCost, Shape, count_model
from .input_shapes import input_shapes
from .size import FrameSize

_DEFAULT_SIZE = FrameSize(1920, 1080)


@dataclass(frozen=True)
class CountedNetwork:
    """A network, what its inputs' shapes are, and what one call costs."""

    entry: ModelEntry
    input_shapes: Mapping[str, Shape]
    cost: GraphCost


@dataclass(frozen=True)
class CountedModels:
    """The networks of one folder for frames of `size`."""

    folder: Path
    tier: str
    size: FrameSize
    networks: tuple[CountedNetwork, ...]


def count_models(folder: Path, size: FrameSize | None = None) -> CountedModels:
    """Count the networks that the manifest in `folder` names.

    `size` None takes the models' own, or 1080p where they are dynamic. Raises `ModelError` for a
    folder or file that is not what it should be, and `UnsupportedError` for a graph that cannot be
    counted.
    """
    manifest = read_models(folder)
    if not manifest.networks:
        raise ModelError(f"{folder}: the manifest names no networks")
    size = size or (FrameSize(*manifest.size) if manifest.size else _DEFAULT_SIZE)
    networks = tuple(_count(network, size) for network in manifest.networks)
    return CountedModels(folder, manifest.tier, size, networks)


def _count(network: ModelEntry, size: FrameSize) -> CountedNetwork:
    network.read()  # refuses a file that is not the manifest's
    shapes = input_shapes(network, size)
    return CountedNetwork(network, shapes, count_model(network.file, shapes))
