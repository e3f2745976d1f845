"""Integers written over those in an ONNX file."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.initializers import replace_initializers
from onnx import TensorProto, helper, numpy_helper

WEIGHT = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
BIAS = np.array([1, -2, 300_000], np.int32)


def model(*tensors: onnx.TensorProto) -> bytes:
    """A graph with those initialisers between fields of every other kind."""
    port = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, "h"])
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, transB=1)
    graph = helper.make_graph([node], "g", [port], [], list(tensors), doc_string="said")
    made: bytes = helper.make_model(graph, producer_name="tests").SerializeToString()
    return made


def stored(name: str, value: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(value, name)


def values(data: bytes) -> dict[str, np.ndarray]:
    found = onnx.load_from_string(data).graph.initializer
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in found}


def test_only_what_is_named_changes() -> None:
    before = model(stored("w", WEIGHT), stored("b", BIAS), stored("w2", WEIGHT))
    after = replace_initializers(before, {"b": -BIAS, "w": WEIGHT[::-1]})
    assert len(after) == len(before)
    np.testing.assert_array_equal(values(after)["w"], WEIGHT[::-1])
    np.testing.assert_array_equal(values(after)["b"], -BIAS)
    np.testing.assert_array_equal(values(after)["w2"], WEIGHT)
    assert replace_initializers(after, {"b": BIAS, "w": WEIGHT}) == before


def test_a_name_or_a_size_that_the_graph_has_not_is_an_error() -> None:
    data = model(stored("w", WEIGHT))
    with pytest.raises(ModelError, match="0 bytes for initialiser v, 12 are to replace"):
        replace_initializers(data, {"v": WEIGHT})
    with pytest.raises(ModelError, match="12 bytes for initialiser w, 8 are to replace"):
        replace_initializers(data, {"w": WEIGHT[:2]})


def test_a_tensor_that_is_not_raw_bytes_is_an_error() -> None:
    typed = helper.make_tensor("w", TensorProto.INT32, [3], [1, 2, 3])
    with pytest.raises(ModelError, match="0 bytes for initialiser w"):
        replace_initializers(model(typed), {"w": BIAS})


def test_cuts_and_noise_do_nothing_worse_than_raise() -> None:
    data = model(stored("w", WEIGHT), stored("b", BIAS))
    refused = 0
    for size in range(len(data)):
        try:
            changed = replace_initializers(data[:size], {"w": WEIGHT, "b": BIAS})
        except ModelError:
            refused += 1
        else:  # cut behind the graph
            assert values(changed).keys() == {"w", "b"}
    assert refused > 0.9 * len(data)
    random = np.random.default_rng(0)
    for _ in range(300):
        with pytest.raises(ModelError):
            replace_initializers(random.bytes(60), {"w": WEIGHT})
