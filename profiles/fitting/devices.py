"""The devices that are fitted, and what was expected of them before the fit.

The bandwidth is what is left of the memory's own rate after refresh and the processor's share. The
fixed cost is four fifths of the shortest latency that is published for the device. Expectations of
a peak are rough on purpose: their standard deviation is a factor of 1.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .model import SHARED
from .solve import Prior, Solution


@dataclass(frozen=True)
class Device:
    """`column`: its name in the data. `file`: its parameters' name. `label`: dense INT8 TOPS.

    `expected`: dense TOPS, DRAM GB/s and microseconds of a call, before the fit.
    """

    column: str
    file: str
    title: str
    expected: tuple[float, float, float]
    label: float | None = None


DEVICES = (
    Device(
        "Samsung Galaxy S24",
        "galaxy-s24",
        "Samsung Galaxy S24 (Snapdragon 8 Gen 3)",
        (50, 65, 50),
        label=45,
    ),
    Device(
        "Snapdragon X Elite CRD",
        "x-elite-crd",
        "Snapdragon X Elite reference laptop",
        (35, 80, 140),
        label=45,
    ),
    Device("QCS8550 (Proxy)", "qcs8550", "QCS8550 (Snapdragon 8 Gen 2)", (36, 57, 75)),
    Device(
        "Samsung Galaxy S25", "galaxy-s25", "Samsung Galaxy S25 (Snapdragon 8 Elite)", (60, 72, 50)
    ),
    Device(
        "Snapdragon 8 Elite Gen 5 QRD",
        "8-elite-gen5-qrd",
        "Snapdragon 8 Elite Gen 5 reference phone",
        (80, 75, 50),
    ),
    Device(
        "Dragonwing RB3 Gen 2 Vision Kit",
        "rb3-gen2",
        "Dragonwing RB3 Gen 2 kit (QCS6490)",
        (7, 20, 500),
        label=12,
    ),
    Device("QCS8450 (Proxy)", "qcs8450", "QCS8450 (Snapdragon 8 Gen 1)", (25, 45, 150)),
    Device("Dragonwing IQ-9075 EVK", "iq-9075", "Dragonwing IQ-9075 kit (QCS9075)", (40, 60, 150)),
    Device("SA8295P ADP", "sa8295p", "SA8295P automotive platform", (25, 45, 300)),
    Device("QCS8275 (Proxy)", "qcs8275", "QCS8275", (30, 40, 300)),
)

# The best dense INT8 rate that was published for other silicon, and its label. XDNA2: Taka et al.,
# "Striking the Balance: GEMM Performance Optimization Across Generations of Ryzen AI NPUs",
# arXiv 2512.13282.
PUBLIC_PEAKS = {"AMD XDNA2": (38.05, 50.0)}

# What a precision makes of the peak, the vector units and the normalisation, against w8a8.
_PRECISION = {"w8a8": (1.0, 1.0, 1.0), "w8a16": (0.5, 0.7, 0.5), "float": (0.25, 0.5, 0.6)}
_EXPECTED = {
    "half_in_channels": 4.0,
    "half_out_channels": 4.0,
    "half_positions": 16.0,
    "depthwise_slowdown": 64.0,
    "boundary": 1.0,
    "moving_ops": 2.0,
    "volumetric_slowdown": 1.3,
}
_SD = {name: 0.5 if name in {"half_positions", "volumetric_slowdown"} else 1.0 for name in SHARED}
_KNOWN_SD = 0.15
# In the order of `model.DEVICE`.
_DEVICE_SD = (0.5, 0.7, 0.25, 1.0, 1.0, 0.4, 0.5)
_SPILL = 0.5


def prior(devices: Sequence[Device], precision: str, known: Solution | None = None) -> Prior:
    """The expectations for `devices` in `precision`.

    `known`: the fit of a like precision with more latencies, whose shared parameters are expected
    again, within a seventh.
    """
    peak, vector, normalise = _PRECISION[precision]
    rows = [
        (
            *(tops * peak, tops * 4 * vector, gbps, _SPILL),
            *(40 / tops, call_us, tops * 0.007 * normalise),
        )
        for tops, gbps, call_us in (device.expected for device in devices)
    ]
    return Prior(
        device=np.log(np.array(rows)),
        device_sd=np.array(_DEVICE_SD),
        shared=known.shared if known else np.log(np.array([_EXPECTED[name] for name in SHARED])),
        shared_sd=np.array([_KNOWN_SD if known else _SD[name] for name in SHARED]),
    )
