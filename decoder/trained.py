"""Trained weights: one safetensors file and one model card for each network and tier."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load as load_tensors

from .networks import Network, build

_FOLDER = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class LoadedNetwork:
    """A trained network in evaluation mode and the id that streams name it by."""

    module: Network
    model_id: str


def weights_path(name: str, tier: str) -> Path:
    """Where the committed weights of `name` in `tier` lie, whether or not they exist yet."""
    return _FOLDER / f"{name}-{tier}.safetensors"


def model_id(weights: bytes) -> str:
    """Sixteen hexadecimal digits that name a set of weights: the head of the file's SHA-256."""
    return hashlib.sha256(weights).hexdigest()[:16]


def load(name: str, tier: str, path: Path | None = None) -> LoadedNetwork:
    """Trained network `name` of `tier`, from `path` or from the committed weights.

    Raises `FileNotFoundError` where no weights were trained for that tier, and `RuntimeError`
    (torch's own) where a file's tensors do not fit the network.
    """
    file = path or weights_path(name, tier)
    data = file.read_bytes()
    network = build(name, tier)
    network.load_state_dict(load_tensors(data))
    network.eval()
    return LoadedNetwork(network, model_id(data))
