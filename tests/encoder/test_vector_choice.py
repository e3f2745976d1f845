"""Vectors that are chosen together cost no more than those that the choice began with."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.vector_choice import CostOf, best_vectors
from edgecodec.runtime.vectors import MAX_VECTOR, Vectors, vector_bits
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

PRICE = 0.5


def nothing(cells: NDArray[np.intp], _: Vectors) -> NDArray[np.float32]:
    """Every vector leaves the same."""
    return np.zeros(len(cells), np.float32)


def by_chance(seed: int) -> CostOf:
    """What vectors leave has no reason, but is always the same for the same."""

    def cost(cells: NDArray[np.intp], vectors: Vectors) -> NDArray[np.float32]:
        down, across = vectors.astype(np.int64).T
        mixed = (cells * 7919 + down * 104729 + across * 1299709 + seed * 15485863) % 10007
        return (mixed / 10007 * 8).astype(np.float32)

    return cost


def total(vectors: Vectors, before: Vectors, cost_of: CostOf) -> float:
    flat = vectors.reshape(2, -1).T
    left = float(cost_of(np.arange(len(flat)), flat).sum(dtype=np.float64))
    return left + PRICE * vector_bits(vectors, before)


def random_field(random: np.random.Generator, shape: tuple[int, int]) -> Vectors:
    """Few different vectors in patches, and some that are like no other."""
    few = random.integers(-9, 10, (3, 2))
    patches = few[random.integers(0, 3, (shape[0] // 4 + 1, shape[1] // 4 + 1))]
    field = patches.repeat(4, 0).repeat(4, 1)[: shape[0], : shape[1]].transpose(2, 0, 1)
    odd = random.random(shape) < 0.2
    wild = random.integers(-MAX_VECTOR, MAX_VECTOR + 1, field.shape)
    return np.ascontiguousarray(np.where(odd, wild, field), np.int16)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    rows=st.integers(1, 20),
    columns=st.integers(1, 37),
)
def test_they_never_cost_more(seed: int, rows: int, columns: int) -> None:
    """Bits are those that the frame takes as it is sent, wherever its sides are."""
    random = np.random.default_rng(seed)
    start, before, offered = (random_field(random, (rows, columns)) for _ in range(3))
    # A field of zeros is free, which no cell can foresee.
    assume(start.any())
    cost_of = by_chance(seed)
    found = best_vectors(start, (offered,), before, cost_of, PRICE)
    assert found.shape == start.shape
    assert found.dtype == np.int16
    assert np.abs(found).max() <= MAX_VECTOR
    assert total(found, before, cost_of) <= total(start, before, cost_of) + 1e-3


def test_a_cell_moves_as_those_around_it_where_that_is_as_good() -> None:
    start = np.full((2, 12, 20), 6, np.int16)
    start[:, 5, 7] = (-40, 31)
    start[:, 0, 0] = (3, 3)
    found = best_vectors(start, (), np.full_like(start, 6), nothing, PRICE)
    np.testing.assert_array_equal(found, np.full_like(start, 6))


def test_what_leaves_much_less_is_taken() -> None:
    """One cell is not as those around it, and is worth its bits."""
    start = np.full((2, 12, 20), 6, np.int16)
    wanted = np.array((-40, 31))

    def cost(cells: NDArray[np.intp], vectors: Vectors) -> NDArray[np.float32]:
        odd = cells == 5 * 20 + 7
        is_wanted = (vectors == wanted).all(axis=1)
        return np.where(odd & ~is_wanted, 500, 0).astype(np.float32)

    offered = start.copy()
    offered[:, 5, 7] = wanted
    found = best_vectors(start, (offered,), start, cost, PRICE)
    np.testing.assert_array_equal(found, offered)


def test_cells_come_nearer_step_by_step() -> None:
    """Vectors that nobody offered are found, where the way to them leaves less and less."""
    wanted = np.array((2, -1))

    def cost(cells: NDArray[np.intp], vectors: Vectors) -> NDArray[np.float32]:
        return (np.abs(vectors - wanted).sum(axis=1) * 100).astype(np.float32)

    start = np.zeros((2, 9, 9), np.int16)
    found = best_vectors(start, (), start, cost, PRICE)
    np.testing.assert_array_equal(found, np.broadcast_to(wanted[:, None, None], found.shape))


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (16, 16)])
def test_where_nothing_costs_nothing_moves(shape: tuple[int, int]) -> None:
    still = np.zeros((2, *shape), np.int16)
    assert not best_vectors(still, (), still, nothing, PRICE).any()
