"""Rounding that looks at data: which integers give a layer's outputs, not its weights, best.

Layer by layer from the input on, on real samples. Each layer's inputs x are those that the
quantised layers before it give, its targets y those of the float network. With H = X'X the weights
are first fitted to the targets, then rounded one input at a time, each error made up for by the
inputs that are still to come (Frantar et al., "GPTQ", arXiv:2210.17323); the bias, an input that is
always one, comes last and takes what is left. Of the scales that exact arithmetic has, each output
channel takes that whose rounded weights give the least error in its outputs. In fast arithmetic the
largest weight of each channel makes its scale and stays what it is.

The result is a float graph whose weights are multiples of their steps already, so that `quantize`
finds these integers again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

from ...decoder.networks import BIAS_IDENTITY, GAIN_IDENTITY, PER_SCENE, NetworkSpec, PortSpec
from ...runtime.errors import ExportError, UnsupportedError
from .arithmetic import Steps, exact_candidates, quantize_bias, quantize_weight, weight_scale
from .recipe import Activations, Affine, Arithmetic, Recipe
from .structure import RELU6_MAX, Convolution, activation_affines, constants, convolution, corrected

# Share of the mean diagonal of H that is added to it: inputs that are always alike would else get
# weights of any size.
_DAMPING = 0.01
# Rounds of looking at every weight again, once all are integers.
_SWEEPS = 2
# Of a larger picture the middle is taken: luma samples on a side.
_SIDE = 256
_IDENTITY = {"gain": GAIN_IDENTITY, "bias": BIAS_IDENTITY}
_ALIGNED = 16  # luma samples: the coarsest stride of a port


def round_to_outputs(
    model: onnx.ModelProto,
    spec: NetworkSpec,
    recipe: Recipe,
    samples: Iterable[Mapping[str, NDArray[np.uint8]]],
) -> onnx.ModelProto:
    """`model` with the weights and biases that integer arithmetic gives its outputs best with.

    `samples`: inputs of the network, uint8 [1, C, h, w] by port, of other pictures than the loss is
    measured on; of large ones the middle is taken. The recipe's bias corrections are in the result,
    so it must be quantised without them. Raises `ExportError` where there are no samples, and
    `UnsupportedError` for activations other than uint8 and for weights with one scale a layer.
    """
    preset = recipe.preset
    if preset.activations is not Activations.U8 or not preset.per_channel:
        raise UnsupportedError("rounding to outputs is for uint8 activations, weights by channel")
    runs = [_Run(spec, sample) for sample in samples]
    if not runs:
        raise ExportError(f"round {spec.name} to outputs: there are no samples")
    affines = activation_affines(model, spec, recipe.ranges)
    known = constants(model)
    clipped = {n.input[0]: n.output[0] for n in model.graph.node if n.op_type == "Clip"}
    parameters: dict[str, NDArray[np.float32]] = {}
    with torch.inference_mode(), _one_torch_thread():
        for node in model.graph.node:
            if node.op_type == "Clip":
                continue
            stored = clipped.get(node.output[0], node.output[0])
            before = after = torch.empty(0)
            if node.op_type == "Conv":
                conv = corrected(convolution(node, known), recipe)
                steps = Steps(affines[node.input[0]].scale, affines[stored].scale)
                before = _matrix(conv)
                moments = _moments(runs, node, before)
                after = _rounded(before, conv.weight.shape, moments, steps, preset.arithmetic)
                parameters[conv.weight_name] = _weight(after, conv.weight.shape).float().numpy()
                parameters[conv.bias_name] = after[:, -1].float().numpy()
            for run in runs:
                run.step(node, stored, affines[stored], (before, after))
    return _with_parameters(model, parameters)


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """The same sums whatever the number of cores; small products gain nothing from more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Run:
    """One sample on its way through the float network and through the rounded one."""

    def __init__(self, spec: NetworkSpec, sample: Mapping[str, NDArray[np.uint8]]) -> None:
        self.floats: dict[str, Tensor] = {}
        for port in spec.inputs:
            levels = torch.from_numpy(_middle(_given(port, sample), port.stride)).float()
            self.floats[port.name] = (levels - port.zero_point) * port.scale
        self.rounded = dict(self.floats)

    def step(
        self, node: onnx.NodeProto, stored: str, affine: Affine, matrices: tuple[Tensor, Tensor]
    ) -> None:
        """Computes `stored`, what `node` and the Clip after it give."""
        for values, matrix in zip((self.floats, self.rounded), matrices, strict=True):
            result = _compute(node, values, matrix)
            values[stored] = result.clamp(0.0, RELU6_MAX) if stored != node.output[0] else result
        levels = (self.rounded[stored] / affine.scale).round() + affine.zero_point
        self.rounded[stored] = (levels.clamp(0, 255) - affine.zero_point) * affine.scale


