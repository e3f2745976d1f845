"""Bounds that a finished export must keep."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from .manifest import Manifest, NetworkEntry
from .targets import find_target


def gate_failures(manifest: Manifest) -> tuple[str, ...]:
    """One sentence for each of the manifest's gates that what it describes does not pass."""
    found = (_loss_failure(manifest), _placement_failure(manifest), _size_failure(manifest))
    return tuple(failure for failure in found if failure)


def device_bytes(manifest: Manifest) -> int:
    """What the most demanding device needs of the folder: its artefacts, or where nothing was
    compiled the graphs and nothing else."""
    by_device: Counter[str] = Counter()
    for network in manifest.networks:
        for artefact in network.artefacts:
            by_device[artefact.device] += artefact.bytes or 0
    if by_device:
        return max(by_device.values())
    return sum(network.bytes or 0 for network in manifest.networks)


def _loss_failure(manifest: Manifest) -> str:
    bound = manifest.gates.max_drop_db
    if bound is None or math.isinf(bound) or manifest.precision == "fp32":
        return ""
    failures = []
    for network in manifest.networks:
        if network.drop_db is None:
            failures.append(
                f"{network.name} was measured on synthetic inputs only (give --clip; networks that"
                " take latents need edgecodec[encoder], too)"
            )
        # Written so that NaN fails too.
        elif not network.drop_db <= bound:
            failures.append(f"{network.name} loses {network.drop_db:.4f} dB")
    listed = "; ".join(failures)
    return f"INT8 loss, at most {bound:g} dB allowed: {listed}" if failures else ""


def _placement_failure(manifest: Manifest) -> str:
    bound = manifest.gates.placement_percent
    if bound is None:
        return ""
    provider = find_target(manifest.target).provider
    failures = [line for each in manifest.networks for line in _misplaced(each, provider, bound)]
    listed = "; ".join(failures)
    return f"placement, at least {bound:g} % required: {listed}" if failures else ""


def _misplaced(network: NetworkEntry, provider: str, bound: float) -> Iterator[str]:
    placement = network.placement
    if placement.provider != provider:
        yield f"{network.name} was not placed: {provider} is not installed here"
    elif not placement.percent >= bound:
        yield f"{network.name} has {placement.percent:.1f} % of its nodes on {placement.provider}"


def _size_failure(manifest: Manifest) -> str:
    bound, needed = manifest.gates.max_bytes, device_bytes(manifest)
    if bound is None or needed <= bound:
        return ""
    return f"size, at most {bound / 1e6:g} MB allowed: a device needs {needed / 1e6:.3f} MB"
