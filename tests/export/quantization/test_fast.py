"""INT8 arithmetic of the exported graphs, fast, on the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from edgecodec.decoder import TIERS, PortSpec, build, load, spec
from edgecodec.decoder.networks import BIAS_IDENTITY, GAIN_IDENTITY, Enhancer, NetworkSpec
from edgecodec.export import Size
from edgecodec.export.graph import to_bytes, to_onnx
from edgecodec.export.quantization import Recipe, preset, quantize, uint8_boundary
from edgecodec.export.quantization.quantizer import QuantizedConv, quantize_conv
from edgecodec.export.quantization.recipe import Affine
from edgecodec.export.sessions import open_session
from edgecodec.export.sizes import port_shape
from edgecodec.export.template import template_tensors
from edgecodec.runtime.errors import ExportError
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = Size(32, 16)


RECIPE = Recipe(preset("cpu"))


def fast_conv(
    weight: NDArray[np.float32], bias: NDArray[np.float32], input_scale: float
) -> QuantizedConv:
    return quantize_conv(weight, bias, Affine(input_scale, 0), Affine(1.0, 0), RECIPE.preset)


def to_uint8(graph: onnx.ModelProto, network: NetworkSpec) -> onnx.ModelProto:
    return uint8_boundary(quantize(graph, network, RECIPE), network, RECIPE)


def run(model: onnx.ModelProto, inputs: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    session = open_session(to_bytes(model), "graph")
    output: NDArray[np.uint8] = session.run(["residual_out"], inputs)[0]
    return output


def enhancer_inputs() -> dict[str, NDArray[np.uint8]]:
    """Noise for every input, the scene's code too."""
    random = np.random.default_rng(3)
    network = spec("enhancer", "nano")
    return {
        port.name: random.integers(0, 256, port_shape(port, network, SIZE), dtype=np.uint8)
        for port in network.inputs
    }


def identity() -> dict[str, NDArray[np.uint8]]:
    """The code that changes nothing."""
    channels = TIERS["nano"].enhancer_channels
    levels = {"gain": GAIN_IDENTITY, "bias": BIAS_IDENTITY}
    return {name: np.full((1, channels, 1, 1), each, np.uint8) for name, each in levels.items()}


