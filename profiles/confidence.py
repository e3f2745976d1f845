"""How far a prediction may be off, and the measured networks that are nearest to a graph.

Measured over predicted of the calibration networks, each left out of the fit in turn, gives the two
ends (`fitted.Reach`): split conformal prediction, whose coverage holds for a network that is drawn
like those. The ends widen in proportion to the distance from them once that exceeds `radius`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .count import GraphCost
from .fitted import MeasuredNetwork, Reach

# A network's distance is the mean to so many of the nearest.
NEIGHBOURS = 3


@dataclass(frozen=True)
class Place:
    """Where a network lies among others: natural logarithms of GMAC, of elements moved for each
    MAC, and of the elements that its largest layer moves."""

    work: float
    traffic: float
    largest: float

    def to(self, other: Place) -> float:
        """Distance; 1 is a factor of e in one of the three."""
        return math.dist(
            (self.work, self.traffic, self.largest), (other.work, other.traffic, other.largest)
        )


def place_of(cost: GraphCost) -> Place | None:
    """The place of a graph, None for one that has no multiply-accumulates."""
    if not cost.macs or not cost.activation_elements:
        return None
    largest = max(layer.activation_elements for layer in cost.layers)
    return Place(
        work=math.log(cost.macs * 1e-9),
        traffic=math.log(cost.activation_elements / cost.macs),
        largest=math.log(largest),
    )


def place_of_measured(network: MeasuredNetwork) -> Place:
    """The place of a calibration network."""
    return Place(
        math.log(network.gmacs),
        math.log(network.activation_elements_per_mac),
        math.log(network.largest_layer),
    )


def nearest(cost: GraphCost, networks: Sequence[MeasuredNetwork]) -> tuple[MeasuredNetwork, ...]:
    """The calibration networks most like a graph, nearest first; none for one without MACs."""
    place = place_of(cost)
    if place is None:
        return ()
    return tuple(sorted(networks, key=lambda item: place.to(place_of_measured(item)))[:NEIGHBOURS])


def remoteness(place: Place, others: Sequence[Place]) -> float:
    """Mean distance to the nearest of `others`."""
    distances = sorted(place.to(other) for other in others)[:NEIGHBOURS]
    return sum(distances) / len(distances)


def widening(cost: GraphCost, networks: Sequence[MeasuredNetwork], reach: Reach) -> float:
    """The power for the interval's ends: 1 near the calibration set, more beyond."""
    place = place_of(cost)
    if place is None or not networks:
        return 1.0
    measured = [place_of_measured(item) for item in networks]
    return max(1.0, remoteness(place, measured) / reach.radius)
