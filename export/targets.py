"""What an export can be made for. One `Target` says all that differs between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx

from ..decoder.networks import NetworkSpec
from ..runtime.errors import UnsupportedError
from .manifest import Placement
from .placement import require_integer_kernels
from .quantize import quantize


@dataclass(frozen=True)
class Target:
    """A kind of device.

    `provider` is the ONNX Runtime provider that placement is measured on. `quantize` makes the QDQ
    graph, with float inputs and outputs, that the device runs well. `check_placement` raises
    `ExportError` where a finished network, given by name, would not run as it should.
    """

    name: str
    provider: str
    dynamic_size: bool
    quantize: Callable[[onnx.ModelProto, NetworkSpec], onnx.ModelProto]
    check_placement: Callable[[str, Placement], None]


_CPU = Target(
    name="cpu",
    provider="CPUExecutionProvider",
    dynamic_size=True,
    quantize=quantize,
    check_placement=require_integer_kernels,
)


def targets() -> tuple[Target, ...]:
    """Every target that this version exports for."""
    return (_CPU,)


def find_target(name: str) -> Target:
    """The target called `name`; `UnsupportedError` lists those that exist."""
    for target in targets():
        if target.name == name:
            return target
    known = ", ".join(target.name for target in targets())
    raise UnsupportedError(f"there is no target {name!r}: this version exports for {known}")
