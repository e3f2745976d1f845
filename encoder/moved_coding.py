"""Frames that continue another by motion: vectors, and what is left, that cost least together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..runtime.frame_levels import Levels
from ..runtime.latents import STEPS_Q16
from ..runtime.motion import Vectors, expected_levels
from ..runtime.motion_tables import MotionTables
from ..runtime.moved_frames import Shown, encode_moved, left_added, seen_before
from ..runtime.prior import Prior
from ..runtime.prior_positions import Indices
from .cell_costs import CellLevels, LevelCosts, rough_costs
from .motion_search import find_vectors
from .reference import Reference
from .symbol_choice import Symbols, Weights, choose_symbols, symbol_costs
from .vector_choice import CostOf, Costs, best_vectors

PRICE_OF_A_BIT = 0.12
"""In squared quantiser's steps."""
SEARCH_SHARE = 4.0
"""Squared grey levels of a window of luma for a bit of a vector, for each of the price's own."""


class Moved(Protocol):
    """A frame as it is sent of which vectors and what is left are known.

    `symbols` [C, h, w] int16 are what is left in quantiser's steps, `shown` what the player has
    then.
    """

    @property
    def symbols(self) -> Symbols:
        """See above."""

    @property
    def shown(self) -> Shown:
        """See above."""

    def packet(self, quality: int, prior: Prior) -> bytes:
        """The frame's bytes."""

    def seen(self, quality: int) -> Symbols:
        """What the prior sees as the frame before, [C, h, w]."""


@dataclass(frozen=True, eq=False)
class MovedFrame:
    """A continued frame as it is sent.

    `expected` [C, h, w] are the levels that its vectors give, `vectors_before` [2, h, w] those of
    the frame that it continues; the rest is as of `Moved`.
    """

    expected: Levels
    symbols: NDArray[np.int16]
    shown: Shown
    vectors_before: Vectors

    def packet(self, quality: int, prior: Prior) -> bytes:
        """See `Moved.packet`."""
        vectors = self.shown.vectors
        return encode_moved(
            vectors, self.symbols, self.expected, self.vectors_before, quality, prior
        )

    def seen(self, quality: int) -> NDArray[np.int16]:
        """See `Moved.seen`."""
        return seen_before(self.expected, self.shown.vectors, quality)


def moved_frame(
    wanted: NDArray[np.float32],
    luma: NDArray[np.uint8],
    reference: Reference,
    quality: int,
    prior: Prior,
    tables: MotionTables,
    *,
    price_of_vectors: float,
    price: float = PRICE_OF_A_BIT,
    weights: Weights | None = None,
    span: int = 1,
) -> MovedFrame:
    """A frame whose latents are `wanted` [C, h, w], in quantiser's steps, `span` frames after the
    `reference`.

    `luma` [16 h, 16 w] is its own; `price_of_vectors` is that of a bit in squared grey levels,
    `price` in squared quantiser's steps, `weights` as of `choose_symbols`.
    """
    before = reference.shown
    step = np.float32(STEPS_Q16[quality] / (1 << 16))
    source = luma.astype(np.float32)
    found = find_vectors(reference.luma, source, SEARCH_SHARE * price_of_vectors)
    counts = np.ones(found.shape[1:], np.float32) if weights is None else weights
    levels_at, cells_wanted = CellLevels(reference, tables), wanted.reshape(len(wanted), -1)

    def cost_by(cost_of: LevelCosts) -> CostOf:
        def cost(cells: Indices, vectors: Vectors) -> Costs:
            left = cells_wanted[:, cells] - levels_at(cells, vectors) / step
            return cost_of(cells, left.astype(np.float32, copy=False))

        return cost

    def moved_by(vectors: Vectors) -> tuple[MovedFrame, Symbols]:
        """The frame with these vectors, and what its prior sees."""
        expected = expected_levels(before.levels, vectors, tables, reference.picture)
        seen = seen_before(expected, vectors, quality)
        left = (wanted - expected / step).astype(np.float32)
        symbols = choose_symbols(left, quality, prior, seen, price=price, weights=weights)
        shown = Shown(left_added(expected, symbols, quality), vectors, span)
        return MovedFrame(expected, symbols, shown, before.vectors), seen

    # Where each cell is found best is not what costs least: to move as its neighbours do, as it
    # did before, or not at all, saves bits.
    rough = cost_by(rough_costs(counts.ravel()))
    first = best_vectors(found, (found,), before.vectors, rough, price)
    frame, seen = moved_by(first)
    # Now it is known under which tables what is left is coded.
    exact = cost_by(symbol_costs(frame.symbols, quality, prior, seen, price=price, weights=weights))
    vectors = best_vectors(first, (found,), before.vectors, exact, price)
    return moved_by(vectors)[0]
