"""What a trial's encodes of a scene tell of the settings between and around them."""

from __future__ import annotations

import itertools
import math
import statistics
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
# The same for a scene's slope of quality over bits. Drawn screens reach 8 dB for twice the bits.
_STEEPEST_SCENE, _FLATTEST_SCENE = 3.5, 0.4
# Two encodes nearer than this tell no slope.
_LEAST_OCTAVES = 0.1


@dataclass(frozen=True)
class Curve:
    """A trial's bits and `score_sum` (over the scene's frames) at each of its `settings`, all [n],
    by rising setting."""

    trial: Trial
    settings: NDArray[np.floating]
    log2_bits: NDArray[np.floating]
    score_sum: NDArray[np.floating]


def trade(made: Candidate, metric: Metric = Metric.PSNR, per_octave: float | None = None) -> float:
    """The score, less `per_octave` (None: what is usual) for every doubling of the bits: compares
    candidates of about the same bits, in the metric's units (dB for SSIM)."""
    slope = PER_OCTAVE[metric] if per_octave is None else per_octave
    return _scale(made.score, metric) - slope * math.log2(made.bits)


def measured_slope(made: Iterable[Candidate], metric: Metric) -> float:
    """What twice the bits bring in a scene, by the candidates of trials that ran at more than one
    setting, their median; what is usual where none did."""
    of_trial: dict[str, dict[float, Candidate]] = {}
    for each in made:
        of_trial.setdefault(each.trial, {})[each.setting] = each
    slopes = []
    for tried in of_trial.values():
        ordered = [tried[setting] for setting in sorted(tried)]
        for finer, coarser in itertools.pairwise(ordered):
            octaves = math.log2(finer.bits / coarser.bits)
            if octaves > _LEAST_OCTAVES:
                rise = _scale(finer.score, metric) - _scale(coarser.score, metric)
                slopes.append(rise / octaves)
    if not slopes:
        return PER_OCTAVE[metric]
    lowest, highest = _FLATTEST_SCENE * PER_OCTAVE[metric], _STEEPEST_SCENE * PER_OCTAVE[metric]
    return min(max(statistics.median(slopes), lowest), highest)


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
