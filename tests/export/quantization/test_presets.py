"""Presets, recipes, and precisions other than int8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgecodec.decoder import network_names, spec
from edgecodec.export.check import Probe, run_real, to_levels
from edgecodec.export.devices import build_engines
from edgecodec.export.graph import to_bytes
from edgecodec.export.quantization import (
    Arithmetic,
    LayerPrecision,
    Preset,
    Recipe,
    activations,
    layers,
    lint_tensorrt,
    preset,
    quantize,
)
from edgecodec.runtime.errors import ExportError, UnsupportedError
from onnx import numpy_helper

from .conftest import Inputs, run, uint8_graph

Graphs = Callable[[str], onnx.ModelProto]
Make = Callable[[str], Inputs]
CPU = Recipe(preset("cpu"))


def error_steps(name: str, floats: onnx.ModelProto, inputs: Inputs, recipe: Recipe) -> float:
    """Root mean square of what the uint8 graph differs by from the float one, in levels."""
    network = spec(name, "nano")
    reals = run_real(floats, network, Probe("real", inputs))
    actual = run(uint8_graph(floats, network, recipe), inputs)
    off = [
        actual[port.name].astype(float) - to_levels(reals[port.name], port)
        for port in network.outputs
    ]
    return float(np.sqrt(np.mean([np.square(each).mean() for each in off])))


@pytest.mark.parametrize(
    ("target", "arithmetic", "message"),
    [
        ("hailo", Arithmetic.FAST, "'hailo': use cpu, qnn, openvino, tensorrt"),
        ("tensorrt", Arithmetic.EXACT, "no exact arithmetic for tensorrt"),
    ],
)
def test_what_has_no_preset_is_refused(target: str, arithmetic: Arithmetic, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        preset(target, arithmetic)


def test_a_digest_is_of_the_content_alone() -> None:
    first = Recipe(CPU.preset, ranges={"a": (0.0, 1.0), "b": (0.0, 2.0)})
    second = Recipe(CPU.preset, ranges={"b": (0.0, 2.0), "a": (0.0, 1.0)})
    others = (
        CPU,
        replace(first, preset=preset("qnn")),
        replace(first, preset=replace(CPU.preset, per_channel=False)),
        replace(first, ranges={"a": (0.0, 1.0)}),
        replace(first, precision={"stem": LayerPrecision.FLOAT}),
        replace(first, precision={"stem": LayerPrecision.A16W8}),
        replace(first, bias_corrections={"stem": (1.0,)}),
    )
    assert first.digest() == second.digest()
    assert len({first.digest(), *(other.digest() for other in others)}) == len(others) + 1


def test_what_may_be_calibrated_is_neither_a_port_nor_scaled_by_a_code(floats: Graphs) -> None:
    graph = floats("enhancer")
    free = activations(graph, spec("enhancer", "nano"))
    before_head = next(n for n in graph.graph.node if n.op_type == "Mul").input[0]
    clips = {node.output[0] for node in graph.graph.node if node.op_type == "Clip"}
    assert len(free) == 2
    assert set(free) < clips
    assert before_head not in free
    generator = floats("generator_p")
    (joined,) = [node for node in generator.graph.node if node.op_type == "Concat"]
    assert not set(joined.input) & set(activations(generator, spec("generator_p", "nano")))
    assert layers(generator)[:3] == ("up.expand", "up.spread", "fuse")


def test_a_narrower_range_is_finer_and_clips(floats: Graphs, noise: Make) -> None:
    name, network = "iframe_decoder", spec("iframe_decoder", "nano")
    graph = floats(name)
    tensor = next(iter(activations(graph, network)))
    narrow = uint8_graph(graph, network, replace(CPU, ranges={tensor: (0.1, 3.0)}))
    wide = uint8_graph(graph, network, replace(CPU, ranges={tensor: (0.0, 60.0)}))
    scales = {
        id(model): float(numpy_helper.to_array(i))
        for model in (narrow, wide)
        for i in model.graph.initializer
        if i.name == f"{tensor}_scale"
    }
    assert scales == {id(narrow): np.float32(3 / 255), id(wide): np.float32(6 / 255)}
    assert (run(narrow, noise(name))["frame_out"] != run(wide, noise(name))["frame_out"]).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ranges": {"nowhere": (0.0, 1.0)}}, "nowhere cannot be calibrated"),
        ({"ranges": {"feature_out": (0.0, 1.0)}}, "feature_out cannot be calibrated"),
        ({"precision": {"nowhere": LayerPrecision.FLOAT}}, "no layer nowhere: it has up.expand"),
        ({"bias_corrections": {"nowhere": (0.0,)}}, "no layer nowhere"),
        ({"bias_corrections": {"head": (0.0,)}}, "head has 1 values.*96 channels"),
        ({"bias_corrections": {"head": (float("nan"),) * 96}}, "a finite one"),
    ],
)
def test_a_recipe_of_another_network_is_refused(
    floats: Graphs, changes: dict[str, object], message: str
) -> None:
    recipe = replace(CPU, **changes)  # type: ignore[arg-type]
    with pytest.raises(ExportError, match=message):
        quantize(floats("iframe_decoder"), spec("iframe_decoder", "nano"), recipe)


def test_a_bias_correction_moves_its_channel(floats: Graphs, noise: Make) -> None:
    network, inputs = spec("iframe_decoder", "nano"), noise("iframe_decoder")
    shift = np.zeros(96)
    shift[5] = 10 / 255
    recipe = replace(CPU, bias_corrections={"head": tuple(shift)})
    before, after = (
        run(uint8_graph(floats("iframe_decoder"), network, r), inputs)["frame_out"].astype(int)
        for r in (CPU, recipe)
    )
    moved = after - before
    inside = (before[:, 5] > 0) & (before[:, 5] < 244)
    assert inside.any()
    assert np.isin(moved[:, 5][inside], (9, 10, 11)).all()
    assert not np.delete(moved, 5, axis=1).any()


@pytest.mark.parametrize(
    ("target", "precision"),
    [
        ("cpu", LayerPrecision.FLOAT),
        ("qnn", LayerPrecision.A16W8),
        ("tensorrt", LayerPrecision.FLOAT),
    ],
)
def test_promoted_layers_come_nearer_to_float(
    floats: Graphs, picture: Make, target: str, precision: LayerPrecision
) -> None:
    graph, inputs = floats("iframe_decoder"), picture("iframe_decoder")
    plain = Recipe(preset(target))
    promoted = replace(plain, precision=dict.fromkeys(layers(graph), precision))
    int8 = error_steps("iframe_decoder", graph, inputs, plain)
    assert error_steps("iframe_decoder", graph, inputs, promoted) < 0.95 * int8


def test_one_16_bit_layer_takes_the_one_before_with_it(floats: Graphs) -> None:
    """Levels that were rounded to 8 bits gain nothing from 16 afterwards."""
    network = spec("iframe_decoder", "nano")
    recipe = Recipe(preset("qnn"), precision={"body.1": LayerPrecision.A16W8})
    graph = quantize(floats("iframe_decoder"), network, recipe)
    types = {i.name: numpy_helper.to_array(i).dtype for i in graph.graph.initializer}
    producers = {node.output[0]: node for node in graph.graph.node}
    wide = []
    for node in graph.graph.node:
        if node.op_type == "Conv":
            zero_point = producers[node.input[0]].input[2]
            if types[zero_point] == np.uint16:
                wide.append(node.input[1].removesuffix(".weight_dequantized"))
    assert wide == ["body.0", "body.1"]
    onnx.checker.check_model(uint8_graph(floats("iframe_decoder"), network, recipe), True)


def test_tensorrt_has_no_16_bit_activations(floats: Graphs) -> None:
    recipe = Recipe(preset("tensorrt"), precision={"head": LayerPrecision.A16W8})
    with pytest.raises(UnsupportedError, match="head cannot be a16w8 for tensorrt"):
        quantize(floats("iframe_decoder"), spec("iframe_decoder", "nano"), recipe)


@pytest.mark.parametrize("name", network_names())
def test_tensorrts_graphs_are_sound_and_near_the_others(
    name: str, floats: Graphs, picture: Make
) -> None:
    graph, inputs, recipe = floats(name), picture(name), Recipe(preset("tensorrt"))
    built = uint8_graph(graph, spec(name, "nano"), recipe)
    onnx.checker.check_model(built, full_check=True)
    assert lint_tensorrt(built) == ()
    off = error_steps(name, graph, inputs, recipe)
    # Features have 7 bits in places.
    assert off < 2.5 * error_steps(name, graph, inputs, CPU) + 0.5


def test_tensorrt_builds_what_the_lint_passes(floats: Graphs, tmp_path: Path) -> None:
    recipe = Recipe(preset("tensorrt"), precision={"body.1": LayerPrecision.FLOAT})
    built = uint8_graph(floats("generator_b"), spec("generator_b", "nano"), recipe)
    assert lint_tensorrt(built) == ()
    file = tmp_path / "generator_b.onnx"
    file.write_bytes(to_bytes(built))
    (artefact,) = build_engines(file, "generator_b", ("86",), tmp_path / "engines", None)
    assert artefact.compiled, artefact.message


def test_the_lint_says_what_is_wrong(floats: Graphs) -> None:
    network = spec("iframe_decoder", "nano")
    cpu = uint8_graph(floats("iframe_decoder"), network, CPU)
    messages = "\n".join(lint_tensorrt(cpu))
    assert "'head.bias_DequantizeLinear' reads the int32 constant" in messages
    assert "touches the uint8 port 'latent' without a Cast" in messages
    assert "is not int8: use the tensorrt preset" in messages
    sound = uint8_graph(floats("iframe_decoder"), network, Recipe(preset("tensorrt")))
    broken = onnx.ModelProto()
    broken.CopyFrom(sound)
    head = [node for node in broken.graph.node if node.op_type == "Conv"][-1]
    head.input[1] = "head.weight_quantized"
    broken.graph.node[0].op_type = "Gelu"
    for tensor in broken.graph.initializer:
        if tensor.name == "latent_zero_point":
            tensor.CopyFrom(numpy_helper.from_array(np.array(3, np.int8), tensor.name))
    messages = "\n".join(lint_tensorrt(broken))
    assert f"Conv '{head.name}' would run in float: only its input is quantised" in messages
    assert "Gelu" in messages
    assert "'latent_QuantizeLinear' has a zero point that is not 0" in messages


def test_presets_are_what_the_targets_document() -> None:
    assert preset("cpu") == replace(preset("openvino"), name="cpu")
    assert preset("qnn").promotion is LayerPrecision.A16W8
    chosen: Preset = preset("tensorrt")
    assert not chosen.quantized_bias
