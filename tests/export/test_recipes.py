"""The recipe that an export goes on with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from edgecodec.decoder import build, spec
from edgecodec.decoder.networks import Enhancer, NetworkSpec
from edgecodec.export import Arithmetic, LossSample, RangeMethod, Size
from edgecodec.export.check import to_levels, to_real
from edgecodec.export.graph import to_bytes, to_onnx
from edgecodec.export.inputs import fit_inputs
from edgecodec.export.loss import float_psnr
from edgecodec.export.quantization import Preset, Recipe, preset
from edgecodec.export.recipe_json import recipe_bytes, recipe_from_bytes, recipe_to_dict
from edgecodec.export.recipes import any_size, calibrate, promote, recipe_measure
from edgecodec.export.sample_sets import quick_samples
from edgecodec.export.sessions import open_session
from edgecodec.runtime.errors import ExportError

SPEC: NetworkSpec = spec("enhancer", "nano")


@cache
def enhancer(*, outlier: str | None = None) -> onnx.ModelProto:
    """A float graph of 96x64. In layer `outlier` INT8 spends its steps on weights of an input that
    always is zero; float does not notice."""
    torch.manual_seed(3)
    network = build("enhancer", "nano")
    assert isinstance(network, Enhancer)
    with torch.no_grad():
        network.head.weight.normal_(std=0.02)
        if outlier:
            parts = dict(network.named_modules())
            before = network.stem if outlier == "body.0" else network.body[0]
            before.weight[0] = 0
            before.bias[0] = -1  # type: ignore[index]
            parts[outlier].weight[:, 0] = 14.0  # type: ignore[index, union-attr, operator]
    return to_onnx(network, SPEC, Size(96, 64))


def samples(model: onnx.ModelProto) -> list[LossSample]:
    """Noise, and as its source what the float graph gives: any rounding of INT8 is a loss."""

    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (1, 24, 16, 24), dtype=np.uint8)
    given = {"prev": frame, "cur": frame, "next": frame}
    given["condition"] = np.full((1, 2, 16, 24), 100, np.uint8)
    base = random.integers(200, 800, frame.shape, dtype=np.uint16)
    session = open_session(to_bytes(model), "float")
    fitted = fit_inputs(session, SPEC, given)
    real = {port.name: to_real(fitted[port.name], port) for port in SPEC.inputs}
    residual = to_levels(session.run(None, real)[0], SPEC.outputs[0]).astype(np.int32) - 128
    target = ((base + residual + 2) >> 2).clip(0, 255).astype(np.uint8)
    return [LossSample("made", given, target, base)]


def chosen(target: str = "cpu", arithmetic: Arithmetic = Arithmetic.FAST) -> Preset:
    return preset(target, arithmetic)


def test_a_recipe_survives_its_json() -> None:
    recipe = Recipe(
        chosen("qnn"),
        ranges={"relu6": (0.0, 5.1)},
        precision={"head": chosen("qnn").promotion},
        bias_corrections={"stem": (0.1, -1 / 3)},
    )
    again = recipe_from_bytes(recipe_bytes(recipe))
    assert again == recipe
    assert recipe_to_dict(again)["digest"] == recipe.digest()


def test_a_loss_that_holds_promotes_nothing_and_ranks_every_layer() -> None:
    model = enhancer()
    done = promote(model, SPEC, Recipe(chosen()), samples(model), math.inf)
    assert (done.recipe, done.note) == (Recipe(chosen()), "")
    layers = {layer.layer for layer in done.report.ranking}
    assert layers == {"stem", "body.0", "body.1", "head"}


# Not qnn, whose promotion gives more bits to activations: here it is the weights that need them.
@pytest.mark.parametrize("target", ["cpu", "tensorrt"])
def test_the_layer_that_needs_more_bits_gets_them(target: str) -> None:
    model = enhancer(outlier="body.0")
    real = samples(model)
    measure = recipe_measure(model, SPEC, real)
    recipe = Recipe(chosen(target))
    reference = float_psnr(to_bytes(model), SPEC, real)
    lost = reference - measure(recipe)
    fine = reference - measure(
        Recipe(chosen(target), precision={"body.0": chosen(target).promotion})
    )
    assert fine < lost - 5
    done = promote(model, SPEC, recipe, real, (fine + lost) / 2)
    assert dict(done.recipe.precision) == {"body.0": chosen(target).promotion}
    assert "body.0" in done.note


def test_nothing_is_promoted_where_all_would_have_to_be() -> None:
    model = enhancer()
    recipe = Recipe(chosen())
    done = promote(model, SPEC, recipe, samples(model), 0.0)
    assert done.recipe == recipe
    assert "no promotion" in done.note


def test_exact_arithmetic_stays_exact() -> None:
    model = enhancer(outlier="body.0")
    recipe = Recipe(chosen(arithmetic=Arithmetic.EXACT))
    done = promote(model, SPEC, recipe, samples(model), 0.0)
    assert done.recipe == recipe
    assert {layer.layer for layer in done.report.ranking} >= {"body.0"}


@pytest.mark.parametrize("method", [RangeMethod.MINMAX, RangeMethod.MSE, None])
def test_ranges_that_samples_decide_need_samples(method: RangeMethod | None) -> None:
    model = enhancer()
    with pytest.raises(ExportError, match=r"no real samples .*--ranges architecture"):
        calibrate(model, SPEC, chosen(), method, (), ())


@pytest.mark.parametrize("method", [RangeMethod.MINMAX, None])
def test_ranges_come_from_samples(method: RangeMethod | None) -> None:
    model = enhancer()
    real = samples(model)
    recipe, report = calibrate(model, SPEC, chosen(), method, real, real)
    if method is None:
        assert report is not None
        best = max(candidate.psnr_db for candidate in report.candidates)
        assert recipe_measure(model, SPEC, real)(recipe) == pytest.approx(best, abs=0.01)
    else:
        assert report is None
        assert recipe.ranges
        assert all(low <= 0 < high <= 6 for low, high in recipe.ranges.values())


def test_the_architectures_ranges_need_none() -> None:
    recipe, report = calibrate(enhancer(), SPEC, chosen(), RangeMethod.ARCHITECTURE, (), ())
    assert (recipe, report) == (Recipe(chosen()), None)


def cells(sample: LossSample) -> Sequence[tuple[int, ...]]:
    return [array.shape[2:] for array in (*sample.inputs.values(), sample.target)]


def test_layers_are_ranked_on_parts_of_the_samples_from_their_middle() -> None:
    whole = np.arange(24 * 180 * 320, dtype=np.uint32).astype(np.uint8).reshape(1, 24, 180, 320)
    inputs = {"cur": whole, "gain": np.full((1, 64, 1, 1), 64, np.uint8)}
    made = [LossSample(clip, inputs, whole, whole * np.uint16(2)) for clip in 9 * "a" + 3 * "b"]
    quick = quick_samples(made, SPEC)
    assert [sample.clip for sample in quick] == ["a", "a", "a", "b", "b", "b"]
    for sample in quick:
        assert cells(sample) == [(60, 104), (1, 1), (60, 104)]
        np.testing.assert_array_equal(sample.target, whole[:, :, 60:120, 108:212])
        assert sample.base is not None
        np.testing.assert_array_equal(sample.base, sample.target * np.uint16(2))


def test_latents_are_cut_where_their_frame_is() -> None:
    network = spec("generator_p", "nano")
    latent = np.arange(45 * 80, dtype=np.uint32).astype(np.uint8).reshape(1, 1, 45, 80)
    inputs = {
        "past": np.zeros((1, 96, 90, 160), np.uint8),
        "latent": np.repeat(latent, 64, axis=1),
    }
    (sample,) = quick_samples(
        [LossSample("a", inputs, np.zeros((1, 96, 90, 160), np.uint8))], network
    )
    assert cells(sample) == [(30, 52), (15, 26), (30, 52)]
    np.testing.assert_array_equal(sample.inputs["latent"][0, 0], latent[0, 0, 15:30, 27:53])


def test_a_graph_of_fixed_size_can_be_had_for_any() -> None:
    model = enhancer()
    free = any_size(model, SPEC)
    real = samples(model)
    assert float_psnr(to_bytes(free), SPEC, real) == pytest.approx(100)
    (small,) = real
    half = LossSample(
        "half",
        {name: array[:, :, :8, :8] for name, array in small.inputs.items()},
        small.target[:, :, :8, :8],
        None if small.base is None else small.base[:, :, :8, :8],
    )
    # Of a smaller picture only the borders know.
    assert 30 < float_psnr(to_bytes(free), SPEC, [half]) <= 100
