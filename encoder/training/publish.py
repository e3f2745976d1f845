"""Put finished weights where they are committed from, with the curve that belongs to them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors.torch import save
from torch import nn

from .checkpoint import Progress


def publish(network: nn.Module, path: Path, done: Progress) -> None:
    """Write `path` (safetensors) and `path` with `.curve.json`: steps, seconds and loss points."""
    tensors = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    write_with_curve(save(tensors), path, done)


def write_file(path: Path, content: bytes) -> None:
    """Write `path` whole or not at all."""
    temporary = path.with_suffix(".partial")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_with_curve(content: bytes, path: Path, done: Progress) -> None:
    """Write `path`, and beside it the curve of the training that it comes from."""
    write_file(path, content)
    curve = {
        "steps": done.step,
        "seconds": round(done.seconds),
        "columns": ["step", "loss", "learning_rate"],
        "points": done.curve,
    }
    path.with_suffix(".curve.json").write_text(json.dumps(curve) + "\n")
