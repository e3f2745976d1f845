"""Priors of random integers, and symbols that they may meet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from edgecodec.runtime.payloads import FrameKind, LatentBody, LatentPacket
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import encode_with_prior
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Design:
    """What a prior's arrays shall be like; `wild` weights reach the bounds that sums have."""

    groups: tuple[int, ...] = (2, 3)
    means: tuple[int, ...] = (1, 0)
    whole: int = 0
    signed: int = 2
    previous: int = 0
    hidden: int = 6
    waves: int = 3
    sizes: tuple[int, ...] = (0, 8, 13, 17, 20, 23, 26, 30, 40, 63)
    wild: bool = False

    @property
    def channels(self) -> int:
        """Symbols of a cell."""
        return sum(self.groups)


PLAIN = Design()
WHOLE = Design(groups=(1, 3), means=(1, 1), whole=1, signed=4)
WITH_PREVIOUS = Design(groups=(2, 2, 1), means=(0, 0, 1), signed=3, previous=1)
BOTH = replace(WITH_PREVIOUS, whole=1)
GATED = replace(WITH_PREVIOUS, previous=2)
GATED_WHOLE = replace(GATED, groups=(1, 2, 2), whole=1, signed=5)
DESIGNS = (PLAIN, WHOLE, WITH_PREVIOUS, BOTH, GATED, GATED_WHOLE)


def prior_arrays(seed: int, design: Design) -> Arrays:
    """The arrays of a prior's file."""
    random = np.random.default_rng(seed)
    channels, signed = design.channels, design.signed
    order = random.permutation(channels)
    if design.whole:
        order = np.concatenate([[0], order[order > 0]])
    config = (2, channels, design.whole, signed, design.previous)
    arrays: Arrays = {
        "config": np.array(config, np.int32),
        "groups": np.array(design.groups, np.int32),
        "means": np.array(design.means, np.int32),
        "order": order.astype(np.int32),
        "sizes": np.array(design.sizes, np.uint8),
        "waves": random.integers(-127, 128, (64, design.waves)).astype(np.int8),
    }
    gated = int(design.previous == 2)
    inputs = 2 * channels + 4 * signed + bool(design.previous) * (channels + signed)
    inputs += gated * 2 * channels + design.waves + 5
    for kind in (0, 1):
        width = inputs
        for group, size in enumerate(design.groups):
            outputs = size * (1 + design.means[group]) + gated
            layers = ((design.hidden, width), (design.hidden, design.hidden))
            for layer, sides in enumerate((*layers, (outputs, design.hidden)), start=1):
                weights, biases = _layer(random, sides, design.wild)
                arrays[f"w{layer}_{kind}_{group}"] = weights
                arrays[f"b{layer}_{kind}_{group}"] = biases
            width += (2 + gated) * size
    return arrays


def from_digest(name: str, shape: tuple[int, ...], below: int) -> NDArray[np.int64]:
    """Integers of -below to below - 1 that no version of a library can change."""
    digest = hashlib.shake_256(name.encode()).digest(int(np.prod(shape)))
    return np.frombuffer(digest, np.uint8).reshape(shape).astype(np.int64) % (2 * below) - below


def fixed_arrays(design: Design) -> Arrays:
    """The arrays of a prior's file, of which no version of a library can change one."""
    arrays = prior_arrays(0, design)
    for key, array in arrays.items():
        if key[0] in "wb":
            step = 100 if key[0] == "b" else 1
            arrays[key] = (step * from_digest(key, array.shape, 25)).astype(array.dtype)
    arrays["order"] = np.arange(design.channels, dtype=np.int32)
    arrays["waves"] = from_digest("waves", arrays["waves"].shape, 127).astype(np.int8)
    return arrays


