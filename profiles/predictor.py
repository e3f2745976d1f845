"""One way to predict for all devices: by a fit, or by this machine's own rates."""

from __future__ import annotations

from collections.abc import Callable

from .count import GraphCost
from .device import Basis, DeviceProfile
from .host import predict_host
from .probe import HostRates, probe
from .roofline import Prediction, predict

Predictor = Callable[[GraphCost], Prediction]


def predictor(device: DeviceProfile, threads: int = 0) -> Predictor:
    """What predicts one call of a graph on `device`.

    A measured device is this machine: its CPU is probed with so many threads, once for each
    precision that is met (about 2 s). The result raises as `predict` and `probe` do.
    """
    if device.basis is not Basis.MEASURED:
        return lambda cost: predict(cost, device)
    rates: dict[str, HostRates] = {}

    def predict_here(cost: GraphCost) -> Prediction:
        if cost.precision not in rates:
            rates[cost.precision] = probe(cost.precision, threads)
        return predict_host(cost, rates[cost.precision])

    return predict_here
