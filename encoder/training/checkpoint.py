"""Checkpoints that let training stop at any minute and go on, here or on another machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from ...runtime.errors import ModelError


@dataclass
class Progress:
    """How far a training has come; `curve` holds (step, loss, learning rate) points."""

    step: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float, float]] = field(default_factory=list)


def save_checkpoint(
    path: Path, networks: dict[str, nn.Module], optimizer: torch.optim.Optimizer, done: Progress
) -> None:
    """Write a checkpoint under a temporary name and rename it, so a crash leaves the last one."""
    state = {
        "networks": {name: module.state_dict() for name, module in networks.items()},
        "optimizer": optimizer.state_dict(),
        "step": done.step,
        "seconds": done.seconds,
        "curve": [list(point) for point in done.curve],
    }
    _write(path, state)


def shrink_checkpoint(path: Path, small: Path) -> None:
    """Write `small` with the weights of a checkpoint in half precision, and no optimiser's state.

    Raises ModelError like `load_checkpoint`.
    """
    with naming(path):
        state = _read(path)
        state["networks"] = {
            name: {key: value.half() for key, value in weights.items()}
            for name, weights in state["networks"].items()
        }
        state.pop("optimizer", None)
    _write(small, state)


def _write(path: Path, state: dict[str, Any]) -> None:
    temporary = path.with_suffix(".partial")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load_checkpoint(
    path: Path, networks: dict[str, nn.Module], optimizer: torch.optim.Optimizer | None
) -> Progress:
    """Restore `networks` (and `optimizer`) in place; nothing is unpickled but tensors.

    A small checkpoint has no state for the optimiser, which then begins anew.
    Networks that the checkpoint lacks keep their weights: a later stage may add some. Raises
    ModelError for a file that is no checkpoint, or one of other networks.
    """
    with naming(path):
        return _restore(_read(path), networks, optimizer)


def read_weights(path: Path) -> dict[str, dict[str, Tensor]]:
    """The weights in a checkpoint, by network and name. Raises ModelError like
    `load_checkpoint`."""
    with naming(path):
        return {name: dict(weights) for name, weights in _read(path)["networks"].items()}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what comes of reading any file but the checkpoint wanted into a ModelError."""
    try:
        yield
    except (UnpicklingError, EOFError, RuntimeError, LookupError, TypeError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0]
        reason = f"{type(error).__name__}: {first_line}"
        if isinstance(error, UnpicklingError):
            # torch's own words recommend to unpickle the file.
            reason = "it holds something else than plain tensors"
        raise ModelError(
            f"{path}: no checkpoint of this training ({reason}); delete it to begin anew, or name "
            "another"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _restore(
    state: dict[str, Any],
    networks: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer | None,
) -> Progress:
    fits = True
    for name, module in networks.items():
        if name in state["networks"]:
            module.load_state_dict(state["networks"][name])
        else:
            fits = False
    if optimizer is not None and fits and "optimizer" in state:
        optimizer.load_state_dict(state["optimizer"])
    curve = [(int(s), float(loss), float(rate)) for s, loss, rate in state["curve"]]
    return Progress(int(state["step"]), float(state["seconds"]), curve)
