"""The networks of a prior: integers, computed exactly in float32 matrix products.

All weights and inputs are integers, and no sum of products, in whatever order and of whatever part
of them, reaches 2**24: a float32 holds each exactly, and multiplying by a power of two keeps it so.
No processor, library or number of threads can then change a result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HIDDEN_LARGEST = 127
GATE_BITS = 6
_OPEN_GATE = 1 << GATE_BITS
_MOST_TABLE = 63
# Cells at once: what they need stays in a processor's cache, and some features none of them has.
_BLOCK = 512
# To leave out rows or columns of zeros costs about as much as this share of the products.
_MOST_BUSY_ROWS, _MOST_BUSY_COLUMNS = 0.8, 0.9

Features = NDArray[np.int8]
Reals = NDArray[np.float32]
Tables = NDArray[np.uint8]
Means = NDArray[np.int32]
Gates = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a network gives for n cells.

    `tables` [n, channels] are 0 to 63, `means` [n, channels] centres, None where all are 0.
    `gates` [n] are 0 to 64, None for priors that have none.
    """

    tables: Tables
    means: Means | None
    gates: Gates | None

    def at(self, place: NDArray[np.intp]) -> Outputs:
        """Those of other cells, each of which is as the one that `place` names."""
        return Outputs(
            self.tables[place],
            None if self.means is None else self.means[place],
            None if self.gates is None else self.gates[place],
        )


@dataclass(frozen=True, eq=False)
class Begun:
    """What all groups' networks have begun with for n cells, in `quality` and at `level`.

    `products` [n, H of all groups] are those of the features that all groups see, `busy` [n] says
    which cells have any that is not 0.
    """

    products: Reals
    busy: NDArray[np.bool_]
    quality: int
    level: int


@dataclass(frozen=True, eq=False)
class KindNetworks:
    """The networks of all groups, for cells of one kind.

    `shared` [features, H of all groups] are their weights for the features that all groups see.
    """

    shared: Reals
    groups: tuple[GroupNetwork, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates for a cell."""
        return self.shared.size + sum(group.macs for group in self.groups)

    def begin(self, features: Features, quality: int, level: int) -> Begun:
        """Take in the features [n, at least as many as `shared` has] of cells."""
        seen = features[:, : len(self.shared)]
        busy: NDArray[np.bool_] = np.any(seen, axis=1)
        rows = np.flatnonzero(busy)
        if len(rows) > _MOST_BUSY_ROWS * len(seen):
            return Begun(self._products(seen), busy, quality, level)
        products = np.zeros((len(seen), self.shared.shape[1]), np.float32)
        products[rows] = self._products(seen[rows])
        return Begun(products, busy, quality, level)

    def _products(self, features: Features) -> Reals:
        products = np.empty((len(features), self.shared.shape[1]), np.float32)
        for start in range(0, len(features), _BLOCK):
            block, weights = features[start : start + _BLOCK], self.shared
            busy = np.flatnonzero(np.bitwise_or.reduce(block, axis=0))
            if len(busy) < _MOST_BUSY_COLUMNS * len(weights):
                block, weights = block.take(busy, axis=1), weights[busy]
            np.matmul(block.astype(np.float32), weights, out=products[start : start + _BLOCK])
        return products


@dataclass(frozen=True, eq=False)
class GroupNetwork:
    """Gives tables, and centres and gates where it has them, of one group's symbols.

    Arrays are float32 of integers over powers of two. What has `begun` holds its products in
    columns `place`; `own` [own features, H] adds those of the features of groups before it, and
    `biases` [64, 5, H] what the first layer adds at each quality and level. `second` [H, H] and
    `table` [H, channels, and 1 if `gated`] turn that into tables and the gate, `mean` into
    centres.
    """

    place: slice
    own: Reals
    biases: Reals
    second: Reals
    second_bias: Reals
    table: Reals
    table_bias: Reals
    mean: Reals | None
    mean_bias: Reals | None
    gated: bool

    @property
    def macs(self) -> int:
        """Multiply-accumulates for a cell, without what has begun."""
        matrices = (self.own, self.second, self.table, self.mean)
        return sum(matrix.size for matrix in matrices if matrix is not None)

    def run(self, begun: Begun, own: Features) -> Outputs:
        """What comes of cells, with the features [n, at least as many as `own` has] of groups
        before."""
        own, products = own[:, : len(self.own)], begun.products[:, self.place]
        bias = self.biases[begun.quality, begun.level]
        busy = begun.busy | own.any(axis=1)
        count = np.count_nonzero(busy)
        if count > _MOST_BUSY_ROWS * len(busy):
            return self._run(products, own, bias)
        # Where nothing moves, most cells see nothing: one of them stands for all.
        rows = np.append(np.flatnonzero(busy), busy.argmin())
        place = np.where(busy, busy.cumsum() - 1, count)
        return self._run(products[rows], own[rows], bias).at(place)

    def _run(self, products: Reals, own: Features, bias: Reals) -> Outputs:
        count, channels = len(products), self.table.shape[1] - self.gated
        tables = np.empty((count, channels), np.uint8)
        means = None if self.mean is None else np.empty(tables.shape, np.int32)
        gates = np.empty(count, np.uint8) if self.gated else None
        for start in range(0, count, _BLOCK):
            rows = slice(start, start + _BLOCK)
            hidden = own[rows].astype(np.float32) @ self.own
            hidden += products[rows]
            hidden = _clipped(hidden, bias)
            hidden = _clipped(hidden @ self.second, self.second_bias)
            levels = hidden @ self.table
            levels += self.table_bias
            # Below zero truncation is no floor, but there both are clipped to 0.
            if gates is not None:
                gates[rows] = np.clip(levels[:, -1], 0, _OPEN_GATE)
                levels = levels[:, :-1]
            tables[rows] = np.clip(levels, 0, _MOST_TABLE, out=levels)
            if means is not None:
                assert self.mean is not None
                assert self.mean_bias is not None
                sums = (hidden @ self.mean + self.mean_bias).astype(np.int32)
                means[rows] = (sums + 256) >> 9
        return Outputs(tables, means, gates)


def _clipped(sums: Reals, bias: Reals) -> Reals:
    """The next layer's inputs, in place: whole numbers of 0 to 127."""
    sums += bias
    np.clip(sums, 0, HIDDEN_LARGEST, out=sums)
    return np.floor(sums, out=sums)
