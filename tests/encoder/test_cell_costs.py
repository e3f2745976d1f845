"""What single cells are expected to be, and about what they cost."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.cell_costs import CellLevels, rough_costs
from edgecodec.encoder.reference import Reference
from edgecodec.runtime.motion import expected_levels
from edgecodec.runtime.moved_frames import Shown
from hypothesis import given, settings
from hypothesis import strategies as st

from ..runtime.motion_samples import cosine_tables, some_levels, some_vectors

CHANNELS = 8
TABLES = cosine_tables(CHANNELS)
SIZES = np.linspace(0, 40, 401).astype(np.float32)

relaxed = settings(deadline=None, max_examples=40)


@relaxed
@given(st.integers(0, 2**32), st.tuples(st.integers(1, 5), st.integers(1, 6)))
def test_a_cell_is_expected_to_be_what_it_is_in_the_frame(
    seed: int, shape: tuple[int, int]
) -> None:
    levels, vectors = some_levels(seed, CHANNELS, shape), some_vectors(seed, shape)
    reference = Reference(Shown.still(levels), TABLES)
    wanted = expected_levels(levels, vectors, TABLES).reshape(CHANNELS, -1)
    # Some more than once, in any order.
    cells = np.random.default_rng(seed).integers(0, shape[0] * shape[1], 30)
    flat = vectors.reshape(2, -1).T
    found = CellLevels(reference, TABLES)(cells, flat[cells])
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, wanted[:, cells])
    np.testing.assert_array_equal(CellLevels(reference, TABLES)(cells[:0], flat[:0]).shape, (8, 0))


def test_what_is_expected_of_one_vector_is_not_that_of_another() -> None:
    levels = some_levels(1, CHANNELS, (3, 3))
    at = CellLevels(Reference(Shown.still(levels), TABLES), TABLES)
    still, moved = at(np.array([4, 4]), np.array([[0, 0], [9, -7]], np.int16)).T
    np.testing.assert_array_equal(still, levels[:, 1, 1])
    assert (still != moved).any()


def test_what_is_left_costs_more_the_larger_it_is_and_nothing_where_nothing_is() -> None:
    costs = rough_costs(np.ones(1, np.float32))(np.zeros(len(SIZES), np.intp), SIZES[None])
    assert costs[0] == 0
    assert (np.diff(costs) > 0).all()
    # What is small stays as it is, what is large is coded in bits that grow slowly.
    small = SIZES < 0.5
    np.testing.assert_allclose(costs[small], np.square(SIZES[small]), rtol=1e-6)
    assert costs[-1] < 5
    np.testing.assert_array_equal(
        costs, rough_costs(np.ones(1, np.float32))(np.zeros(len(SIZES), np.intp), -SIZES[None])
    )


def test_channels_add_up_and_errors_count_as_their_cell_does() -> None:
    counts = np.array([1, 0.25, 4], np.float32)
    left = np.array([[0.3, 0.3, 0.3], [-0.2, 0, 20]], np.float32)
    costs = rough_costs(counts)(np.array([0, 1, 2]), left)
    assert costs[0] == pytest.approx(0.13)
    assert costs[1] == pytest.approx(0.25 * 0.09)
    alone = rough_costs(counts)(np.array([2, 2]), left[:, 2].reshape(1, 2))
    assert costs[2] == pytest.approx(alone.sum())
    # Where errors count for more, coding them costs as much.
    assert alone[1] == rough_costs(np.ones(3, np.float32))(np.array([2]), left[1:, 2:])[0]
