"""The ONNX count beside what two torch tools say of the same network.

`torch.utils.flop_counter` must agree. thop is shown because people know it: it counts a strided
transposed convolution by its output, too high by the product of the strides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class CrossCheck:
    """Multiply-accumulates of one call by three counters; `thop` is None where not installed."""

    onnx: int
    flop_counter: int
    thop: int | None

    @property
    def agrees(self) -> bool:
        """Whether torch's own counter confirms the number of record."""
        return self.onnx == self.flop_counter


def cross_check(onnx_macs: int, module: Any, inputs: Sequence[Any]) -> CrossCheck:
    """Count a torch `module` on `inputs` and set the counts beside `onnx_macs`."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(*inputs)
    # That counter says 2 operations for a multiply-accumulate.
    return CrossCheck(onnx_macs, counter.get_total_flops() // 2, _thop(module, inputs))


def _thop(module: Any, inputs: Sequence[Any]) -> int | None:
    import copy

    try:
        import thop
    except ModuleNotFoundError:
        return None
    # It leaves its counters in the module that it is given.
    macs, _ = thop.profile(copy.deepcopy(module), inputs=tuple(inputs), verbose=False)
    return int(macs)
