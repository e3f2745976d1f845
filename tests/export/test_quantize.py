"""INT8 arithmetic of the exported graphs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from edgecodec.decoder import PortSpec, load, spec
from edgecodec.decoder.networks import Enhancer, NetworkSpec
from edgecodec.export import Size
from edgecodec.export.graph import to_bytes, to_onnx
from edgecodec.export.quantize import quantize, quantize_conv, uint8_boundary
from edgecodec.runtime.errors import ExportError
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = Size(32, 16)


def run(model: onnx.ModelProto, inputs: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    session = ort.InferenceSession(to_bytes(model), providers=["CPUExecutionProvider"])
    output: NDArray[np.uint8] = session.run(["frame_out"], inputs)[0]
    return output


def enhancer_inputs(size: Size = SIZE) -> dict[str, NDArray[np.uint8]]:
    random = np.random.default_rng(3)
    return {
        port.name: random.integers(
            0, 256, (1, port.channels, size.height // 4, size.width // 4), dtype=np.uint8
        )
        for port in spec("enhancer", "nano").inputs
    }


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
    return uint8_boundary(quantize(changed, network), network)


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
    conv = quantize_conv(weight, bias, input_scale)
    assert conv.bias is not None
    scale = conv.weight_scale[:, None, None, None].astype(np.float64)
    np.testing.assert_allclose(conv.weight_scale, np.abs(weight).max((1, 2, 3)) / 127, rtol=1e-6)
    assert (np.abs(conv.weight * scale - weight) <= scale * 0.50001).all()
    step = conv.bias_scale.astype(np.float64)
    assert (np.abs(conv.bias * step - bias) <= step * 0.50001).all()


def test_a_bias_that_dwarfs_its_weights_does_not_overflow() -> None:
    weight = np.full((2, 1, 1, 1), 1e-12, np.float32)
    bias = np.array([5.0, -5.0], np.float32)
    conv = quantize_conv(weight, bias, 1 / 255)
    assert conv.bias is not None
    np.testing.assert_allclose(conv.bias * conv.bias_scale, bias, rtol=1e-6)
    assert (np.abs(conv.bias.astype(np.int64)) <= 2**30 + 1).all()


def test_a_channel_of_zeros_stays_zero() -> None:
    conv = quantize_conv(np.zeros((1, 2, 3, 3), np.float32), np.zeros(1, np.float32), 1 / 255)
    assert conv.bias is not None
    assert not conv.weight.any()
    assert not conv.bias.any()
    assert np.isfinite(conv.weight_scale).all()


def test_the_enhancer_computes_what_the_arithmetic_says(
    enhancer: Enhancer, enhancer_graph: onnx.ModelProto
) -> None:
    """An integer reference written from the definition of the ranges, not from the graph."""
    inputs = enhancer_inputs()

    def convolve(
        levels: NDArray[np.float64], layer: torch.nn.Conv2d, scale: float, to: float, zero: int
    ) -> NDArray[np.float64]:
        assert layer.bias is not None
        conv = quantize_conv(layer.weight.detach().numpy(), layer.bias.detach().numpy(), scale)
        assert conv.bias is not None
        sums = torch.nn.functional.conv2d(
            torch.from_numpy(levels),
            torch.from_numpy(conv.weight.astype(np.float64)),
            torch.from_numpy(conv.bias.astype(np.float64)),
            padding=layer.padding,
        ).numpy()
        real = sums * conv.bias_scale.astype(np.float64)[:, None, None]
        rounded: NDArray[np.float64] = np.clip(np.rint(real / to) + zero, 0, 255)
        return rounded

    pixel, relu6 = 1 / 255, 6 / 255
    x = np.concatenate([inputs[n] for n in ("prev", "cur", "next", "condition")], axis=1)
    x = convolve(x.astype(np.float64), enhancer.stem, pixel, relu6, 0)
    for layer in enhancer.body:
        assert isinstance(layer, torch.nn.Conv2d)
        x = convolve(x, layer, relu6, relu6, 0)
    residual = convolve(x, enhancer.head, relu6, pixel, 128) - 128
    expected = np.clip(inputs["cur"] + residual, 0, 255)

    actual = run(int8_enhancer(enhancer_graph), inputs)
    difference = np.abs(actual - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
    assert (actual != inputs["cur"]).any()


@pytest.mark.parametrize(("bias", "expected"), [(2.0, 127), (-2.0, -128)])
def test_the_residual_and_the_frame_saturate(
    enhancer_graph: onnx.ModelProto, bias: float, expected: int
) -> None:
    inputs = enhancer_inputs()
    frame = run(int8_enhancer(enhancer_graph, head_weight=0, head_bias=bias), inputs)
    np.testing.assert_array_equal(frame, np.clip(inputs["cur"].astype(int) + expected, 0, 255))


def test_an_untrained_head_gives_the_frame_back(enhancer_graph: onnx.ModelProto) -> None:
    inputs = enhancer_inputs()
    frame = run(int8_enhancer(enhancer_graph, head_weight=0, head_bias=0), inputs)
    np.testing.assert_array_equal(frame, inputs["cur"])


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
    ],
    ids=["unknown operator", "other clip", "other range than the port", "mixed concat"],
)
def test_a_graph_without_fixed_ranges_is_refused(
    nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.float32]], message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        quantize(toy(nodes, w=WEIGHT, **constants), TOY)
