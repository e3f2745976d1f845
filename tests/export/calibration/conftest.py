"""Small float graphs, written by hand so that each has the fault that a test is about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from edgecodec.decoder.networks import NetworkSpec, PortSpec
from edgecodec.export.calibration import Measure, Sample
from edgecodec.export.check import to_levels, to_real
from edgecodec.export.graph import to_bytes
from edgecodec.export.loss import packed_psnr
from edgecodec.export.quantization import Recipe
from edgecodec.export.quantization.quantizer import quantize, uint8_boundary
from edgecodec.export.sessions import open_session
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weight [O, I, kH, kW] and bias [O] of a convolution."""


@pytest.fixture(scope="session")
def chain() -> Callable[..., tuple[onnx.ModelProto, NetworkSpec]]:
    """Makes a graph of the layers given by name, ReLU6 after all but the last, pixels in and out.

    Inner activations are called `<layer>.features`.
    """

    def make(**layers: Layer) -> tuple[onnx.ModelProto, NetworkSpec]:
        channels = next(iter(layers.values()))[0].shape[1]
        outputs = list(layers.values())[-1][0].shape[0]
        spec = NetworkSpec(
            "chain",
            "toy",
            (PortSpec("x", channels, 4, 1 / 255, 0),),
            (PortSpec("frame_out", outputs, 4, 1 / 255, 0),),
        )
        constants = {"low": np.array(0, np.float32), "high": np.array(6, np.float32)}
        nodes = []
        source = "x"
        for name, (weight, bias) in layers.items():
            constants |= {f"{name}.weight": weight, f"{name}.bias": bias}
            last = name == list(layers)[-1]
            output = "frame_out" if last else f"{name}.sums"
            reads = [source, f"{name}.weight", f"{name}.bias"]
            pads = [weight.shape[2] // 2] * 4
            nodes.append(helper.make_node("Conv", reads, [output], name=f"Conv_{name}", pads=pads))
            if not last:
                source = f"{name}.features"
                clip = [output, "low", "high"]
                nodes.append(helper.make_node("Clip", clip, [source], name=f"Clip_{name}"))
        graph = helper.make_graph(
            nodes,
            "chain",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, "h", "w"])],
            [helper.make_tensor_value_info("frame_out", TensorProto.FLOAT, [1, outputs, "h", "w"])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        opsets = [helper.make_opsetid("", 20)]
        return helper.make_model(graph, ir_version=10, opset_imports=opsets), spec

    return make


@pytest.fixture(scope="session")
def fidelity() -> Callable[[onnx.ModelProto, NetworkSpec, Sample], Measure]:
    """Makes a measure: PSNR in dB of the uint8 graph's frame against the float graph's."""

    def make(model: onnx.ModelProto, spec: NetworkSpec, sample: Sample) -> Measure:
        (port,) = spec.inputs
        (output,) = spec.outputs
        session = open_session(to_bytes(model), "float")
        (real,) = session.run([output.name], {port.name: to_real(sample[port.name], port)})
        target = to_levels(real, output)

        def measure(recipe: Recipe) -> float:
            graph = uint8_boundary(quantize(model, spec, recipe), spec, recipe)
            (levels,) = open_session(to_bytes(graph), "int8").run([output.name], dict(sample))
            return packed_psnr(levels, target)

        return measure

    return make
