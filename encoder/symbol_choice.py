"""Symbols that cost least in bits and error together, as a prior codes them.

The nearest whole number is seldom the best: a symbol that the prior expects costs a fraction of a
bit, its neighbour several. As video encoders do for the coefficients of a transform ("RDOQ"), every
symbol is chosen among a few near its latent. What it does to other symbols' tables is left out of
the choice, but not of the account: the result is taken only if it costs less than where it began.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..runtime.prior import Prior
from ..runtime.prior_coding import coding_tables
from ..runtime.prior_part import groups_needed
from ..runtime.prior_shape import Previous
from ..runtime.scale_tables import MAX_SYMBOL, load_scale_tables
from .latent_symbols import BRIGHTNESS_RANGE, integer_symbols

Symbols = NDArray[np.int16]
Levels = NDArray[np.float32]
Weights = NDArray[np.float32]
PRICE_OF_A_BIT = 0.05
"""In squared quantiser's steps. Errors of latents are about those of pixels, and the step grows as
the root of the quality's price, so one price does for all qualities."""
PRICE_OF_A_CHANGE, PRICE_WHERE_STILL = 0.1, 0.2
"""The same in continued frames, and in those of them that hardly differ. They may be coarser than
the frame that they continue: what does not move is as fine as that was, and so for many frames."""
# A frame is still where the squares of changes are less than this share of the symbols' own.
_STILL = 0.2
_PASSES = 2
# Times as much: a player's work grows with the groups.
_FEWER_GROUPS_MAY_COST = 1.002
_STAYS_WITHIN = 0.75


def sent_symbols(
    levels: Tensor,
    quality: int,
    prior: Prior | None,
    previous: Symbols | None,
    *,
    followers: int = 0,
    weights: Weights | None = None,
) -> Symbols:
    """What is sent for an analysis network's latents [C, h, w] in quantiser's steps: chosen with a
    prior of whole brightness, else the nearest.

    `previous` and `weights` as of `choose_symbols`; `followers` is how many continued frames come
    after an I-frame.
    """
    if prior is None or not prior.whole:
        return integer_symbols(levels, prior)
    # What an I-frame's bits are spent on stays in the frames that continue it.
    price = PRICE_OF_A_BIT / (1 + followers)
    found = levels.cpu().numpy()
    if prior.previous is Previous.GATED and previous is not None:
        price = PRICE_WHERE_STILL if _is_still(found, previous) else PRICE_OF_A_CHANGE
    return choose_symbols(found, quality, prior, previous, price=price, weights=weights)


def _is_still(levels: Levels, previous: Symbols) -> bool:
    """Whether a frame hardly differs from the one before, its whole brightness left out."""
    energy = float(np.square(previous[1:], dtype=np.float64).sum())
    return _error(levels[1:], previous[1:]) < _STILL * energy


def choose_symbols(
    levels: Levels,
    quality: int,
    prior: Prior,
    previous: Symbols | None = None,
    *,
    price: float = PRICE_OF_A_BIT,
    weights: Weights | None = None,
) -> Symbols:
    """Symbols [C, h, w] for latents [C, h, w] in quantiser's steps.

    `previous` are the symbols that the prior knows as the frame before, if it knows any: under one
    with gates, what stays as it was is as in it. Channel 0 of a whole brightness spans at most 255
    levels, all others are -127 to 127. `price` is that of a bit in squared steps.
    `weights` [h, w] are what squared errors count in each cell, 1 if None.
    """
    counts: Weights = np.ones((1, 1), np.float32) if weights is None else weights
    symbols = _allowed(np.rint(levels), prior)
    held = previous if prior.previous is Previous.GATED else None
    if held is not None:
        stays = np.abs(levels - held) < _STAYS_WITHIN
        symbols = _allowed(np.where(stays, held, symbols), prior)
    best, least = symbols, np.inf
    uncoded = np.zeros_like(symbols) if held is None else held
    for number in range(_PASSES + 1):
        tables, numbers = coding_tables(symbols, quality, prior, previous)
        bits = load_scale_tables().bits[tables, np.abs(numbers)]
        spent = counts * np.square(levels - symbols) + np.float32(price) * bits
        coded, cost = _coded_channels(spent, counts * np.square(levels - uncoded), prior)
        if cost < least:
            least, best = cost, uncoded.copy()
            best[coded] = symbols[coded]
        if number < _PASSES:
            expected = symbols - numbers
            chosen, _ = _chosen(levels, tables, expected, held, price / counts)
            symbols = _allowed(chosen, prior)
    return best


