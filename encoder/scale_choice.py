"""Scale indices that cost least together with the symbols that they code.

`runtime.symbols.choose_scale_index` takes for each group the table with the fewest bits. But the
indices are coded too, each as a difference from the one to its left, so a table that is a little
worse may be cheaper if it is the neighbour's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..runtime.scale_tables import TABLES, load_scale_tables
from ..runtime.symbols import (
    GROUP_CELLS,
    GROUP_CHANNELS,
    Latent,
    ScaleIndex,
    choose_difference_tables,
    choose_scale_index,
    index_shape,
)

Costs = NDArray[np.float32]
_PASSES = 2
_FORBIDDEN = np.float32(1e9)


def economical(symbols: NDArray[np.int8]) -> Latent:
    """Symbols [64, h, w] of a frame that refers to none before it, with its scale indices."""
    index = choose_scale_index(symbols)
    costs = _symbol_bits(symbols)
    for _ in range(_PASSES):
        tables = choose_difference_tables([index])
        index = np.stack(
            [_cheapest(cost, table) for cost, table in zip(costs, tables, strict=True)]
        )
    return Latent(symbols, index)


def _symbol_bits(symbols: NDArray[np.int8]) -> Costs:
    """Bits of every group's symbols with every table, [16, rows, columns, 64]."""
    _, height, width = symbols.shape
    groups, rows, columns = index_shape(height, width)
    padding = ((0, 0), (0, rows * GROUP_CELLS - height), (0, columns * GROUP_CELLS - width))
    sizes = np.abs(np.pad(symbols, padding).astype(np.int16))
    there = np.pad(np.ones((height, width), np.float32), padding[1:])
    shape = (groups, GROUP_CHANNELS, rows, GROUP_CELLS, columns, GROUP_CELLS)
    order = (0, 2, 4, 1, 3, 5)
    cells = sizes.reshape(shape).transpose(order).reshape(groups, rows, columns, -1)
    counted = np.broadcast_to(there, sizes.shape).reshape(shape).transpose(order)
    weights = counted.reshape(cells.shape)
    bits = load_scale_tables().bits
    made = np.empty((groups, rows, columns, TABLES), np.float32)
    # Nothing is coded with table 0, and nothing but zeros can be.
    made[..., 0] = np.where(cells.any(axis=-1), _FORBIDDEN, 0)
    for table in range(1, TABLES):
        made[..., table] = (bits[table][cells] * weights).sum(axis=-1)
    return made


def _cheapest(cost: Costs, table: int) -> ScaleIndex:
    """The indices [rows, columns] of one group of channels whose differences `table` codes."""
    rows, columns, _ = cost.shape
    chosen = np.empty((rows, columns), np.uint8)
    if not table:
        # Nothing may differ: all are as they were predicted, which is 0.
        chosen[:] = 0
        return chosen
    change = _difference_bits(table)
    above = 0
    for row in range(rows):
        best = change[above] + cost[row, 0]
        origins = np.zeros((columns, TABLES), np.intp)
        for column in range(1, columns):
            total = best[:, None] + change
            origins[column] = total.argmin(axis=0)
            best = total.min(axis=0) + cost[row, column]
        at = int(best.argmin())
        for column in range(columns - 1, -1, -1):
            chosen[row, column] = at
            at = int(origins[column, at])
        above = int(chosen[row, 0])
    return chosen


def _difference_bits(table: int) -> Costs:
    """Bits of the step from every index to every other, [64, 64]."""
    index = np.arange(TABLES)
    half = TABLES // 2
    difference = (index[None] - index[:, None] + half) % TABLES - half
    bits: Costs = load_scale_tables().bits[table][np.abs(difference)].astype(np.float32)
    return bits
