"""What is decided before a network becomes integers: the target's preset, ranges, precisions.

The same float graph and the same `Recipe` always give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ...runtime.errors import UnsupportedError


class Activations(StrEnum):
    """How activations are stored: asymmetric uint8, or symmetric int8 (zero point 0)."""

    U8 = "u8"
    S8 = "s8"


class Arithmetic(StrEnum):
    """Fast: scales as they fall. Exact: every requantisation is a shift that meets no tie, so that
    all kernels give the same integers."""

    FAST = "fast"
    EXACT = "exact"


class LayerPrecision(StrEnum):
    """How a convolution computes: int8, int8 weights with uint16 activations, or float."""

    INT8 = "int8"
    A16W8 = "a16w8"
    FLOAT = "float"


@dataclass(frozen=True)
class Preset:
    """How a target wants its integers.

    `per_channel`: weights have a scale for each output channel, not one for the whole layer.
    `quantized_bias`: biases are int32 in accumulator steps, not float. `promotion` is what a layer
    becomes that loses too much in int8.
    """

    name: str
    activations: Activations
    per_channel: bool
    quantized_bias: bool
    arithmetic: Arithmetic
    promotion: LayerPrecision


def preset(target: str, arithmetic: Arithmetic = Arithmetic.FAST) -> Preset:
    """The preset of `target`: "cpu", "tensorrt", "qnn" or "openvino".

    Raises `UnsupportedError` for another target, and for exact arithmetic on TensorRT: its features
    have 7 bits where the other targets' have 8, so they could not agree.
    """
    if target == "tensorrt":
        if arithmetic is Arithmetic.EXACT:
            raise UnsupportedError(
                "there is no exact arithmetic for tensorrt: it has 7 bits for features where the"
                " other targets have 8; export --fast"
            )
        return Preset(target, Activations.S8, True, False, arithmetic, LayerPrecision.FLOAT)
    promotions = {
        # 16-bit activations would run in float on the CPU anyway.
        "cpu": LayerPrecision.FLOAT,
        "qnn": LayerPrecision.A16W8,
        "openvino": LayerPrecision.FLOAT,
    }
    if target not in promotions:
        known = ", ".join((*promotions, "tensorrt"))
        raise UnsupportedError(f"there is no quantisation preset for {target!r}: use {known}")
    return Preset(target, Activations.U8, True, True, arithmetic, promotions[target])


@dataclass(frozen=True)
class Affine:
    """Quantisation of one tensor: `real = (integer - zero_point) * scale`."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Recipe:
    """All that decides a network's integers, beside its weights.

    `ranges`: calibrated real (low, high) of inner activations by their tensor of the float graph;
    absent: the architecture's. `precision`: by layer (`quantizer.layers`); absent: INT8.
    `bias_corrections`: by layer [O], added to its real bias.
    """

    preset: Preset
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    precision: Mapping[str, LayerPrecision] = field(default_factory=dict)
    bias_corrections: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 in hex of the content; the order of the mappings does not matter."""
        content = {
            "preset": {name: str(value) for name, value in vars(self.preset).items()},
            "ranges": {name: [float(x).hex() for x in self.ranges[name]] for name in self.ranges},
            "precision": {name: str(value) for name, value in self.precision.items()},
            "bias_corrections": {
                name: [float(x).hex() for x in values]
                for name, values in self.bias_corrections.items()
            },
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
