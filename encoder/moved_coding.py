"""Frames that continue another by motion: vectors, and what is left, that cost least together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.frame_levels import Levels, clipped
from ..runtime.latents import STEPS_Q16
from ..runtime.motion import Vectors, drawn, expected_levels, seen_levels
from ..runtime.motion_tables import MotionTables
from ..runtime.moved_frames import Shown, encode_moved, left_added, seen_before
from ..runtime.prior import Prior
from ..runtime.prior_positions import Indices
from .motion_search import find_vectors
from .symbol_choice import Weights, choose_symbols
from .vector_choice import best_vectors

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
    vectors, expected = _motion(wanted, luma, before, step, tables, price_of_vectors)
    seen = seen_before(expected, vectors, quality)
    left = (wanted - expected / step).astype(np.float32)
    symbols = choose_symbols(left, quality, prior, seen, price=PRICE_OF_A_BIT, weights=weights)
    shown = Shown(left_added(expected, symbols, quality), vectors)
    return MovedFrame(expected, symbols, shown, before.vectors)


def _motion(
    wanted: NDArray[np.float32],
    luma: NDArray[np.uint8],
    before: Shown,
    step: np.float32,
    tables: MotionTables,
    price: float,
) -> tuple[Vectors, Levels]:
    """Vectors, and the levels expected by them.

    Where each cell is found best is not what costs least: to move as its neighbours do, as it did
    before, or not at all, saves bits (`vector_choice`).
    """
    picture = drawn(before.levels, tables)
    reference = (picture.luma / 2 + 128).astype(np.float32)
    channels, _, columns = wanted.shape
    cells_wanted = wanted.reshape(channels, -1)
    levels = before.levels.reshape(channels, -1)

    def cost_of(cells: Indices, vectors: Vectors) -> NDArray[np.float32]:
        expected = levels[:, cells].astype(np.int32)
        moving = np.flatnonzero(vectors.any(axis=1))
        places = np.stack(np.divmod(cells[moving], columns), axis=1)
        seen = seen_levels(picture, places, vectors[moving].astype(np.intp), tables)
        expected[:, moving] = seen.T
        left = cells_wanted[:, cells] - clipped(expected[:, None])[:, 0] / step
        return _cost(left).astype(np.float32)

    found = find_vectors(reference, luma.astype(np.float32), _SEARCH_SHARE * price)
    vectors = best_vectors(found, (found,), before.vectors, cost_of, PRICE_OF_A_BIT)
    return vectors, expected_levels(before.levels, vectors, tables, picture)


def _cost(left: NDArray[np.floating]) -> NDArray[np.floating]:
    """About what is left of cells [C, h, w] in quantiser's steps costs, in squared steps: it is
    either coded or stays as an error."""
    squared = np.square(left)
    cost: NDArray[np.floating] = np.minimum(squared, _LEAST + _GROWTH * np.log2(1 + squared)).sum(0)
    return cost
