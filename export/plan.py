"""What an export will make, before any of it is made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ..decoder.networks import PER_SCENE, NetworkSpec, PortSpec, spec
from ..runtime.errors import UnsupportedError
from .manifest import Port
from .publish import check_replaceable
from .sizes import Size, port_shape
from .targets import find_target
from .weights import choose_networks


class Precision(StrEnum):
    """Arithmetic of the exported graphs."""

    FP32 = "fp32"
    INT8 = "int8"


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and where to.

    `networks` empty: every network of `tier` that has weights. `size` None: graphs of dynamic
    height and width. `weights`: a folder of safetensors files in place of the committed ones.
    `max_drop_db` bounds the loss of every network; `keep_failed` publishes even so. `keep_float`
    also writes `<network>.fp32.onnx`.
    """

    directory: Path
    tier: str = "nano"
    networks: tuple[str, ...] = ()
    size: Size | None = None
    target: str = "cpu"
    precision: Precision = Precision.INT8
    max_drop_db: float | None = None
    keep_float: bool = False
    keep_failed: bool = False
    weights: Path | None = None


@dataclass(frozen=True)
class PlannedNetwork:
    """One network that an export would make: its file, ports and stages."""

    name: str
    file: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    stages: tuple[str, ...]


_FLOAT_STAGES = ("onnx", "simplify")
_INT8_STAGES = ("onnx", "simplify", "quantize", "uint8 boundary", "placement", "loss")


def plan_export(options: ExportOptions) -> tuple[PlannedNetwork, ...]:
    """What `export_networks` would do; raises what it would raise before it starts to work."""
    target = find_target(options.target)
    if options.size is None and not target.dynamic_size:
        raise UnsupportedError(f"target {target.name!r} needs a fixed size: give --size")
    check_replaceable(options.directory)
    stages = _INT8_STAGES if options.precision is Precision.INT8 else (*_FLOAT_STAGES, "placement")
    planned = []
    for name in choose_networks(options.networks, options.tier, options.weights):
        network = spec(name, options.tier)
        inputs, outputs = _ports(network, options.size)
        planned.append(PlannedNetwork(name, f"{name}.onnx", inputs, outputs, stages))
    return tuple(planned)


def _ports(network: NetworkSpec, size: Size | None) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    def describe(port: PortSpec) -> Port:
        shape: tuple[int | None, ...] = (1, port.channels, None, None)
        if size or port.stride == PER_SCENE:
            shape = port_shape(port, network, size or Size(1, 1))
        return Port(port.name, shape, port.stride, port.scale, port.zero_point)

    return tuple(map(describe, network.inputs)), tuple(map(describe, network.outputs))
