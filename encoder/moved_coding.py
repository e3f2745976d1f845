"""Frames that continue another by motion: vectors, and what is left, that cost least together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.frame_levels import Levels, clipped
from ..runtime.latents import STEPS_Q16
from ..runtime.motion import Picture, Vectors, drawn, expected_levels, seen_levels
from ..runtime.motion_tables import MotionTables
from ..runtime.moved_frames import Shown, encode_moved, left_added, seen_before
from ..runtime.prior import Prior
from ..runtime.prior_positions import Indices
from .motion_search import find_vectors
from .symbol_choice import Symbols, Weights, choose_symbols, symbol_costs
from .vector_choice import Costs, best_vectors

PRICE_OF_A_BIT = 0.12
"""In squared quantiser's steps."""
# Of what is left of a latent, in squared steps: what coding it costs at least, and its growth.
_LEAST, _GROWTH = 0.55, 0.2
# Squared grey levels of a window of luma for a bit of a vector, for each of the price's own.
_SEARCH_SHARE = 4.0


@dataclass(frozen=True, eq=False)
class MovedFrame:
    """A continued frame as it is sent.

    `expected` [C, h, w] are the levels that its vectors give, `symbols` [C, h, w] int16 what is
    left in quantiser's steps, `shown` what the player has then, `vectors_before` [2, h, w] those of
    the frame before.
    """

    expected: Levels
    symbols: NDArray[np.int16]
    shown: Shown
    vectors_before: Vectors

    def packet(self, quality: int, prior: Prior) -> bytes:
        """The frame's bytes."""
        vectors = self.shown.vectors
        return encode_moved(
            vectors, self.symbols, self.expected, self.vectors_before, quality, prior
        )

    def seen(self, quality: int) -> NDArray[np.int16]:
        """What the prior sees as the frame before, [C, h, w]."""
        return seen_before(self.expected, self.shown.vectors, quality)


def moved_frame(
    wanted: NDArray[np.float32],
    luma: NDArray[np.uint8],
    before: Shown,
    quality: int,
    prior: Prior,
    tables: MotionTables,
    *,
    price_of_vectors: float,
    weights: Weights | None = None,
) -> MovedFrame:
    """A frame whose latents are `wanted` [C, h, w], in quantiser's steps, after the one `before`.

    `luma` [16 h, 16 w] is its own; `price_of_vectors` is that of a bit in squared grey levels,
    `weights` as of `choose_symbols`.
    """
    step = np.float32(STEPS_Q16[quality] / (1 << 16))
    motion = _Motion(wanted, before.levels, step, drawn(before.levels, tables), tables)
    reference = (motion.picture.luma / 2 + 128).astype(np.float32)
    found = find_vectors(reference, luma.astype(np.float32), _SEARCH_SHARE * price_of_vectors)
    counts = np.ones(found.shape[1:], np.float32) if weights is None else weights

    def moved_by(vectors: Vectors) -> tuple[MovedFrame, Symbols]:
        """The frame with these vectors, and what its prior sees."""
        expected = expected_levels(before.levels, vectors, tables, motion.picture)
        seen = seen_before(expected, vectors, quality)
        left = (wanted - expected / step).astype(np.float32)
        symbols = choose_symbols(left, quality, prior, seen, price=PRICE_OF_A_BIT, weights=weights)
        shown = Shown(left_added(expected, symbols, quality), vectors)
        return MovedFrame(expected, symbols, shown, before.vectors), seen

    def rough(cells: Indices, vectors: Vectors) -> Costs:
        return _rough_cost(motion.left(cells, vectors), counts.ravel()[cells])

    # Where each cell is found best is not what costs least: to move as its neighbours do, as it
    # did before, or not at all, saves bits.
    first = best_vectors(found, (found,), before.vectors, rough, PRICE_OF_A_BIT)
    frame, seen = moved_by(first)
    # Now it is known under which tables what is left is coded.
    known = symbol_costs(frame.symbols, quality, prior, seen, price=PRICE_OF_A_BIT, weights=weights)

    def exact(cells: Indices, vectors: Vectors) -> Costs:
        return known(cells, motion.left(cells, vectors))

    vectors = best_vectors(first, (found,), before.vectors, exact, PRICE_OF_A_BIT)
    return moved_by(vectors)[0]


@dataclass(frozen=True, eq=False)
class _Motion:
    """A frame whose latents are `wanted` [C, h, w], in quantiser's steps of `step` levels, after
    one with `levels` that is drawn as `picture`."""

    wanted: NDArray[np.float32]
    levels: Levels
    step: np.float32
    picture: Picture
    tables: MotionTables

    def left(self, cells: Indices, vectors: Vectors) -> NDArray[np.float32]:
        """What is left of cells [n], flat positions, by vectors [n, 2]: [C, n] quantiser's
        steps."""
        channels, _, columns = self.wanted.shape
        expected = self.levels.reshape(channels, -1)[:, cells].astype(np.int32)
        moving = np.flatnonzero(vectors.any(axis=1))
        places = np.stack(np.divmod(cells[moving], columns), axis=1)
        there = vectors[moving].astype(np.intp)
        expected[:, moving] = seen_levels(self.picture, places, there, self.tables).T
        left = self.wanted.reshape(channels, -1)[:, cells] - clipped(expected) / self.step
        return left.astype(np.float32)


def _rough_cost(left: NDArray[np.float32], counts: Weights) -> Costs:
    """About what is left of cells [C, n] in quantiser's steps costs, in squared steps of which
    errors count for `counts` [n]: it is either coded or stays as an error."""
    squared = np.square(left)
    coded = _LEAST + _GROWTH * np.log2(1 + squared)
    cost: Costs = np.minimum(counts * squared, coded).sum(axis=0)
    return cost
