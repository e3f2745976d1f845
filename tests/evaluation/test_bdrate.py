from __future__ import annotations

import math

import pytest
from edgecodec.evaluation.bdrate import RatePoint, bd_rate, ssim_db, unbeaten

QUALITIES = (30.0, 32.5, 35.0, 37.0, 39.5, 41.0)


def curve(scale: float = 1.0, offset: float = 0.0) -> list[RatePoint]:
    """A curve whose log rate is a straight line over quality."""
    return [RatePoint(scale * 2 ** ((q - 30) / 3), q + offset) for q in QUALITIES]


@pytest.mark.parametrize("method", ["akima", "pchip"])
def test_a_constant_factor_of_rate_is_found(method: str) -> None:
    result = bd_rate(curve(), curve(scale=0.8), method)  # type: ignore[arg-type]
    assert result.percent == pytest.approx(-20.0, abs=1e-6)
    assert result.overlap == pytest.approx(1.0)
    assert result.is_covered
    assert result.method == method


def test_order_and_number_of_points_do_not_matter() -> None:
    test = [RatePoint(p.rate * 1.5, p.quality) for p in curve()]
    shuffled = [test[i] for i in (4, 0, 5, 2, 1)]
    assert bd_rate(curve(), shuffled).percent == pytest.approx(50.0, abs=1e-6)


def test_a_quality_gain_becomes_a_rate_saving() -> None:
    # 3 dB are worth a factor of two on this curve.
    result = bd_rate(curve(), curve(offset=1.5))
    assert result.percent == pytest.approx(100 * (2**-0.5 - 1), abs=1e-6)
    assert result.overlap == pytest.approx((41 - 31.5) / 11)


@pytest.mark.parametrize("method", ["akima", "pchip"])
@pytest.mark.parametrize("gain", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("rate", [1.0, 1.005, 1.25])
def test_small_gains_are_found_on_a_bent_curve(method: str, gain: float, rate: float) -> None:
    """Nearly the same encodes, a little better: with as many bits, with a little more for what
    makes them better, and at other settings."""

    def quality(mbps: float) -> float:
        x = math.log(mbps)
        return 36 + 3.6 * x - 0.35 * x * x + 0.12 * math.sin(2.1 * x)

    rates = (0.08, 0.2, 0.5, 1.3, 3.2)
    base = [RatePoint(each, quality(each)) for each in rates]
    better = [RatePoint(rate * each, quality(rate * each / (1 - gain))) for each in rates]
    result = bd_rate(base, better, method)  # type: ignore[arg-type]
    assert result.percent == pytest.approx(-100 * gain, abs=0.05)
    assert result.is_covered


def test_a_narrow_overlap_is_flagged() -> None:
    result = bd_rate(curve(), curve(offset=6))
    assert not result.is_covered
    assert result.overlap == pytest.approx(5 / 11)


def test_curves_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="test: 4 points; at least 5"):
        bd_rate(curve(), curve()[:4])
    with pytest.raises(ValueError, match=r"share no quality: anchor 30\.000 to 41\.000, test 50"):
        bd_rate(curve(), curve(offset=20))
    falling = [*curve(), RatePoint(100.0, 35.0)]
    with pytest.raises(ValueError, match="anchor: quality does not rise"):
        bd_rate(falling, curve())
    with pytest.raises(ValueError, match="no rate above 0"):
        bd_rate(curve(), [*curve(), RatePoint(0.0, 20.0)])
    with pytest.raises(ValueError, match="finite"):
        bd_rate(curve(), [*curve(), RatePoint(9.0, math.nan)])


def test_beaten_points_are_left_out() -> None:
    good = curve()
    equal_rate = RatePoint(good[2].rate, good[2].quality - 1)
    dearer = RatePoint(good[3].rate * 1.01, good[3].quality)
    assert unbeaten([dearer, *reversed(good), equal_rate, good[0]]) == good
    assert unbeaten([]) == []


def test_ssim_in_decibels() -> None:
    assert ssim_db(0.9) == pytest.approx(10.0)
    assert ssim_db(0.99) == pytest.approx(20.0)
    assert ssim_db(1.0) == 100.0
