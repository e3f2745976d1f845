"""A scene's filter: least squares for groups of classes, then coefficients that are worth their
bits.

Classes that gain least by filters of their own are merged two by two, as encoders of VVC do for its
adaptive loop filter; of the numbers of filters that this passes, the one that costs least is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.range_coder import fit_table
from ..runtime.scale_tables import MAX_SYMBOL, load_scale_tables
from ..runtime.scene_filter import CLASSES, PlaneFilter, SceneFilter, runs_of
from .filter_statistics import PlaneStatistics, Reals

Levels = NDArray[np.int64]

_COUNTS = (64, 48, 36, 28, 22, 17, 13, 10, 8, 6, 5, 4, 3, 2, 1)
# Coefficients are in parts of 2**7 first; the number of filters hardly depends on it.
_SHIFT, _OTHER_SHIFTS = 7, (6, 8)
_SWEEPS = 4
# Of the largest product of a tap's values with themselves: taps that hardly differ stay small.
_RIDGE = 1e-6
_FIRST_TABLE = 24
_HEAD_BITS = 48


def search_filter(statistics: Sequence[PlaneStatistics], bits: int) -> SceneFilter | None:
    """The filter that helps a scene of so many bits most for what it costs; None for none.

    What is minimised is the error left in each plane as a share of the base's, 6:1:1, and the
    filter's bits as a share of the scene's: twice the bits usually halve the error.
    """
    y, u, v = (_search_plane(number, each, max(1, bits)) for number, each in enumerate(statistics))
    return None if y is u is v is None else SceneFilter((y, u, v))


@dataclass(frozen=True, eq=False)
class _Found:
    """A plane's filter, and what it costs: less than nothing if it is worth its bits."""

    cost: float
    groups: list[list[int]]
    filter: PlaneFilter


def _search_plane(number: int, known: PlaneStatistics, bits: int) -> PlaneFilter | None:
    """The plane's part; None where it is not worth its bits."""
    found = [_rounded(number, known, groups, _SHIFT, bits) for groups in _partitions(known)]
    if not found:
        return None
    best = min(found, key=lambda each: each.cost)
    others = [_rounded(number, known, best.groups, shift, bits) for shift in _OTHER_SHIFTS]
    best = min([best, *others], key=lambda each: each.cost)
    return best.filter if best.cost < 0.0 else None


def _rounded(
    number: int, known: PlaneStatistics, groups: list[list[int]], shift: int, bits: int
) -> _Found:
    """A filter for each group of classes, in parts of 2**`shift`."""
    products = np.stack([known.products[group].sum(axis=0) for group in groups])
    lacking = np.stack([known.lacking[group].sum(axis=0) for group in groups])
    fit = _Fit(products / 4.0**shift, lacking / 2.0**shift, runs_of(number), 1.0 / bits, known.risk)
    levels, coded = fit.levels()
    filters = _filters(groups)
    coded += _symbol_bits(np.diff(filters, prepend=0)) + _HEAD_BITS
    made = PlaneFilter(shift, levels.astype(np.int8), tuple(filters.tolist()))
    risk = known.risk * np.count_nonzero(levels)
    return _Found(fit.change(levels) + coded / bits + risk, groups, made)


def _partitions(known: PlaneStatistics) -> Iterator[list[list[int]]]:
    """The classes that were seen, in ever fewer groups, in the order of their first classes."""
    groups = [[number] for number in np.flatnonzero(known.samples).tolist()]
    if not groups:
        return
    products = [known.products[group[0]] for group in groups]
    lacking = [known.lacking[group[0]] for group in groups]
    gains = _gains(np.stack(products), np.stack(lacking))
    loss = np.full((len(groups), len(groups)), np.inf)
    for one in range(len(groups) - 1):
        loss[one, one + 1 :] = _losses(one, range(one + 1, len(groups)), products, lacking, gains)
    alive = list(range(len(groups)))
    while True:
        if len(alive) in _COUNTS:
            yield sorted((sorted(groups[each]) for each in alive), key=lambda group: group[0])
        if len(alive) == 1:
            return
        one, other = divmod(int(np.argmin(loss)), loss.shape[1])
        groups[one] = groups[one] + groups[other]
        products[one] = products[one] + products[other]
        lacking[one] = lacking[one] + lacking[other]
        gains[one] = _gains(products[one][None], lacking[one][None])[0]
        loss[other], loss[:, other] = np.inf, np.inf
        alive.remove(other)
        others = [each for each in alive if each != one]
        if others:
            losses = _losses(one, others, products, lacking, gains)
            for each, value in zip(others, losses, strict=True):
                loss[min(one, each), max(one, each)] = value


