"""Templates: the integers of a network's graph that title weights may change.

A template lies beside the graph, `<network>.template.npz`, with the arrays `<initialiser>` and
`<initialiser>.scale` of each tensor in order.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError, ModelError
from .models import ModelEntry
from .title import TitleWeights

SCALE_SUFFIX = ".scale"
_INT8_MOST = 127
_INT32_MOST = 1 << 30


@dataclass(frozen=True)
class TemplateTensor:
    """One initialiser of the graph: `values` are int8 weights [O, I, kh, kw], -127 to 127, or int32
    biases [O]; real = integer * `scale` [O] float32 of its output channel."""

    name: str
    values: NDArray[np.int8] | NDArray[np.int32]
    scale: NDArray[np.float32]


@dataclass(frozen=True)
class Template:
    """The tensors in order: weight, then bias, of each convolution from the input on."""

    tensors: tuple[TemplateTensor, ...]


def read_template(entry: ModelEntry) -> Template:
    """The template of a network.

    Raises ModelError if the network has none, or its file is missing, malformed or not the one that
    the manifest describes.
    """
    if entry.template is None:
        raise ModelError(f"{entry.file}: the network has no template for title weights")
    data = entry.template.read()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            names = [name for name in arrays.files if not name.endswith(SCALE_SUFFIX)]
            tensors = tuple(
                TemplateTensor(name, arrays[name], arrays[name + SCALE_SUFFIX]) for name in names
            )
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        raise ModelError(f"{entry.template.file}: no template: {error}") from error
    for tensor in tensors:
        if not _is_sound(tensor):
            raise ModelError(
                f"{entry.template.file}: {tensor.name} is {tensor.values.dtype} "
                f"{tensor.values.shape} with scales {tensor.scale.dtype} {tensor.scale.shape}: "
                "int8 [O, I, kh, kw] of -127 to 127 or int32 [O], with float32 [O], is wanted"
            )
    return Template(tensors)


def titled(
    template: Template, title: TitleWeights
) -> dict[str, NDArray[np.int8] | NDArray[np.int32]]:
    """The network's integers with the title's deltas, by initialiser, shaped as the template's.

    Weights (int8) are clipped to -127 to 127. Raises BitstreamError if the deltas do not fit the
    template's tensors, or a bias (int32) leaves -2**30 to 2**30.
    """
    if len(title.deltas) != len(template.tensors):
        raise BitstreamError(
            f"title weights of {len(title.deltas)} tensors for network {title.template}, which has "
            f"{len(template.tensors)}"
        )
    changed: dict[str, NDArray[np.int8] | NDArray[np.int32]] = {}
    for tensor, delta in zip(template.tensors, title.deltas, strict=True):
        if delta.symbols.size != tensor.values.size:
            raise BitstreamError(
                f"title weights of {delta.symbols.size} symbols for {tensor.name}, which has "
                f"{tensor.values.size} integers"
            )
        step = delta.symbols.astype(np.int64).reshape(tensor.values.shape) << delta.step
        sums = tensor.values + step
        if tensor.values.dtype == np.int8:
            changed[tensor.name] = sums.clip(-_INT8_MOST, _INT8_MOST).astype(np.int8)
            continue
        if np.abs(sums).max(initial=0) > _INT32_MOST:
            raise BitstreamError(f"title weights take {tensor.name} beyond 2^30")
        changed[tensor.name] = sums.astype(np.int32)
    return changed


def _is_sound(tensor: TemplateTensor) -> bool:
    values, scale = tensor.values, tensor.scale
    kinds = ((np.dtype(np.int8), 4), (np.dtype(np.int32), 1))
    if (values.dtype, values.ndim) not in kinds or not values.size:
        return False
    if values.dtype == np.int8 and values.min() < -_INT8_MOST:
        return False
    return scale.dtype == np.float32 and scale.shape == values.shape[:1]
