"""Two small networks in exact arithmetic, written by hand, in a model folder of their own.

Every requantisation is a shift, weights are multiples of 4 and biases 4n + 2: no sum comes within 2
of a tie, wherever it is rounded.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IFRAME_ID, GENERATOR_ID = "e" * 16, "f" * 16
_LATENTS, _FEATURES = 64, 96
_STEP = 2.0**-5
_LATENT = ("latent", [1, _LATENTS, "h", "w"])
_PAST = ("past", [1, _FEATURES, "2*h", "2*w"])


class _Graph:
    """A QDQ graph that grows; all of its activations have scale 2^-5."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(3)
        self._constant("scale", np.float32(_STEP))
        self._constant("zero", np.uint8(0))
        self._constant("middle", np.uint8(128))

    def real(self, name: str, zero_point: str = "zero") -> str:
        return self._add("DequantizeLinear", [name, "scale", zero_point], f"{name}_real")

    def quantized(self, name: str, output: str) -> str:
        return self._add("QuantizeLinear", [name, "scale", "zero"], output)

    def convolved(self, name: str, shape: tuple[int, int, int], spread: float, output: str) -> str:
        """A convolution of (outputs, inputs, kernel), from integers with that `spread`."""
        outputs, inputs, kernel = shape
        weights = self._random.integers(-15, 16, (outputs, inputs, kernel, kernel)) * 4
        spread_of_sums = spread * math.sqrt(inputs * kernel * kernel) * 36
        shift = round(math.log2(spread_of_sums / 50))
        biases = self._random.integers(0, round(12 * 2.0**shift), outputs) * 4 + 2
        scale = np.float32(2.0**-shift)
        self._constant(f"{output}.w", weights.astype(np.int8))
        self._constant(f"{output}.w_scale", np.full(outputs, scale))
        self._constant(f"{output}.w_zero", np.zeros(outputs, np.int8))
        self._constant(f"{output}.b", biases.astype(np.int32))
        self._constant(f"{output}.b_scale", np.full(outputs, scale * np.float32(_STEP)))
        self._constant(f"{output}.b_zero", np.zeros(outputs, np.int32))
        operands = [
            self._add(
                "DequantizeLinear",
                [f"{output}.{part}", f"{output}.{part}_scale", f"{output}.{part}_zero"],
                f"{output}.{part}_real",
                axis=0,
            )
            for part in "wb"
        ]
        pads = [kernel // 2] * 4
        sums = self._add("Conv", [name, *operands], f"{output}_sums", pads=pads)
        return self.quantized(sums, output)

    def upscaled(self, name: str, output: str) -> str:
        blocks = self._add("DepthToSpace", [name], f"{output}_blocks", blocksize=2, mode="CRD")
        return self.quantized(blocks, output)

    def joined(self, names: list[str], output: str) -> str:
        return self.quantized(self._add("Concat", names, f"{output}_joined", axis=1), output)

    def _constant(self, name: str, value: np.ndarray | np.generic) -> None:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def write_exact_networks(folder: Path) -> Path:
    """`iframe_decoder` and `generator_p` of any size, with a manifest."""
    folder.mkdir()
    graph = _Graph()
    wide = graph.convolved(graph.real("latent", "middle"), (384, _LATENTS, 1), 6, "wide")
    feature = graph.upscaled(graph.real(wide), "up")
    feature = graph.convolved(graph.real(feature), (_FEATURES, _FEATURES, 3), 60, "feature_out")
    graph.convolved(graph.real(feature), (_FEATURES, _FEATURES, 1), 60, "frame_out")
    networks = [_write(folder, graph, "iframe_decoder", IFRAME_ID, [_LATENT])]

    graph = _Graph()
    wide = graph.convolved(graph.real("latent", "middle"), (384, _LATENTS, 1), 6, "wide")
    up = graph.upscaled(graph.real(wide), "up")
    both = graph.joined([graph.real("past"), graph.real(up)], "both")
    shape = (_FEATURES, 2 * _FEATURES, 3)
    feature = graph.convolved(graph.real(both), shape, 60, "feature_out")
    graph.convolved(graph.real(feature), (_FEATURES, _FEATURES, 1), 60, "frame_out")
    networks.append(_write(folder, graph, "generator_p", GENERATOR_ID, [_PAST, _LATENT]))

    manifest = {"format": 1, "tier": "nano", "target": "cpu", "size": None, "networks": networks}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _write(
    folder: Path,
    graph: _Graph,
    name: str,
    model_id: str,
    inputs: list[tuple[str, list[object]]],
) -> dict[str, object]:
    outputs = [(each, [1, _FEATURES, "2*h", "2*w"]) for each in ("frame_out", "feature_out")]
    described = helper.make_graph(
        graph.nodes,
        name,
        [helper.make_tensor_value_info(each, TensorProto.UINT8, dims) for each, dims in inputs],
        [helper.make_tensor_value_info(each, TensorProto.UINT8, dims) for each, dims in outputs],
        graph.constants,
    )
    model = helper.make_model(described, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    return {
        "name": name,
        "file": f"{name}.onnx",
        "sha256": hashlib.sha256(data).hexdigest(),
        "model_id": model_id,
        "inputs": [_port(each) for each, _ in inputs],
        "outputs": [_port(each) for each, _ in outputs],
    }


def _port(name: str) -> dict[str, object]:
    latent = name == "latent"
    return {
        "name": name,
        "shape": [1, _LATENTS if latent else _FEATURES, None, None],
        "stride": 16 if latent else 8,
        "scale": _STEP,
        "zero_point": 128 if latent else 0,
    }
