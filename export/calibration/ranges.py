"""Ranges of inner activations from what they hold, in four ways."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np

from ..quantization import Activations
from .histogram import Histogram
from .statistics import Statistics

DEFAULT_PERCENTILE = 99.99
# Shares of the largest magnitude that are tried as the range, with the smallest error wins.
_TRIED = np.linspace(0.02, 1.0, 197)


class RangeMethod(StrEnum):
    """Where the range of an inner activation comes from.

    The architecture (ReLU6: 0 to 6), the smallest and largest value seen, all but a share of the
    values seen at each end, or the range whose rounding and clipping have the least mean square
    error together.
    """

    ARCHITECTURE = "architecture"
    MINMAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"


def ranges(
    statistics: Statistics,
    method: RangeMethod,
    *,
    percentile: float = DEFAULT_PERCENTILE,
    activations: Activations = Activations.U8,
) -> Mapping[str, tuple[float, float]]:
    """Real (low, high) by tensor, low <= 0 <= high, for a `Recipe`; none for the architecture's.

    A tensor that never held anything but zeros keeps the architecture's range and is left out.
    `percentile` is above 50 and at most 100; `activations` says for which integers the mean square
    error is.
    """
    if not 50 < percentile <= 100:
        raise ValueError(f"a percentile of {percentile} is not above 50 and at most 100")
    if method is RangeMethod.ARCHITECTURE:
        return {}
    found = {}
    for name, values in statistics.histograms.items():
        if not values.total or values.minimum == values.maximum == 0:
            continue
        if method is RangeMethod.MINMAX:
            low, high = values.minimum, values.maximum
        elif method is RangeMethod.PERCENTILE:
            low = values.quantile(1 - percentile / 100)
            high = values.quantile(percentile / 100)
        else:
            low, high = least_error_range(values, activations)
        # Zero is what padding holds: without it in the range, every border would be wrong.
        if min(low, 0.0) < max(high, 0.0):
            found[name] = (min(low, 0.0), max(high, 0.0))
    return found


def least_error_range(values: Histogram, activations: Activations) -> tuple[float, float]:
    """The share of [minimum, maximum], zero in it, whose 8-bit integers have the least error.

    Both ends shrink by the same factor. The error is the mean square of value minus dequantised
    value, each bin's values taken for its centre.
    """
    low, high = min(values.minimum, 0.0), max(values.maximum, 0.0)
    filled = values.counts > 0
    counts, centres = values.counts[filled].astype(np.float64), values.centres()[filled]
    errors = []
    for share in _TRIED:
        scale, least, most = _integers(share * low, share * high, activations)
        levels = np.clip(np.rint(centres / scale), least, most)
        errors.append(float(counts @ (centres - levels * scale) ** 2))
    best = float(_TRIED[int(np.argmin(errors))])
    return best * low, best * high


def _integers(low: float, high: float, activations: Activations) -> tuple[float, float, float]:
    """Scale, and the least and the greatest integer counted from the one that means zero."""
    if activations is Activations.S8:
        return max(-low, high) / 127, -128.0, 127.0
    scale = (high - low) / 255
    zero_point = float(np.rint(-low / scale))
    return scale, -zero_point, 255 - zero_point
