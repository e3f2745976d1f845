"""The light half's networks as torch modules: what a device runs, and nothing else."""

from .networks import (
    TIERS,
    Enhancer,
    Generator,
    IFrameDecoder,
    Network,
    NetworkSpec,
    PortSpec,
    build,
    network_names,
    spec,
)
from .trained import LoadedNetwork, load, model_id, weights_path

__all__ = [
    "TIERS",
    "Enhancer",
    "Generator",
    "IFrameDecoder",
    "LoadedNetwork",
    "Network",
    "NetworkSpec",
    "PortSpec",
    "build",
    "load",
    "model_id",
    "network_names",
    "spec",
    "weights_path",
]
