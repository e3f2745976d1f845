"""Points that nothing beats: the Pareto front, and how much of the space it covers.

Points are tuples of one length in which less is better everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Point = tuple[float, ...]


def dominates(one: Point, other: Point) -> bool:
    """Whether `one` is nowhere worse than `other` and somewhere better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def pareto(points: Sequence[Point]) -> list[int]:
    """The places of those that no other dominates, in their order; of equal ones the first."""
    return [
        place
        for place, point in enumerate(points)
        if point not in points[:place] and not any(dominates(other, point) for other in points)
    ]


def reference(points: Iterable[Point]) -> Point:
    """The worst of each coordinate. There must be a point."""
    return tuple(max(values) for values in zip(*points, strict=True))


def hypervolume(points: Iterable[Point], worst: Point) -> float:
    """The volume that the points dominate below `worst`; what is not below it everywhere adds
    nothing.

    Exact, by slices along the last coordinate: made for a few hundred points of up to four
    coordinates.
    """
    inside = [
        point for point in set(points) if all(a < b for a, b in zip(point, worst, strict=True))
    ]
    if not inside:
        return 0.0
    if len(worst) == 1:
        return worst[0] - min(point[0] for point in inside)
    inside.sort(key=lambda point: point[-1])
    volume, flat = 0.0, list[Point]()
    for place, point in enumerate(inside):
        flat = _front([*flat, point[:-1]])
        above = inside[place + 1][-1] if place + 1 < len(inside) else worst[-1]
        if above > point[-1]:
            volume += (above - point[-1]) * hypervolume(flat, worst[:-1])
    return volume


def _front(points: list[Point]) -> list[Point]:
    return [points[place] for place in pareto(points)]
