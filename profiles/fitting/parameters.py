"""Writes the parameter files that ship."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .devices import Device
from .model import DEVICE, Array
from .validate import Validation, loneliness, places, reach, summary

_FORMAT = 2
_SOURCE = (
    "Own fit to public latencies of Qualcomm AI Hub Models v0.46.1 (perf.yaml, BSD-3-Clause,"
    " github.com/quic/ai-hub-models at 52c080d): QNN DLC on the NPU, batch 1. No latency of theirs"
    " is copied here."
)
# What of `model.DEVICE` a prediction needs.
_SHIPPED = [name for name in DEVICE if name != "normalise_gpixels"]


def device_file(device: Device, validations: Mapping[str, Validation]) -> dict[str, Any]:
    """The content of a device's parameter file, for each precision that was fitted to it."""
    precisions = {
        precision: _precision(validation, validation.latencies.devices.index(device.column))
        for precision, validation in validations.items()
        if device.column in validation.latencies.devices
    }
    return {"format": _FORMAT, "title": device.title, "source": _SOURCE, "precisions": precisions}


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write `content`, whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(part, file)


def _precision(validation: Validation, row: int) -> dict[str, Any]:
    values = dict(zip(DEVICE, np.exp(validation.solution.device[row]), strict=True))
    where = places(validation.model.networks)
    structure = dataclasses.asdict(validation.model.structure(validation.solution.shared))
    limits = reach(validation.single[row], loneliness(where))
    return {
        **{name: _rounded(values[name]) for name in _SHIPPED},
        "structure": _all_rounded(structure),
        "error": _all_rounded(dataclasses.asdict(summary(validation.single[row]))),
        "family_error": _all_rounded(dataclasses.asdict(summary(validation.family[row]))),
        "reach": _all_rounded(dataclasses.asdict(limits)),
        "networks": _networks(validation, validation.single[row]),
    }


def _networks(validation: Validation, errors: Array) -> list[dict[str, Any]]:
    rows = []
    for network, where, error in zip(
        validation.model.networks, places(validation.model.networks), errors, strict=True
    ):
        if not math.isnan(error):
            row = {
                "network": network.name,
                "input": network.input.removeprefix("1x"),
                "gmacs": _rounded(math.exp(where.work)),
                "activation_elements_per_mac": _rounded(math.exp(where.traffic)),
                "largest_layer": _rounded(math.exp(where.largest)),
                "predicted_over_measured": round(math.exp(error), 2),
            }
            rows.append(row)
    return rows


def _all_rounded(values: Mapping[str, float | int]) -> dict[str, float | int]:
    return {
        name: value if isinstance(value, int) else _rounded(value) for name, value in values.items()
    }


def _rounded(value: float) -> float:
    """Four significant digits: the fit knows no more."""
    return float(f"{value:.4g}")


def titles(devices: Sequence[Device], columns: Sequence[str]) -> list[Device]:
    """The devices that have a row, in the order of `columns`."""
    by_column = {device.column: device for device in devices}
    return [by_column[column] for column in columns]
