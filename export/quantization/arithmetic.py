"""The one place of scales and rounding: export and quantisation-aware training both call it.

Fast arithmetic takes the finest scale that holds a channel's weights. Exact arithmetic takes scales
at which an accumulator becomes an output by a shift, `output = accumulator / 2^k`, and integers of
which none brings an accumulator nearer than 2 to a tie:

- weights are multiples of 4, at most 124: all products are multiples of 4;
- biases are 4n + 2: so accumulators are, too, 2 modulo 4, while ties, odd multiples of 2^(k-1),
  are 0 modulo 4 from k = 3 on;
- k is at most 15, a bias at most 2^23, and a channel's largest possible accumulator at most 2^25,
  so that float32, in which some kernels sum and all requantise, holds every multiple of 2 in it.

A kernel then gives the same outputs however it rounds ties, even where its accumulator is off by
one, as accumulators of Qualcomm's HTP are from v73 on (docs/quantization.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .recipe import Arithmetic

WEIGHT_MAX = 127
# Bias and accumulator share 32 bits: a bias of at most 2^30 leaves room for 33,000 products.
BIAS_MAX = 2.0**30

EXACT_STEP = 4
EXACT_WEIGHT_MAX = 124
LEAST_SHIFT, MOST_SHIFT = 3, 15
EXACT_BIAS_MAX = 2.0**23
EXACT_ACCUMULATOR_MAX = 2.0**25
_LEVEL_MAX = 255
# Of the scales that clip, those that halve a channel's range once or twice.
_CLIPPING_SHIFTS = 2


@dataclass(frozen=True)
class Steps:
    """Scales of the activations on both sides of a convolution: real value of one level."""

    input: float
    output: float


def weight_scale(
    weight: Tensor,
    bias: Tensor | None,
    steps: Steps,
    arithmetic: Arithmetic,
    *,
    per_channel: bool = True,
) -> Tensor:
    """Real value of one integer step of each output channel's weights, float64 [O].

    `weight` [O, I, kH, kW], `bias` [O]. Where `per_channel` is false all channels get one scale. In
    fast arithmetic the scales are float32 values, max|w| / 127, larger for a channel whose bias
    would overflow int32, and 1 for a channel of zeros.
    """
    if arithmetic is Arithmetic.EXACT:
        shift = exact_shift(weight, bias, steps, per_channel=per_channel)
        return torch.exp2(-shift) * (steps.output / steps.input)
    peak = weight.detach().abs().flatten(1).amax(1).double()
    scale = peak / WEIGHT_MAX
    if bias is not None:
        scale = torch.maximum(scale, bias.detach().double().abs() / (steps.input * BIAS_MAX))
    if not per_channel:
        scale = scale.max().expand(len(scale))
    tiny = torch.finfo(torch.float32).tiny
    return torch.where(scale > tiny, scale, torch.ones_like(scale)).float().double()


def quantize_weight(weight: Tensor, scale: Tensor, arithmetic: Arithmetic) -> Tensor:
    """Integers of `weight` [O, I, kH, kW] for `scale` [O], as float64."""
    levels = weight.detach().double() / scale[:, None, None, None]
    if arithmetic is Arithmetic.EXACT:
        steps = (levels / EXACT_STEP).round() * EXACT_STEP
        return steps.clamp(-EXACT_WEIGHT_MAX, EXACT_WEIGHT_MAX)
    return levels.round().clamp(-WEIGHT_MAX, WEIGHT_MAX)


def quantize_bias(bias: Tensor, scale: Tensor, arithmetic: Arithmetic) -> Tensor:
    """Integers of `bias` [O] for `scale` [O], that of the accumulator, as float64."""
    levels = bias.detach().double() / scale
    if arithmetic is Arithmetic.EXACT:
        half = EXACT_STEP / 2
        return ((levels - half) / EXACT_STEP).round() * EXACT_STEP + half
    return levels.round()


def exact_shift(
    weight: Tensor, bias: Tensor | None, steps: Steps, *, per_channel: bool = True
) -> Tensor:
    """The k of each output channel, float64 [O]: that whose integers are nearest to the weights.

    A finer scale clips a few large weights and rounds all others less; the least mean square error
    decides. Raises ValueError for a channel that no k from 3 to 15 can hold.
    """
    weight = weight.detach().double()
    bias = weight.new_zeros(len(weight)) if bias is None else bias.detach().double()
    candidates = exact_candidates(weight, steps, per_channel=per_channel)
    errors = torch.stack([_square_error(weight, k, steps) for k in candidates])
    if not per_channel:
        errors = errors.sum(1, keepdim=True).expand_as(errors)
    # Ties, as of weights that are multiples of a step already, go to the coarsest.
    chosen = torch.stack(candidates).gather(0, errors.argmin(0, keepdim=True))[0]
    return _held_by_float32(weight, bias, chosen, steps, per_channel=per_channel)


def exact_candidates(
    weight: Tensor, steps: Steps, *, per_channel: bool = True
) -> tuple[Tensor, ...]:
    """The shifts, float64 [O] each, that suit the weights: the finest that clips none, and finer.

    Raises ValueError as `exact_shift` does.
    """
    peak = weight.detach().double().abs().flatten(1).amax(1)
    if not per_channel:
        peak = peak.max().expand(len(peak))
    # The largest level of any weight at k = 0; zeros may have any scale.
    level = (peak * (steps.input / steps.output)).clamp_min(2.0**-40)
    widest = torch.floor(torch.log2(EXACT_WEIGHT_MAX / level))
    if (widest < LEAST_SHIFT - _CLIPPING_SHIFTS).any():
        raise ValueError(
            f"weights of up to {float(level.max()):.3g} output steps for each input step: exact"
            f" arithmetic holds {EXACT_WEIGHT_MAX / 2**LEAST_SHIFT}"
        )
    return tuple(
        (widest + finer).clamp(LEAST_SHIFT, MOST_SHIFT) for finer in range(_CLIPPING_SHIFTS + 1)
    )


def _square_error(weight: Tensor, shift: Tensor, steps: Steps) -> Tensor:
    scale = torch.exp2(-shift) * (steps.output / steps.input)
    rounded = quantize_weight(weight, scale, Arithmetic.EXACT) * scale[:, None, None, None]
    return (rounded - weight).square().flatten(1).sum(1)


def _held_by_float32(
    weight: Tensor, bias: Tensor, shift: Tensor, steps: Steps, *, per_channel: bool
) -> Tensor:
    """`shift`, coarser where a bias or an accumulator would be too large."""
    while True:
        scale = torch.exp2(-shift) * (steps.output / steps.input)
        integers = quantize_weight(weight, scale, Arithmetic.EXACT)
        biases = quantize_bias(bias, scale * steps.input, Arithmetic.EXACT).abs()
        most = integers.abs().flatten(1).sum(1) * _LEVEL_MAX + biases
        over = (most > EXACT_ACCUMULATOR_MAX) | (biases > EXACT_BIAS_MAX)
        if not over.any():
            return shift
        if not per_channel:
            over = torch.ones_like(over)
        shift = shift - over.double()
        if (shift < LEAST_SHIFT).any():
            raise ValueError(
                f"a bias of {float(bias.abs().max() / steps.output):.3g} output steps is beyond"
                " exact arithmetic"
            )
