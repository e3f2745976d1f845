"""Inputs in the shapes that a graph takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..decoder.networks import BIAS_IDENTITY, GAIN_IDENTITY, NetworkSpec, PortSpec
from ..runtime.errors import ExportError

# What stands for no scene code, where a sample brings none.
_IDENTITY = {"gain": GAIN_IDENTITY, "bias": BIAS_IDENTITY}


def fit_inputs(
    session: ort.InferenceSession, spec: NetworkSpec, inputs: Mapping[str, NDArray[np.uint8]]
) -> dict[str, NDArray[np.uint8]]:
    """`inputs`, uint8 [1, C, h, w] by port, cropped or padded at their edges to the sizes that the
    session's graph fixes, and without a scene's code one that changes nothing.

    Raises `ExportError` where one is missing or has another number of channels.
    """
    shapes = {i.name: tuple(i.shape) for i in session.get_inputs()}
    return {port.name: _fit(port, spec, inputs, shapes[port.name]) for port in spec.inputs}


def _fit(
    port: PortSpec,
    spec: NetworkSpec,
    inputs: Mapping[str, NDArray[np.uint8]],
    fixed: Sequence[int | str],
) -> NDArray[np.uint8]:
    array = inputs.get(port.name)
    if array is None and port.name in _IDENTITY:
        array = np.full((1, port.channels, 1, 1), _IDENTITY[port.name], np.uint8)
    if array is None or array.ndim != 4 or array.shape[:2] != (1, port.channels):
        found = "nothing" if array is None else f"shape {array.shape}"
        raise ExportError(
            f"{spec.name}: a sample has {found} for input '{port.name}', which takes"
            f" [1, {port.channels}, h, w]"
        )
    rows, columns = (
        side if isinstance(side, int) else actual
        for side, actual in zip(fixed[2:], array.shape[2:], strict=True)
    )
    array = array[:, :, :rows, :columns]
    missing = (rows - array.shape[2], columns - array.shape[3])
    if any(missing):
        array = np.pad(array, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), mode="edge")
    return np.ascontiguousarray(array)
