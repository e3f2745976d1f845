"""How far a fit misses when it is carried over to another device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .devices import PUBLIC_PEAKS, Device
from .model import DEVICE, Array
from .validate import Validation

_PEAK, _VECTOR, _SPILL, _PER_OP, _NORMALISE = (
    DEVICE.index(name)
    for name in ("dense_tops", "vector_gbps", "spill", "per_op_us", "normalise_gpixels")
)


def carried_over(validation: Validation, source: int, target: int) -> Array:
    """Logarithms of predicted / measured [networks] on `target` with the parameters of `source`.

    Peak, bandwidth and fixed cost are the target's own fit; vector rate and overheads keep their
    ratio to the peak, and the spill its value.
    """
    device = validation.solution.device[[target]].copy()
    faster = device[0, _PEAK] - validation.solution.device[source, _PEAK]
    for index in (_VECTOR, _NORMALISE):
        device[0, index] = validation.solution.device[source, index] + faster
    device[0, _SPILL] = validation.solution.device[source, _SPILL]
    device[0, _PER_OP] = validation.solution.device[source, _PER_OP] - faster
    predicted = validation.model.log_ms(device, validation.solution.shared)
    errors: Array = predicted[0] - validation.latencies.log_ms[target]
    return errors


def transfer(validation: Validation, devices: Sequence[Device]) -> dict[str, Any]:
    """The content of `transfer.json`."""
    count = len(devices)
    pairs = [(s, t) for s in range(count) for t in range(count) if s != t]
    errors = np.concatenate([carried_over(validation, *pair) for pair in pairs])
    errors = errors[~np.isnan(errors)]
    low, high = np.exp(np.quantile(errors, [0.1, 0.9]))
    efficiency = label_efficiency(validation, devices)
    return {
        "format": 1,
        "source": f"Own measurement: each of {count} fitted devices predicted with another's"
        " parameters, scaled to its fitted dense TOPS, bandwidth and fixed cost"
        f" ({len(errors)} latencies, w8a8; see docs/profiles.md). Label efficiency is dense TOPS"
        f" over the label: {', '.join(efficiency)}.",
        "predictions": len(errors),
        "predicted_over_measured": {"p10": round(float(low), 3), "p90": round(float(high), 3)},
        "label_efficiency": {
            "low": round(min(efficiency.values()), 2),
            "mid": round(float(np.median(list(efficiency.values()))), 2),
            "high": round(max(efficiency.values()), 2),
        },
    }


def label_efficiency(validation: Validation, devices: Sequence[Device]) -> dict[str, float]:
    """Dense TOPS over the label, of the devices whose dense INT8 label is known."""
    peaks = dict(
        zip(
            validation.latencies.devices,
            np.exp(validation.solution.device[:, _PEAK]),
            strict=True,
        )
    )
    found = {
        device.file: float(peaks[device.column]) / device.label
        for device in devices
        if device.label
    }
    return found | {name: peak / label for name, (peak, label) in PUBLIC_PEAKS.items()}