@dataclass(frozen=True)
class _Moments:
    """What a layer meets on the samples: `inputs` = X'X, and `errors` = (Y - XW')'X, in which Y are
    the float network's outputs and W the float weights."""

    inputs: Tensor
    errors: Tensor


def _moments(runs: list[_Run], node: onnx.NodeProto, matrix: Tensor) -> _Moments:
    inputs = torch.zeros(matrix.shape[1], matrix.shape[1], dtype=torch.float64)
    errors = torch.zeros_like(matrix)
    for run in runs:
        rounded = _columns(run.rounded[node.input[0]], node)
        lacking = _columns(run.floats[node.input[0]], node) - rounded
        inputs += rounded.T @ rounded
        errors += (lacking @ matrix.float().T).T @ rounded
    return _Moments(inputs, errors)


def _rounded(
    matrix: Tensor, shape: tuple[int, ...], moments: _Moments, steps: Steps, arithmetic: Arithmetic
) -> Tensor:
    """`matrix` of multiples of the arithmetic's steps, that of least error in its outputs."""
    damping = _DAMPING * moments.inputs.diagonal().mean()
    inputs = moments.inputs + damping * torch.eye(len(moments.inputs), dtype=torch.float64)
    fitted = matrix + torch.linalg.solve(inputs, moments.errors.T).T
    best: Tensor = fitted
    least = torch.full((len(matrix),), torch.inf, dtype=torch.float64)
    for grid in _grids(fitted, shape, steps, arithmetic):
        candidate = _swept(_one_by_one(fitted, inputs, grid), fitted, inputs, grid)
        off = candidate - fitted
        error = ((off @ inputs) * off).sum(1)
        best = torch.where((error < least)[:, None], candidate, best)
        least = torch.minimum(error, least)
    return best


@dataclass(frozen=True)
class _Grid:
    """The values that a layer's parameters may have: `scale` float64 [O] of its weights, and that
    of its input's levels. `peaks` [O], if given, are the columns of weights that make the scales:
    they stay at `peak_values` [O], or the scales would be others."""

    scale: Tensor
    input: float
    arithmetic: Arithmetic
    peaks: Tensor | None = None
    peak_values: Tensor | None = None

    def nearest(self, values: Tensor, column: int, *, bias: bool) -> Tensor:
        """`values` [O] of one column, rounded."""
        if bias:
            unit = self.scale * self.input
            return quantize_bias(values, unit, self.arithmetic) * unit
        integers = quantize_weight(values[:, None, None, None], self.scale, self.arithmetic)
        rounded = integers.flatten() * self.scale
        if self.peaks is None or self.peak_values is None:
            return rounded
        return torch.where(self.peaks == column, self.peak_values, rounded)


def _grids(
    fitted: Tensor, shape: tuple[int, ...], steps: Steps, arithmetic: Arithmetic
) -> Iterator[_Grid]:
    """The grids to choose from for each output channel."""
    weight = _weight(fitted, shape)
    if arithmetic is Arithmetic.EXACT:
        for shift in exact_candidates(weight, steps):
            scale = torch.exp2(-shift) * (steps.output / steps.input)
            yield _Grid(scale, steps.input, arithmetic)
        return
    flat = weight.flatten(1)
    peaks = flat.abs().argmax(1)
    scale = weight_scale(weight, fitted[:, -1], steps, arithmetic)
    # Of a channel whose bias makes the scale, no weight is as large as the scale would let it be.
    held = flat.gather(1, peaks[:, None])[:, 0]
    yield _Grid(scale, steps.input, arithmetic, peaks, (held / scale).round() * scale)


