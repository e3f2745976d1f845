"""What is expected of settings that were not tried."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.curves import fit, trade
from edgecodec.encoder.targets import Metric

from .fakes import FakeTrial, halving, made, scene_file_of

TRIAL = FakeTrial("steady", halving(bits=100_000, db=50.0))
SCENE = scene_file_of(10)


def encoded(*settings: float):
    return [each for setting in settings for each in TRIAL.encode(SCENE, setting, None)]


def test_straight_lines_are_followed_exactly() -> None:
    curve = fit(TRIAL, encoded(20.0, 30.0), 10, Metric.PSNR)
    assert curve is not None
    for setting, log2_bits, score in zip(
        curve.settings, curve.log2_bits, curve.score_sum, strict=True
    ):
        bits, psnr = TRIAL.curve(setting)
        assert 2**log2_bits == pytest.approx(bits * 10, rel=1e-3)
        assert score == pytest.approx(psnr * 10)


def test_one_encode_is_continued_as_is_usual() -> None:
    curve = fit(TRIAL, encoded(26.0), 10, Metric.PSNR)
    assert curve is not None
    at = {float(setting): n for n, setting in enumerate(curve.settings)}
    assert curve.log2_bits[at[20.0]] - curve.log2_bits[at[26.0]] == pytest.approx(1.0)
    assert curve.score_sum[at[20.0]] - curve.score_sum[at[26.0]] == pytest.approx(30.0)


def test_settings_stay_in_the_trials_range_and_near_what_was_tried() -> None:
    curve = fit(TRIAL, encoded(2.0), 10, Metric.PSNR)
    assert curve is not None
    assert curve.settings[0] == 0.0
    assert curve.settings[-1] == 14.0
    assert np.all(np.diff(curve.settings) == 0.25)


def test_a_curve_goes_through_the_better_of_two_candidates_of_a_setting() -> None:
    plain, better = made(1000, 30.0, setting=30.0), made(1010, 31.0, setting=30.0)
    curve = fit(TRIAL, [plain, better], 1, Metric.PSNR)
    assert curve is not None
    at = list(curve.settings).index(30.0)
    assert curve.score_sum[at] == pytest.approx(31.0)


def test_wild_ends_are_tamed() -> None:
    wild = [made(1000, 30.0, setting=30.0), made(999, 30.0, setting=31.0)]
    curve = fit(TRIAL, wild, 1, Metric.PSNR)
    assert curve is not None
    assert curve.log2_bits[-1] < np.log2(999) - 0.5


def test_ssim_is_continued_below_one() -> None:
    tried = [made(1000, 30.0, setting=30.0, frame_scores=(0.97,))]
    curve = fit(TRIAL, tried, 1, Metric.SSIM)
    assert curve is not None
    assert np.all(np.diff(curve.score_sum) < 0)
    assert curve.score_sum[0] < 1


def test_nothing_tried_is_no_curve() -> None:
    assert fit(TRIAL, [], 1, Metric.PSNR) is None


def test_a_trade_is_even_along_the_usual_slope() -> None:
    assert trade(made(2000, 33.0)) == pytest.approx(trade(made(1000, 30.0)))
    assert trade(made(1000, 33.0)) > trade(made(1000, 32.0))
