"""Vectors that are chosen together cost no more than those that the choice began with."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.vector_choice import CostOf, best_vectors
from edgecodec.runtime.scale_tables import load_scale_tables
from edgecodec.runtime.vectors import (
    BETWEEN_TABLES,
    CONTINUED_TABLES,
    MAX_VECTOR,
    ContextTables,
    Vectors,
    vector_bits,
    vector_runs,
)
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


def bits_of(vectors: Vectors, before: Vectors, tables: ContextTables) -> float:
    """What vectors take as they are sent, under the tables of their frame's kind."""
    bits = load_scale_tables().bits
    runs = vector_runs(vectors, before, tables)
    return sum(float(bits[table, np.abs(numbers)].sum(dtype=np.float64)) for table, numbers in runs)


def total(vectors: Vectors, before: Vectors, cost_of: CostOf, tables: ContextTables) -> float:
    flat = vectors.reshape(2, -1).T
    left = float(cost_of(np.arange(len(flat)), flat).sum(dtype=np.float64))
    return left + PRICE * bits_of(vectors, before, tables)


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
    tables=st.sampled_from((CONTINUED_TABLES, BETWEEN_TABLES)),
)
def test_they_never_cost_more(seed: int, rows: int, columns: int, tables: ContextTables) -> None:
    """Bits are those that the frame takes as it is sent, wherever its sides are."""
    random = np.random.default_rng(seed)
    start, before, offered = (random_field(random, (rows, columns)) for _ in range(3))
    # A field of zeros is free, which no cell can foresee.
    assume(start.any())
    cost_of = by_chance(seed)
    found = best_vectors(start, (offered,), before, cost_of, PRICE, tables)
    assert found.shape == start.shape
    assert found.dtype == np.int16
    assert np.abs(found).max() <= MAX_VECTOR
    costs = [total(each, before, cost_of, tables) for each in (found, start)]
    assert costs[0] <= costs[1] + 1e-3


def test_vectors_are_those_of_a_frame_that_continues_another_where_nobody_says() -> None:
    random = np.random.default_rng(3)
    start, before, offered = (random_field(random, (12, 20)) for _ in range(3))
    plain, continued, between = (
        best_vectors(start, (offered,), before, by_chance(3), PRICE, *tables)
        for tables in ((), (CONTINUED_TABLES,), (BETWEEN_TABLES,))
    )
    np.testing.assert_array_equal(plain, continued)
    assert bits_of(plain, before, CONTINUED_TABLES) == pytest.approx(vector_bits(plain, before))
    # Each is best under its own tables.
    costs = {
        (number, kind): total(field, before, by_chance(3), tables)
        for number, tables in enumerate((CONTINUED_TABLES, BETWEEN_TABLES))
        for kind, field in enumerate((continued, between))
    }
    assert costs[0, 0] < costs[0, 1]
    assert costs[1, 1] < costs[1, 0]


@pytest.mark.parametrize("tables", [CONTINUED_TABLES, BETWEEN_TABLES], ids=["C", "B"])
def test_each_of_several_offers_may_be_taken(tables: ContextTables) -> None:
    """What is seen in one of two frames only is found in that one."""
    wanted = np.full((2, 12, 20), 8, np.int16)
    wanted[:, :, 10:] = -37
    one, other = (np.where(wanted == each, wanted, 90).astype(np.int16) for each in (8, -37))

    def cost(cells: NDArray[np.intp], vectors: Vectors) -> NDArray[np.float32]:
        off = (vectors != wanted.reshape(2, -1).T[cells]).any(axis=1)
        return np.where(off, 200, 0).astype(np.float32)

    still = np.zeros_like(wanted)
    found = best_vectors(still, (one, other), still, cost, PRICE, tables)
    np.testing.assert_array_equal(found, wanted)


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


def test_what_it_begins_with_stays_as_it_is() -> None:
    """Also as the search gives it, in whatever layout: it may be what is offered, and is offered to
    the last round."""
    random = np.random.default_rng(4)
    field = random_field(random, (6, 7))
    chosen = []
    for start in (field.copy("C"), np.asfortranarray(field), field.transpose(1, 2, 0).copy()):
        given = start if start.shape == field.shape else start.transpose(2, 0, 1)
        chosen.append(best_vectors(given, (given,), 0 * field, by_chance(1), PRICE))
        np.testing.assert_array_equal(given, field)
    assert (chosen[0] != field).any()
    for each in chosen[1:]:
        np.testing.assert_array_equal(each, chosen[0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (16, 16)])
def test_where_nothing_costs_nothing_moves(shape: tuple[int, int]) -> None:
    still = np.zeros((2, *shape), np.int16)
    assert not best_vectors(still, (), still, nothing, PRICE).any()
