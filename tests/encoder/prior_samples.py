"""Priors that nobody trained: any integers code and decode."""

from __future__ import annotations

import numpy as np
import torch
from edgecodec.encoder.training.prior_net import PriorNet, PriorShape
from edgecodec.runtime.payloads import FrameKind
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_shape import Previous

CHANNELS = 64


def net_of(
    channels: int = CHANNELS,
    *,
    whole: bool = False,
    previous: bool = False,
    gated: bool = False,
    seed: int = 0,
) -> PriorNet:
    """Two groups of channels, the first with means; every output depends on the inputs."""
    torch.manual_seed(seed)
    groups = (3, channels - 3)
    known = Previous.SEEN if previous else Previous.UNKNOWN
    known = Previous.GATED if gated else known
    shape = PriorShape(channels, whole, known, groups, (True, False), signed=3, hidden=8)
    net = PriorNet(shape)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() == 2:
                parameter.normal_(0, 0.15)
    return net


def prior_of(
    channels: int = CHANNELS,
    *,
    whole: bool = False,
    previous: bool = False,
    gated: bool = False,
    seed: int = 0,
) -> Prior:
    """`net_of` as players have it."""
    net = net_of(channels, whole=whole, previous=previous, gated=gated, seed=seed)
    return Prior.from_arrays(net.arrays())


def continued_priors(channels: int = CHANNELS, *, whole: bool = False) -> dict[FrameKind, Prior]:
    """What a tier has whose scenes are I-frames and continued ones."""
    return {
        FrameKind.I: prior_of(channels, whole=whole, seed=1),
        FrameKind.C: prior_of(channels, whole=whole, gated=True, seed=2),
    }


def smooth_symbols(
    shape: tuple[int, int, int], seed: int = 0, *, brightness: int = 0
) -> np.ndarray:
    """Small symbols [C, h, w] int16; of up to +-`brightness` in channel 0, if it is not 0."""
    random = np.random.default_rng(seed)
    symbols = np.rint(random.laplace(0, 0.8, shape)).clip(-127, 127).astype(np.int16)
    if brightness:
        slope = np.linspace(-brightness, brightness, shape[1] * shape[2]).reshape(shape[1:])
        symbols[0] = np.rint(slope + random.normal(0, 2, shape[1:]))
    return symbols
