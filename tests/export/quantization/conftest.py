"""The trained nano networks at a small size, and inputs for them: noise, and a real picture's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from edgecodec.decoder import load, spec
from edgecodec.decoder.networks import NetworkSpec
from edgecodec.encoder.analysis import load_analysis
from edgecodec.encoder.analysis_weights import weights_path
from edgecodec.export import Size, demo_clips
from edgecodec.export.graph import to_bytes, to_onnx
from edgecodec.export.quantization import Arithmetic, Recipe, preset, quantize, uint8_boundary
from edgecodec.export.samples import read_frames
from edgecodec.export.sizes import port_shape
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.latents import dequantize, step_size
from edgecodec.runtime.packing import pack
from numpy.typing import NDArray

SIZE = Size(96, 64)
Inputs = dict[str, NDArray[np.uint8]]
# Gains that cannot bring a product to a tie: 0, 1, 2 and 3 times what they scale.
EXACT_GAINS = (0, 64, 128, 192)


@pytest.fixture(scope="session")
def floats() -> Callable[[str], onnx.ModelProto]:
    """The float graph of a network of tier nano, with its trained weights."""
    return _floats


@pytest.fixture(scope="session")
def noise() -> Callable[[str], Inputs]:
    """Noise for every input of a network; gains are of the exact ones."""

    def make(name: str) -> Inputs:
        random = np.random.default_rng(11)
        network = spec(name, "nano")
        inputs = {
            port.name: random.integers(0, 256, port_shape(port, network, SIZE), dtype=np.uint8)
            for port in network.inputs
        }
        if "gain" in inputs:
            inputs["gain"] = random.choice(EXACT_GAINS, inputs["gain"].shape).astype(np.uint8)
        return inputs

    return make


@pytest.fixture(scope="session")
def picture() -> Callable[[str], Inputs]:
    """A piece of the demo clip, as a network gets it on a device."""
    return _picture


def uint8_graph(floats: onnx.ModelProto, network: NetworkSpec, recipe: Recipe) -> onnx.ModelProto:
    return uint8_boundary(quantize(floats, network, recipe), network, recipe)


def exact_recipe() -> Recipe:
    return Recipe(preset("cpu", Arithmetic.EXACT))


def run(model: onnx.ModelProto, inputs: Inputs, level: str = "ALL", threads: int = 1) -> Inputs:
    """Outputs by name, at an optimisation level of ONNX Runtime: ALL, EXTENDED, BASIC, OFF."""
    options = ort.SessionOptions()
    name = "ORT_DISABLE_ALL" if level == "OFF" else f"ORT_ENABLE_{level}"
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, name)
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(to_bytes(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@cache
def _floats(name: str) -> onnx.ModelProto:
    return to_onnx(load(name, "nano").module, spec(name, "nano"), SIZE)


@cache
def _picture(name: str) -> Inputs:
    network = spec(name, "nano")
    planes = _frames()
    # A corner with detail in it: rows and columns of luma.
    rows, columns = slice(320, 320 + SIZE.height), slice(480, 480 + SIZE.width)
    half = tuple(slice(s.start // 2, s.stop // 2) for s in (rows, columns))
    frames = [(y[rows, columns], u[half], v[half]) for y, u, v in planes]
    if network.adapts:
        block = 4 if name == "enhancer" else 2
        shrunk = [tuple(p if block == 4 else p[::2, ::2] for p in frame) for frame in frames]
        names = ("prev", "cur", "next")
        inputs = {n: pack(f, block, block) for n, f in zip(names, shrunk, strict=True)}
        ports = {port.name: port for port in network.inputs}
        inputs["condition"] = np.full(port_shape(ports["condition"], network, SIZE), 90, np.uint8)
        inputs["gain"] = np.full(port_shape(ports["gain"], network, SIZE), 64, np.uint8)
        inputs["bias"] = np.full(port_shape(ports["bias"], network, SIZE), 131, np.uint8)
        return inputs
    references = {"iframe_decoder": (), "generator_p": (0,), "generator_b": (0, 2)}[name]
    decoder = uint8_graph(_floats("iframe_decoder"), spec("iframe_decoder", "nano"), exact_recipe())
    features = [
        run(decoder, {"latent": _latent("analysis_i", frames[number], ())})["feature_out"]
        for number in references
    ]
    analysis = {0: "analysis_i", 1: "analysis_p", 2: "analysis_b"}[len(features)]
    latent = _latent(analysis, frames[1], tuple(features))
    return {**dict(zip(("past", "future"), features, strict=False)), "latent": latent}


@cache
def _frames() -> list[Planes]:
    return read_frames(demo_clips()[0], 3)


def intra_latent(row: int, column: int, height: int, width: int) -> NDArray[np.uint8]:
    """Latents of a piece of the demo clip, coded by itself; everything in luma samples."""
    y, u, v = _frames()[0]
    luma = slice(row, row + height), slice(column, column + width)
    chroma = tuple(slice(s.start // 2, s.stop // 2) for s in luma)
    return _latent("analysis_i", (y[luma], u[chroma], v[chroma]), ())


def _latent(
    name: str, frame: tuple[NDArray[np.uint8], ...], features: tuple[NDArray[np.uint8], ...]
) -> NDArray[np.uint8]:
    """What the encoder would send, dequantised."""
    quality = 30
    network = load_analysis(name, "nano", weights_path(name, "nano"))
    y, u, v = frame
    packed = torch.from_numpy(pack((y, u, v), 8, 16)).float() / 255
    with torch.inference_mode():
        references = (torch.from_numpy(f).float() * (6 / 255) for f in features)
        latent = network(packed, torch.tensor([quality]), *references)
    symbols = (latent[0] / step_size(quality)).round().clamp(-127, 127)
    return dequantize(symbols.to(torch.int8).numpy(), quality)
