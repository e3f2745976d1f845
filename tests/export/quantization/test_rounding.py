"""Integers chosen by what a layer's outputs lose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from edgecodec.decoder import spec
from edgecodec.export.graph import to_bytes
from edgecodec.export.quantization import Recipe, preset, quantize, round_to_outputs
from edgecodec.runtime.errors import ExportError, UnsupportedError
from numpy.typing import NDArray
from onnx import numpy_helper

from .conftest import SIZE, Inputs, exact_recipe, intra_latent, run, uint8_graph
from .integers import run_integers

Graphs = Callable[[str], onnx.ModelProto]
Make = Callable[[str], Inputs]


def float_levels(
    graph: onnx.ModelProto, inputs: Inputs
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    reals = {"latent": (inputs["latent"].astype(np.float32) - 128) / 4}
    levels: NDArray[np.float64] = run(graph, reals)["frame_out"].astype(np.float64).clip(0, 1) * 255
    return levels


def unrounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with weights that lie on no grid: each moved by a tenth of its layer's, at random."""
    random = np.random.default_rng(0)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for initializer in result.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.ndim == 4:
            noise = 0.1 * values.std() * random.standard_normal(values.shape)
            moved = (values + noise).astype(np.float32)
            initializer.CopyFrom(numpy_helper.from_array(moved, initializer.name))
    return result


def test_it_takes_back_much_of_what_exact_arithmetic_costs(floats: Graphs) -> None:
    # The weights that ship are rounded already.
    network, graph = spec("iframe_decoder", "nano"), unrounded(floats("iframe_decoder"))
    places = [(row, column) for row in (0, 240, 464) for column in (0, 256, 512)]
    seen = [{"latent": intra_latent(*place, 256, 256)} for place in places]
    rounded = round_to_outputs(graph, network, exact_recipe(), seen)
    unseen = {"latent": intra_latent(320, 832, SIZE.height, SIZE.width)}
    wanted = float_levels(graph, unseen)
    before, after = (
        run(uint8_graph(g, network, exact_recipe()), unseen)["frame_out"] - wanted
        for g in (graph, rounded)
    )
    assert np.square(after).mean() < 0.75 * np.square(before).mean()


def test_its_integers_are_found_again_and_stay_exact(floats: Graphs, picture: Make) -> None:
    network, inputs = spec("enhancer", "nano"), picture("enhancer")
    without_code = {n: x for n, x in inputs.items() if n not in ("gain", "bias")}
    rounded = round_to_outputs(floats("enhancer"), network, exact_recipe(), (without_code,))
    graph = uint8_graph(rounded, network, exact_recipe())
    expected, nearest = run_integers(graph, inputs)
    assert nearest >= 2
    assert (run(graph, inputs)["residual_out"] == expected["residual_out"]).all()
    floats_after = {i.name: numpy_helper.to_array(i) for i in rounded.graph.initializer}
    qdq = quantize(rounded, network, exact_recipe())
    stored = {i.name: numpy_helper.to_array(i) for i in qdq.graph.initializer}
    weight = stored["body.0.weight_quantized"].astype(np.float64)
    # Both sides of body.0 are features, whose label is 2^-5: its weights' labels are real.
    real = weight * stored["body.0.weight_scale"][:, None, None, None]
    np.testing.assert_allclose(real, floats_after["body.0.weight"], rtol=1e-6)


def test_fast_integers_are_found_again_also_from_half_precision(
    floats: Graphs, picture: Make
) -> None:
    network, fast = spec("enhancer", "nano"), Recipe(preset("cpu"))
    graph = unrounded(floats("enhancer"))
    rounded = round_to_outputs(graph, network, fast, (picture("enhancer"),))
    halved = onnx.ModelProto()
    halved.CopyFrom(rounded)
    for initializer in halved.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.ndim == 4:
            short = values.astype(np.float16).astype(np.float32)
            initializer.CopyFrom(numpy_helper.from_array(short, initializer.name))
    before = {i.name: numpy_helper.to_array(i) for i in rounded.graph.initializer}
    for model in (rounded, halved):
        qdq = quantize(model, network, fast)
        stored = {i.name: numpy_helper.to_array(i) for i in qdq.graph.initializer}
        for name in ("stem.weight", "body.0.weight", "head.weight"):
            peaks = np.abs(before[name]).reshape(len(before[name]), -1).max(axis=1)
            wanted = before[name] / (peaks / 127)[:, None, None, None]
            np.testing.assert_allclose(wanted, np.rint(wanted), atol=1e-3)
            assert (stored[f"{name}_quantized"] == np.rint(wanted)).all()


def test_fast_integers_lose_less_when_rounded_to_outputs(floats: Graphs) -> None:
    network, fast = spec("iframe_decoder", "nano"), Recipe(preset("cpu"))
    graph = unrounded(floats("iframe_decoder"))
    places = [(row, column) for row in (0, 240, 464) for column in (0, 256, 512)]
    seen = [{"latent": intra_latent(*place, 256, 256)} for place in places]
    rounded = round_to_outputs(graph, network, fast, seen)
    unseen = {"latent": intra_latent(320, 832, SIZE.height, SIZE.width)}
    wanted = float_levels(graph, unseen)
    before, after = (
        run(uint8_graph(g, network, fast), unseen)["frame_out"] - wanted for g in (graph, rounded)
    )
    assert np.square(after).mean() < np.square(before).mean()


def test_the_same_samples_give_the_same_bytes_on_any_number_of_threads(
    floats: Graphs, picture: Make
) -> None:
    network, before = spec("enhancer", "nano"), torch.get_num_threads()
    made = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            rounded = round_to_outputs(
                floats("enhancer"), network, exact_recipe(), (picture("enhancer"),)
            )
            assert torch.get_num_threads() == threads
            made.append(to_bytes(rounded))
    finally:
        torch.set_num_threads(before)
    assert made[0] == made[1]


def test_it_needs_uint8_activations_and_samples(floats: Graphs, noise: Make) -> None:
    network, graph = spec("enhancer", "nano"), floats("enhancer")
    with pytest.raises(UnsupportedError, match="uint8 activations"):
        round_to_outputs(graph, network, Recipe(preset("tensorrt")), (noise("enhancer"),))
    with pytest.raises(ExportError, match="there are no samples"):
        round_to_outputs(graph, network, exact_recipe(), ())
    with pytest.raises(ExportError, match="nothing for input 'prev'"):
        round_to_outputs(graph, network, exact_recipe(), ({},))
