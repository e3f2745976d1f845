"""The recipe of a network: calibrated, then with as few layers promoted as the loss allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from ..decoder.networks import PER_SCENE, NetworkSpec
from ..runtime.errors import ExportError
from .calibration import CalibrationReport, Measure, RangeMethod, choose_recipe, collect, ranges
from .graph import to_bytes
from .loss import LossSample, float_psnr, int8_psnr
from .quantization import Arithmetic, Preset, Recipe, quantize, uint8_boundary
from .sample_sets import quick_samples
from .sensitivity import SensitivityReport, analyse


def recipe_measure(
    model: onnx.ModelProto, spec: NetworkSpec, samples: Sequence[LossSample]
) -> Measure:
    """PSNR in dB on `samples` of the uint8 graph that a recipe makes of the float graph `model`."""

    def measure(recipe: Recipe) -> float:
        graph = uint8_boundary(quantize(model, spec, recipe), spec, recipe)
        return int8_psnr(to_bytes(graph), spec, samples)

    return measure


def calibrate(
    model: onnx.ModelProto,
    spec: NetworkSpec,
    preset: Preset,
    method: RangeMethod | None,
    calibration: Sequence[LossSample],
    validation: Sequence[LossSample],
) -> tuple[Recipe, CalibrationReport | None]:
    """The recipe of `method`, or for None the best of all by what was measured on `validation`.

    The architecture's ranges need no samples. Raises `ExportError` where others have none.
    """
    if method is RangeMethod.ARCHITECTURE:
        return Recipe(preset), None
    if not calibration or not validation:
        raise ExportError(
            f"calibrate {spec.name}: there are no real samples of its inputs; use"
            " --ranges architecture, which needs none"
        )
    inputs = [sample.inputs for sample in calibration]
    if method is not None:
        found = collect(model, spec, inputs)
        return Recipe(preset, ranges(found, method, activations=preset.activations)), None
    measure = recipe_measure(any_size(model, spec), spec, quick_samples(validation, spec))
    return choose_recipe(model, spec, preset, inputs, measure)


@dataclass(frozen=True)
class Promoted:
    """The recipe to go on with, how sensitive its layers are and what is to be said of it."""

    recipe: Recipe
    report: SensitivityReport
    note: str


def promote(
    model: onnx.ModelProto,
    spec: NetworkSpec,
    recipe: Recipe,
    samples: Sequence[LossSample],
    max_drop_db: float,
) -> Promoted:
    """`recipe` with the fewest layers promoted whose loss on `samples` is at most `max_drop_db`.

    Layers are ranked on parts of the samples where the loss holds without any promotion, and else
    on all of them. Exact arithmetic stays exact, so nothing in it is promoted, and its layers are
    ranked in fast arithmetic, which mixes with float; nor is everything promoted, for what is left
    would be no INT8 network. `recipe` is then as it was, and the gate at the export's end tells.
    """
    if recipe.preset.arithmetic is Arithmetic.EXACT:
        return Promoted(recipe, _ranked(model, spec, recipe, samples), "")
    measure = recipe_measure(model, spec, samples)
    reference = float_psnr(to_bytes(model), spec, samples)
    drop = reference - measure(recipe)
    if drop <= max_drop_db:
        return Promoted(recipe, _ranked(model, spec, recipe, samples), "")
    report = analyse(model, spec, recipe, measure, reference, max_drop_db)
    layers = report.chosen.promoted
    if not report.holds or len(layers) == len(report.ranking):
        return Promoted(recipe, report, f"no promotion brings the loss to {max_drop_db:g} dB")
    kind = report.promotion.value
    note = f"{drop:.4f} dB lost in INT8, so {kind}: {', '.join(layers)}"
    return Promoted(report.applied(recipe), report, note)


def _ranked(
    model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe, samples: Sequence[LossSample]
) -> SensitivityReport:
    """The layers' sensitivity on parts of the samples."""
    parts, free = quick_samples(samples, spec), any_size(model, spec)
    fast = replace(recipe, preset=replace(recipe.preset, arithmetic=Arithmetic.FAST))
    reference = float_psnr(to_bytes(free), spec, parts)
    return analyse(free, spec, fast, recipe_measure(free, spec, parts), reference, math.inf)


def any_size(model: onnx.ModelProto, spec: NetworkSpec) -> onnx.ModelProto:
    """`model` with free height and width: nothing in our networks depends on them."""
    once = {port.name for port in spec.inputs if port.stride == PER_SCENE}
    free = onnx.ModelProto()
    free.CopyFrom(model)
    free.graph.ClearField("value_info")
    for value in (*free.graph.input, *free.graph.output):
        if value.name not in once:
            for side in value.type.tensor_type.shape.dim[2:]:
                side.Clear()
    return free
