"""A network that is being fitted to a title: the integers that devices have, and what is added.

A device computes with weights `scale * clip(integer + symbol * 2**step)` and the like for biases
(`runtime.template`). Here the sum of symbols and steps is a tensor of real numbers that training
moves; on the way it is rounded to what the stream can say, and what that costs is estimated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..runtime.scale_tables import MAX_SYMBOL
from ..runtime.template import Template, TemplateTensor
from ..runtime.title import TensorDelta, TitleWeights, fit_table, symbol_bits
from .training.fake_quant import quantize_activation, quantize_residual
from .training.rate import round_straight_through

_MAX_STEP = 24
_INT8_MOST = 127.0
# Of a magnitude's mean, so that a tensor of zeros has a finite price for its first symbol.
_SMALLEST_MEAN = 1.0 / 256.0


class Arithmetic(Enum):
    """How far a network computes as a device does: with weights of any value, with those that a
    stream can say, and with integer activations as well."""

    FREE = 0
    CODED = 1
    DEVICE = 2


@dataclass
class TitledTensor:
    """A tensor of the template and what is added to it.

    `delta` is in real units and moved by training, `base` are the template's integers as floats,
    `unit` is the real value of one of them (it broadcasts), `step` the exponent of a symbol's size.
    """

    base: Tensor
    unit: Tensor
    delta: Tensor
    integer_weights: bool
    step: int = 0

    @classmethod
    def of(cls, tensor: TemplateTensor, device: str) -> TitledTensor:
        """With nothing added yet."""
        base = torch.from_numpy(tensor.values.astype(np.float32)).to(device)
        unit = torch.from_numpy(tensor.scale.copy()).to(device)
        unit = unit.reshape(-1, *[1] * (base.ndim - 1))
        delta = torch.zeros_like(base).requires_grad_()
        return cls(base, unit, delta, tensor.values.dtype == np.int8)

    @property
    def magnitude(self) -> Tensor:
        """What is added, in symbols of the present step, before rounding."""
        return self.delta / (self.unit * 2.0**self.step)

    def value(self, arithmetic: Arithmetic) -> Tensor:
        """The tensor in real units, with gradients to `delta`."""
        if arithmetic is Arithmetic.FREE:
            return self.base * self.unit + self.delta
        symbols = round_straight_through(self.magnitude.clamp(-MAX_SYMBOL, MAX_SYMBOL))
        integers = self.base + symbols * 2.0**self.step
        if self.integer_weights:
            integers = integers.clamp(-_INT8_MOST, _INT8_MOST)
        return integers * self.unit

    def coded(self) -> TensorDelta:
        """What the stream says of it."""
        rounded = self.magnitude.detach().round().clamp(-MAX_SYMBOL, MAX_SYMBOL)
        symbols = rounded.cpu().numpy().astype(np.int8).ravel()
        return TensorDelta(self.step, fit_table(symbols), symbols)

    def coded_bits(self) -> float:
        """What that takes, nearly."""
        coded = self.coded()
        return symbol_bits(coded.symbols, coded.table)


class TitledNetwork:
    """An enhancer (`decoder.networks.Enhancer`, either kind) whose weights are a title's.

    The template's tensors are taken as the weights and biases of convolutions one after another,
    ReLU6 between them.
    """

    def __init__(self, template: Template, device: str = "cpu") -> None:
        self.tensors = [TitledTensor.of(each, device) for each in template.tensors]

    def values(self, arithmetic: Arithmetic) -> list[Tensor]:
        """Weights and biases in real units, in the template's order."""
        return [each.value(arithmetic) for each in self.tensors]

    def residual(self, shown: Tensor, condition: Tensor, arithmetic: Arithmetic) -> Tensor:
        """What is to be added to frame t, [N, 24, h, w] float32, 1 is the range of pixels.

        `shown` [N, 3, C, h, w] and `condition` [N, 2] in [0, 1]. Anything but `DEVICE` computes in
        bfloat16, which takes a third of the time where there is hardware for it.
        """
        on_device = arithmetic is Arithmetic.DEVICE
        return residual_of(self.values(arithmetic), shown, condition, on_device=on_device)

    def bits(self) -> Tensor:
        """About what the symbols cost, with gradients that draw them to zero."""
        return torch.stack([code_length(each.magnitude) for each in self.tensors]).sum()

    def coded(self, model_id: str) -> TitleWeights:
        """What the stream says."""
        return TitleWeights(model_id, tuple(each.coded() for each in self.tensors))


def residual_of(
    values: Sequence[Tensor], shown: Tensor, condition: Tensor, *, on_device: bool
) -> Tensor:
    """`TitledNetwork.residual` with these weights and biases."""
    n, _, _, rows, columns = shown.shape
    planes = condition[:, :, None, None].expand(n, 2, rows, columns)
    x = torch.cat((shown.flatten(1, 2), planes), dim=1)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.autocast(x.device.type, torch.bfloat16, enabled=not on_device):
        for number in range(0, len(values), 2):
            weight, bias = values[number : number + 2]
            x = F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)
            if number + 2 < len(values):
                x = F.relu6(x)
                if on_device:
                    x = quantize_activation(x)
    residual = x.float()
    return quantize_residual(residual) if on_device else residual


def code_length(magnitude: Tensor) -> Tensor:
    """Bits of symbols, that these reals are rounded to, under the Laplace that fits the symbols.

    As `training.rate` has it for latents, but taken at the reals themselves: what is rounded to
    zero is drawn on towards it, so that it stays there.
    """
    size = magnitude.abs()
    mean = float(size.detach().round().mean()) + _SMALLEST_MEAN
    scale = 0.5 / math.asinh(0.5 / mean)
    zero = -math.log(-math.expm1(-0.5 / scale))
    further = 1.0 / scale
    one = 0.5 / scale - math.log(0.5 * -math.expm1(-1.0 / scale))
    nats = torch.where(size > 1.0, one + (size - 1.0) * further, zero + size * (one - zero))
    return nats.sum() / math.log(2.0)


def usable_steps(tensor: TitledTensor, most: int) -> Sequence[int]:
    """The steps up to `most` whose symbols reach what is added; at least the smallest that does."""
    peak = float((tensor.delta.detach() / tensor.unit).abs().max())
    least = max(0, math.ceil(math.log2(max(peak, 1.0) / MAX_SYMBOL)))
    least = min(least, _MAX_STEP)
    return range(least, max(least, min(most, _MAX_STEP)) + 1)
