"""Networks as devices get them, small and of fixed shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgecodec import runtime
from edgecodec.decoder.networks import BIAS_IDENTITY, GAIN_IDENTITY, spec
from edgecodec.export import Size
from edgecodec.export.devices import fix_size
from edgecodec.export.sessions import open_session
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = Size(96, 64)


@dataclass(frozen=True)
class Sample:
    """A graph's file, an input and what the CPU makes of it."""

    path: Path
    inputs: Mapping[str, NDArray[np.uint8]]
    expected: Mapping[str, NDArray[np.uint8]]


def sample(path: Path) -> Sample:
    """Noise through the graph of uint8 ports in `path`; a scene's code that changes nothing."""
    session = open_session(path, path.name)
    random = np.random.default_rng(0)
    inputs = {
        port.name: random.integers(0, 256, port.shape, dtype=np.uint8)
        for port in session.get_inputs()
    }
    for name, identity in (("gain", GAIN_IDENTITY), ("bias", BIAS_IDENTITY)):
        if name in inputs:
            inputs[name][:] = identity
    names = [port.name for port in session.get_outputs()]
    return Sample(path, inputs, dict(zip(names, session.run(names, inputs), strict=True)))


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sample]:
    """The packaged nano network of a name, for pictures of 96x64."""
    folder = tmp_path_factory.mktemp("shipped")
    packaged = Path(runtime.__file__).parent / "networks" / "nano"

    def make(name: str) -> Sample:
        path = folder / f"{name}.onnx"
        if not path.exists():
            model = onnx.load(packaged / path.name)
            onnx.save(fix_size(model, spec(name, "nano"), SIZE), path)
        return sample(path)

    return make


@pytest.fixture(scope="session")
def with_erf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quantised graph whose one operator, Erf, Qualcomm's compiler does not have."""
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["real"]),
        helper.make_node("Erf", ["real"], ["erf"], name="the_erf"),
        helper.make_node("QuantizeLinear", ["erf", "scale", "zero"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.float32(0.01), "scale"),
        numpy_helper.from_array(np.uint8(128), "zero"),
    ]
    path = tmp_path_factory.mktemp("erf") / "erf.onnx"
    onnx.save(_graph(nodes, constants, TensorProto.UINT8, [1, 4, 8, 8]), path)
    return path


@pytest.fixture(scope="session")
def symmetric(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """One convolution as TensorRT wants it: symmetric int8, a float bias, uint8 ports by Cast."""
    channels, random = 16, np.random.default_rng(0)
    weight = random.integers(-127, 128, (channels, channels, 3, 3)).astype(np.int8)
    constants = {
        "scale": np.float32(2.0),
        "zero": np.int8(0),
        "weight": weight,
        "weight_scale": np.full(channels, 0.004, np.float32),
        "weight_zero": np.zeros(channels, np.int8),
        "bias": random.normal(64, 16, channels).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["x"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("QuantizeLinear", ["real", "scale", "zero"], ["quantized"]),
        helper.make_node("DequantizeLinear", ["quantized", "scale", "zero"], ["dequantized"]),
        helper.make_node(
            "DequantizeLinear", ["weight", "weight_scale", "weight_zero"], ["w"], axis=0
        ),
        helper.make_node("Conv", ["dequantized", "w", "bias"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("QuantizeLinear", ["relu", "scale", "zero"], ["levels"]),
        helper.make_node("DequantizeLinear", ["levels", "scale", "zero"], ["features"]),
        helper.make_node("Cast", ["features"], ["y"], to=TensorProto.UINT8),
    ]
    tensors = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    path = tmp_path_factory.mktemp("symmetric") / "symmetric.onnx"
    onnx.save(_graph(nodes, tensors, TensorProto.UINT8, [1, channels, 16, 24]), path)
    return sample(path)


def _graph(
    nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto], kind: int, shape: list[int]
) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "graph", ports[:1], ports[1:], constants)
    opset = [helper.make_opsetid("", 20)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model
