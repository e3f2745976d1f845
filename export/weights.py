"""Which trained networks there are to export."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError

from ..decoder.networks import TIERS, network_names
from ..decoder.trained import LoadedNetwork, load, weights_path
from ..runtime.errors import ModelError, UnsupportedError


def weights_file(name: str, tier: str, folder: Path | None) -> Path:
    """Where the weights of `name` lie: in `folder`, or the committed ones where it is None."""
    committed = weights_path(name, tier)
    return committed if folder is None else folder / committed.name


def choose_networks(names: tuple[str, ...], tier: str, folder: Path | None) -> tuple[str, ...]:
    """`names` in the order of reports, or every network that has weights where it is empty.

    Raises `UnsupportedError` for a name or tier that does not exist and `ModelError`, saying which
    tiers have weights, for one that was not trained.
    """
    if tier not in TIERS:
        raise UnsupportedError(f"there is no tier {tier!r}: known are {', '.join(TIERS)}")
    unknown = [name for name in names if name not in network_names()]
    if unknown:
        known = ", ".join(network_names())
        raise UnsupportedError(f"there is no network {', '.join(unknown)}: known are {known}")
    trained = _trained(tier, folder)
    missing = [name for name in names if name not in trained]
    if missing or not trained:
        what = ", ".join(missing) or "any network"
        raise ModelError(f"no weights for {what} of tier {tier!r}: {_available(folder)}")
    return tuple(name for name in trained if name in names or not names)


def load_network(name: str, tier: str, folder: Path | None) -> LoadedNetwork:
    """The trained network; `ModelError` names a file that does not hold its weights, all finite."""
    file = weights_file(name, tier, folder)
    try:
        trained = load(name, tier, file)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{file} is not the weights of {name} ({tier}): {reason}") from error
    for key, tensor in trained.module.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{file}: {key} holds NaN or infinity; train the network again")
    return trained


def _trained(tier: str, folder: Path | None) -> tuple[str, ...]:
    return tuple(n for n in network_names() if weights_file(n, tier, folder).is_file())


def _available(folder: Path | None) -> str:
    where = weights_file(network_names()[0], "nano", folder).parent
    tiers = {tier: _trained(tier, folder) for tier in TIERS}
    found = [f"{tier} ({', '.join(names)})" for tier, names in tiers.items() if names]
    return f"{where} has {'; '.join(found)}" if found else f"{where} has none for any tier"
