"""From the arrays of a prior's file to its networks, checked: no sum may leave the integers that a
float32 holds exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .prior_network import HIDDEN_LARGEST, GroupNetwork, KindNetworks
from .prior_positions import LEVELS
from .prior_shape import Shape

EXACT = 1 << 24
LEVEL_INPUT = 32
KINDS = 2
_MOST_HIDDEN = 4096

Arrays = Mapping[str, NDArray[Any]]


def network_keys(groups: int) -> list[str]:
    """Names of all arrays of a prior's networks."""
    return [
        f"{part}{layer}_{kind}_{group}"
        for kind in range(KINDS)
        for group in range(groups)
        for layer in (1, 2, 3)
        for part in "wb"
    ]


def read_networks(arrays: Arrays, shape: Shape, kind: int) -> KindNetworks:
    """The networks for cells of `kind`. ModelError if an array breaks a rule."""
    shared, groups = [], []
    place = 0
    for group in range(len(shape.groups)):
        layers = _layers(arrays, shape, kind, group)
        hidden = len(layers[0].bias)
        shared.append(layers[0].weights[:, : shape.own_start].T)
        groups.append(_network(layers, shape, group, slice(place, place + hidden)))
        place += hidden
    return KindNetworks(_real(np.concatenate(shared, axis=1), 128), tuple(groups))


@dataclass(frozen=True, eq=False)
class _Layer:
    """`weights` [out, in] and `bias` [out]."""

    weights: NDArray[np.int64]
    bias: NDArray[np.int64]


def _network(layers: list[_Layer], shape: Shape, group: int, place: slice) -> GroupNetwork:
    first, second, third = layers
    channels, outputs = shape.groups[group], shape.outputs(group)
    levels_start = shape.own_start + shape.waves.shape[1]
    own_start = levels_start + LEVELS
    wave_weights = first.weights[:, shape.own_start : levels_start].T
    level_weights = first.weights[:, levels_start:own_start].T
    quality_part = shape.waves.astype(np.int64) @ wave_weights
    biases = first.bias + quality_part[:, None] + LEVEL_INPUT * level_weights[None]
    mean_rows = slice(channels, outputs - shape.is_gated)
    table_rows = np.r_[:channels, mean_rows.stop : outputs]
    # Rounding terms may carry a sum past 2**24, but only where it is clipped anyway.
    return GroupNetwork(
        place=place,
        own=_real(first.weights[:, own_start:].T, 128),
        biases=_real(biases + 64, 128),
        second=_real(second.weights.T, 64),
        second_bias=_real(second.bias + 32, 64),
        table=_real(third.weights[table_rows].T, 128),
        table_bias=_real(third.bias[table_rows] + 64, 128),
        mean=_real(third.weights[mean_rows].T, 1) if shape.means[group] else None,
        mean_bias=_real(third.bias[mean_rows], 1) if shape.means[group] else None,
        gated=shape.is_gated,
    )


def _layers(arrays: Arrays, shape: Shape, kind: int, group: int) -> list[_Layer]:
    """The three layers of a group's network, of which every sum is exact."""
    layers = [_layer(arrays, f"{number}_{kind}_{group}") for number in (1, 2, 3)]
    hidden = len(layers[0].bias)
    largest = [shape.largest_inputs(group), *[np.full(hidden, HIDDEN_LARGEST, np.int64)] * 2]
    outputs = (hidden, hidden, shape.outputs(group))
    for number, layer in enumerate(layers):
        name = f"w{number + 1}_{kind}_{group}"
        sides = (outputs[number], len(largest[number]))
        if layer.weights.shape != sides or not 0 < hidden <= _MOST_HIDDEN:
            raise ModelError(f"{name} is {layer.weights.shape}, {sides} is wanted")
        sums = np.abs(layer.weights) @ largest[number] + np.abs(layer.bias)
        if sums.max() >= EXACT:
            raise ModelError(f"{name}: sums of up to {sums.max()}, below {EXACT} is wanted")
    return layers


def _layer(arrays: Arrays, place: str) -> _Layer:
    weights, bias = (arrays.get(f"{part}{place}") for part in "wb")
    if weights is None or bias is None:
        raise ModelError(f"no array w{place} or b{place}")
    if weights.dtype != np.int8 or weights.ndim != 2:
        raise ModelError(f"w{place} is {weights.dtype} {weights.shape}, not int8 [out, in]")
    if bias.dtype != np.int32 or bias.shape != weights.shape[:1]:
        raise ModelError(f"b{place} is {bias.dtype} {bias.shape}, not int32 [out]")
    return _Layer(weights.astype(np.int64), bias.astype(np.int64))


def _real(numbers: NDArray[np.int64], over: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(numbers / over, np.float32)