def without_code(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The float graph as it is without the two steps of a scene's code, and their inputs."""
    bare = onnx.ModelProto()
    bare.CopyFrom(graph)
    bare.graph.ClearField("node")
    inputs = [value for value in graph.graph.input if value.name not in ("gain", "bias")]
    bare.graph.ClearField("input")
    bare.graph.input.extend(inputs)
    instead: dict[str, str] = {}
    for node in graph.graph.node:
        clips_code = node.op_type == "Clip" and node.input[0] in instead
        if node.op_type in ("Mul", "Add") or clips_code:
            instead[node.output[0]] = instead.get(node.input[0], node.input[0])
            continue
        kept = bare.graph.node.add()
        kept.CopyFrom(node)
        kept.input[:] = [instead.get(name, name) for name in node.input]
    return bare


@pytest.fixture(scope="module")
def enhancer(weights: Path) -> Enhancer:
    module = load("enhancer", "nano", weights / "enhancer-nano.safetensors").module
    assert isinstance(module, Enhancer)
    return module


@pytest.fixture(scope="module")
def enhancer_graph(enhancer: Enhancer) -> onnx.ModelProto:
    return to_onnx(enhancer, spec("enhancer", "nano"), SIZE)


def int8_enhancer(graph: onnx.ModelProto, **fill: float) -> onnx.ModelProto:
    """The INT8 graph, after each tensor of weights named in `fill` was set to one value."""
    changed = onnx.ModelProto()
    changed.CopyFrom(graph)
    for tensor in changed.graph.initializer:
        value = fill.pop(tensor.name.replace(".", "_"), None)
        if value is not None:
            filled = np.full(tensor.dims, value, np.float32)
            tensor.CopyFrom(numpy_helper.from_array(filled, tensor.name))
    assert not fill
    network = spec("enhancer", "nano")
    return to_uint8(changed, network)


@given(
    seed=st.integers(0, 2**32 - 1),
    peak=st.floats(1e-6, 1e3),
    input_scale=st.sampled_from([1 / 255, 6 / 255, 0.25]),
)
def test_weights_and_biases_are_rounded_to_half_a_step(
    seed: int, peak: float, input_scale: float
) -> None:
    random = np.random.default_rng(seed)
    weight = random.uniform(-peak, peak, (4, 3, 3, 3)).astype(np.float32)
    bias = random.uniform(-peak, peak, 4).astype(np.float32)
    conv = fast_conv(weight, bias, input_scale)
    scale = conv.weight_scale[:, None, None, None].astype(np.float64)
    np.testing.assert_allclose(conv.weight_scale, np.abs(weight).max((1, 2, 3)) / 127, rtol=1e-6)
    assert (np.abs(conv.weight * scale - weight) <= scale * 0.50001).all()
    step = conv.bias_scale.astype(np.float64)
    assert (np.abs(conv.bias * step - bias) <= step * 0.50001).all()


def test_a_bias_that_dwarfs_its_weights_does_not_overflow() -> None:
    weight = np.full((2, 1, 1, 1), 1e-12, np.float32)
    bias = np.array([5.0, -5.0], np.float32)
    conv = fast_conv(weight, bias, 1 / 255)
    np.testing.assert_allclose(conv.bias * conv.bias_scale, bias, rtol=1e-6)
    assert (np.abs(conv.bias.astype(np.int64)) <= 2**30 + 1).all()


def test_a_channel_of_zeros_stays_zero() -> None:
    conv = fast_conv(np.zeros((1, 2, 3, 3), np.float32), np.zeros(1, np.float32), 1 / 255)
    assert not conv.weight.any()
    assert not conv.bias.any()
    assert np.isfinite(conv.weight_scale).all()


@pytest.mark.parametrize("code", [True, False], ids=["a code", "identity"])
def test_the_enhancer_computes_what_the_arithmetic_says(
    enhancer: Enhancer, enhancer_graph: onnx.ModelProto, code: bool
) -> None:
    """An integer reference written from the definition of the ranges, not from the graph."""
    inputs = enhancer_inputs() if code else enhancer_inputs() | identity()

    def stored(real: NDArray[np.float64], scale: float, zero: int) -> NDArray[np.float64]:
        rounded: NDArray[np.float64] = np.clip(np.rint(real / scale) + zero, 0, 255)
        return rounded

    def convolve(
        levels: NDArray[np.float64], layer: torch.nn.Conv2d, scale: float
    ) -> NDArray[np.float64]:
        assert layer.bias is not None
        conv = fast_conv(layer.weight.detach().numpy(), layer.bias.detach().numpy(), scale)
        sums = torch.nn.functional.conv2d(
            torch.from_numpy(levels),
            torch.from_numpy(conv.weight.astype(np.float64)),
            torch.from_numpy(conv.bias.astype(np.float64)),
            padding=layer.padding,
        ).numpy()
        real: NDArray[np.float64] = sums * conv.bias_scale.astype(np.float64)[:, None, None]
        return real

    pixel, relu6 = 1 / 255, 6 / 255
    x = np.concatenate([inputs[n] for n in ("prev", "cur", "next", "condition")], axis=1)
    x = stored(convolve(x.astype(np.float64), enhancer.stem, pixel), relu6, 0)
    for layer in enhancer.body:
        assert isinstance(layer, torch.nn.Conv2d)
        x = stored(convolve(x, layer, relu6), relu6, 0)
    x = stored(x * relu6 * (inputs["gain"] / 64), relu6, 0)
    x = stored(x * relu6 + (inputs["bias"].astype(np.float64) - 128) * relu6, relu6, 0)
    expected = stored(convolve(x, enhancer.head, relu6), pixel / 4, 128)

    actual = run(int8_enhancer(enhancer_graph), inputs)
    difference = np.abs(actual - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
    assert actual.std() > 1


def test_a_bias_that_the_exporter_dropped_is_there_as_zeros() -> None:
    """Fresh heads and biases are zeros; titles change the integers that stand for them."""
    module = build("generator_up", "nano")
    assert isinstance(module, Enhancer)
    assert module.head.bias is not None
    network = spec("generator_up", "nano")
    graph = to_onnx(module, network, SIZE)
    assert "head.bias" not in {i.name for i in graph.graph.initializer}
    integers = template_tensors(to_uint8(graph, network))
    np.testing.assert_array_equal(integers["head.bias_quantized"], np.zeros(24, np.int32))
    assert integers["head.weight_quantized"].dtype == np.int8


def test_the_code_of_identity_changes_nothing(enhancer_graph: onnx.ModelProto) -> None:
    network = spec("enhancer", "nano")
    inputs = enhancer_inputs() | identity()
    plain = replace(network, inputs=network.inputs[:4])
    bare = to_uint8(without_code(enhancer_graph), plain)
    assert {node.op_type for node in bare.graph.node}.isdisjoint({"Mul", "Add"})
    expected = run(bare, {port.name: inputs[port.name] for port in plain.inputs})
    np.testing.assert_array_equal(run(int8_enhancer(enhancer_graph), inputs), expected)
    assert (run(int8_enhancer(enhancer_graph), enhancer_inputs()) != expected).any()


@pytest.mark.parametrize(("bias", "level"), [(2.0, 255), (-2.0, 0), (1 / 255, 132), (0.0, 128)])
def test_the_residual_is_in_quarters_of_a_grey_level_and_saturates(
    enhancer_graph: onnx.ModelProto, bias: float, level: int
) -> None:
    residual = run(int8_enhancer(enhancer_graph, head_weight=0, head_bias=bias), enhancer_inputs())
    assert residual.shape == (1, 24, SIZE.height // 4, SIZE.width // 4)
    assert (residual == level).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_refused(
    enhancer_graph: onnx.ModelProto, value: float
) -> None:
    with pytest.raises(ExportError, match=r"stem\.weight.*NaN"):
        int8_enhancer(enhancer_graph, stem_weight=value)


TOY = NetworkSpec(
    "toy", "nano", (PortSpec("x", 1, 4, 1 / 255, 0),), (PortSpec("frame_out", 1, 4, 1 / 255, 0),)
)


def toy(nodes: list[onnx.NodeProto], **constants: NDArray[np.float32]) -> onnx.ModelProto:
    shape = [1, 1, 4, 4]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("frame_out", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


WEIGHT = np.ones((1, 1, 1, 1), np.float32)


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        ([helper.make_node("Sigmoid", ["x"], ["frame_out"])], {}, "Sigmoid"),
        (
            [
                helper.make_node("Conv", ["x", "w"], ["y"]),
                helper.make_node("Clip", ["y", "low", "high"], ["frame_out"]),
            ],
            {"low": np.array(0, np.float32), "high": np.array(4, np.float32)},
            r"\[0\.0, 4\.0\]",
        ),
        (
            [
                helper.make_node("Conv", ["x", "w"], ["y"]),
                helper.make_node("Clip", ["y", "low", "high"], ["frame_out"]),
            ],
            {"low": np.array(0, np.float32), "high": np.array(6, np.float32)},
            "its port says",
        ),
        (
            [
                helper.make_node("Conv", ["x", "w"], ["y"]),
                helper.make_node("Clip", ["y", "low", "high"], ["z"]),
                helper.make_node("Concat", ["x", "z"], ["frame_out"], axis=1),
            ],
            {"low": np.array(0, np.float32), "high": np.array(6, np.float32)},
            "ranges differ",
        ),
        (
            [
                helper.make_node("Conv", ["x", "w"], ["y"]),
                helper.make_node("Add", ["x", "y"], ["frame_out"]),
            ],
            {},
            "no range that the architecture",
        ),
        ([helper.make_node("Mul", ["x", "x"], ["frame_out"])], {}, "Mul"),
    ],
    ids=[
        "unknown operator",
        "other clip",
        "other range than the port",
        "mixed concat",
        "sum of a convolution",
        "product without a clip",
    ],
)
def test_a_graph_without_fixed_ranges_is_refused(
    nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.float32]], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        quantize(toy(nodes, w=WEIGHT, **constants), TOY, RECIPE)
