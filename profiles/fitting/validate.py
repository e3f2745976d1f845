"""Errors on what a fit did not see, and the intervals that follow from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..confidence import Place, place_of, remoteness
from ..fitted import FitError, Reach
from .model import Array, Model
from .public_data import Latencies, Network
from .solve import Prior, Solution, solve

COVERAGE = 0.8
_WITHIN = math.log(1.5)


@dataclass(frozen=True)
class Validation:
    """A fit to all networks, and logarithms of predicted / measured [devices, networks] by fits to
    all but one of them (`single`) and to all but one family (`family`)."""

    model: Model
    latencies: Latencies
    solution: Solution
    single: Array
    family: Array


def validate(model: Model, latencies: Latencies, prior: Prior) -> Validation:
    """Fit, and fit again without each network and without each family."""
    names = [network.family for network in model.networks]
    alone: list[NDArray[np.bool_]] = [np.arange(len(names)) == index for index in range(len(names))]
    together = [np.array([name == each for name in names]) for each in sorted(set(names))]
    everything = np.ones(len(names), bool)
    solution = solve(model, latencies.log_ms, prior, everything)
    return Validation(
        model,
        latencies,
        solution,
        _left_out(model, latencies, prior, solution, alone),
        _left_out(model, latencies, prior, solution, together),
    )


def single_errors(model: Model, latencies: Latencies, prior: Prior) -> Array:
    """`Validation.single` alone."""
    count = len(model.networks)
    solution = solve(model, latencies.log_ms, prior, np.ones(count, bool))
    parts = [np.arange(count) == index for index in range(count)]
    return _left_out(model, latencies, prior, solution, parts)


def _left_out(
    model: Model,
    latencies: Latencies,
    prior: Prior,
    start: Solution,
    parts: Sequence[NDArray[np.bool_]],
) -> Array:
    errors = np.full_like(latencies.log_ms, np.nan)
    for part in parts:
        without = solve(model, latencies.log_ms, prior, ~part, start)
        predicted = model.log_ms(without.device, without.shared)
        errors[:, part] = (predicted - latencies.log_ms)[:, part]
    return errors


def chosen_alone(errors: Sequence[Array]) -> tuple[Array, NDArray[np.int_]]:
    """Errors where the variant, too, is chosen without the network that it is judged on.

    `errors`: `single_errors` of each variant. Also returns the variant for each network.
    """
    losses = np.array([np.nansum(_loss(error), axis=0) for error in errors])
    without = losses.sum(axis=1, keepdims=True) - losses
    chosen = without.argmin(axis=0)
    columns = [errors[variant][:, index] for index, variant in enumerate(chosen)]
    return np.stack(columns, axis=1), chosen


def _loss(errors: Array) -> Array:
    """The fit's own loss: soft L1 beyond a logarithm of 0.15."""
    loss: Array = np.sqrt(1 + (errors / 0.15) ** 2) - 1
    return loss


def summary(errors: Array) -> FitError:
    """The errors of one device, or of several together."""
    known = errors[~np.isnan(errors)]
    low, high = np.exp(np.quantile(known, [0.1, 0.9]))
    return FitError(
        networks=len(known),
        median=float(np.median(np.abs(np.exp(known) - 1))),
        p10=float(low),
        p90=float(high),
        within_1_5x=float(np.mean(np.abs(known) < _WITHIN)),
    )


def places(networks: Sequence[Network]) -> list[Place]:
    """Where the networks lie; each has multiply-accumulates."""
    found = [place_of(network.cost) for network in networks]
    return [place for place in found if place is not None]


def loneliness(where: Sequence[Place]) -> Array:
    """Each network's distance from the others."""
    others = [[*where[:index], *where[index + 1 :]] for index in range(len(where))]
    return np.array([remoteness(*pair) for pair in zip(where, others, strict=True)])


def reach(errors: Array, distances: Array) -> Reach:
    """The interval for one device from `Validation.single` of it [networks]; NaN is left out."""
    known = ~np.isnan(errors)
    radius = float(np.quantile(distances, 0.9))
    ratios = -errors[known] / np.maximum(1.0, distances[known] / radius)
    low, high = _ends(ratios)
    return Reach(COVERAGE, min(1.0, math.exp(low)), max(1.0, math.exp(high)), radius)


def covered(single: Array, tested: Array, distances: Array) -> NDArray[np.bool_]:
    """Whether each network of one device lies in the interval that the others' errors give.

    `single` are the errors that make the interval, `tested` those that must lie in it.
    """
    inside = []
    for index in np.flatnonzero(~np.isnan(tested)):
        others = np.arange(len(single)) != index
        interval = reach(np.where(others, single, np.nan), distances)
        wider = max(1.0, distances[index] / interval.radius)
        ratio = -tested[index]
        inside.append(math.log(interval.low) * wider <= ratio <= math.log(interval.high) * wider)
    return np.array(inside)


def _ends(ratios: Array) -> tuple[float, float]:
    """Two-sided conformal quantiles: with n others, rank (n + 1) x 0.1 from either end."""
    ranked = np.sort(ratios)
    rank = max(1, math.floor((len(ranked) + 1) * (1 - COVERAGE) / 2))
    return float(ranked[rank - 1]), float(ranked[-rank])