def _layer(
    random: np.random.Generator, sides: tuple[int, int], wild: bool
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    if wild:
        weights = random.integers(-128, 128, sides)
        room = 2**24 - 1 - 127 * np.abs(weights).sum(axis=1)
        return weights.astype(np.int8), (room * random.choice((-1, 1), len(room))).astype(np.int32)
    weights = np.clip(np.rint(random.normal(0, 12, sides)), -127, 127)
    return weights.astype(np.int8), random.integers(-1000, 3000, sides[0]).astype(np.int32)


def prior_symbols(
    seed: int, design: Design, cells: Sequence[int], spread: float = 1.0
) -> NDArray[np.int16]:
    """Symbols [channels, h, w] around zero, a whole brightness around some level."""
    random = np.random.default_rng(seed)
    symbols = np.rint(random.laplace(size=(design.channels, *cells)) * spread)
    symbols = np.clip(symbols, -127, 127)
    if design.whole:
        symbols[0] += random.integers(-380, 381)
    return symbols.astype(np.int16)


NANO_DESIGN = Design(groups=(4, 60), means=(1, 0), signed=4, hidden=4)
"""Of 64 channels, as networks of tier nano take."""
NANO_WHOLE = replace(NANO_DESIGN, groups=(4, 59), whole=1)
"""The same of 63, one of which networks take in two."""
DETAIL_DESIGN = Design(groups=(4, 12, 80), means=(1, 0, 0), signed=4, previous=1, hidden=4)
"""Of 96 channels, as detail has."""
WIDE_WHOLE = Design(groups=(4, 92), means=(1, 0), whole=1, signed=4, hidden=4)
"""Of as few channels as networks may have whose frames have detail: they take 97."""
_PREVIOUS = {FrameKind.I: 0, FrameKind.P: 1, FrameKind.B: 1, FrameKind.C: 2}
Priors = tuple[Prior, Prior, Prior, Prior]


def nano_priors(design: Design = NANO_DESIGN) -> Priors:
    """For I, P, B and C frames of the installed networks."""
    i, p, b, c = (
        Prior.from_arrays(prior_arrays(10 + kind, replace(design, previous=_PREVIOUS[kind])))
        for kind in FrameKind
    )
    return i, p, b, c


FrameSymbols = tuple[FrameKind, int, tuple[int, ...], NDArray[np.int16]]
# (kind, position, references) in decoding order.
CONTINUED_CHAIN = ((0, 0, ()), (3, 1, (0,)), (3, 2, (1,)), (3, 3, (2,)))
CONTINUED_TREE = ((0, 0, ()), (3, 3, (0,)), (3, 1, (0,)), (3, 2, (1,)), (0, 5, ()), (3, 4, (5,)))


def slow_symbols(
    order: Sequence[tuple[int, int, tuple[int, ...]]],
    cells: tuple[int, int],
    design: Design = NANO_DESIGN,
    seed: int = 0,
    moves: float = 1.0,
) -> list[FrameSymbols]:
    """Frames of which each continued one is mostly as its reference, and wholly so in all cells
    but a share that `moves`."""
    random = np.random.default_rng(seed)
    made: dict[int, NDArray[np.int16]] = {}
    for number, (kind, position, references) in enumerate(order):
        symbols = prior_symbols(100 * seed + number, design, cells, 0.3)
        if kind == FrameKind.C:
            changed = random.random(symbols.shape) < 0.05
            if moves < 1:
                changed &= random.random(cells) < moves
            symbols = np.where(changed, symbols, made[references[0]])
            symbols[0] = made[references[0]][0]
        made[position] = symbols
    return [(FrameKind(kind), at, references, made[at]) for kind, at, references in order]


def body_with_priors(
    frames: Sequence[FrameSymbols],
    models: tuple[str, ...],
    priors: Priors,
) -> LatentBody:
    """A body from (kind, position, references, symbols) in decoding order, of quality 17."""
    of_kind: dict[FrameKind, NDArray[np.int16]] = {}
    coded: dict[int, NDArray[np.int16]] = {}
    packets = []
    for kind, position, references, symbols in frames:
        previous = coded[references[0]] if kind is FrameKind.C else of_kind.get(kind)
        data = encode_with_prior(symbols, 17, priors[kind], previous)
        of_kind[kind] = coded[position] = symbols
        packets.append(LatentPacket(kind, position, references, 17, data))
    i, p, b, c = (prior.prior_id for prior in priors)
    return LatentBody(models, ((0,) * 16,) * 3, tuple(packets), (i, p, b, c))
