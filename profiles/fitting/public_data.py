"""The public latencies, and the networks that they were measured on as `GraphCost`s.

A data folder holds `device_points.csv` (a latency a row) and `device_model_layers.json` (the layers
of each network as its PyTorch code runs them).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..count import LANES, GraphCost, LayerCost
from .families import NORMALISED, family

# Ops of these names stand for what a device does and a `GraphCost` of ONNX has no name for.
NORMALISE = "Normalise"
CONV_3D = "Conv3d"

BYTES = {"w8a8": 1, "w8a16": 2, "float": 2}
# Folded into the layer before them, or moving nothing.
_FOLDED = frozenset({"relu", "relu_", "hardtanh", "hardtanh_"})
_FREE = frozenset({"clone", "copy_", "_to_copy", "as_strided_"})
# A batch normalisation behind one of these cannot be folded into a convolution.
_UNFOLDABLE = frozenset({"cat", "avg_pool2d"})


@dataclass(frozen=True)
class Network:
    """A network of the calibration set; `cost` has the ops above besides those of ONNX."""

    name: str
    family: str
    input: str
    cost: GraphCost


@dataclass(frozen=True)
class Latencies:
    """`log_ms[d, n]`: logarithm of device d's milliseconds for network n, NaN where none is."""

    precision: str
    devices: tuple[str, ...]
    networks: tuple[Network, ...]
    log_ms: NDArray[np.float64]


def read_latencies(
    folder: Path, precision: str, devices: tuple[str, ...], excluded: frozenset[str]
) -> Latencies:
    """The latencies of `devices` in `precision` of graphs compiled to a DLC and run on the NPU.

    Networks whose layers are not known are left out, and devices with fewer than 8 latencies.
    """
    layers = json.loads((folder / "device_model_layers.json").read_text(encoding="utf-8"))
    found: dict[tuple[str, str], float] = {}
    with (folder / "device_points.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            kind = (row["precision"], row["runtime"], row["compute_unit"])
            usable = row["model"] in layers and row["model"] not in excluded
            if kind == (precision, "qnn_dlc", "NPU") and usable and row["device"] in devices:
                found[row["device"], row["model"]] = float(row["ms"])
    rows = {device: sum(key[0] == device for key in found) for device in devices}
    kept = tuple(device for device in devices if rows[device] >= 8)
    names = sorted({name for device, name in found if device in kept})
    log_ms = np.full((len(kept), len(names)), np.nan)
    for (device, name), ms in found.items():
        if device in kept:
            log_ms[kept.index(device), names.index(name)] = math.log(ms)
    networks = tuple(network(name, layers[name], precision) for name in names)
    return Latencies(precision, kept, networks, log_ms)


def network(name: str, data: Mapping[str, Any], precision: str) -> Network:
    """The network `name` of `device_model_layers.json` with what its listing leaves out.

    The listing holds no pooling and not the normalisation of the picture that the published graph
    begins with (`families.NORMALISED`).
    """
    shape = [int(extent) for extent in data["input"].split("x")]
    reader = _Layers(shape, normalised=name in NORMALISED)
    for index, layer in enumerate(data["layers"]):
        reader.add(index, layer)
    last = reader.layers[-1]
    inputs, outputs = math.prod(shape), last.output_elements
    padded = inputs * _padding(shape[1]) + outputs * _padding(last.out_channels or 1)
    cost = GraphCost(
        layers=tuple(reader.layers),
        parameters=data["params"],
        input_elements=inputs,
        output_elements=outputs,
        precision=precision,
        activation_bytes_each=BYTES[precision],
        boundary_padding=padded / (inputs + outputs),
    )
    return Network(name, family(name), data["input"], cost)


def _padding(channels: int) -> float:
    return math.ceil(channels / LANES) * LANES / channels


class _Layers:
    """Gathers `LayerCost`s from the rows of one listing."""

    def __init__(self, shape: list[int], *, normalised: bool) -> None:
        elements = math.prod(shape)
        self.layers: list[LayerCost] = []
        self._sizes = {elements}
        self._last = elements
        self._before = ""
        if normalised:
            self._move("normalise", NORMALISE, elements, elements)

    def add(self, index: int, row: Mapping[str, Any]) -> None:
        op, read, written = row["op"], row["i"], row["o"]
        if row["macs"]:
            # A smaller tensor than any that was written so far was pooled in between.
            if op == "conv" and read not in self._sizes and read < self._last:
                self._move(f"pool{index}", "MaxPool", self._last, read)
            self._multiply(f"{op}{index}", row)
        elif op not in _FREE and (op not in _FOLDED or self._before in _UNFOLDABLE):
            self._move(f"{op}{index}", op, read, written)
        self._sizes.add(written)
        self._last, self._before = written, op

    def _multiply(self, name: str, row: Mapping[str, Any]) -> None:
        channels, groups = (row["cin"], row["cout"]), row["groups"]
        op = CONV_3D if len(row["k"]) == 3 else "Conv"
        self.layers.append(
            LayerCost(name, op, row["macs"], row["w"], row["i"], row["o"], *channels, groups)
        )

    def _move(self, name: str, op: str, read: int, written: int) -> None:
        self._sizes.add(written)
        # The channels matter at the graph's end only: there a tensor keeps those written last.
        channels = 3 if op == "pixel_shuffle" else self._channels()
        self.layers.append(LayerCost(name, op, 0, 0, read, written, 0, channels, 1))

    def _channels(self) -> int:
        return self.layers[-1].out_channels if self.layers else 3
