"""How far two runs of the same network are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import ExportError

Outputs = Mapping[str, NDArray[np.uint8]]
"""uint8 arrays by the name of the graph's port."""


@dataclass(frozen=True)
class Difference:
    """Over all values of all outputs, in uint8 steps.

    `share`: of the values that differ, 0 to 1. `largest`: the largest difference. `mean`: the mean
    difference over all values, those that agree included.
    """

    share: float
    largest: int
    mean: float

    @property
    def identical(self) -> bool:
        """Whether no value differs."""
        return self.largest == 0


def compare(actual: Outputs, expected: Outputs) -> Difference:
    """`actual` against `expected`; `ExportError` where their names or shapes are not the same."""
    if actual.keys() != expected.keys():
        raise ExportError(
            f"the outputs are {', '.join(actual) or 'none'}, expected {', '.join(expected)}"
        )
    steps = [_steps(name, actual[name], expected[name]) for name in expected]
    together = np.concatenate([part.ravel() for part in steps])
    if not together.size:
        return Difference(0.0, 0, 0.0)
    return Difference(
        float(np.count_nonzero(together)) / together.size,
        int(together.max()),
        float(together.mean()),
    )


def _steps(name: str, actual: NDArray[np.uint8], expected: NDArray[np.uint8]) -> NDArray[np.int16]:
    if actual.shape != expected.shape:
        raise ExportError(
            f"output '{name}' has the shape {list(actual.shape)}, expected {list(expected.shape)}"
        )
    steps: NDArray[np.int16] = np.abs(actual.astype(np.int16) - expected.astype(np.int16))
    return steps
