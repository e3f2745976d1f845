"""Which kinds of frames a tier codes scenes in latents with, and what it needs for them.

It is known without loading torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..runtime.chunks import StrategyId
from ..runtime.errors import ModelError
from ..runtime.models import packaged_models, packaged_tiers, read_models
from ..runtime.payloads import FrameKind
from .analysis_weights import weights_path
from .priors import Priors, tier_priors


@dataclass(frozen=True)
class KindNetworks:
    """The `light` network that makes frames of a kind on a device, and the `analysis` network that
    makes their latents."""

    light: str
    analysis: str


NETWORKS = {
    FrameKind.I: KindNetworks("iframe_decoder", "analysis_i"),
    FrameKind.P: KindNetworks("generator_p", "analysis_p"),
    FrameKind.B: KindNetworks("generator_b", "analysis_b"),
    FrameKind.C: KindNetworks("iframe_decoder", "analysis_i"),
}


def frame_kinds(strategy: StrategyId, priors: Priors) -> tuple[FrameKind, FrameKind]:
    """The kinds of frames that a strategy in latents has, with a tier's priors.

    What follows an I-frame in `semantic_latent` is continued where there are priors for it.
    """
    if strategy is StrategyId.I_FRAME_INTERPOLATION:
        return FrameKind.I, FrameKind.B
    if FrameKind.I in priors and FrameKind.C in priors:
        return FrameKind.I, FrameKind.C
    return FrameKind.I, FrameKind.P


def missing_networks(strategy: StrategyId, tier: str) -> str:
    """What a tier lacks to code scenes with a strategy in latents, and which has it; "" if
    nothing."""
    try:
        needed = [NETWORKS[kind] for kind in frame_kinds(strategy, tier_priors(tier))]
        folder = read_models(packaged_models(tier))
    except ModelError as error:
        return str(error)
    for each in needed:
        try:
            folder.network(each.light)
        except ModelError as error:
            return f"{error}{_elsewhere(each.light)}"
    if not all(weights_path(each.analysis, tier).is_file() for each in needed):
        return f"there are no analysis networks of tier {tier}: train them first"
    return ""


def _elsewhere(network: str) -> str:
    """What to do where a tier has no such network, "" if no tier has one."""
    folders = {tier: read_models(packaged_models(tier)) for tier in packaged_tiers()}
    having = [
        tier
        for tier, folder in folders.items()
        if any(entry.name == network for entry in folder.networks)
    ]
    return f"; --tier {' or '.join(having)} has one" if having else ""
