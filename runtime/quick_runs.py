"""Quicker decoding of long runs of mostly small symbols; what is decoded stays the same.

A decoder finds a symbol by bisection, so among fewer symbols it is found sooner. A *short* table
has a table's middle symbols one by one, and all beyond them as one symbol on either side. While
none of those two occurs, the coder goes through the same states as with the whole table; where one
does, the block of symbols is decoded again with that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError
from .range_coder import RunDecoder
from .scale_tables import MAX_SYMBOL, PRECISION_BITS, load_scale_tables

_REACHES = (1, 2, 3, 6, 14, 30)
# One block in eight or fewer has to be decoded again if symbols are as the table says.
_BLOCK = 4096
_MOST_BEYOND = 1 << PRECISION_BITS - 15
# Below this, calls cost more than symbols.
_LEAST = 512
_BYTES_A_SYMBOL = 64


@dataclass(frozen=True)
class ShortTable:
    """A table's symbols -`reach` to `reach`; the model's first and last stand for all others."""

    reach: int
    model: Any


@cache
def short_tables() -> tuple[ShortTable | None, ...]:
    """Those of the 64 tables, None where symbols spread too far."""
    return tuple(_short(weights + 1) for weights in load_scale_tables().weights.astype(np.int64))


def _short(shares: NDArray[np.int64]) -> ShortTable | None:
    """Of a table's probabilities in 2**-24."""
    for reach in _REACHES:
        low, high = MAX_SYMBOL - reach, MAX_SYMBOL + reach + 1
        beyond = int(shares[:low].sum()), int(shares[high:].sum())
        if sum(beyond) < _MOST_BEYOND:
            joined = np.array([beyond[0], *shares[low:high], beyond[1]])
            # As in `load_scale_tables`: integers of this sum are taken as they are.
            model = constriction.stream.model.Categorical(
                (joined - 1).astype(np.float64), lazy=False, perfect=False
            )
            return ShortTable(reach, model)
    return None


class QuickRunDecoder(RunDecoder):
    """A `RunDecoder` that decodes the same in less time."""

    def __init__(self, words: bytes, what: str) -> None:
        super().__init__(words, what)
        self._short = short_tables()
        # Each block needs a copy of the coder, of all its words: they must not outweigh the block.
        self._least = max(_LEAST, len(words) // _BYTES_A_SYMBOL)

    def decode(self, table: int, count: int) -> NDArray[np.int8]:
        """The next `count` symbols, which table 0 to 63 codes. BitstreamError if damaged."""
        short = self._short[table]
        if short is None or count < self._least:
            return super().decode(table, count)
        symbols = np.empty(count, np.int8)
        block = max(_BLOCK, self._least)
        for start in range(0, count, block):
            part = symbols[start : start + block]
            part[:] = self._block(table, short, len(part))
        return symbols

    def _block(self, table: int, short: ShortTable, count: int) -> NDArray[np.int8]:
        before = self._coder.clone()
        try:
            found: NDArray[np.int32] = self._decoded(short.model, count)
            if found.min() > 0 and found.max() < 2 * short.reach + 2:
                return (found - (short.reach + 1)).astype(np.int8)
        except BitstreamError:
            # Real only if the whole table says so too: after a symbol beyond, anything may come.
            pass
        self._coder = before
        return super().decode(table, count)
