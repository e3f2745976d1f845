"""The trained networks as devices get them, with inputs from a real clip, for the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from edgecodec.decoder import TIERS
from edgecodec.decoder.networks import spec
from edgecodec.encoder.samples import latent_samples
from edgecodec.export import LossSample, Size, base_samples, demo_clips
from edgecodec.export.graph import to_onnx
from edgecodec.export.inputs import fit_inputs
from edgecodec.export.quantization import Arithmetic, Recipe, preset, quantize, uint8_boundary
from edgecodec.export.weights import choose_networks, load_network
from numpy.typing import NDArray

Levels = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class DeviceGraph:
    """One network: its graph's file, an input and what ONNX Runtime's CPU kernels make of it."""

    name: str
    tier: str
    path: Path
    inputs: Levels
    expected: Levels


def device_graphs(
    target: str, arithmetic: Arithmetic, size: Size, folder: Path, tiers: Sequence[str]
) -> Iterator[DeviceGraph]:
    """Every network that has weights, quantised by the preset of `target`, for pictures of `size`.

    The input is a sample from the middle of the demo clip, repeated to fill `size`.
    """
    recipe = Recipe(preset(target, arithmetic))
    for tier in tiers:
        samples: dict[str, list[LossSample]] = {}
        for name in choose_networks((), tier, None):
            network = spec(name, tier)
            graph = to_onnx(load_network(name, tier, None).module, network, size)
            quantized = uint8_boundary(quantize(graph, network, recipe), network, recipe)
            path = folder / f"{name}-{tier}-{target}-{arithmetic}.onnx"
            onnx.save(quantized, path)
            real = base_samples(name, demo_clips())
            if not real:
                samples = samples or latent_samples(demo_clips(), tier)
                real = samples[name]
            session = open_cpu(path)
            shapes = {port.name: tuple(port.shape) for port in session.get_inputs()}
            filled = {port: _filled(array, shapes[port]) for port, array in real[0].inputs.items()}
            inputs = fit_inputs(session, network, filled)
            names = [port.name for port in session.get_outputs()]
            expected = dict(zip(names, session.run(names, inputs), strict=True))
            yield DeviceGraph(name, tier, path, inputs, expected)


def all_tiers() -> tuple[str, ...]:
    """The tiers there are, the lightest first."""
    return tuple(TIERS)


def open_cpu(path: Path, threads: int = 0) -> ort.InferenceSession:
    """A session on the CPU; `threads` 0: as many as there are cores."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _filled(array: NDArray[np.uint8], shape: Sequence[int]) -> NDArray[np.uint8]:
    """`array` [1, C, h, w] repeated to the height and width of `shape`, or cut."""
    rows, columns = shape[2:]
    repeats = (1, 1, -(-rows // array.shape[2]), -(-columns // array.shape[3]))
    return np.ascontiguousarray(np.tile(array, repeats)[:, :, :rows, :columns])
