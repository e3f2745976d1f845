"""Graphs that run piece by piece."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from edgecodec.decoder import build, spec
from edgecodec.decoder.networks import BIAS_IDENTITY, GAIN_IDENTITY
from edgecodec.export import Size
from edgecodec.export.calibration.segments import SegmentedGraph
from edgecodec.export.check import to_real
from edgecodec.export.graph import to_bytes, to_onnx
from edgecodec.export.sessions import open_session
from edgecodec.export.sizes import port_shape
from edgecodec.runtime.errors import ExportError
from numpy.typing import NDArray


def noise(name: str, size: Size) -> dict[str, NDArray[np.uint8]]:
    random = np.random.default_rng(5)
    network = spec(name, "nano")
    shapes = {port.name: port_shape(port, network, size) for port in network.inputs}
    return {n: random.integers(0, 256, shape, dtype=np.uint8) for n, shape in shapes.items()}


def all_at_once(
    model: onnx.ModelProto, name: str, sample: dict[str, NDArray[np.uint8]], wanted: list[str]
) -> list[NDArray[np.float32]]:
    """The tensors as one session gives them that has them all for outputs."""
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    open_model.graph.ClearField("output")
    for tensor in wanted:
        open_model.graph.output.add(name=tensor)
    network = spec(name, "nano")
    real = {port.name: to_real(sample[port.name], port) for port in network.inputs}
    outputs: list[NDArray[np.float32]] = open_session(to_bytes(open_model), name).run(wanted, real)
    return outputs


@pytest.mark.parametrize("name", ["generator_b", "enhancer"])
def test_every_tensor_is_what_the_whole_graph_makes_it(name: str) -> None:
    """A network that joins three tensors and shuffles one, and one with a scene's code."""
    size = Size(32, 48)
    model = to_onnx(build(name, "nano"), spec(name, "nano"), size)
    wanted = [node.output[0] for node in model.graph.node]
    sample = noise(name, size)
    found = list(SegmentedGraph(model, spec(name, "nano"), wanted).run(sample))
    assert [tensor for tensor, _ in found] == wanted
    for (_, values), expected in zip(found, all_at_once(model, name, sample, wanted), strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def enhancer() -> onnx.ModelProto:
    return to_onnx(build("enhancer", "nano"), spec("enhancer", "nano"), Size(32, 16))


def test_a_graph_of_fixed_size_takes_samples_of_any(enhancer: onnx.ModelProto) -> None:
    (wanted,) = (n.output[0] for n in enhancer.graph.node if "body.1.weight" in n.input)
    graph = SegmentedGraph(enhancer, spec("enhancer", "nano"), [wanted])
    for size in (Size(32, 16), Size(64, 24)):
        ((_, values),) = graph.run(noise("enhancer", size))
        assert values.shape == (1, 64, size.height // 4, size.width // 4)


def test_a_scene_without_a_code_has_the_one_that_changes_nothing(
    enhancer: onnx.ModelProto,
) -> None:
    last = next(n.input[0] for n in enhancer.graph.node if "head.weight" in n.input)
    graph = SegmentedGraph(enhancer, spec("enhancer", "nano"), [last])
    full = noise("enhancer", Size(32, 16))
    bare = {name: full[name] for name in ("prev", "cur", "next", "condition")}
    identity = {
        "gain": np.full((1, 64, 1, 1), GAIN_IDENTITY, np.uint8),
        "bias": np.full((1, 64, 1, 1), BIAS_IDENTITY, np.uint8),
    }
    ((_, expected),) = graph.run(bare | identity)
    ((_, without),) = graph.run(bare)
    ((_, with_code),) = graph.run(full)
    np.testing.assert_array_equal(without, expected)
    assert (with_code != expected).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cur": np.zeros((1, 6, 4, 8), np.uint8)}, r"shape \(1, 6, 4, 8\) for input 'cur'"),
        ({"cur": np.zeros((1, 24, 5, 8), np.uint8)}, "does not run"),
    ],
    ids=["channels", "height"],
)
def test_a_sample_that_does_not_fit_is_refused(
    enhancer: onnx.ModelProto, change: dict[str, NDArray[np.uint8]], message: str
) -> None:
    first = next(n.output[0] for n in enhancer.graph.node if n.op_type == "Clip")
    graph = SegmentedGraph(enhancer, spec("enhancer", "nano"), [first])
    sample = noise("enhancer", Size(32, 16)) | change
    with pytest.raises(ExportError, match=message):
        list(graph.run(sample))
    del sample["cur"]
    with pytest.raises(ExportError, match="nothing for input 'cur'"):
        list(graph.run(sample))


def test_a_tensor_that_is_not_there_is_refused(enhancer: onnx.ModelProto) -> None:
    with pytest.raises(ExportError, match="'features'"):
        SegmentedGraph(enhancer, spec("enhancer", "nano"), ["features"])