def _losses(
    one: int,
    others: Sequence[int],
    products: Sequence[Reals],
    lacking: Sequence[Reals],
    gains: Reals,
) -> Reals:
    """What is lost where `one` shares a filter with each of the others."""
    together = _gains(
        np.stack([products[one] + products[each] for each in others]),
        np.stack([lacking[one] + lacking[each] for each in others]),
    )
    lost: Reals = gains[one] + gains[list(others)] - together
    return lost


def _gains(products: Reals, lacking: Reals) -> Reals:
    """What the best filter of each [N, taps, taps] takes off the error."""
    best = _solved(products, lacking)
    gained: Reals = (best * lacking).sum(axis=1)
    return gained


def _solved(products: Reals, lacking: Reals) -> Reals:
    largest = np.einsum("nkk->nk", products).max(axis=1)
    ridge = np.eye(products.shape[1]) * (_RIDGE * largest + 1e-30)[:, None, None]
    solved: Reals = np.linalg.solve(products + ridge, lacking[..., None])[..., 0]
    return solved


def _filters(groups: Sequence[Sequence[int]]) -> Levels:
    """The group of each class; one that was not seen is in that of the class before."""
    filters = np.full(CLASSES, -1, np.int64)
    for number, group in enumerate(groups):
        filters[list(group)] = number
    last = 0
    for number in range(CLASSES):
        last = filters[number] = last if filters[number] < 0 else filters[number]
    return filters


def _symbol_bits(symbols: Levels) -> float:
    small = symbols.astype(np.int8)
    table = fit_table(small)
    if not table:
        return 0.0
    return float(load_scale_tables().bits[table][np.abs(symbols)].sum())


@dataclass(frozen=True, eq=False)
class _Fit:
    """Filters in levels: `products` and `lacking` are those of a level each, `kinds` the slices of
    taps that share a table, `price` what a bit counts for, `risk` a level that is not 0."""

    products: Reals
    lacking: Reals
    kinds: Sequence[slice]
    price: float
    risk: float

    def change(self, levels: Levels) -> float:
        """What levels [N, taps] do to the error; below zero is better."""
        made = np.einsum("nk,nkl,nl->", levels, self.products, levels, optimize=True)
        return float(made - 2 * (levels * self.lacking).sum())

    def levels(self) -> tuple[Levels, float]:
        """Levels [N, taps] that cost little, by descent one tap after the other, and their bits."""
        limit = MAX_SYMBOL
        levels = np.rint(_solved(self.products, self.lacking)).clip(-limit, limit).astype(np.int64)
        tables = [_FIRST_TABLE] * len(self.kinds)
        for _ in range(_SWEEPS):
            for kind, table in zip(self.kinds, tables, strict=True):
                bits = load_scale_tables().bits[max(table, 1)][: limit + 1]
                prices = self.price * bits.astype(np.float64)
                prices[1:] += self.risk
                for tap in range(kind.start, kind.stop):
                    self._choose(levels, tap, prices)
            tables = [fit_table(levels[:, kind].astype(np.int8)) for kind in self.kinds]
        return levels, sum(_symbol_bits(levels[:, kind]) for kind in self.kinds)

    def _choose(self, levels: Levels, tap: int, prices: Reals) -> None:
        """The best level of a tap for each filter, the other taps as they are."""
        own = self.products[:, tap, tap] + 1e-30
        slope = (levels * self.products[:, tap]).sum(axis=1) - self.lacking[:, tap]
        best = levels[:, tap] - slope / own
        near = np.rint(best).astype(np.int64)
        tried = np.stack([near - 1, near, near + 1, np.zeros_like(near)]).clip(
            -MAX_SYMBOL, MAX_SYMBOL
        )
        costs = own * np.square(tried - best) + prices[np.abs(tried)]
        levels[:, tap] = np.take_along_axis(tried, costs.argmin(axis=0)[None], axis=0)[0]
