"""Graphs rewritten for the CPU give what the exported ones give, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from edgecodec.runtime.cpu_graph import (
    is_picture,
    with_channels_last,
    with_whole_groups,
    without_scene_code,
)
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.models import ModelEntry, packaged_models, packaged_tiers, read_models
from edgecodec.runtime.network import Mender
from edgecodec.runtime.onnx_graph import OnnxGraph, parse_graph, write_graph
from edgecodec.runtime.scene_code import identity_code
from edgecodec.runtime.sessions import NetworkPool, Optimization
from numpy.typing import NDArray
from onnx import numpy_helper

Feeds = dict[str, NDArray[np.uint8]]
EVERY = [
    entry for tier in packaged_tiers() for entry in read_models(packaged_models(tier)).networks
]
MENDERS = [entry for entry in EVERY if entry.name in ("enhancer", "generator_up")]
ENHANCER = next(entry for entry in MENDERS if (entry.tier, entry.name) == ("nano", "enhancer"))
# Rows and columns of the coarsest input: few, odd ones, and more than a kernel takes at once.
SIZES = [(3, 2), (5, 9), (37, 52)]
every = pytest.mark.parametrize("entry", EVERY, ids=lambda e: f"{e.tier}-{e.name}")
menders = pytest.mark.parametrize("entry", MENDERS, ids=lambda e: f"{e.tier}-{e.name}")


def run(model: bytes, feeds: Feeds) -> list[NDArray[np.uint8]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    outputs: list[NDArray[np.uint8]] = session.run(None, feeds)
    return outputs


def random_feeds(entry: ModelEntry, rows: int, columns: int, *, identity: bool) -> Feeds:
    """Noise; `rows` and `columns` are those of the coarsest input."""
    random = np.random.default_rng(rows * 1000 + columns)
    coarsest = max(port.stride for port in entry.inputs)
    feeds = {}
    for port in entry.inputs:
        finer = coarsest // port.stride if port.stride else 0
        sides = (rows * finer, columns * finer) if finer else (1, 1)
        feeds[port.name] = random.integers(0, 256, (1, port.shape[1] or 1, *sides), np.uint8)
    if identity:
        feeds |= identity_code(feeds["gain"].shape[1]).ports()
    return feeds


def channels_last(graph: OnnxGraph, feeds: Feeds) -> Feeds:
    taken = {port.name: is_picture(port) for port in graph.inputs}
    return {
        name: np.ascontiguousarray(feeds[name].transpose(0, 2, 3, 1)) if picture else feeds[name]
        for name, picture in taken.items()
    }


def checked(graph: OnnxGraph) -> bytes:
    """The graph's file, which ONNX's own checker finds sound."""
    data = write_graph(graph)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    return data


@every
def test_a_graph_that_is_read_and_written_is_the_same(entry: ModelEntry) -> None:
    data = entry.file.read_bytes()
    written = checked(parse_graph(data))
    before, after = onnx.load_from_string(data), onnx.load_from_string(written)
    assert list(after.graph.node) == list(before.graph.node)
    assert list(after.graph.initializer) == list(before.graph.initializer)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert after.opset_import == before.opset_import
    assert after.metadata_props == before.metadata_props


@menders
@pytest.mark.parametrize("size", SIZES)
def test_the_identity_code_can_be_cut_out(entry: ModelEntry, size: tuple[int, int]) -> None:
    data = entry.file.read_bytes()
    plain = without_scene_code(parse_graph(data))
    assert plain is not None
    assert {port.name for port in plain.inputs} == {"prev", "cur", "next", "condition"}
    kinds = [node.kind for node in plain.nodes]
    assert "Mul" not in kinds
    assert "Add" not in kinds
    feeds = random_feeds(entry, *size, identity=True)
    (wanted,) = run(data, feeds)
    (made,) = run(checked(plain), {port.name: feeds[port.name] for port in plain.inputs})
    np.testing.assert_array_equal(made, wanted)
    # On a few cells of noise a network may have nothing to add.
    assert len(np.unique(wanted)) > 1 or size == SIZES[0]


@every
@pytest.mark.parametrize("size", SIZES)
def test_neither_layout_nor_groups_change_an_output(
    entry: ModelEntry, size: tuple[int, int]
) -> None:
    data = entry.file.read_bytes()
    feeds = random_feeds(entry, *size, identity=False)
    wanted = run(data, feeds)
    graph = with_channels_last(with_whole_groups(parse_graph(data)))
    made = run(checked(graph), channels_last(graph, feeds))
    assert len(made) == len(wanted) == len(entry.outputs)
    for one, other in zip(made, wanted, strict=True):
        np.testing.assert_array_equal(one.transpose(0, 3, 1, 2), other)


@menders
def test_the_first_layer_takes_whole_groups_of_channels(entry: ModelEntry) -> None:
    graph = with_whole_groups(parse_graph(entry.file.read_bytes()))
    before = parse_graph(entry.file.read_bytes()).stored["stem.weight_quantized"]
    after = graph.stored["stem.weight_quantized"]
    assert after.dims[1] % 4 == 0
    assert after.dims[1] - before.dims[1] == -before.dims[1] % 4
    assert (graph == parse_graph(entry.file.read_bytes())) == (before.dims[1] % 4 == 0)


def test_the_engine_shuffles_no_picture_of_a_graph_that_has_its_layout(tmp_path: Path) -> None:
    """Or the rewriting would cost what it is to save."""
    exported = parse_graph(ENHANCER.file.read_bytes())
    plain = without_scene_code(exported)
    assert plain is not None
    shuffles = []
    for graph in (plain, with_channels_last(with_whole_groups(plain))):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(write_graph(graph), options, ["CPUExecutionProvider"])
        nodes = onnx.load(tmp_path / "optimised.onnx").graph.node
        shuffles.append(sum(node.op_type == "Transpose" for node in nodes))
        assert sum(node.op_type == "QLinearConv" for node in nodes) == 4
    assert shuffles[0] > 0
    assert shuffles[1] == 0


def edited(entry: ModelEntry, edit: Callable[[onnx.ModelProto], None]) -> OnnxGraph:
    model = onnx.load(entry.file)
    edit(model)
    return parse_graph(model.SerializeToString())


def stored_as(name: str, value: object) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if tensor.name == name:
                dtype = numpy_helper.to_array(tensor).dtype
                tensor.CopyFrom(numpy_helper.from_array(np.array(value, dtype), name))
                return
        raise AssertionError(f"no {name}")

    return edit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gain_scale", 1 / 32),
        ("gain_zero_point", 1),
        ("bias_zero_point", 127),
        ("hardtanh_3_scale", 0.02),
        ("hardtanh_4_scale", 0.02),
        ("hardtanh_4_zero_point", 1),
    ],
)
def test_a_code_whose_identity_does_something_is_not_cut_out(name: str, value: float) -> None:
    assert without_scene_code(edited(ENHANCER, stored_as(name, value))) is None


def test_graphs_of_another_form_are_left_as_they_are() -> None:
    latent = next(each for each in EVERY if each.name == "generator_p")
    graph = parse_graph(latent.file.read_bytes())
    assert without_scene_code(graph) is None
    assert with_whole_groups(graph) == graph
    asymmetric = edited(ENHANCER, stored_as("stem.weight_zero_point", [1] * 64))
    assert with_whole_groups(asymmetric) == asymmetric
    narrow = parse_graph(ENHANCER.file.read_bytes())
    assert with_whole_groups(narrow) != narrow
    narrow = replace(narrow, inputs=tuple(e for e in narrow.inputs if e.name != "condition"))
    assert with_whole_groups(narrow) == narrow


def test_a_file_that_is_no_graph_is_a_model_error() -> None:
    data = ENHANCER.file.read_bytes()
    for broken in (b"", b"\x08\x0a", data[: len(data) // 2], data[:-1]):
        with pytest.raises(ModelError):
            parse_graph(broken)
    random = np.random.default_rng(0)
    for _ in range(300):
        with pytest.raises(ModelError):
            parse_graph(random.bytes(60))


@menders
@pytest.mark.parametrize("identity", [True, False], ids=["plain", "coded"])
def test_a_mender_gives_what_the_exported_graph_gives(entry: ModelEntry, identity: bool) -> None:
    network = NetworkPool(threads=2).network(entry.model_id)
    assert isinstance(network, Mender)
    feeds = random_feeds(entry, 11, 17, identity=identity)
    (wanted,) = run(entry.file.read_bytes(), feeds)
    by_places = {
        name: np.ascontiguousarray(value.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        for name, value in feeds.items()
    }
    for given in (feeds, by_places):
        (made,) = network.run(given)
        assert made.shape == wanted.shape
        np.testing.assert_array_equal(made, wanted)


def test_a_mender_says_what_does_not_fit() -> None:
    entry = ENHANCER
    network = NetworkPool(threads=1).network(entry.model_id)
    feeds = random_feeds(entry, 4, 4, identity=True)
    for broken in (
        {**feeds, "cur": feeds["cur"][:, :-1]},
        {**feeds, "cur": feeds["cur"][0]},
        {name: value for name, value in feeds.items() if name != "gain"},
        {name: value for name, value in feeds.items() if name != "next"},
    ):
        with pytest.raises(ModelError, match=r"enhancer\.onnx: does not run on"):
            network.run(broken)


def test_only_integer_kernels_on_the_cpu_get_rewritten_graphs() -> None:
    """Floats add up to other values in another order."""
    kinds = {
        level: isinstance(
            NetworkPool(threads=1, optimization=level).network(ENHANCER.model_id), Mender
        )
        for level in Optimization
    }
    assert kinds == {
        Optimization.OFF: False,
        Optimization.BASIC: False,
        Optimization.EXTENDED: True,
        Optimization.ALL: True,
    }
