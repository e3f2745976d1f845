"""What an exact uint8 graph should give, in integers alone: numpy int64, no float arithmetic.

It reads the graph's integers, and from its scale labels only the shift of each convolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Integers = NDArray[np.int64]


def run_integers(
    model: onnx.ModelProto, inputs: Mapping[str, NDArray[np.uint8]]
) -> tuple[dict[str, NDArray[np.uint8]], int]:
    """Outputs of `model`, a uint8 graph in exact arithmetic, by name, and how near any accumulator
    came to a tie."""
    graph = _Graph(model)
    known: dict[str, Integers] = {name: x.astype(np.int64) for name, x in inputs.items()}
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            stored = graph.stored[node.output[0]]
            known[stored] = graph.compute(node, stored, known)
    return {o.name: known[o.name].astype(np.uint8) for o in model.graph.output}, graph.nearest


class _Graph:
    """Where the integers of a QDQ graph are."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        # A float tensor's levels: where they come from, or where they go to; scale, zero point.
        self.read: dict[str, tuple[str, Fraction, int]] = {}
        self.stored: dict[str, str] = {}
        self.form: dict[str, tuple[Fraction, int]] = {}
        self.nearest = 1 << 31
        for node in model.graph.node:
            if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
                continue
            scale, zero = (self.constants[name] for name in node.input[1:])
            if node.input[0] in self.constants:
                self.read[node.output[0]] = (node.input[0], Fraction(0), 0)
            elif node.op_type == "DequantizeLinear":
                form = Fraction(float(scale)), int(zero)
                self.read[node.output[0]] = (node.input[0], *form)
                self.form[node.input[0]] = form
            else:
                self.stored[node.input[0]] = node.output[0]
                self.form[node.output[0]] = Fraction(float(scale)), int(zero)

    def compute(self, node: onnx.NodeProto, stored: str, known: dict[str, Integers]) -> Integers:
        """The levels that `node` gives."""
        if node.op_type == "Conv":
            accumulators, shifts = self.accumulate(node, stored, known)
            whole = np.int64(1) << shifts
            half = whole // 2
            distance = (accumulators - half) % whole
            self.nearest = min(self.nearest, int(np.minimum(distance, whole - distance).min()))
            return self.saturated(((accumulators + half) >> shifts), stored)
        levels = [known[self.read[name][0]] for name in node.input]
        forms = [self.read[name][1:] for name in node.input]
        if node.op_type in ("Concat", "DepthToSpace"):
            assert {*forms, self.form[stored]} == {forms[0]}
            return (
                np.concatenate(levels, 1) if node.op_type == "Concat" else _to_space(node, levels)
            )
        (scale, _), (other, zero) = forms
        assert self.form[stored][1] == forms[0][1] == 0
        if node.op_type == "Add":
            assert scale == other == self.form[stored][0]
            return self.saturated(levels[0] + levels[1] - zero, stored)
        assert node.op_type == "Mul"
        divisor = self.form[stored][0] / (scale * other)
        products = levels[0] * levels[1]
        assert divisor.denominator == 1
        whole, rest = np.divmod(products, divisor.numerator)
        assert (2 * rest != divisor.numerator).all(), "a tie: exact for no such gain"
        return self.saturated(whole + (2 * rest > divisor.numerator), stored)

    def accumulate(
        self, node: onnx.NodeProto, stored: str, known: dict[str, Integers]
    ) -> tuple[Integers, Integers]:
        """int64 accumulators [1, O, h, w] of a convolution, and the shift [O, 1, 1] of each."""
        source, scale, zero = self.read[node.input[0]]
        weight = self.constants[self.read[node.input[1]][0]].astype(np.int64)
        bias = self.constants[self.read[node.input[2]][0]].astype(np.int64)
        labels = self.constants[f"{node.input[1].removesuffix('_dequantized')}_scale"]
        ratios = [self.form[stored][0] / (scale * Fraction(float(each))) for each in labels]
        shifts = np.array([int(ratio).bit_length() - 1 for ratio in ratios], np.int64)
        assert ratios == [Fraction(1 << int(shift)) for shift in shifts]
        x = known[source][0] - zero
        margin = weight.shape[2] // 2
        padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (1, 2))
        sums = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))
        return (sums + bias[:, None, None])[None], shifts[:, None, None]

    def saturated(self, levels: Integers, stored: str) -> Integers:
        """Levels of `stored` without its zero point, as uint8 holds them."""
        clipped: Integers = np.clip(levels + self.form[stored][1], 0, 255)
        return clipped


def _to_space(node: onnx.NodeProto, levels: list[Integers]) -> Integers:
    mode = {a.name: a for a in node.attribute}
    assert mode["mode"].s == b"CRD"
    block = mode["blocksize"].i
    _, channels, rows, columns = levels[0].shape
    x = levels[0].reshape(1, channels // block**2, block, block, rows, columns)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(1, -1, rows * block, columns * block)
