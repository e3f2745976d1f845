"""How often a tensor takes which values, in memory that no amount of data makes larger.

A fixed number of equal bins covers [-2^e, 2^e). Where a value lies outside, neighbouring bins are
merged until it fits: widths are powers of two, so merging never moves a value to another bin than
the one that a fresh count with the wider bins would have put it in. The result depends neither on
the order of the data nor on how they were cut into pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import ExportError

BINS = 8192
_HALF = BINS // 2
# Bins of tensors that hold nothing but zeros, or nothing at all.
_LEAST_EXPONENT = -60
# A piece of this many values is counted at a time: the indices of their bins take 8 bytes each.
_PIECE = 1 << 18


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of values in `BINS` bins from -2^`exponent` to 2^`exponent`, and their extremes.

    `counts` int64 [BINS]: bin i holds the values in [i - BINS/2, i + 1 - BINS/2) * `width`. Without
    any value `minimum` is inf and `maximum` is -inf.
    """

    exponent: int
    counts: NDArray[np.int64]
    minimum: float
    maximum: float

    @property
    def width(self) -> float:
        """Of one bin; a power of two."""
        return math.ldexp(1.0, self.exponent) / _HALF

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def centres(self) -> NDArray[np.float64]:
        """The middle of every bin, float64 [BINS]."""
        middles = np.arange(BINS, dtype=np.float64) - (_HALF - 0.5)
        return middles * self.width

    def quantile(self, share: float) -> float:
        """A value that `share` of all values (0 to 1) do not exceed: exact to the width of a bin.

        Never outside [minimum, maximum]. Raises `ValueError` without any value.
        """
        if not self.total:
            raise ValueError("an empty histogram has no quantiles")
        reached = np.cumsum(self.counts) >= share * self.total
        upper_edge = (int(np.argmax(reached)) + 1 - _HALF) * self.width
        return min(max(upper_edge, self.minimum), self.maximum)

    def merged(self, other: Histogram) -> Histogram:
        """The histogram of the values of both."""
        exponent = max(self.exponent, other.exponent)
        return Histogram(
            exponent,
            _widened(self, exponent) + _widened(other, exponent),
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )


def empty() -> Histogram:
    """The histogram of no values."""
    return Histogram(_LEAST_EXPONENT, np.zeros(BINS, np.int64), math.inf, -math.inf)


def histogram(values: NDArray[np.float32], name: str) -> Histogram:
    """The histogram of `values`, any shape; `ExportError` names `name` if one is not finite."""
    result = empty()
    flat = np.ascontiguousarray(values).reshape(-1)
    for start in range(0, len(flat), _PIECE):
        result = result.merged(_count(flat[start : start + _PIECE], name))
    return result


def _count(values: NDArray[np.float32], name: str) -> Histogram:
    low, high = float(values.min()), float(values.max())
    peak = max(-low, high)
    if not math.isfinite(peak):
        raise ExportError(
            f"calibrate: tensor '{name}' holds NaN or infinity on a calibration sample; check the"
            " network's weights"
        )
    # frexp: peak = m * 2^e with m below 1, so that peak < 2^e. Of zero it says e = 0.
    exponent = max(math.frexp(peak)[1], _LEAST_EXPONENT) if peak else _LEAST_EXPONENT
    scaled = values.astype(np.float64) * (_HALF / math.ldexp(1.0, exponent))
    bins = np.floor(scaled).astype(np.int64) + _HALF
    return Histogram(exponent, np.bincount(bins, minlength=BINS).astype(np.int64), low, high)


def _widened(source: Histogram, exponent: int) -> NDArray[np.int64]:
    """Its counts in bins that reach to 2^`exponent`, which is not below its own."""
    if exponent == source.exponent:
        return source.counts
    steps = min(exponent - source.exponent, 62)
    bins = ((np.arange(BINS) - _HALF) >> steps) + _HALF
    counts = np.zeros(BINS, np.int64)
    np.add.at(counts, bins, source.counts)
    return counts
