"""Float graphs to integers: presets for each kind of device, fast or exact."""

from .lint import lint_tensorrt
from .quantizer import activations, layers, quantize, uint8_boundary
from .recipe import Activations, Affine, Arithmetic, LayerPrecision, Preset, Recipe, preset
from .rounding import round_to_outputs

__all__ = [
    "Activations",
    "Affine",
    "Arithmetic",
    "LayerPrecision",
    "Preset",
    "Recipe",
    "activations",
    "layers",
    "lint_tensorrt",
    "preset",
    "quantize",
    "round_to_outputs",
    "uint8_boundary",
]
