"""An image decoder that no fit sees: the nearest public relative of ours, held out for a check."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from .model import Model
from .public_data import network
from .validate import Validation

_LAYERS, _PRECISION = "sd15_vae_decoder", "w8a16"


def decoder_check(folder: Path, validation: Validation) -> dict[str, tuple[float, float]]:
    """Lowest and highest predicted / measured for each device of a w8a16 fit."""
    layers = json.loads((folder / "device_model_layers.json").read_text(encoding="utf-8"))
    model = Model([network(_LAYERS, layers[_LAYERS], _PRECISION)], validation.model.variant)
    solution = validation.solution
    predicted = model.log_ms(solution.device, solution.shared)[:, 0]
    found: dict[str, list[float]] = {}
    with (folder / "device_points.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            device, decodes = row["device"], row["model"].endswith(":vae")
            if not decodes or (row["precision"], row["compute_unit"]) != (_PRECISION, "NPU"):
                continue
            if device in validation.latencies.devices:
                index = validation.latencies.devices.index(device)
                ratio = float(np.exp(predicted[index])) / float(row["ms"])
                found.setdefault(device, []).append(ratio)
    return {device: (min(ratios), max(ratios)) for device, ratios in found.items()}
