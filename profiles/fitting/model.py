"""The formula of `roofline`, for all devices and networks at once.

Parameters are logarithms. Each device has its own `DEVICE`, all share `SHARED`. Two terms are of
the calibration set alone and no parameters of a prediction: the normalisation of a picture with
three channels, and 3-D convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..count import LANES
from ..fitted import DEPTHWISE_BELOW, Structure
from .public_data import BYTES, CONV_3D, NORMALISE, Network

Array = NDArray[np.float64]

DEVICE = (
    *("dense_tops", "vector_gbps", "dram_gbps", "spill", "per_op_us", "fixed_us"),
    "normalise_gpixels",
)
SHARED = (
    *("half_in_channels", "half_out_channels", "half_positions", "depthwise_slowdown"),
    *("boundary", "moving_ops", "volumetric_slowdown"),
)


@dataclass(frozen=True)
class Variant:
    """What of the formula is chosen and not fitted; see `Structure` for the meaning.

    `normalisation`: whether the calibration networks' own normalisation counts, which it should.
    """

    channel_alignment: int
    on_chip_bytes: int = 8_000_000
    normalisation: bool = True

    def __str__(self) -> str:
        padding = f"channels padded to {self.channel_alignment}"
        text = padding if self.channel_alignment > 1 else "channels not padded"
        return text if self.normalisation else f"{text}, the graphs' normalisation left out"


class Model:
    """Predicts `networks`, all of one precision."""

    def __init__(self, networks: Sequence[Network], variant: Variant) -> None:
        self.networks = tuple(networks)
        self.variant = variant
        layers = [layer for item in networks for layer in item.cost.layers]
        size = BYTES[networks[0].cost.precision]
        weight_size = 2 if networks[0].cost.precision == "float" else 1
        counts = [len(item.cost.layers) for item in networks]
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._layers = _Table(
            macs=np.array([float(layer.macs) for layer in layers]),
            weights=np.array([float(layer.weights) for layer in layers]) * weight_size,
            moved=np.array([float(layer.activation_elements) for layer in layers]) * size,
            read=np.array([float(layer.input_elements) for layer in layers]) * size,
            written=np.array([float(layer.output_elements) for layer in layers]) * size,
            cin=np.array([float(max(layer.in_channels, 1)) for layer in layers]),
            cout=np.array([float(max(layer.out_channels, 1)) for layer in layers]),
            groups=np.array([float(layer.groups) for layer in layers]),
            positions=np.array(
                [layer.output_elements / max(layer.out_channels, 1) for layer in layers]
            ),
            volumetric=np.array([layer.op == CONV_3D for layer in layers]),
            normalise=np.array([layer.op == NORMALISE for layer in layers]),
        )
        self._boundary = np.array(
            [
                (item.cost.input_elements + item.cost.output_elements)
                * item.cost.boundary_padding
                * size
                for item in networks
            ]
        )

    def log_ms(self, device: Array, shared: Array) -> Array:
        """Logarithm of milliseconds [devices, networks].

        `device`: [devices, len(DEVICE)], `shared`: [len(SHARED)], logarithms.
        """
        peak, vector, dram, spill, per_op, fixed, normalise = (
            np.exp(device[:, index])[:, None] for index in range(len(DEVICE))
        )
        half_in, half_out, half_positions, depthwise, boundary, moving, volumetric = np.exp(shared)
        t, variant = self._layers, self.variant
        per_in, per_out = t.cin / t.groups, t.cout / t.groups
        narrow = (t.groups > 1) & (per_in < DEPTHWISE_BELOW)
        padded = _up(per_in, variant.channel_alignment) * _up(per_out, variant.channel_alignment)
        dense = per_in * per_out / padded
        dense = dense * per_in / (per_in + half_in) * per_out / (per_out + half_out)
        efficiency = np.where(narrow, 1 / depthwise, dense)
        efficiency = efficiency * t.positions / (t.positions + half_positions)
        efficiency = efficiency / np.where(t.volumetric, volumetric, 1.0)
        convolves = t.macs > 0
        compute = 2 * t.macs / np.where(convolves, efficiency, 1.0) / (peak * 1e9)
        stored = t.read / t.cin * _up(t.cin, LANES) + t.written / t.cout * _up(t.cout, LANES)
        working_set = np.where(convolves, stored, t.moved)
        share = spill / (1 + (variant.on_chip_bytes / np.maximum(working_set, 1.0)) ** 3)
        memory = (t.weights + share * working_set) / (dram * 1e6)
        memory = memory + np.where(convolves, 0.0, t.moved) / (vector * 1e6)
        overhead = per_op * 1e-3 * np.where(convolves, 1.0, moving)
        layer_ms = np.maximum(compute, memory) + overhead
        normalise_ms = t.positions / (normalise * 1e6) if variant.normalisation else 0.0
        layer_ms = np.where(t.normalise, normalise_ms, layer_ms)
        total = np.add.reduceat(layer_ms, self._starts, axis=1)
        logs: Array = np.log(total + fixed * 1e-3 + boundary * self._boundary / (dram * 1e6))
        return logs

    def structure(self, shared: Array) -> Structure:
        """The shared parameters as they ship."""
        values = dict(zip(SHARED, (float(value) for value in np.exp(shared)), strict=True))
        values.pop("volumetric_slowdown")
        variant = self.variant
        return Structure(
            channel_alignment=variant.channel_alignment,
            on_chip_bytes=variant.on_chip_bytes,
            **values,
        )


@dataclass(frozen=True)
class _Table:
    """A value for each layer; bytes where elements are meant."""

    macs: Array
    weights: Array
    moved: Array
    read: Array
    written: Array
    cin: Array
    cout: Array
    groups: Array
    positions: Array
    volumetric: NDArray[np.bool_]
    normalise: NDArray[np.bool_]


def _up(channels: Array, multiple: int) -> Array:
    rounded: Array = np.ceil(channels / multiple) * multiple
    return rounded
