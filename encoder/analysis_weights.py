"""Where the analysis networks' weights are, known without loading torch."""

from __future__ import annotations

from pathlib import Path


def weights_path(name: str, tier: str) -> Path:
    """Where the committed weights of an analysis network lie, whether or not they exist."""
    return Path(__file__).parent / "weights" / f"{name}-{tier}.safetensors"
