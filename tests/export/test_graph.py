"""Torch to ONNX, and onnxsim after it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgecodec.decoder import build, network_names, spec
from edgecodec.export import Size, parse_size
from edgecodec.export import simplify as simplify_module
from edgecodec.export.check import make_probes, run_real, run_torch
from edgecodec.export.graph import clean, constants_to_initializers, to_bytes, to_onnx
from edgecodec.export.simplify import simplify
from edgecodec.export.sizes import port_shape
from edgecodec.runtime.errors import ExportError
from onnx import TensorProto, helper

GENERATOR = spec("generator_b", "nano")
SIZE = Size(64, 32)


@pytest.fixture(scope="module")
def generator_graph() -> onnx.ModelProto:
    return to_onnx(build("generator_b", "nano"), GENERATOR, SIZE)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("360p", Size(640, 360)),
        ("720p", Size(1280, 720)),
        ("1080P", Size(1920, 1080)),
        ("4k", Size(3840, 2160)),
        ("638x358", Size(638, 358)),
        ("dynamic", None),
    ],
)
def test_sizes_are_understood(text: str, size: Size | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "720", "0x16", "16x0", "99999x16", "-8x8", "8 x 8", "8k"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize("name", network_names())
def test_ports_cover_the_padded_picture(name: str) -> None:
    network = spec(name, "nano")
    multiple = 4 if name in ("enhancer", "generator_up") else 16
    for port in (*network.inputs, *network.outputs):
        _, channels, rows, columns = port_shape(port, network, Size(1919, 1080))
        assert channels == port.channels
        if port.name in ("gain", "bias"):
            assert (rows, columns) == (1, 1)
            continue
        assert columns * port.stride == 1920
        assert rows * port.stride == -(-1080 // multiple) * multiple


def test_a_fixed_graph_has_the_shapes_and_names_of_its_ports(
    generator_graph: onnx.ModelProto,
) -> None:
    values = (*generator_graph.graph.input, *generator_graph.graph.output)
    shapes = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in values}
    ports = (*GENERATOR.inputs, *GENERATOR.outputs)
    assert shapes == {port.name: port_shape(port, GENERATOR, SIZE) for port in ports}


def test_a_dynamic_graph_runs_any_size_as_torch_does() -> None:
    network, module = GENERATOR, build(GENERATOR.name, "nano").eval()
    graph = to_onnx(module, network, None)
    # 16x16 has a latent of one cell, which torch.export would have liked to make a constant.
    for probe in make_probes(network, (Size(16, 16), Size(112, 48))):
        expected, actual = run_torch(module, network, probe), run_real(graph, network, probe)
        for port in network.outputs:
            np.testing.assert_allclose(actual[port.name], expected[port.name], atol=1e-4, rtol=1e-4)


def test_the_graph_carries_no_trace_of_where_it_was_made(generator_graph: onnx.ModelProto) -> None:
    data = to_bytes(generator_graph)
    for trace in (b".py", b"stack_trace", b"pytorch", b"torch.onnx"):
        assert trace not in data


def test_constant_nodes_become_initializers() -> None:
    nodes = [
        helper.make_node("Constant", [], ["six"], value_float=6.0),
        helper.make_node(
            "Constant", [], ["zero"], value=helper.make_tensor("t", TensorProto.FLOAT, [], [0.0])
        ),
        helper.make_node("Clip", ["x", "zero", "six"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in "xy")
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]))
    result = constants_to_initializers(model)
    assert [node.op_type for node in result.graph.node] == ["Clip"]
    values = {i.name: onnx.numpy_helper.to_array(i) for i in result.graph.initializer}
    assert values == {"six": np.float32(6), "zero": np.float32(0)}


def test_an_operator_of_another_domain_is_refused(generator_graph: onnx.ModelProto) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(generator_graph)
    model.graph.node[0].domain = "com.example"
    with pytest.raises(ExportError, match=r"com\.example"):
        clean(model, GENERATOR)


def test_onnxsim_keeps_the_results(generator_graph: onnx.ModelProto) -> None:
    simplified = simplify(generator_graph, GENERATOR, make_probes(GENERATOR, (SIZE,)))
    assert "nodes removed" in simplified.note


def _other_values(model: onnx.ModelProto) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    head = changed.graph.initializer[0]
    head.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(head) * 2, head.name))
    return changed


def _other_shape(model: onnx.ModelProto) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "rows"
    return changed


@pytest.mark.parametrize(
    ("broken", "reason"), [(_other_values, "moved by"), (_other_shape, "inputs or outputs")]
)
def test_a_simplified_graph_that_differs_is_thrown_away(
    generator_graph: onnx.ModelProto,
    monkeypatch: pytest.MonkeyPatch,
    broken: object,
    reason: str,
) -> None:
    monkeypatch.setattr(simplify_module, "_run_onnxsim", broken)
    simplified = simplify(generator_graph, GENERATOR, make_probes(GENERATOR, (SIZE,)))
    assert simplified.model is generator_graph
    assert reason in simplified.note


def test_a_crash_of_onnxsim_leaves_the_graph_as_it_was(
    generator_graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\necho 'Segmentation fault' >&2\nexit 139\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))
    simplified = simplify(generator_graph, GENERATOR, make_probes(GENERATOR, (SIZE,)))
    assert simplified.model is generator_graph
    assert "139: Segmentation fault" in simplified.note
