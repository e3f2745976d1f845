"""How a network's weights are rounded: to the nearest step where that is good enough, for then no
data decide, else so that its layers' outputs come out best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import onnx

from ..decoder.networks import NetworkSpec
from .graph import to_bytes
from .loss import float_psnr
from .quantization import Activations, Arithmetic, Preset, Recipe, round_to_outputs
from .recipes import recipe_measure
from .sample_sets import SampleSet


class Rounding(StrEnum):
    """How weights become integers."""

    NEAREST = "nearest"
    TO_OUTPUTS = "to outputs"


@dataclass(frozen=True)
class Rounded:
    """A float graph and the recipe that is to quantise it, how it was rounded and why."""

    model: onnx.ModelProto
    recipe: Recipe
    rounding: Rounding
    note: str = ""


def can_round(preset: Preset) -> bool:
    """Whether weights of that preset can be rounded to outputs."""
    return preset.activations is Activations.U8 and preset.per_channel


def round_weights(
    model: onnx.ModelProto,
    spec: NetworkSpec,
    recipe: Recipe,
    validation: SampleSet,
    calibration: SampleSet,
    max_drop_db: float | None,
) -> Rounded:
    """`model` rounded to its outputs on `calibration`, where its integers otherwise lose more than
    `max_drop_db` on `validation`, and lose less so; else `model` as it is.

    Without a bound or without samples nothing is rounded, nor is what a preset without uint8
    activations and scales by channel is for. The rounded graph contains the recipe's bias
    corrections, so the recipe beside it has none.
    """
    nearest = Rounded(model, recipe, Rounding.NEAREST)
    if not can_round(recipe.preset) or max_drop_db is None:
        return nearest
    exact = recipe.preset.arithmetic is Arithmetic.EXACT
    if not validation.samples:
        note = "nearest: there are no real samples to measure its loss on" if exact else ""
        return replace(nearest, note=note)
    reference = float_psnr(to_bytes(model), spec, validation.samples)
    drop = reference - recipe_measure(model, spec, validation.samples)(recipe)
    lost = f"nearest loses {drop:.4f} dB"
    if drop <= max_drop_db:
        return replace(nearest, note=lost if exact else "")
    if not calibration.samples:
        return replace(nearest, note=f"{lost}; there are no samples to round to outputs on")
    inputs = [sample.inputs for sample in calibration.samples]
    rounded = round_to_outputs(model, spec, recipe, inputs)
    contained = replace(recipe, bias_corrections={})
    after = reference - recipe_measure(rounded, spec, validation.samples)(contained)
    lost = f"{lost}, rounded to outputs {after:.4f} dB"
    if after >= drop:
        return replace(nearest, note=f"{lost}: it stays")
    return Rounded(rounded, contained, Rounding.TO_OUTPUTS, lost)
