"""What to encode next, so that all scenes together meet their goal at one price of bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bench import Request
from .curves import Curve, fit
from .explore import Explored
from .goal import Budget, EachScore, Goal, MeanScore
from .strategies import SETTING_STEP, Candidate
from .targets import Metric

_BISECTIONS = 60
# In the first rounds every scene goes to where it should be; later ones only mend what is off.
_ROUNDS_FOR_ALL = 2
# By how much a frame's mean score must be expected to rise for a trial that is not needed.
_WORTH_A_TRIAL = {Metric.PSNR: 0.05, Metric.SSIM: 0.0005, Metric.VMAF: 0.1}


@dataclass(frozen=True)
class _Forecast:
    """A scene's curves side by side: `bits` [n], `score` [n] (sums over frames), and which curve
    and setting each entry is."""

    bits: NDArray[np.float64]
    score: NDArray[np.float64]
    requests: Sequence[Request]
    frames: int

    def at_price(self, price: float) -> int:
        return int(np.argmax(self.score - price * self.bits))

    def follows(self, entry: int) -> bool:
        """Whether the entry after this one is of the same trial."""
        return self.requests[entry].trial == self.requests[entry + 1].trial

    def cheapest_near(self, mean: float) -> int:
        """The cheapest entry that reaches the mean, or the step below it if that is nearer."""
        short = self.score - mean * self.frames
        enough = np.flatnonzero(short >= 0)
        if len(enough) == 0:
            return int(np.argmax(self.score))
        pick = int(enough[np.argmin(self.bits[enough])])
        if pick + 1 < len(short) and self.follows(pick) and -short[pick + 1] < short[pick]:
            return pick + 1
        return pick


def next_requests(
    scenes: Sequence[Explored], goal: Goal, metric: Metric, finished_rounds: int
) -> dict[int, Request]:
    """For each scene's number what it should be encoded at next; nothing where the goal is met.

    `finished_rounds` counts the rounds after the exploration. The curves of the trials that are
    alive tell what each setting would give; one price of bits for all scenes makes them meet the
    goal together. Once it is met, only another way is tried that promises to be better.
    """
    chosen = goal.choose([each.candidates for each in scenes])
    met = abs(goal.off(chosen)) <= 1 and finished_rounds > 0
    forecasts = [_forecast(each, metric) for each in scenes]
    solution = _solve(forecasts, goal)
    if solution is None:
        return {}
    wanted: list[_Wanted] = []
    for scene, forecast, pick, now in zip(scenes, forecasts, solution.picks, chosen, strict=True):
        request = forecast.requests[pick]
        tried = [made.setting for made in scene.of(request.trial)]
        if min(abs(setting - request.setting) for setting in tried) < SETTING_STEP / 2:
            continue
        bits = float(forecast.bits[pick]) - now.bits
        score = float(forecast.score[pick]) - sum(now.scores)
        gain = (score - solution.price * bits) / forecast.frames
        if not met or (request.trial.name != now.trial and gain > _WORTH_A_TRIAL[metric]):
            wanted.append(_Wanted(scene.index, request, bits, score))
    if finished_rounds >= _ROUNDS_FOR_ALL and not met:
        wanted = _just_enough(wanted, chosen, goal)
    requests = {each.scene: each.request for each in wanted}
    if not requests and not met:
        return _next_step(scenes, chosen, finer=goal.off(chosen) < 0)
    return requests


def _next_step(
    scenes: Sequence[Explored], chosen: Sequence[Candidate], *, finer: bool
) -> dict[int, Request]:
    """Where curves say that nothing untried comes nearer: the next setting of the largest scene
    after the chosen one, for steps are not as even as curves. Nothing if that was tried too."""
    direction = -SETTING_STEP if finer else SETTING_STEP
    for scene, now in sorted(zip(scenes, chosen, strict=True), key=lambda pair: -pair[1].bits):
        for trial in scene.alive:
            lowest, highest = trial.settings
            setting = now.setting + direction
            tried = {made.setting for made in scene.of(trial)}
            if trial.name == now.trial and setting not in tried and lowest <= setting <= highest:
                return {scene.index: Request(trial, setting)}
    return {}


@dataclass(frozen=True)
class _Wanted:
    """A scene's next encode, and what it would change in the scene's bits and sum of scores."""

    scene: int
    request: Request
    bits: float
    score: float


def _forecast(scene: Explored, metric: Metric) -> _Forecast:
    frames = len(scene.pts)
    curves: list[Curve] = []
    for trial in scene.alive:
        curve = fit(trial, scene.of(trial), frames, metric)
        if curve is not None:
            curves.append(curve)
    return _Forecast(
        np.exp2(np.concatenate([each.log2_bits for each in curves])),
        np.concatenate([each.score_sum for each in curves]),
        [Request(each.trial, float(setting)) for each in curves for setting in each.settings],
        frames,
    )


@dataclass(frozen=True)
class _Solution:
    """The entry of each forecast, and the `price` of a bit at which they are the best."""

    picks: Sequence[int]
    price: float


def _solve(forecasts: Sequence[_Forecast], goal: Goal) -> _Solution | None:
    """Where the forecasts meet the goal together, None where there is nothing to meet."""
    if isinstance(goal, EachScore):
        return _Solution([each.cheapest_near(goal.aim) for each in forecasts], 0.0)
    if isinstance(goal, Budget):
        amounts, most = [each.bits for each in forecasts], goal.aim
        spare = goal.bits * (1 + goal.over) - most
    elif isinstance(goal, MeanScore):
        amounts = [each.score for each in forecasts]
        frames = sum(each.frames for each in forecasts)
        most, spare = goal.aim * frames, goal.tolerance * frames
    else:
        return None

    def picks_at(price: float) -> list[int]:
        return [each.at_price(price) for each in forecasts]

    def amount(picks: Sequence[int]) -> float:
        return sum(float(each[pick]) for each, pick in zip(amounts, picks, strict=True))

    low, high = 0.0, 1e-9
    while amount(picks_at(high)) > most and high < 1e12:
        low, high = high, 4 * high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if amount(picks_at(middle)) > most:
            low = middle
        else:
            high = middle
    picks, finer = picks_at(high), picks_at(low)
    # At a price scenes that are alike change together, and a scene jumps over settings where its
    # curve bends inwards: as many of them go as far as there is room for.
    room = most - amount(picks)
    for number, (coarse, fine) in enumerate(zip(picks, finer, strict=True)):
        if coarse != fine:
            beyond = amounts[number] - amounts[number][coarse]
            possible = np.flatnonzero(beyond <= room)
            if float(beyond[fine]) <= room:
                picks[number] = fine
            else:
                picks[number] = int(possible[np.argmax(forecasts[number].score[possible])])
            room -= float(beyond[picks[number]])
    # What is left goes into the next finer setting of as many scenes as it suffices for.
    for number, pick in enumerate(picks):
        finer_too = pick - 1
        if finer_too >= 0 and forecasts[number].follows(finer_too):
            more = float(amounts[number][finer_too] - amounts[number][pick])
            if 0 < more <= room:
                picks[number] = finer_too
                room -= more
    # One step beyond the aim may be nearer to it than none.
    beyond_room: dict[float, int] = {}
    for number, pick in enumerate(picks):
        if pick > 0 and forecasts[number].follows(pick - 1):
            more = float(amounts[number][pick - 1] - amounts[number][pick])
            if room < more < 2 * room and more - room <= spare:
                beyond_room[more] = number
    if beyond_room:
        picks[beyond_room[min(beyond_room)]] -= 1
    return _Solution(picks, high)


def _just_enough(
    wanted: Sequence[_Wanted], chosen: Sequence[Candidate], goal: Goal
) -> list[_Wanted]:
    """Of the scenes' next encodes the largest changes, as many as bring the whole to its goal."""
    if isinstance(goal, Budget):
        missing = goal.aim - sum(each.bits for each in chosen)
        gain = {each.scene: each.bits for each in wanted}
        slack = goal.bits * (goal.over + goal.under) / 4
    elif isinstance(goal, MeanScore):
        frames = sum(len(each.scores) for each in chosen)
        missing = goal.value * frames - sum(sum(each.scores) for each in chosen)
        gain = {each.scene: each.score for each in wanted}
        slack = goal.tolerance * frames / 2
    else:
        return list(wanted)
    taken = []
    for entry in sorted(wanted, key=lambda each: -abs(gain[each.scene])):
        if abs(missing) <= slack:
            break
        if gain[entry.scene] * missing > 0:
            taken.append(entry)
            missing -= gain[entry.scene]
    # What is chosen now may be no stage on the way there: then all go.
    return taken or list(wanted)
