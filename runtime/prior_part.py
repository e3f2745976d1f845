"""The first groups of a prior, which code frames whose other channels are not coded.

What a prior costs a player grows with its channels, and at low rates the last of them are hardly
ever used. A frame says how many groups are coded; the other channels are left out of everything
that networks see, so their columns are left out of the products.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .prior import Prior
from .prior_features import Symbols
from .prior_network import KindNetworks
from .prior_positions import NEIGHBOURS
from .prior_shape import Shape

_KEPT = 64


def groups_needed(symbols: Symbols, expected: Symbols, prior: Prior) -> int:
    """How many groups have to be coded for symbols [channels, h, w], where `expected` is what
    channels are that are not coded; 0 if all are so."""
    differ = (symbols != expected).any(axis=(1, 2))[prior.order]
    if not differ.any():
        return 0
    last = int(np.flatnonzero(differ)[-1])
    return int(np.searchsorted(np.cumsum(prior.groups), last, side="right")) + 1


def part_of(symbols: Symbols, prior: Prior, part: Prior) -> Symbols:
    """The symbols [channels, h, w] that `part` of a prior codes."""
    return symbols if part is prior else symbols[prior.order[: part.channels]]


def first_groups(prior: Prior, count: int) -> Prior:
    """The prior that codes `count` groups of `prior`, at least one, as if there were no others.

    Its channels are numbered in coding order.
    """
    return prior if count == len(prior.groups) else _shortened(prior, count)


@lru_cache(maxsize=_KEPT)
def _shortened(prior: Prior, count: int) -> Prior:
    groups = prior.groups[:count]
    channels = sum(groups)
    signed = min(prior.signed, channels)
    seen = _seen(prior.shape, channels, signed)
    return replace(
        prior,
        channels=channels,
        signed=signed,
        groups=groups,
        means=prior.means[:count],
        order=np.arange(channels),
        shape=Shape(channels, signed, prior.previous, groups, prior.means[:count], prior.waves),
        networks=tuple(_networks(each, seen, count) for each in prior.networks),
    )


def _networks(kind: KindNetworks, seen: NDArray[np.intp], count: int) -> KindNetworks:
    groups = kind.groups[:count]
    shared = np.ascontiguousarray(kind.shared[seen, : groups[-1].place.stop])
    return KindNetworks(shared, groups)


def _seen(shape: Shape, channels: int, signed: int) -> NDArray[np.intp]:
    """Which features stay, of those that all groups see."""
    parts = [(shape.channels, channels)] * 2 + [(shape.signed, signed)] * NEIGHBOURS
    if shape.is_gated:
        parts += [(shape.channels, channels)] * 2
    if shape.previous:
        parts += [(shape.channels, channels), (shape.signed, signed)]
    starts = np.cumsum([0, *(whole for whole, _ in parts)])[:-1]
    kept = [start + np.arange(few) for start, (_, few) in zip(starts, parts, strict=True)]
    return np.concatenate(kept)
