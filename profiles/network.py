"""One network of a profile: what it costs, what is predicted, and what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .count import GraphCost
from .frame import FrameTime, interval_dict
from .roofline import Interval, LayerTime, Prediction
from .timing import Measurement, Placement, Timing

_COSTLIEST = 5


@dataclass(frozen=True)
class NetworkProfile:
    """One network at one frame size.

    `predicted` is `prediction`'s interval, longer where the device is taken to be warm. `frame` is
    what its frames wait for. `measurements` are those of the providers that ran it here.
    """

    name: str
    cost: GraphCost
    pixels: int
    predicted: Interval
    prediction: Prediction
    frame: FrameTime
    measurements: tuple[Measurement, ...]

    @property
    def measured(self) -> Timing | None:
        """The timing of the first provider that is no simulator; None where nothing was timed."""
        return next((m.timing for m in self.measurements if not m.timing.simulated), None)

    @property
    def placement(self) -> Placement | None:
        """Where the nodes ran with that provider."""
        return next((m.placement for m in self.measurements if not m.timing.simulated), None)

    @property
    def tops(self) -> float:
        """Tera-operations of one frame; 1 MAC is 2 operations."""
        return 2 * self.cost.macs * 1e-12

    @property
    def macs_per_pixel(self) -> float:
        """Multiply-accumulates for each luma pixel that is displayed."""
        return self.cost.macs / self.pixels

    @property
    def costliest(self) -> tuple[LayerTime, ...]:
        """The five layers that are predicted to take longest."""
        return tuple(sorted(self.prediction.layers, key=lambda layer: -layer.ms)[:_COSTLIEST])

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "name": self.name,
            "macs": self.cost.macs,
            "macs_per_pixel": self.macs_per_pixel,
            "tops": self.tops,
            "parameters": self.cost.parameters,
            "activation_bytes": self.cost.activation_bytes,
            "precision": self.cost.precision,
            "predicted_ms": interval_dict(self.predicted),
            "measured_ms": self.measured.to_dict() if self.measured else None,
            "measurements": [each.to_dict() for each in self.measurements],
            "placement": self.placement.to_dict() if self.placement else None,
            "bound": self.prediction.bound,
            "dispatch_ms": self.prediction.dispatch_ms,
            "io_ms": self.prediction.io_ms,
            "frame": self.frame.to_dict(),
            "layers": _layer_dicts(self.prediction, self.cost),
            "nearest": [
                {
                    "network": network.network,
                    "input": network.input,
                    "gmacs": network.gmacs,
                    "predicted_over_measured": network.predicted_over_measured,
                }
                for network in self.prediction.nearest
            ],
        }


def _layer_dicts(prediction: Prediction, cost: GraphCost) -> list[dict[str, Any]]:
    return [
        {
            "name": time.layer.name,
            "op": time.layer.op,
            "macs": time.layer.macs,
            "weights": time.layer.weights,
            "activation_bytes": time.layer.activation_elements * cost.activation_bytes_each,
            "predicted_ms": time.ms,
            "compute_ms": time.compute_ms,
            "memory_ms": time.memory_ms,
            "overhead_ms": time.overhead_ms,
            "bound": time.bound,
        }
        for time in prediction.layers
    ]
