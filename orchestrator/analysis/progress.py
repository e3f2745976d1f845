"""How a run's results got better, one after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..design.goal import Goal
from ..records import Result
from .axes import objective_axes, point
from .front import Point, hypervolume, reference

# What a result must add to what all earlier ones cover to count as progress: less is chance.
_LEAST_GAIN = 0.005
# The worst results lie inside the space that is measured: at its edge they would cover nothing.
_MARGIN = 0.1


@dataclass(frozen=True)
class Step:
    """After one more result: whether it was progress, and which was the best so far.

    `place` is the result's among those given, `best` that of the best that keeps to the goal's
    bounds, None before there is one. `covered` is the share, 0 to 1, of the space between the
    run's worst and its best figures that results within the bounds cover by now: the hypervolume
    over the goal's objectives.
    """

    place: int
    feasible: bool
    improved: bool
    best: int | None
    covered: float


def steps(results: Sequence[Result], goal: Goal) -> tuple[Step, ...]:
    """One step for each result, in the order in which they came."""
    axes = objective_axes(goal)
    points = [point(axes, result) for result in results]
    good = [goal.feasible(result) for result in results]
    final = [each for each, is_good in zip(points, good, strict=True) if is_good]
    volumes = _volumes(points, good, final)
    found: list[Step] = []
    for place, result in enumerate(results):
        if good[place]:
            improved = _gains(points[: place + 1], good[: place + 1])
        else:
            improved = not any(good[:place]) and all(
                _lack(goal, result) < _lack(goal, earlier) for earlier in results[:place]
            )
        best = best_place(points[: place + 1], good[: place + 1])
        found.append(Step(place, good[place], improved, best, volumes[place]))
    return tuple(found)


def best_place(points: Sequence[Point], good: Sequence[bool]) -> int | None:
    """The place of the best of the good points, None if there are none.

    With one objective the least. With several the one that alone covers most of the space below
    the worst: a compromise, which no scale of an objective changes. The first objective decides
    between equals.
    """
    places = [place for place, is_good in enumerate(good) if is_good]
    if not places:
        return None
    inside = [points[place] for place in places]
    worst = reference(inside)
    free = _free(inside)

    def rank(place: int) -> tuple[float, Point]:
        volume = 1.0
        for coordinate in free:
            volume *= worst[coordinate] - points[place][coordinate]
        return -volume, points[place]

    return min(places, key=rank)


def _lack(goal: Goal, result: Result) -> float:
    return math.fsum(max(0.0, each) for each in goal.shortfalls(result))


def _gains(points: Sequence[Point], good: Sequence[bool]) -> bool:
    """Whether the last point, a good one, adds to what the good ones before it cover."""
    inside = [each for each, is_good in zip(points, good, strict=True) if is_good]
    if len(inside) == 1:
        return True
    if inside[-1] in inside[:-1]:
        return False
    unit = _scaled(inside, inside)
    if not unit[0]:
        return False
    worst = (1 + _MARGIN,) * len(unit[0])
    before = hypervolume(unit[:-1], worst)
    return hypervolume(unit, worst) > before * (1 + _LEAST_GAIN)


def _volumes(points: Sequence[Point], good: Sequence[bool], final: Sequence[Point]) -> list[float]:
    """What the good points cover after each, as shares of the whole space."""
    covered, inside = [], list[Point]()
    for each, is_good in zip(points, good, strict=True):
        if is_good:
            inside.append(each)
        unit = _scaled(inside, final)
        size = len(unit[0]) if unit else 0
        if not unit:
            covered.append(0.0)
        elif not size:
            covered.append(1.0)
        else:
            worst = (1 + _MARGIN,) * size
            covered.append(hypervolume(unit, worst) / (1 + _MARGIN) ** size)
    return covered


def _scaled(points: Sequence[Point], span: Sequence[Point]) -> list[Point]:
    """The points with 0 for the best of `span` and 1 for its worst; what is the same everywhere
    in it is left out."""
    if not points:
        return []
    free = _free(span)
    least = [min(each[axis] for each in span) for axis in free]
    most = [max(each[axis] for each in span) for axis in free]
    return [
        tuple(
            (each[axis] - low) / (high - low)
            for axis, low, high in zip(free, least, most, strict=True)
        )
        for each in points
    ]


def _free(points: Sequence[Point]) -> list[int]:
    """The coordinates that differ among the points, and are finite."""
    worst = reference(points)
    return [
        axis
        for axis, most in enumerate(worst)
        if most != float("inf") and min(each[axis] for each in points) != most
    ]
