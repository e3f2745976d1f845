"""Bias correction, and the choice of a recipe by measurement."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from edgecodec.decoder.networks import NetworkSpec
from edgecodec.export.calibration import (
    Candidate,
    Measure,
    RangeMethod,
    Sample,
    bias_corrections,
    choose_recipe,
    collect,
)
from edgecodec.export.check import to_real
from edgecodec.export.graph import to_bytes
from edgecodec.export.quantization import Arithmetic, LayerPrecision, Recipe, preset, quantize
from edgecodec.export.sessions import open_session
from numpy.typing import NDArray

Chain = Callable[..., tuple[onnx.ModelProto, NetworkSpec]]
Fidelity = Callable[[onnx.ModelProto, NetworkSpec, Sample], Measure]
NO_BIAS = np.zeros(6, np.float32)


def diagonal(*factors: float) -> NDArray[np.float32]:
    """A 1x1 convolution that scales each of its channels."""
    return np.diag(factors).astype(np.float32)[:, :, None, None]


def pixels(size: int) -> dict[str, NDArray[np.uint8]]:
    return {"x": np.random.default_rng(8).integers(0, 255, (1, 6, size, size), dtype=np.uint8)}


def outlier_channel(chain: Chain) -> tuple[onnx.ModelProto, NetworkSpec, Sample]:
    """Features below 0.1, save for one channel that one pixel drives to 6 and nobody heeds."""
    stem = diagonal(*[0.1] * 5, 1200.0)
    head = diagonal(*[10.0] * 5, 0.01)
    shift = NO_BIAS.copy()
    shift[5] = -1194.0
    sample = pixels(400)
    sample["x"][0, 5] = 0
    sample["x"][0, 5, 0, 0] = 255
    return *chain(stem=(stem, shift), head=(head, NO_BIAS)), sample


def test_an_outlier_makes_the_extremes_bad(chain: Chain, fidelity: Fidelity) -> None:
    model, spec, sample = outlier_channel(chain)
    assert collect(model, spec, [sample]).histograms["stem.features"].maximum == 6
    recipe, report = choose_recipe(
        model, spec, preset("cpu"), [sample], fidelity(model, spec, sample)
    )
    psnr = {
        each.method: each.psnr_db
        for each in report.candidates
        if each.per_channel and not each.bias_correction
    }
    assert psnr[RangeMethod.MINMAX] == psnr[RangeMethod.ARCHITECTURE]
    # The mean square error does not know that nobody heeds the channel; it gives up half of it.
    assert psnr[RangeMethod.MSE] > psnr[RangeMethod.MINMAX] + 2
    assert psnr[RangeMethod.PERCENTILE] > psnr[RangeMethod.MINMAX] + 10
    assert report.chosen.method is RangeMethod.PERCENTILE
    assert recipe.ranges["stem.features"][1] < 0.5


def test_one_large_channel_spoils_a_scale_for_all(chain: Chain, fidelity: Fidelity) -> None:
    stem = diagonal(1, 1, 1, 0.01, 0.01, 0.01)
    head = diagonal(0.9, 0.9, 0.9, 90, 90, 90)
    model, spec = chain(stem=(stem, NO_BIAS), head=(head, NO_BIAS))
    sample = pixels(64)
    measure = fidelity(model, spec, sample)
    recipe, report = choose_recipe(
        model, spec, replace(preset("cpu"), per_channel=False), [sample], measure
    )
    best = {per_channel: -np.inf for per_channel in (True, False)}
    for each in report.candidates:
        best[each.per_channel] = max(best[each.per_channel], each.psnr_db)
    assert best[True] > best[False] + 1
    assert recipe.preset.per_channel


def tilted(chain: Chain) -> tuple[onnx.ModelProto, NetworkSpec]:
    """Every small weight of the body is rounded up by almost half a step, so means go up."""
    rows = np.full((6, 6, 1, 1), 0.001, np.float32)
    rows *= 0.55 / (0.001 / (0.3 / 127))
    for channel in range(6):
        rows[channel, channel] = 0.3
    return chain(stem=(diagonal(*[3.0] * 6), NO_BIAS), head=(rows, NO_BIAS))


@pytest.mark.parametrize("arithmetic", list(Arithmetic))
@pytest.mark.parametrize("per_channel", [True, False])
def test_corrected_biases_bring_the_means_back(
    chain: Chain, arithmetic: Arithmetic, per_channel: bool
) -> None:
    model, spec = tilted(chain)
    sample = pixels(64)
    found = collect(model, spec, [sample])
    recipe = Recipe(replace(preset("cpu", arithmetic), per_channel=per_channel))
    corrections = bias_corrections(model, spec, recipe, found)
    assert {layer: len(values) for layer, values in corrections.items()} == {"stem": 6, "head": 6}

    def means(graph: onnx.ModelProto) -> NDArray[np.float64]:
        real = {"x": to_real(sample["x"], spec.inputs[0])}
        (frame,) = open_session(to_bytes(graph), "chain").run(["frame_out"], real)
        averages: NDArray[np.float64] = frame.mean(axis=(0, 2, 3), dtype=np.float64)
        return averages

    wanted = means(model)
    plain = np.abs(means(quantize(model, spec, recipe)) - wanted)
    mended = replace(recipe, bias_corrections=corrections)
    assert (np.abs(means(quantize(model, spec, mended)) - wanted) < 0.4 * plain).all()


def test_layers_in_float_have_nothing_to_correct(chain: Chain) -> None:
    model, spec = tilted(chain)
    found = collect(model, spec, [pixels(16)])
    recipe = Recipe(preset("cpu"), precision={"head": LayerPrecision.FLOAT})
    assert list(bias_corrections(model, spec, recipe, found)) == ["stem"]


def test_bias_correction_is_chosen_where_it_helps(chain: Chain, fidelity: Fidelity) -> None:
    model, spec = tilted(chain)
    sample = pixels(64)
    measure = fidelity(model, spec, sample)
    told: list[Candidate] = []
    recipe, report = choose_recipe(
        model, spec, preset("cpu"), [sample], measure, progress=told.append
    )
    assert report.chosen.bias_correction
    assert recipe.bias_corrections["head"]
    assert measure(recipe) == report.chosen.psnr_db
    assert report.chosen.psnr_db > report.candidates[0].psnr_db + 0.5
    assert tuple(told) == report.candidates
    assert len(told) == 16


def test_of_equals_the_simplest_is_taken(chain: Chain) -> None:
    model, spec = tilted(chain)
    noise = iter(np.linspace(40, 40.0009, 16))
    samples = [pixels(16), pixels(8)]
    recipe, report = choose_recipe(model, spec, preset("qnn"), samples, lambda _: next(noise))
    assert recipe == Recipe(preset("qnn"))
    assert report.chosen == Candidate(RangeMethod.ARCHITECTURE, True, False, 40.0)
    described = json.loads(json.dumps(report.to_dict()))
    assert described["samples"] == 2
    assert described["chosen"]["method"] == "architecture"


def test_only_the_methods_that_were_asked_for_are_tried(chain: Chain) -> None:
    model, spec = tilted(chain)
    found = collect(model, spec, [pixels(16)])
    recipe, report = choose_recipe(
        model,
        spec,
        preset("cpu"),
        [],
        lambda recipe: float(len(recipe.ranges)),
        statistics=found,
        methods=[RangeMethod.MSE],
    )
    assert {each.method for each in report.candidates} == {RangeMethod.MSE}
    assert list(recipe.ranges) == ["stem.features"]
