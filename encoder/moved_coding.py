"""Frames that continue another by motion: vectors, and what is left, that cost least together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.frame_levels import Levels
from ..runtime.latents import STEPS_Q16
from ..runtime.motion import Vectors, drawn, expected_levels
from ..runtime.motion_tables import MotionTables
from ..runtime.moved_frames import Shown, encode_moved, left_added, seen_before
from ..runtime.prior import Prior
from .motion_search import find_vectors
from .symbol_choice import Weights, choose_symbols

PRICE_OF_A_BIT = 0.12
"""In squared quantiser's steps."""
# Of what is left of a latent, in squared steps: what coding it costs at least, and its growth.
_LEAST, _GROWTH = 0.7, 0.1
_PASSES = 3
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
    before, or not at all, saves bits. So cells do where what is left costs hardly more.
    """
    picture = drawn(before.levels, tables)
    reference = (picture.luma / 2 + 128).astype(np.float32)

    def tried(field: Vectors) -> _Option:
        levels = expected_levels(before.levels, field, tables, picture)
        return _Option(field, levels, _cost(wanted - levels / step))

    none, as_before = tried(np.zeros_like(before.vectors)), tried(before.vectors)
    best = tried(find_vectors(reference, luma.astype(np.float32), _SEARCH_SHARE * price))
    for _ in range(_PASSES):
        common = tried(_medians(best.vectors, before.vectors))
        best = _cheapest((none, as_before, common, best), common.vectors)
    return best.vectors, best.expected


@dataclass(frozen=True, eq=False)
class _Option:
    """Vectors [2, h, w] for each cell, the levels [C, h, w] that they give, and what is left of the
    cells costs [h, w]."""

    vectors: Vectors
    expected: Levels
    cost: NDArray[np.floating]


def _cheapest(options: tuple[_Option, ...], common: Vectors) -> _Option:
    """For each cell the option that costs least, where vectors are coded against `common` ones."""
    bits = [_vector_bits(option.vectors - common) for option in options]
    costs = [
        option.cost + PRICE_OF_A_BIT * each for option, each in zip(options, bits, strict=True)
    ]
    best = np.argmin(np.stack(costs), axis=0)
    return _Option(
        np.choose(best, [option.vectors for option in options]),
        np.choose(best, [option.expected for option in options]),
        np.choose(best, [option.cost for option in options]),
    )


def _medians(vectors: Vectors, before: Vectors) -> Vectors:
    """For each cell the median, by component, of its four neighbours' vectors and that of the cell
    in the frame before."""
    around = np.pad(vectors, ((0, 0), (1, 1), (1, 1)), mode="edge")
    five = [before, around[:, :-2, 1:-1], around[:, 2:, 1:-1]]
    five += [around[:, 1:-1, :-2], around[:, 1:-1, 2:]]
    return np.median(np.stack(five), axis=0).astype(np.int16)


def _vector_bits(differences: NDArray[np.int16]) -> NDArray[np.floating]:
    """About what vectors cost [h, w] that differ so [2, h, w] from what is expected."""
    sizes = np.abs(differences.astype(np.float32))
    bits: NDArray[np.floating] = (2 * np.log2(1 + sizes)).sum(axis=0) + sizes.any(axis=0)
    return bits


def _cost(left: NDArray[np.floating]) -> NDArray[np.floating]:
    """About what is left of cells [C, h, w] in quantiser's steps costs, in squared steps: it is
    either coded or stays as an error."""
    squared = np.square(left)
    cost: NDArray[np.floating] = np.minimum(squared, _LEAST + _GROWTH * np.log2(1 + squared)).sum(0)
    return cost
