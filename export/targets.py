"""What an export can be made for. One `Target` says all that differs between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..runtime.errors import UnsupportedError
from ..runtime.qnn import QNN_PROVIDER
from .devices.tensorrt import TENSORRT_PROVIDER
from .placement import require_integer_kernels
from .records import Placement

CPU_PROVIDER = "CPUExecutionProvider"
OPENVINO_PROVIDER = "OpenVINOExecutionProvider"


@dataclass(frozen=True)
class Target:
    """A kind of device.

    `provider` is the ONNX Runtime provider that placement is about. `dynamic_size`: its graphs may
    take pictures of any size. `compiled`: a network is nothing yet until it is compiled for a
    device, and only INT8 is. `takes_titles`: players may change the graph's weights.
    `has_exact`: its integers can be those of other targets. `check_placement` raises `ExportError`
    where a network all of INT8, given by name, would not run on the CPU as it should.
    """

    name: str
    provider: str
    dynamic_size: bool
    compiled: bool
    takes_titles: bool
    has_exact: bool
    check_placement: Callable[[str, Placement], None]


def _anything(name: str, placement: Placement) -> None:
    """Devices that compile a graph do not care how ONNX Runtime would run it on a CPU."""


def targets() -> tuple[Target, ...]:
    """Every target that this version exports for."""
    return (
        Target("cpu", CPU_PROVIDER, True, False, True, True, require_integer_kernels),
        Target("openvino", OPENVINO_PROVIDER, True, False, True, True, require_integer_kernels),
        Target("tensorrt", TENSORRT_PROVIDER, False, True, False, False, _anything),
        Target("qnn", QNN_PROVIDER, False, True, False, True, _anything),
    )


def find_target(name: str) -> Target:
    """The target called `name`; `UnsupportedError` lists those that exist."""
    for target in targets():
        if target.name == name:
            return target
    known = ", ".join(target.name for target in targets())
    raise UnsupportedError(f"there is no target {name!r}: this version exports for {known}")
