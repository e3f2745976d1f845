"""What streams name a graph by.

Frames may be predicted from what an exact graph gives, so two of them that have different integers
must never share an id.
"""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
from onnx import numpy_helper

from .quantization import Arithmetic

_DIGITS = 16


def graph_id(weights_id: str, arithmetic: Arithmetic) -> str:
    """The 16 hex digits of a graph whose integers follow from its weights alone: those of the
    weights, or others for exact arithmetic.

    The same weights in fast arithmetic give other pixels, so a stream must be able to tell.
    """
    if arithmetic is Arithmetic.FAST:
        return weights_id
    return hashlib.sha256(f"{weights_id} {arithmetic.value}".encode()).hexdigest()[:_DIGITS]


def integers_id(named: str, model: onnx.ModelProto) -> str:
    """The 16 hex digits of `model`, whose weights and arithmetic are `named`, where data had a say
    in its integers: those of its initialisers too, whatever their order in the file."""
    content = hashlib.sha256(named.encode())
    for initializer in sorted(model.graph.initializer, key=lambda each: each.name):
        values = np.ascontiguousarray(numpy_helper.to_array(initializer))
        content.update(f"\0{initializer.name}\0{values.dtype}\0{values.shape}\0".encode())
        content.update(values.tobytes())
    return content.hexdigest()[:_DIGITS]