@dataclass(frozen=True, eq=False)
class SymbolCosts:
    """What latents cost under the tables by which a frame's symbols are coded.

    `tables` [C, cells] are those, `expected` [C, cells] what the numbers that they code are
    relative to, `coded` [C] says which channels are coded at all. `price` is as of
    `choose_symbols`, `weights` [cells] what squared errors count.
    """

    tables: NDArray[np.uint8]
    expected: Symbols
    coded: NDArray[np.bool_]
    price: float
    weights: Weights

    def __call__(self, cells: NDArray[np.intp], levels: Levels) -> Levels:
        """What the best symbols for latents [C, n] of cells [n], flat positions, cost [n], in
        squared quantiser's steps. They see what the frame's own symbols saw."""
        counts = self.weights[cells]
        left = np.square(levels[~self.coded]).sum(axis=0)
        _, cost = _chosen(
            levels[self.coded],
            self.tables[self.coded][:, cells],
            self.expected[self.coded][:, cells],
            None,
            self.price / counts,
        )
        total: Levels = (counts * (left + cost.sum(axis=0))).astype(np.float32)
        return total


def symbol_costs(
    symbols: Symbols,
    quality: int,
    prior: Prior,
    previous: Symbols,
    *,
    price: float,
    weights: Weights | None = None,
) -> SymbolCosts:
    """What latents cost in a frame that has `symbols` [C, h, w], under a prior that knows
    `previous` and expects nothing to stay; the rest is as of `choose_symbols`."""
    tables, numbers = coding_tables(symbols, quality, prior, previous)
    count = groups_needed(symbols, np.zeros_like(symbols), prior)
    coded = np.zeros(prior.channels, bool)
    coded[prior.order[: sum(prior.groups[:count])]] = True
    cells = symbols[0].size
    counts = np.ones(cells, np.float32) if weights is None else weights.ravel()
    shape = prior.channels, cells
    expected = (symbols - numbers).reshape(shape)
    return SymbolCosts(tables.reshape(shape), expected, coded, price, counts)


def _coded_channels(
    spent: NDArray[np.floating], left: NDArray[np.floating], prior: Prior
) -> tuple[NDArray[np.intp], float]:
    """The channels of as many groups as are worth coding, and what the frame then costs.

    `spent` [C, h, w] is what symbols cost that are coded, `left` what they cost that are not: they
    may have another table when groups are left out of what networks see, but hardly do.
    """
    difference = (spent - left).sum(axis=(1, 2), dtype=np.float64)[prior.order]
    ends = np.cumsum([0, *prior.groups])
    costs = float(left.sum(dtype=np.float64)) + np.concatenate([[0.0], difference.cumsum()])[ends]
    fewest = int(np.argmax(costs <= costs.min() * _FEWER_GROUPS_MAY_COST))
    return prior.order[: ends[fewest]], float(costs[fewest])


def _chosen(
    levels: Levels,
    tables: NDArray[np.uint8],
    expected: Symbols,
    held: Symbols | None,
    price: float | Weights,
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The best for every latent under its table, whose numbers are relative to what is
    `expected`, and what it costs; `held` are symbols of a frame before that may stay. `price` may
    be each cell's."""
    bits = load_scale_tables().bits
    nearest = np.rint(levels)
    candidates = [
        nearest - np.sign(nearest - expected),
        expected,
        np.zeros_like(nearest),
    ]
    if held is not None:
        candidates.append(held)
    best, least = nearest, np.full(levels.shape, np.inf, np.float32)
    for candidate in (nearest, *candidates):
        size = np.abs(candidate - expected).clip(max=MAX_SYMBOL).astype(np.intp)
        cost = np.square(levels - candidate) + np.asarray(price, np.float32) * bits[tables, size]
        best = np.where(cost < least, candidate, best)
        least = np.minimum(least, cost)
    return best, least


def _error(levels: Levels, symbols: Symbols) -> float:
    return float(np.square(levels - symbols).sum(dtype=np.float64))


def _allowed(symbols: NDArray[np.floating] | Symbols, prior: Prior) -> Symbols:
    made = symbols.clip(-MAX_SYMBOL, MAX_SYMBOL).astype(np.int16)
    if prior.whole:
        brightness = symbols[0].clip(-4 * MAX_SYMBOL, 4 * MAX_SYMBOL)
        made[0] = brightness.clip(max=brightness.min() + BRIGHTNESS_RANGE)
    return made
