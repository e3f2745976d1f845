from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from edgecodec.decoder.networks import build, network_names, spec
from edgecodec.export.sizes import Size, port_shape
from edgecodec.profiles import count_graph, count_model, cross_check
from edgecodec.runtime.errors import ModelError, UnsupportedError
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

TIER = "nano"


def frame_inputs(name: str, width: int, height: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shapes = shapes_of(name, width, height).values()
    return tuple(torch.rand(shape, generator=generator) for shape in shapes)


def shapes_of(name: str, width: int, height: int) -> dict[str, tuple[int, ...]]:
    network, size = spec(name, TIER), Size(width, height)
    return {port.name: port_shape(port, network, size) for port in network.inputs}


def graph_of(
    nodes: list[onnx.NodeProto], weights: dict[str, tuple[int, ...]], x: tuple[int, ...]
) -> onnx.ModelProto:
    """A graph from `x` to `y` with zero weights of the given shapes."""
    return helper.make_model(
        helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.zeros(s, np.float32), n) for n, s in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
    )


@pytest.mark.parametrize("name", network_names())
def test_macs_equal_torch_flop_counter(models: Path, name: str) -> None:
    module = build(name, TIER)
    cost = count_model(models / f"{name}.onnx", shapes_of(name, 96, 48))
    check = cross_check(cost.macs, module, frame_inputs(name, 96, 48))
    assert check.agrees, check
    assert cost.macs > 0
    # No transposed convolutions in these networks, so thop agrees with both.
    assert check.thop == cost.macs


@pytest.mark.parametrize("name", network_names())
def test_parameters_equal_the_modules(models: Path, name: str) -> None:
    cost = count_model(models / f"{name}.onnx", shapes_of(name, 64, 64))
    assert cost.parameters == sum(p.numel() for p in build(name, TIER).parameters())


def test_counts_grow_with_the_frame(models: Path) -> None:
    file = models / "generator_b.onnx"
    small = count_model(file, shapes_of("generator_b", 64, 32))
    large = count_model(file, shapes_of("generator_b", 128, 64))
    assert large.macs == 4 * small.macs
    assert large.activation_bytes == 4 * small.activation_bytes
    assert large.parameters == small.parameters


def test_activation_traffic_of_the_enhancer(models: Path) -> None:
    cost = count_model(models / "enhancer.onnx", shapes_of("enhancer", 64, 32))
    cells = 16 * 8
    # Concat, stem, two of the body, gain, bias and head: channels read and written by each.
    channels = (74 + 74) + (74 + 64) + 2 * (64 + 64) + 2 * (64 + 64) + (64 + 24)
    code = 2 * 64
    assert cost.activation_elements == channels * cells + code
    assert cost.activation_bytes == 4 * cost.activation_elements  # a float graph
    assert cost.precision == "float"
    assert cost.input_elements == 74 * cells + code
    assert cost.output_elements == 24 * cells


def test_a_scenes_code_costs_no_multiply_accumulates_and_no_parameters(models: Path) -> None:
    cost = count_model(models / "enhancer.onnx", shapes_of("enhancer", 64, 32))
    (gain,) = (layer for layer in cost.layers if layer.op == "Mul")
    (bias,) = (layer for layer in cost.layers if layer.op == "Add")
    for layer in (gain, bias):
        assert (layer.macs, layer.weights) == (0, 0)
        assert layer.input_elements == 64 * 16 * 8 + 64
    # (74 x 64 + 2 x 9 x 64 x 64 + 64 x 24) multiply-accumulates for each of 16 x 8 cells
    assert cost.macs == (74 * 64 + 2 * 9 * 64 * 64 + 64 * 24) * 16 * 8
    half = count_model(models / "generator_up.onnx", shapes_of("generator_up", 64, 32))
    assert cost.macs - half.macs == (74 - 20) * 64 * 16 * 8


def test_fixed_graph_counts_at_its_own_size_only(models: Path) -> None:
    model = onnx.load(models / "enhancer.onnx")
    shapes = shapes_of("enhancer", 64, 32)
    for value in model.graph.input:
        for dim, extent in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            dim.dim_value = extent
    dynamic = count_model(models / "enhancer.onnx", shapes_of("enhancer", 64, 32))
    before = model.SerializeToString()
    assert count_graph(model, shapes_of("enhancer", 64, 32)) == dynamic
    assert model.SerializeToString() == before
    with pytest.raises(ModelError, match="has shape"):
        count_graph(model, shapes_of("enhancer", 128, 64))


