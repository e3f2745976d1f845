"""Robust regularised least squares: the parameters of all devices at once.

Minimises  sum over latencies of  rho(log predicted - log measured)  plus the prior: each parameter
lies near its expectation, and what scales with a device's speed (its vector rate, its overheads,
its normalisation) keeps nearly the same ratio to its peak on every device. `rho` is the soft L1
loss. Levenberg-Marquardt with differences: a device's parameters move its own latencies only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .model import DEVICE, Array, Model

# Residuals beyond this count linearly.
_SCALE = 0.15
# How much a deviation of one standard deviation from the prior counts, in logarithms of latency.
_PRIOR_WEIGHT = 0.1
_RATIO_SD = 0.3
_STEP = 1e-4
_ROUNDS = 80
_PEAK, _VECTOR, _PER_OP, _NORMALISE = (
    DEVICE.index(name) for name in ("dense_tops", "vector_gbps", "per_op_us", "normalise_gpixels")
)


@dataclass(frozen=True)
class Prior:
    """Expectations and standard deviations of the parameters' logarithms.

    `device`: [devices, len(DEVICE)], `device_sd`: [len(DEVICE)], `shared` and `shared_sd`:
    [len(SHARED)].
    """

    device: Array
    device_sd: Array
    shared: Array
    shared_sd: Array


@dataclass(frozen=True)
class Solution:
    """Fitted logarithms, as `Model.log_ms` takes them, and the cost that is left."""

    device: Array
    shared: Array
    cost: float


def solve(
    model: Model,
    log_ms: Array,
    prior: Prior,
    fitted: NDArray[np.bool_],
    start: Solution | None = None,
) -> Solution:
    """Fit to the networks where `fitted` [networks] is true, from `start` or the expectations."""
    problem = _Problem(model, log_ms, prior, fitted)
    first = start or Solution(prior.device, prior.shared, 0.0)
    x = np.concatenate([first.device.ravel(), first.shared])
    cost, damping = problem.cost(x), 1e-3
    for _ in range(_ROUNDS):
        normal, gradient = problem.normal_equations(x)
        for _ in range(8):
            damped = normal + damping * np.diag(np.diag(normal) + 1e-6)
            step = np.clip(-np.linalg.solve(damped, gradient), -1.0, 1.0)
            trial = problem.cost(x + step)
            if np.isfinite(trial) and trial < cost:
                break
            damping *= 5
        else:
            break
        converged = cost - trial < 1e-5 * cost
        x, cost, damping = x + step, trial, max(damping / 5, 1e-7)
        if converged:
            break
    device, shared = problem.split(x)
    return Solution(device, shared, cost)


class _Problem:
    def __init__(
        self, model: Model, log_ms: Array, prior: Prior, fitted: NDArray[np.bool_]
    ) -> None:
        self._model, self._prior = model, prior
        self._devices = log_ms.shape[0]
        self._used = ~np.isnan(log_ms) & fitted[None]
        self._log_ms = np.where(self._used, log_ms, 0.0)
        count = self._devices * len(DEVICE) + len(prior.shared)
        origin = self._deviations(np.zeros(count))
        unit = np.eye(count)
        # The prior is linear: its derivatives are the same everywhere.
        self._prior_jacobian = np.stack(
            [self._deviations(unit[index]) - origin for index in range(count)], axis=1
        )

    def split(self, x: Array) -> tuple[Array, Array]:
        count = self._devices * len(DEVICE)
        return x[:count].reshape(self._devices, len(DEVICE)), x[count:]

    def cost(self, x: Array) -> float:
        loss = 2 * _SCALE**2 * (np.sqrt(1 + (self._residuals(x) / _SCALE) ** 2) - 1)
        return float(loss.sum() + (self._deviations(x) ** 2).sum())

    def normal_equations(self, x: Array) -> tuple[Array, Array]:
        residuals = self._residuals(x)
        weights = (1 / np.sqrt(1 + (residuals / _SCALE) ** 2))[self._used]
        jacobian = np.zeros((*residuals.shape, len(x)))
        per_device = self._devices * len(DEVICE)
        for index in range(len(DEVICE)):
            moved = x.copy()
            moved[index : per_device : len(DEVICE)] += _STEP
            slope = (self._residuals(moved) - residuals) / _STEP
            for device in range(self._devices):
                jacobian[device, :, device * len(DEVICE) + index] = slope[device]
        for index in range(per_device, len(x)):
            moved = x.copy()
            moved[index] += _STEP
            jacobian[:, :, index] = (self._residuals(moved) - residuals) / _STEP
        rows, prior = jacobian[self._used], self._prior_jacobian
        normal = rows.T @ (rows * weights[:, None]) + prior.T @ prior
        gradient = rows.T @ (residuals[self._used] * weights) + prior.T @ self._deviations(x)
        return normal, gradient

    def _residuals(self, x: Array) -> Array:
        residuals: Array = np.where(
            self._used, self._model.log_ms(*self.split(x)) - self._log_ms, 0.0
        )
        return residuals

    def _deviations(self, x: Array) -> Array:
        device, shared = self.split(x)
        prior, peak = self._prior, device[:, _PEAK]
        ratios = np.stack(
            [device[:, _VECTOR] - peak, device[:, _PER_OP] + peak, device[:, _NORMALISE] - peak]
        )
        parts = (
            (device - prior.device) / prior.device_sd,
            (shared - prior.shared) / prior.shared_sd,
            (ratios - ratios.mean(axis=1, keepdims=True)) / _RATIO_SD,
        )
        return _PRIOR_WEIGHT * np.concatenate([part.ravel() for part in parts])
