"""Numeric checks between one stage of the export and the next.

Every stage runs on the same probes: a ramp over all 256 levels and uniform noise. A probe is
uint8; float graphs get its real values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from ..decoder.networks import NetworkSpec, PortSpec
from ..runtime.errors import ExportError
from .graph import to_bytes
from .sessions import open_session
from .sizes import Size, port_shape

FLOAT_TOLERANCE = 1e-4
# What tells rounding from a broken graph: noise below a tenth of the signal's power, or below a
# step and a half of uint8. How good INT8 is on pictures is for `measure_loss` to say.
_MAX_NOISE_TO_SIGNAL = 0.1
_MAX_NOISE_STEPS = 1.5

Arrays = dict[str, NDArray[np.float32]]
Bytes = dict[str, NDArray[np.uint8]]


@dataclass(frozen=True)
class Probe:
    """One uint8 array [1, C, h, w] for every input port, and what it is called in messages."""

    name: str
    inputs: Mapping[str, NDArray[np.uint8]]


def make_probes(spec: NetworkSpec, sizes: tuple[Size, ...]) -> tuple[Probe, ...]:
    """A ramp and noise for every size of picture; the same ones on every call."""
    return tuple(
        Probe(f"{kind} {size}", {p.name: make(port_shape(p, spec, size)) for p in spec.inputs})
        for size in sizes
        for kind, make in (("ramp", _ramp), ("noise", _noise))
    )


def to_real(array: NDArray[np.uint8], port: PortSpec) -> NDArray[np.float32]:
    """uint8 levels of `port` as the real values that they stand for."""
    scale = np.float32(port.scale)
    return (array.astype(np.float32) - np.float32(port.zero_point)) * scale


def to_levels(array: NDArray[np.float32], port: PortSpec) -> NDArray[np.uint8]:
    """Real values as uint8 levels of `port`, rounded half to even and saturated."""
    levels = np.rint(array / np.float32(port.scale)) + np.float32(port.zero_point)
    quantized: NDArray[np.uint8] = np.clip(levels, 0, 255).astype(np.uint8)
    return quantized


def run_torch(module: nn.Module, spec: NetworkSpec, probe: Probe) -> Arrays:
    """Outputs of the torch module on the real values of `probe`, by port name."""
    inputs = [torch.from_numpy(to_real(probe.inputs[p.name], p)) for p in spec.inputs]
    with torch.inference_mode():
        result = module(*inputs)
    tensors = result if isinstance(result, tuple) else (result,)
    return {p.name: t.numpy() for p, t in zip(spec.outputs, tensors, strict=True)}


def run_real(model: onnx.ModelProto, spec: NetworkSpec, probe: Probe) -> Arrays:
    """Outputs of a graph with float inputs and outputs on the real values of `probe`."""
    inputs = {p.name: to_real(probe.inputs[p.name], p) for p in spec.inputs}
    return _run(model, spec, inputs)


def run_bytes(model: onnx.ModelProto, spec: NetworkSpec, probe: Probe) -> Bytes:
    """Outputs of a graph with uint8 inputs and outputs on `probe`."""
    return _run(model, spec, probe.inputs)


def require_close(stage: str, spec: NetworkSpec, before: Arrays, after: Arrays) -> None:
    """Raises `ExportError` where float outputs differ by more than 1e-4 of their magnitude."""
    for name, expected in before.items():
        bound = FLOAT_TOLERANCE * max(1.0, float(np.abs(expected).max(initial=0.0)))
        worst = _largest_difference(stage, spec, name, expected, after[name])
        # Written so that NaN fails too.
        if not worst <= bound:
            raise ExportError(
                f"{stage}, {spec.name}: output '{name}' moved by {worst:.3g} (at most {bound:.3g})"
            )


def require_like(stage: str, spec: NetworkSpec, before: Arrays, after: Arrays) -> None:
    """Raises `ExportError` where quantised outputs do not follow the float ones."""
    for port in spec.outputs:
        expected = to_levels(before[port.name], port).astype(np.float64)
        noise = float(np.mean((to_levels(after[port.name], port) - expected) ** 2))
        bound = max(_MAX_NOISE_TO_SIGNAL * float(expected.var()), _MAX_NOISE_STEPS**2)
        if not noise <= bound:
            raise ExportError(
                f"{stage}, {spec.name}: output '{port.name}' lost its signal: mean square error"
                f" {noise:.3g} uint8 steps (at most {bound:.3g})"
            )


def require_equal(stage: str, spec: NetworkSpec, before: Arrays, after: Bytes) -> None:
    """Raises `ExportError` where a uint8 output is not the level of the float output before it."""
    for port in spec.outputs:
        expected = to_levels(before[port.name], port)
        worst = _largest_difference(stage, spec, port.name, expected, after[port.name])
        if worst != 0:
            raise ExportError(
                f"{stage}, {spec.name}: output '{port.name}' moved by {worst:.0f} levels"
            )


def _largest_difference(
    stage: str,
    spec: NetworkSpec,
    name: str,
    expected: NDArray[np.float32] | NDArray[np.uint8],
    actual: NDArray[np.float32] | NDArray[np.uint8],
) -> float:
    if expected.shape != actual.shape:
        raise ExportError(
            f"{stage}, {spec.name}: output '{name}' went from {expected.shape} to {actual.shape}"
        )
    return float(np.abs(expected.astype(np.float64) - actual.astype(np.float64)).max(initial=0.0))


def _run(model: onnx.ModelProto, spec: NetworkSpec, inputs: Mapping[str, Any]) -> dict[str, Any]:
    names = [port.name for port in spec.outputs]
    session = open_session(to_bytes(model), spec.name)
    try:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))
    except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
        raise ExportError(f"{spec.name} does not run: {str(error).strip()}") from error


def _ramp(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Level = column + 7 * row + 16 * channel, modulo 256: every level, different in every axis."""
    _, channels, rows, columns = shape
    channel, row, column = np.ogrid[:channels, :rows, :columns]
    ramp: NDArray[np.uint8] = ((column + 7 * row + 16 * channel) % 256).astype(np.uint8)
    return ramp[None]


def _noise(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
