"""The exact preset gives the same integers on every kernel, and those that integers alone give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgecodec.decoder import PortSpec, network_names, spec
from edgecodec.decoder.networks import NetworkSpec
from edgecodec.export.devices import compile_qnn, find_soc
from edgecodec.export.graph import to_bytes
from edgecodec.export.quantization import LayerPrecision, Recipe, preset, quantize
from edgecodec.runtime.errors import ExportError, UnsupportedError
from onnx import TensorProto, helper, numpy_helper

from .conftest import Inputs, exact_recipe, run, uint8_graph
from .integers import run_integers

Graphs = Callable[[str], onnx.ModelProto]
Make = Callable[[str], Inputs]
VARIANTS = tuple(product(("OFF", "BASIC", "EXTENDED", "ALL"), (1, 2)))


def differing(actual: Inputs, expected: Inputs) -> int:
    assert actual.keys() == expected.keys()
    return sum(int((actual[name] != expected[name]).sum()) for name in expected)


@pytest.mark.parametrize("kind", ["noise", "picture"])
@pytest.mark.parametrize("name", network_names())
def test_onnx_runtime_gives_what_integers_give_however_it_runs(
    name: str, kind: str, floats: Graphs, noise: Make, picture: Make
) -> None:
    inputs = (noise if kind == "noise" else picture)(name)
    graph = uint8_graph(floats(name), spec(name, "nano"), exact_recipe())
    expected, nearest = run_integers(graph, inputs)
    assert all(np.unique(output).size > 4 for output in expected.values())
    found = {variant: differing(run(graph, inputs, *variant), expected) for variant in VARIANTS}
    assert found == dict.fromkeys(VARIANTS, 0)
    assert nearest >= 2


@pytest.mark.parametrize(
    ("name", "soc"),
    [
        *(("generator_b", soc) for soc in ("8gen1", "8gen2", "8gen3", "8elite", "8elite-gen5")),
        ("iframe_decoder", "8gen3"),
        ("generator_p", "8gen1"),
        ("enhancer", "8gen2"),
        ("generator_up", "8gen1"),
    ],
)
def test_qualcomms_simulator_gives_what_integers_give(
    name: str, soc: str, floats: Graphs, noise: Make, tmp_path: Path
) -> None:
    inputs = noise(name)
    graph = uint8_graph(floats(name), spec(name, "nano"), exact_recipe())
    file = tmp_path / "graph.onnx"
    file.write_bytes(to_bytes(graph))
    expected, _ = run_integers(graph, inputs)
    artefact = compile_qnn(file, name, find_soc(soc), tmp_path / "out", inputs, expected)
    assert artefact.difference is not None, artefact.message
    assert artefact.difference.identical


def test_the_fast_preset_is_told_apart_by_the_same_comparison(
    floats: Graphs, noise: Make, tmp_path: Path
) -> None:
    """Or a comparison that saw nothing would pass for proof."""
    inputs = noise("generator_b")
    graph = uint8_graph(floats("generator_b"), spec("generator_b", "nano"), Recipe(preset("qnn")))
    file = tmp_path / "graph.onnx"
    file.write_bytes(to_bytes(graph))
    folder = tmp_path / "out"
    artefact = compile_qnn(
        file, "generator_b", find_soc("8gen3"), folder, inputs, run(graph, inputs)
    )
    assert artefact.difference is not None, artefact.message
    assert artefact.difference.share > 0.001


def test_gains_that_meet_ties_still_agree_on_the_cpu(floats: Graphs, noise: Make) -> None:
    inputs = noise("enhancer")
    levels = np.random.default_rng(2).integers(0, 256, inputs["gain"].shape, dtype=np.uint8)
    inputs["gain"] = levels
    graph = uint8_graph(floats("enhancer"), spec("enhancer", "nano"), exact_recipe())
    with pytest.raises(AssertionError, match="a tie"):
        run_integers(graph, inputs)
    expected = run(graph, inputs)
    assert [differing(run(graph, inputs, *v), expected) for v in VARIANTS] == [0] * len(VARIANTS)


@pytest.mark.parametrize("name", network_names())
def test_it_costs_little_and_its_float_ports_are_real(
    name: str, floats: Graphs, picture: Make
) -> None:
    """Labels are powers of two inside; what goes in and comes out of the QDQ form is real."""
    network = spec(name, "nano")
    inputs = picture(name)
    graph = floats(name)

    def real(port: PortSpec) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        levels = inputs[port.name].astype(np.float32) - np.float32(port.zero_point)
        return levels * np.float32(port.scale)

    reals = {port.name: real(port) for port in network.inputs}
    expected, actual = (
        run(model, reals) for model in (graph, quantize(graph, network, exact_recipe()))
    )
    for port in network.outputs:
        low, high = ((edge - port.zero_point) * port.scale for edge in (0, 255))
        wanted = expected[port.name].clip(low, high)
        noise = np.square(actual[port.name] - wanted).mean()
        assert noise < max(0.02 * wanted.var(), port.scale**2)


def test_the_same_weights_give_the_same_bytes(floats: Graphs) -> None:
    network = spec("iframe_decoder", "nano")
    first, second = (
        to_bytes(uint8_graph(floats("iframe_decoder"), network, exact_recipe())) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("precision", [LayerPrecision.FLOAT, LayerPrecision.A16W8])
def test_a_layer_of_another_precision_is_refused(floats: Graphs, precision: LayerPrecision) -> None:
    recipe = replace(exact_recipe(), precision={"body.0": precision})
    with pytest.raises(UnsupportedError, match=r"body\.0 cannot be .* in exact arithmetic"):
        quantize(floats("iframe_decoder"), spec("iframe_decoder", "nano"), recipe)


def test_weights_that_no_shift_holds_are_refused_by_name() -> None:
    port = PortSpec("x", 1, 4, 1.0, 0)
    toy = NetworkSpec("toy", "nano", (port,), (replace(port, name="y"),))
    shape = [1, 1, 4, 4]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "stem.weight"], ["y"], kernel_shape=[1, 1])],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.full((1, 1, 1, 1), 500, np.float32), "stem.weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    with pytest.raises(ExportError, match="toy, stem: weights of up to 500 output steps"):
        quantize(model, toy, exact_recipe())
