"""Costs of layers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from edgecodec.decoder import TIERS, build, spec
from edgecodec.decoder.networks import NetworkSpec, PortSpec
from edgecodec.export import Size
from edgecodec.export.graph import to_onnx
from edgecodec.export.layer_cost import macs_per_pixel
from edgecodec.export.sizes import port_shape
from onnx import TensorProto, helper, numpy_helper
from torch.utils.flop_counter import FlopCounterMode


@pytest.mark.parametrize("name", ["enhancer", "generator_b"])
def test_the_sum_is_what_torch_counts(name: str) -> None:
    network, module = spec(name, "nano"), build(name, "nano")
    costs = macs_per_pixel(to_onnx(module, network, None), network)
    size = Size(64, 48)
    inputs = [torch.zeros(port_shape(port, network, size)) for port in network.inputs]
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    assert sum(costs.values()) == counter.get_total_flops() / 2 / (size.width * size.height)
    assert sum(costs.values()) <= 1000 * TIERS["nano"].max_kmac_per_pixel


def test_strides_and_groups_lower_the_cost() -> None:
    weights = {
        "down.weight": np.zeros((8, 4, 3, 3), np.float32),
        "grouped.weight": np.zeros((8, 2, 1, 1), np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "down.weight"], ["y"], strides=[2, 2], pads=[1] * 4),
            helper.make_node("Conv", ["y", "grouped.weight"], ["z"], group=4),
        ],
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, None, None])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 8, None, None])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model: onnx.ModelProto = helper.make_model(graph)
    toy = NetworkSpec("toy", "toy", (PortSpec("x", 4, 2, 1.0, 0),), ())
    assert macs_per_pixel(model, toy) == {"down": 8 * 4 * 9 / 16, "grouped": 8 * 2 / 16}