def _one_by_one(fitted: Tensor, inputs: Tensor, grid: _Grid) -> Tensor:
    """Columns rounded, the weightiest first and the bias last, each error spread over the rest."""
    last = len(inputs) - 1
    order = inputs.diagonal()[:last].argsort(descending=True)
    order = torch.cat((order, torch.tensor([last])))
    inverse = torch.linalg.inv(inputs[order][:, order])
    spread = torch.linalg.cholesky(inverse, upper=True)
    values = fitted[:, order].clone()
    for column in range(last + 1):
        at = int(order[column])
        nearest = grid.nearest(values[:, column], at, bias=column == last)
        error = (values[:, column] - nearest) / spread[column, column]
        values[:, column:] -= error[:, None] * spread[column, column:]
        values[:, column] = nearest
    rounded = torch.empty_like(values)
    rounded[:, order] = values
    return rounded


def _swept(rounded: Tensor, fitted: Tensor, inputs: Tensor, grid: _Grid) -> Tensor:
    """`rounded` after each column was set again to the best value that the others leave it."""
    values = rounded.clone()
    slope = (values - fitted) @ inputs
    last = len(inputs) - 1
    for _ in range(_SWEEPS):
        for column in range(last + 1):
            best = values[:, column] - slope[:, column] / inputs[column, column]
            change = grid.nearest(best, column, bias=column == last) - values[:, column]
            values[:, column] += change
            slope += change[:, None] * inputs[column]
    return values


def _compute(node: onnx.NodeProto, values: Mapping[str, Tensor], matrix: Tensor) -> Tensor:
    read = [values[name] for name in node.input if name in values]
    if node.op_type == "Conv":
        rows, columns = read[0].shape[2:]
        product = _columns(read[0], node) @ matrix.float().T
        return product.T.reshape(1, -1, rows, columns)
    if node.op_type == "Concat":
        return torch.cat(read, 1)
    if node.op_type == "DepthToSpace":
        return F.pixel_shuffle(read[0], helper.get_node_attr_value(node, "blocksize"))
    return read[0] * read[1] if node.op_type == "Mul" else read[0] + read[1]


def _columns(x: Tensor, node: onnx.NodeProto) -> Tensor:
    """What a convolution multiplies with, [positions, I * kH * kW + 1], a column of ones last."""
    kernel = helper.get_node_attr_value(node, "kernel_shape")
    flat = F.unfold(x, kernel, padding=(kernel[0] // 2, kernel[1] // 2))[0].T
    return torch.cat((flat, torch.ones(len(flat), 1)), 1)


def _matrix(conv: Convolution) -> Tensor:
    weight = torch.tensor(conv.weight).flatten(1)
    return torch.cat((weight, torch.tensor(conv.bias)[:, None]), 1).double()


def _weight(matrix: Tensor, shape: tuple[int, ...]) -> Tensor:
    return matrix[:, :-1].reshape(shape)


def _given(port: PortSpec, sample: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """A port's levels in a sample, which may leave out the scene's code."""
    if port.name not in sample and port.name in _IDENTITY:
        return np.full((1, port.channels, 1, 1), _IDENTITY[port.name], np.uint8)
    if port.name not in sample:
        raise ExportError(f"round to outputs: a sample has nothing for input '{port.name}'")
    return sample[port.name]


def _middle(levels: NDArray[np.uint8], stride: int) -> NDArray[np.uint8]:
    """The middle of a port's picture, the same cells in every port."""
    if stride == PER_SCENE:
        return levels
    starts = ((size * stride - _SIDE) // 2 // _ALIGNED * _ALIGNED for size in levels.shape[2:])
    row, column = (max(0, start) // stride for start in starts)
    side = _SIDE // stride
    return np.ascontiguousarray(levels[:, :, row : row + side, column : column + side])


def _with_parameters(
    model: onnx.ModelProto, parameters: Mapping[str, NDArray[np.float32]]
) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    kept = [i for i in model.graph.initializer if i.name not in parameters]
    result.graph.ClearField("initializer")
    result.graph.initializer.extend(kept)
    result.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in parameters.items()
    )
    for node in result.graph.node:
        if node.op_type == "Conv" and len(node.input) == 2:
            node.input.append(f"{node.input[1].removesuffix('weight')}bias")
    return result
