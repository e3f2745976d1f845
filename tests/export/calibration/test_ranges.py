"""Ranges from histograms."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.export.calibration import RangeMethod, Statistics, ranges
from edgecodec.export.calibration.histogram import empty, histogram
from edgecodec.export.calibration.ranges import least_error_range
from edgecodec.export.quantization import Activations
from numpy.typing import NDArray


def statistics(**tensors: NDArray[np.float32]) -> Statistics:
    histograms = {name: histogram(values, name) for name, values in tensors.items()}
    return Statistics("toy", 1, histograms, {})


def spread(outlier: float) -> NDArray[np.float32]:
    """200,000 values from 0 to 0.5, and one that lies far out."""
    values = np.linspace(0, 0.5, 200_000, dtype=np.float32)
    values[0] = outlier
    return values


def test_the_architecture_needs_no_statistics() -> None:
    assert ranges(statistics(x=spread(6)), RangeMethod.ARCHITECTURE) == {}


def test_each_method_treats_an_outlier_in_its_way() -> None:
    found = statistics(x=spread(6))
    (low, high) = ranges(found, RangeMethod.MINMAX)["x"]
    assert (low, high) == (0, 6)
    for percentile, expected in ((99.9, 0.4995), (99, 0.495), (100, 6)):
        (low, high) = ranges(found, RangeMethod.PERCENTILE, percentile=percentile)["x"]
        assert low == 0
        assert high == pytest.approx(expected, abs=0.003)


def test_the_least_error_weighs_clipping_against_rounding() -> None:
    """By brute force over the values themselves: no other range is better."""
    random = np.random.default_rng(4)
    values = np.minimum(random.exponential(0.3, 50_000), 6).astype(np.float32)
    low, high = least_error_range(histogram(values, "x"), Activations.U8)

    def error(top: float) -> float:
        step = top / 255
        rounded = np.clip(np.rint(values / step), 0, 255) * step
        return float(((rounded - values) ** 2).mean())

    assert low == 0
    assert error(high) <= 1.02 * min(error(top) for top in np.linspace(0.1, 6, 200))
    assert high < 0.97 * values.max()


def test_int8_has_half_the_levels_and_clips_more() -> None:
    values = histogram(np.random.default_rng(4).exponential(0.3, 50_000).astype(np.float32), "x")
    _, wide = least_error_range(values, Activations.U8)
    _, narrow = least_error_range(values, Activations.S8)
    assert narrow < wide


@pytest.mark.parametrize("method", [RangeMethod.MINMAX, RangeMethod.PERCENTILE, RangeMethod.MSE])
def test_zero_is_in_every_range(method: RangeMethod) -> None:
    high = np.linspace(2, 3, 1000, dtype=np.float32)
    found = ranges(statistics(positive=high, negative=-high, both=high - 2.5), method)
    assert found["positive"][0] == 0
    assert found["positive"][1] == pytest.approx(3, rel=0.02)
    assert found["negative"][0] == pytest.approx(-3, rel=0.02)
    assert found["negative"][1] == 0
    assert found["both"] == pytest.approx((-0.5, 0.5), rel=0.05)


@pytest.mark.parametrize("method", list(RangeMethod))
def test_a_tensor_of_zeros_keeps_the_range_of_the_architecture(method: RangeMethod) -> None:
    found = statistics(zeros=np.zeros(10, np.float32))
    assert ranges(found, method) == {}
    assert ranges(Statistics("toy", 1, {"unseen": empty()}, {}), method) == {}


@pytest.mark.parametrize("percentile", [50, 100.1, float("nan")])
def test_a_percentile_that_makes_no_sense_is_refused(percentile: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        ranges(statistics(x=spread(6)), RangeMethod.PERCENTILE, percentile=percentile)
