"""Bjontegaard delta rate between two rate-quality curves, with checks before the arithmetic.

The interpolation is that of the `bjontegaard` package (Akima, or PCHIP, over the logarithm of the
rate; G. Bjontegaard, VCEG-M33, and Herglotz et al., "The Bjontegaard Bible", 2023).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import bjontegaard

MIN_POINTS = 5
MIN_OVERLAP = 0.75


@dataclass(frozen=True)
class RatePoint:
    """One encode: its rate, in a unit that both curves share, and its quality: higher is better."""

    rate: float
    quality: float


@dataclass(frozen=True)
class BdRate:
    """`percent` below 0: the tested codec needs that much less rate at equal quality.

    `overlap` is the share, 0 to 1, of the wider quality range that both curves cover; below
    `MIN_OVERLAP` the figure speaks for that part of the range only.
    """

    percent: float
    overlap: float
    method: str

    @property
    def is_covered(self) -> bool:
        """Whether the curves share enough of their range for the figure to stand for both."""
        return self.overlap >= MIN_OVERLAP


def ssim_db(ssim: float) -> float:
    """SSIM on a scale that interpolates well: -10 log10(1 - SSIM), in dB, capped at 100."""
    return min(100.0, -10 * math.log10(max(1 - ssim, 1e-10)))


def unbeaten(points: Sequence[RatePoint]) -> list[RatePoint]:
    """The points by rising rate, without those that another one beats.

    A point is beaten where one of at most its rate has at least its quality; of equal points one
    stays.
    """
    kept: list[RatePoint] = []
    for point in sorted(points, key=lambda point: (point.rate, -point.quality)):
        if not kept or point.quality > kept[-1].quality:
            kept.append(point)
    return kept


def bd_rate(
    anchor: Sequence[RatePoint],
    test: Sequence[RatePoint],
    method: Literal["akima", "pchip"] = "akima",
) -> BdRate:
    """Mean rate difference of `test` against `anchor` at equal quality.

    Points may come in any order and differ in number. Raises ValueError for fewer than
    `MIN_POINTS` on a curve, rates that are not positive, values that are not finite, a curve
    whose quality does not rise with its rate, and curves that share no quality.
    """
    anchor_curve = _checked(anchor, "anchor")
    test_curve = _checked(test, "test")
    low = max(anchor_curve[0].quality, test_curve[0].quality)
    high = min(anchor_curve[-1].quality, test_curve[-1].quality)
    if high <= low:
        raise ValueError(
            "the curves share no quality: "
            f"anchor {_span(anchor_curve)}, test {_span(test_curve)}; "
            "encode at rates whose qualities overlap"
        )
    widest = max(curve[-1].quality - curve[0].quality for curve in (anchor_curve, test_curve))
    percent = bjontegaard.bd_rate(
        [point.rate for point in anchor_curve],
        [point.quality for point in anchor_curve],
        [point.rate for point in test_curve],
        [point.quality for point in test_curve],
        method=method,
        require_matching_points=False,
        # The overlap is reported instead: the package would only warn on stderr.
        min_overlap=0,
    )
    return BdRate(float(percent), (high - low) / widest, method)


def _checked(curve: Sequence[RatePoint], name: str) -> list[RatePoint]:
    """The curve in order of rate, once it is known to be one."""
    if len(curve) < MIN_POINTS:
        raise ValueError(f"{name}: {len(curve)} points; at least {MIN_POINTS} are needed")
    for point in curve:
        if not (math.isfinite(point.rate) and math.isfinite(point.quality)) or point.rate <= 0:
            raise ValueError(f"{name}: {point} is no rate above 0 with a finite quality")
    ordered = sorted(curve, key=lambda point: point.rate)
    for lower, higher in itertools.pairwise(ordered):
        if higher.rate == lower.rate or higher.quality <= lower.quality:
            raise ValueError(
                f"{name}: quality does not rise with rate from {lower} to {higher}; "
                "leave out the point that another one beats"
            )
    return ordered


def _span(curve: Sequence[RatePoint]) -> str:
    return f"{curve[0].quality:.3f} to {curve[-1].quality:.3f}"