class _Noise(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: dict[str, Any]) -> None:
        self._left = [feeds]

    def get_next(self) -> dict[str, Any] | None:
        return self._left.pop() if self._left else None


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_quantised_graphs_count_like_the_float_ones(
    models: Path, tmp_path: Path, form: QuantFormat
) -> None:
    source, quantised = models / "iframe_decoder.onnx", tmp_path / "int8.onnx"
    network = spec("iframe_decoder", TIER)
    feeds = {
        port.name: tensor.numpy()
        for port, tensor in zip(network.inputs, frame_inputs("iframe_decoder", 64, 32), strict=True)
    }
    quantize_static(
        source,
        quantised,
        _Noise(feeds),
        quant_format=form,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    shapes = shapes_of("iframe_decoder", 96, 48)
    reference, cost = count_model(source, shapes), count_model(quantised, shapes)
    assert (cost.macs, cost.parameters) == (reference.macs, reference.parameters)
    assert cost.activation_elements == reference.activation_elements
    assert (cost.precision, cost.activation_bytes_each) == ("w8a8", 1)


def test_strided_transposed_convolution_counts_by_its_input() -> None:
    module = torch.nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1, groups=2)
    node = helper.make_node(
        "ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], group=2
    )
    cost = count_graph(graph_of([node], {"w": (8, 3, 4, 4)}, (1, 8, 5, 7)), {"x": (1, 8, 5, 7)})
    check = cross_check(cost.macs, module, (torch.zeros(1, 8, 5, 7),))
    assert cost.macs == 8 * 5 * 7 * 3 * 16
    assert check.agrees
    assert check.thop == 4 * cost.macs  # its known error: stride squared too many
    layer = cost.layers[0]
    assert (layer.in_channels, layer.out_channels, layer.groups) == (8, 6, 2)


def test_grouped_convolution() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], group=8)
    cost = count_graph(graph_of([node], {"w": (16, 1, 3, 3)}, (2, 8, 5, 7)), {"x": (2, 8, 5, 7)})
    assert cost.macs == 2 * 16 * 5 * 7 * 9


@pytest.mark.parametrize(
    ("node", "weight", "x", "macs"),
    [
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), (10, 6), (3, 6), 3 * 6 * 10),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transA=1), (3, 10), (3, 6), 6 * 3 * 10),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), (6, 10), (4, 3, 6), 4 * 3 * 6 * 10),
    ],
)
def test_matrix_products(
    node: onnx.NodeProto, weight: tuple[int, ...], x: tuple[int, ...], macs: int
) -> None:
    cost = count_graph(graph_of([node], {"w": weight}, x), {"x": x})
    assert cost.macs == macs
    assert cost.parameters == int(np.prod(weight))


def test_product_of_two_activations_has_no_weights() -> None:
    node = helper.make_node("MatMul", ["x", "x"], ["y"])
    cost = count_graph(graph_of([node], {}, (6, 6)), {"x": (6, 6)})
    assert (cost.macs, cost.parameters, cost.layers[0].weights) == (216, 0, 0)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Einsum", ["x", "w"], ["y"], equation="ij,jk->ik"),
        helper.make_node("QGemm", ["x", "w"], ["y"], domain="com.microsoft"),
    ],
)
def test_what_cannot_be_counted_is_refused_not_zero(node: onnx.NodeProto) -> None:
    with pytest.raises(UnsupportedError, match="cannot be counted"):
        count_graph(graph_of([node], {"w": (6, 6)}, (6, 6)), {"x": (6, 6)})


def test_wrong_names_shapes_and_files_are_model_errors(models: Path, tmp_path: Path) -> None:
    file = models / "enhancer.onnx"
    with pytest.raises(ModelError, match="its inputs are"):
        count_model(file, {"latent": (1, 64, 4, 4)})
    with pytest.raises(ModelError, match="do not fit"):
        count_model(file, shapes_of("enhancer", 64, 32) | {"cur": (1, 24, 5, 16)})
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x07not protobuf")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        count_model(broken, {})
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        count_model(tmp_path / "absent.onnx", {})
