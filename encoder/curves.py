"""What a trial's encodes of a scene tell of the settings between and around them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .strategies import SETTING_STEP, Candidate, Trial
from .targets import Metric

PER_OCTAVE = {Metric.PSNR: 3.0, Metric.SSIM: 2.5, Metric.VMAF: 6.0}
"""What twice the bits usually bring: dB of PSNR, dB of SSIM (see `_scale`), points of VMAF."""
# How far from the nearest encode a curve is believed, and how much its slope may differ there
# from what is usual.
_REACH_OCTAVES = 2.0
_STEEPEST, _FLATTEST = 2.5, 0.4


@dataclass(frozen=True)
class Curve:
    """A trial's bits and `score_sum` (over the scene's frames) at each of its `settings`, all [n],
    by rising setting."""

    trial: Trial
    settings: NDArray[np.floating]
    log2_bits: NDArray[np.floating]
    score_sum: NDArray[np.floating]


def trade(made: Candidate, metric: Metric = Metric.PSNR) -> float:
    """The score, less what is usual for every doubling of the bits: compares candidates of about
    the same bits, in the metric's units (dB for SSIM)."""
    return _scale(made.score, metric) - PER_OCTAVE[metric] * math.log2(made.bits)


def fit(trial: Trial, made: Iterable[Candidate], frames: int, metric: Metric) -> Curve | None:
    """A curve through a trial's candidates, None if there is none.

    Between two settings the logarithm of the bits and the score (SSIM in dB) are straight lines;
    beyond them they go on as the nearest two go, within what is usual for the trial.
    """
    best: dict[float, Candidate] = {}
    for each in made:
        known = best.get(each.setting)
        if known is None or trade(each, metric) > trade(known, metric):
            best[each.setting] = each
    if not best:
        return None
    tried = sorted(best)
    octaves = [math.log2(best[setting].bits) for setting in tried]
    scores = [_scale(best[setting].score, metric) for setting in tried]
    lowest, highest = trial.settings
    reach = _REACH_OCTAVES * trial.settings_per_octave
    first = max(lowest, tried[0] - reach)
    last = min(highest, tried[-1] + reach)
    settings = (
        np.arange(math.ceil(first / SETTING_STEP), math.floor(last / SETTING_STEP) + 1)
        * SETTING_STEP
    )
    usual_bits = -1 / trial.settings_per_octave
    log_bits = _extended(settings, tried, octaves, usual_bits)
    usual_score = usual_bits * PER_OCTAVE[metric]
    values = _extended(settings, tried, scores, usual_score)
    return Curve(trial, settings, log_bits, frames * _unscale(values, metric))


def _extended(
    at: NDArray[np.floating], tried: Sequence[float], values: Sequence[float], usual_slope: float
) -> NDArray[np.floating]:
    """Straight lines through (`tried`, `values`), and beyond both ends. Slopes are negative."""
    inner = np.interp(at, tried, values)

    def end_slope(near: int, far: int) -> float:
        if len(tried) == 1:
            return usual_slope
        slope = (values[far] - values[near]) / (tried[far] - tried[near])
        return min(max(slope, _STEEPEST * usual_slope), _FLATTEST * usual_slope)

    left = values[0] + (at - tried[0]) * end_slope(0, min(1, len(tried) - 1))
    right = values[-1] + (at - tried[-1]) * end_slope(-1, max(-2, -len(tried)))
    result: NDArray[np.floating] = np.where(
        at < tried[0], left, np.where(at > tried[-1], right, inner)
    )
    return result


def _scale(score: float, metric: Metric) -> float:
    """A score where it grows about evenly with the logarithm of the bits: SSIM as
    -10 log10(1 - SSIM)."""
    if metric is Metric.SSIM:
        return -10 * math.log10(max(1 - score, 1e-6))
    return score


def _unscale(values: NDArray[np.floating], metric: Metric) -> NDArray[np.floating]:
    if metric is Metric.SSIM:
        ssim: NDArray[np.floating] = 1 - 10 ** (-values / 10)
        return ssim
    capped: NDArray[np.floating] = np.minimum(values, 100.0)
    return capped
