"""What streams name a graph by."""

from __future__ import annotations

import numpy as np
import onnx
from edgecodec.export.graph_id import graph_id, integers_id
from edgecodec.export.quantization import Arithmetic
from numpy.typing import NDArray
from onnx import helper, numpy_helper


def graph(**initializers: NDArray[np.int8]) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(values, name) for name, values in initializers.items()]
    return helper.make_model(helper.make_graph([], "net", [], [], tensors))


def test_the_arithmetic_is_in_the_id_of_a_graph() -> None:
    fast, exact = (graph_id("00112233445566aa", each) for each in Arithmetic)
    assert fast == "00112233445566aa"
    assert exact != fast
    assert len(exact) == len(fast)
    assert graph_id("00112233445566ab", Arithmetic.EXACT) != exact


def test_every_integer_is_in_the_id_of_integers() -> None:
    one, two = np.array([1, 2], np.int8), np.array([3], np.int8)
    made = graph(one=one, two=two)
    named = integers_id("00112233445566aa", made)
    assert len(named) == 16
    # Neither the order nor what a file says of itself matters.
    other = graph(two=two, one=one)
    other.producer_name = "another"
    assert integers_id("00112233445566aa", other) == named
    different = {
        integers_id("00112233445566ab", made),
        integers_id("00112233445566aa", graph(one=one, two=np.array([4], np.int8))),
        integers_id("00112233445566aa", graph(one=one[:1], two=np.array([2, 3], np.int8))),
        integers_id("00112233445566aa", graph(one=two, two=one)),
        integers_id("00112233445566aa", graph(one=one.astype(np.int16), two=two)),
    }
    assert len(different | {named}) == 6
