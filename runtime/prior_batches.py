"""What a prior says of each symbol of a frame, step by step, group by group: table and centre.

Symbols are known to an encoder, and decoded by a decoder as their tables become known; all else is
the same for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .prior import Prior
from .prior_features import Seen, Symbols
from .prior_network import GATE_BITS, Outputs
from .prior_positions import Step, coding_steps
from .scale_tables import MAX_SYMBOL

VALUES = 2 * MAX_SYMBOL + 1
Centres = NDArray[np.int16] | NDArray[np.int32]


class Source(Protocol):
    """Where the symbols of a step's cells come from: known to an encoder, or decoded."""

    def symbols(self, batch: Batch) -> tuple[Symbols, NDArray[np.int16]]:
        """Symbols [n, channels], and the numbers that stand for them in the coder."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What is coded at once: `channels`, in the prior's order, of a step's cells.

    `tables` [n, channels] are 0 to 63. `centres` are what numbers are relative to, None for zero;
    `has_whole` says that the first channel is a whole brightness, `is_chain` that each of its
    numbers is relative to the symbol before it in the step as well.
    """

    step: Step
    channels: slice
    tables: NDArray[np.uint8]
    centres: Centres | None
    has_whole: bool
    is_chain: bool


def coded_numbers(
    source: Source,
    shape: tuple[int, ...],
    quality: int,
    prior: Prior,
    previous: Symbols | None,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int16]]]:
    """Tables and numbers [n, channels] of each group of each step, in coding order."""
    height, width = shape
    before = None if previous is None or not prior.previous else coded_rows(previous, prior)
    seen = Seen(prior, (height, width), before)
    for step in coding_steps(height, width):
        brightness = seen.brightness(step)
        features = seen.features(step, brightness)
        networks = prior.networks[step.kind]
        begun = networks.begin(features, quality, step.level)
        own = features[:, prior.shape.own_start :]
        first = 0
        for group, network in enumerate(networks.groups):
            channels = slice(first, first + prior.groups[group])
            first = channels.stop
            has_whole = prior.whole and group == 0
            made = network.run(begun, own)
            was = None if made.gates is None else seen.before(step, channels)
            centres = _centres(made, was, brightness if has_whole else None)
            is_chain = has_whole and brightness is None
            batch = Batch(step, channels, made.tables, centres, has_whole, is_chain)
            symbols, numbers = source.symbols(batch)
            yield made.tables, numbers
            if batch.is_chain:
                brightness = _before(symbols[:, 0])
            seen.learn(step, group, symbols, brightness if has_whole else None, was, features)


def _centres(
    made: Outputs, was: Symbols | None, brightness: NDArray[np.int32] | None
) -> Centres | None:
    """What numbers are relative to: means, through the gate what `was`, and the brightness."""
    centres: Centres | None = made.means
    if made.gates is not None and was is not None:
        gates = made.gates.astype(np.int16)
        share = _through(gates[:, None], was)
        if brightness is not None:
            share = share.astype(np.int32)
            share[:, 0] = _through(gates, was[:, 0] - brightness)
        centres = share if centres is None else centres + share
    if brightness is not None:
        centres = np.zeros(made.tables.shape, np.int32) if centres is None else centres
        centres[:, 0] += brightness
    return centres


def _through(gates: NDArray[np.int16], was: Centres) -> Centres:
    """The share of `was`, symbols (or int32), that gates of 0 to 64 let through."""
    share = gates * was
    share += 1 << GATE_BITS - 1
    share >>= GATE_BITS
    return share


@dataclass(frozen=True, eq=False)
class Known:
    """Symbols [h * w, channels] in the prior's order."""

    rows: Symbols

    def symbols(self, batch: Batch) -> tuple[Symbols, NDArray[np.int16]]:
        symbols = self.rows[batch.step.cells, batch.channels]
        numbers = symbols.astype(np.int32)
        if batch.is_chain:
            numbers[:, 0] -= _before(symbols[:, 0])
        if batch.centres is not None:
            numbers -= batch.centres
        return symbols, wrapped(numbers)


def _before(chain: Symbols) -> NDArray[np.int32]:
    """The symbol before each in a chain, 0 before the first."""
    return np.concatenate([[0], chain[:-1]]).astype(np.int32)


def wrapped(numbers: NDArray[np.int32]) -> NDArray[np.int16]:
    """Modulo 255, as -127 to 127."""
    if numbers.min() >= -MAX_SYMBOL and numbers.max() <= MAX_SYMBOL:
        return numbers.astype(np.int16)
    return ((numbers + MAX_SYMBOL) % VALUES - MAX_SYMBOL).astype(np.int16)


def coded_rows(symbols: Symbols, prior: Prior) -> Symbols:
    """[h * w, channels] in the prior's order, of [channels, h, w]."""
    return np.ascontiguousarray(symbols.reshape(prior.channels, -1)[prior.order].T)
