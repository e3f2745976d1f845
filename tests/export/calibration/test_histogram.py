"""Streaming histograms."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from edgecodec.export.calibration.histogram import BINS, Histogram, empty, histogram
from edgecodec.runtime.errors import ExportError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from numpy.typing import NDArray

# A busy machine takes longer for an example than hypothesis allows it by default.
relaxed = settings(deadline=None)
FINITE = st_numpy.arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.floats(-1e4, 1e4, width=32),
)


def equal(a: Histogram, b: Histogram) -> bool:
    extremes = (a.exponent, a.minimum, a.maximum) == (b.exponent, b.minimum, b.maximum)
    return extremes and bool((a.counts == b.counts).all())


@relaxed
@given(st.lists(FINITE, min_size=1, max_size=4), st.randoms())
def test_neither_order_nor_pieces_change_the_result(
    pieces: list[NDArray[np.float32]], random: Random
) -> None:
    whole = histogram(np.concatenate(pieces), "x")
    shuffled = list(pieces)
    random.shuffle(shuffled)
    merged = empty()
    for piece in shuffled:
        merged = merged.merged(histogram(piece, "x"))
    assert equal(merged, whole)


@relaxed
@given(FINITE)
def test_every_value_lies_in_the_bin_that_counts_it(values: NDArray[np.float32]) -> None:
    found = histogram(values, "x")
    edges = (np.arange(BINS + 1) - BINS // 2) * found.width
    expected, _ = np.histogram(values.astype(np.float64), edges)
    np.testing.assert_array_equal(found.counts, expected)
    assert found.total == len(values)
    assert (found.minimum, found.maximum) == (values.min(), values.max())


@relaxed
@given(FINITE, st.floats(0, 1))
def test_a_quantile_is_exact_to_a_bin(values: NDArray[np.float32], share: float) -> None:
    found = histogram(values, "x")
    ordered = np.sort(values.astype(np.float64))
    exact = ordered[max(int(np.ceil(share * len(values))) - 1, 0)]
    assert exact <= found.quantile(share) <= exact + found.width


def test_the_largest_magnitudes_that_a_power_of_two_holds_have_bins() -> None:
    found = histogram(np.array([-4.0, 4.0, np.nextafter(np.float32(4), 0)], np.float32), "x")
    assert found.total == 3
    assert found.exponent == 3


def test_zeros_alone_and_nothing_are_no_special_case() -> None:
    zeros = histogram(np.zeros((1, 2, 3, 4), np.float32), "x")
    assert (zeros.total, zeros.minimum, zeros.maximum) == (24, 0, 0)
    assert equal(zeros.merged(empty()), zeros)
    small = histogram(np.array([0.01], np.float32), "x")
    assert zeros.merged(small).width == small.width
    grown = zeros.merged(histogram(np.array([1e30], np.float32), "x"))
    assert grown.counts[BINS // 2] == 24
    with pytest.raises(ValueError, match="empty"):
        empty().quantile(0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_name(value: float) -> None:
    with pytest.raises(ExportError, match="'features'"):
        histogram(np.array([1.0, value], np.float32), "features")
