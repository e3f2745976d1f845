"""Frames between two others: motion, and what is left, that cost least together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.between_frames import Between, Sighted, encode_between, sighted
from ..runtime.latents import STEPS_Q16
from ..runtime.motion import Vectors
from ..runtime.motion_tables import MotionTables
from ..runtime.moved_frames import Shown, left_added
from ..runtime.prior import Prior
from ..runtime.prior_positions import Indices, coding_steps
from ..runtime.scale_tables import load_scale_tables
from ..runtime.sides import BOTH, FUTURE, PAST, SIDE_TABLES, Sides, side_contexts
from ..runtime.vectors import BETWEEN_TABLES, MAX_VECTOR
from .cell_costs import CellLevels, LevelCosts, rough_costs
from .motion_search import find_vectors
from .moved_coding import PRICE_OF_A_BIT, SEARCH_SHARE
from .reference import Reference
from .symbol_choice import Symbols, Weights, choose_symbols, symbol_costs
from .vector_choice import Costs, best_vectors

_SIDES = (BOTH, PAST, FUTURE)
_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class BetweenFrame:
    """A frame between two others as it is sent.

    `sides` [h, w] are the frames that cells are seen in, `symbols` [C, h, w] int16 what is left in
    quantiser's steps, `known` [C, h, w] what the prior sees, `shown` what the player has then,
    `vectors_before` [2, h, w] what foretells its vectors.
    """

    sides: Sides
    symbols: Symbols
    known: Symbols
    shown: Shown
    vectors_before: Vectors

    def packet(self, quality: int, prior: Prior) -> bytes:
        """See `Moved.packet`."""
        motion = self.shown.vectors, self.sides
        return encode_between(
            *motion, self.symbols, self.known, self.vectors_before, quality, prior
        )

    def seen(self, quality: int) -> Symbols:
        """See `Moved.seen`."""
        return self.known


def between_frame(
    wanted: NDArray[np.float32],
    luma: NDArray[np.uint8],
    references: tuple[Reference, Reference],
    away: tuple[int, int],
    quality: int,
    prior: Prior,
    tables: MotionTables,
    *,
    price_of_vectors: float,
    price: float = PRICE_OF_A_BIT,
    weights: Weights | None = None,
) -> BetweenFrame:
    """A frame whose latents are `wanted` [C, h, w], in quantiser's steps, between two
    `references`, from the first of which it is `away` frames, and from it the second.

    `luma` [16 h, 16 w] is its own; `price_of_vectors` is that of a bit in squared grey levels,
    `price` in squared quantiser's steps, `weights` as of `choose_symbols`.
    """
    past, future = references
    between = Between(past.shown, future.shown, *away)
    step = np.float32(STEPS_Q16[quality] / (1 << 16))
    source, search = luma.astype(np.float32), SEARCH_SHARE * price_of_vectors
    found, after = (find_vectors(each.luma, source, search) for each in references)
    turned = _turned(after, *away)
    middle = ((found.astype(np.int32) + turned) >> 1).astype(np.int16)
    offered = found, turned, middle
    before = between.vectors_before()
    counts = np.ones(between.shape, np.float32) if weights is None else weights
    sights = CellLevels(past, tables), CellLevels(future, tables)
    cells_wanted = wanted.reshape(len(wanted), -1)

    def side_costs(cells: Indices, vectors: Vectors, cost_of: LevelCosts) -> Costs:
        """What cells [n] cost by vectors [n, 2], seen in each of the sides [3, n]."""
        seen = Sighted(sights[0](cells, vectors), sights[1](cells, between.mirrored(vectors)))
        costs = []
        for side in _SIDES:
            expected = seen.expected(np.full(len(cells), side, np.uint8))
            left = cells_wanted[:, cells] - expected / step
            costs.append(cost_of(cells, left.astype(np.float32, copy=False)))
        return np.stack(costs)

    def chosen(start: Vectors, sides: Sides, cost_of: LevelCosts) -> tuple[Vectors, Sides]:
        """Vectors, and then sides, that cost least where others have `sides`."""
        spent = np.float32(price) * _side_bits(sides)

        def least(cells: Indices, vectors: Vectors) -> Costs:
            cost: Costs = (side_costs(cells, vectors, cost_of) + spent[:, cells]).min(axis=0)
            return cost

        vectors = best_vectors(start, offered, before, least, price, BETWEEN_TABLES)
        flat = np.ascontiguousarray(vectors.reshape(2, -1).T)
        costs = side_costs(np.arange(len(flat)), flat, cost_of)
        return vectors, _best_sides(costs, sides, price)

    def sent(vectors: Vectors, sides: Sides) -> BetweenFrame:
        seen_by = sighted(between, vectors, tables, (past.picture, future.picture))
        expected, known = seen_by.expected(sides), seen_by.seen(sides, quality)
        left = (wanted - expected / step).astype(np.float32)
        symbols = choose_symbols(left, quality, prior, known, price=price, weights=weights)
        shown = Shown(left_added(expected, symbols, quality), vectors, away[0])
        return BetweenFrame(sides, symbols, known, shown, before)

    rough = rough_costs(counts.ravel())
    vectors, sides = chosen(found, np.zeros(between.shape, np.uint8), rough)
    frame = sent(vectors, sides)
    # Now it is known under which tables what is left is coded.
    exact = symbol_costs(frame.symbols, quality, prior, frame.known, price=price, weights=weights)
    return sent(*chosen(vectors, sides, exact))


def _turned(after: Vectors, ahead: int, behind: int) -> Vectors:
    """Vectors that point to the frame before, of those that point to the one after."""
    turned = np.rint(-after * (ahead / behind)).clip(-MAX_VECTOR, MAX_VECTOR)
    made: Vectors = turned.astype(np.int16)
    return made


def _side_bits(sides: Sides) -> Costs:
    """What each side takes of cells whose neighbours have `sides` [h, w]: [3, h * w]."""
    flat = sides.ravel()
    made = np.empty((len(_SIDES), flat.size), np.float32)
    for step in coding_steps(*sides.shape):
        made[:, step.cells] = _bits_in(side_contexts(step, flat))
    return made


def _bits_in(contexts: Indices) -> Costs:
    """What each side takes in contexts [n]: [3, n]."""
    bits: Costs = load_scale_tables().bits[SIDE_TABLES[contexts]][:, (0, 1, 1)].T
    return bits


def _best_sides(costs: Costs, sides: Sides, price: float) -> Sides:
    """Sides [h, w] of what they leave [3, h * w], and their bits at a `price`, cell by cell from
    `sides` on."""
    flat = sides.ravel().copy()
    for _ in range(_ROUNDS):
        for step in coding_steps(*sides.shape):
            spent = np.float32(price) * _bits_in(side_contexts(step, flat))
            flat[step.cells] = (costs[:, step.cells] + spent).argmin(axis=0)
    return flat.reshape(sides.shape)
