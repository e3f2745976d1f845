"""The rate that the entropy layer will spend on latents, as a differentiable estimate.

`runtime.symbols` sends, for every group of 4 channels x 4 x 4 cells, the index of one zero-mean
discretised Laplace table; the encoder picks the table that costs least. So the estimate is the
code length of the group's symbols under the Laplace whose mean magnitude is the group's own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_SMALLEST_MEAN = 1.0 / 256.0
_SIDE_BITS = 1.5
# Of the tables' standard deviations, as `scale_tables` makes them.
_FIRST_DEVIATION, _LOG_RATIO, _LAST_TABLE = 0.08, math.log(600.0), 63
_NATS_PER_BIT = 0.6931471805599453
# What the least likely number of a table takes: two parts of 2^24.
_MOST_BITS = 23


def round_straight_through(x: Tensor) -> Tensor:
    """`x` rounded, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def bits(symbols: Tensor) -> Tensor:
    """Estimated bits for each sample of rounded `symbols` [N, 64, h, w], h and w multiples of 4.

    A two-sided geometric variable with mean magnitude m is a Laplace of scale
    b = 0.5 / asinh(0.5 / m) integrated over unit cells.
    """
    magnitude = symbols.abs()
    mean = _group_means(magnitude)
    wide = _scales(mean)
    # Cell [k - 1/2, k + 1/2] for k >= 1: half of exp(-(k - 1/2)/b) - exp(-(k + 1/2)/b), in logs.
    tail = (magnitude - 0.5) / wide
    nonzero = tail - torch.log(0.5 * -torch.expm1(-1.0 / wide))
    zero = -torch.log(-torch.expm1(-0.5 / wide))
    # Between 0 and 1 the estimate runs straight, so that gradients exist there too.
    share = magnitude.clamp(max=1.0)
    ones = 0.5 / wide - torch.log(0.5 * -torch.expm1(-1.0 / wide))
    nats = torch.where(magnitude > 1.0, nonzero, zero + share * (ones - zero))
    return nats.sum(dim=(1, 2, 3)) / _NATS_PER_BIT + _side_bits(mean)


def noisy_bits(symbols: Tensor, noisy: Tensor) -> Tensor:
    """As `bits`, for latents with uniform noise of -1/2 to 1/2 in the place of rounding.

    The groups' scales are those of `symbols`, the code lengths those of the density of `noisy`:
    unlike rounded symbols, these have gradients towards zero below 1/2 too.
    """
    mean = _group_means(symbols.abs())
    wide = _scales(mean).detach()
    size = noisy.abs()
    outer = (size - 0.5) / wide - torch.log(0.5 * -torch.expm1(-1.0 / wide))
    near = size.clamp(max=0.5)
    both = torch.exp((near - 0.5) / wide) + torch.exp(-(near + 0.5) / wide)
    inner = -torch.log1p(-0.5 * both)
    nats = torch.where(size >= 0.5, outer, inner)
    return nats.sum(dim=(1, 2, 3)) / _NATS_PER_BIT + _side_bits(mean)


def laplace_bits(numbers: Tensor, tables: Tensor) -> Tensor:
    """Bits of `numbers`, whole or with noise, each under the Laplace of its table 0 to 63.

    Code lengths of whole numbers are those of the format's tables, in which nothing takes more than
    23 bits; between them, the density is integrated over the unit interval around the number.
    """
    deviation = _FIRST_DEVIATION * torch.exp(_LOG_RATIO / _LAST_TABLE * tables)
    wide = deviation / math.sqrt(2)
    size = numbers.abs()
    outer = (size - 0.5) / wide - torch.log(0.5 * -torch.expm1(-1.0 / wide))
    near = size.clamp(max=0.5)
    both = torch.exp((near - 0.5) / wide) + torch.exp(-(near + 0.5) / wide)
    inner = -torch.log1p(-0.5 * both)
    nats = torch.where(size >= 0.5, outer, inner)
    # Every number has two parts of 2^24 beside its share of the Laplace.
    return -torch.logaddexp(-nats, nats.new_tensor(-_MOST_BITS * _NATS_PER_BIT)) / _NATS_PER_BIT


def _group_means(magnitude: Tensor) -> Tensor:
    """Mean magnitude of every group, [N, 16, h / 4, w / 4]."""
    n, c, h, w = magnitude.shape
    return F.avg_pool2d(magnitude, 4).reshape(n, c // 4, 4, h // 4, w // 4).mean(dim=2)


def _scales(mean: Tensor) -> Tensor:
    """The Laplace's scale for every symbol."""
    scale = 0.5 / torch.asinh(0.5 / (mean + _SMALLEST_MEAN))
    return scale.repeat_interleave(4, 1).repeat_interleave(4, 2).repeat_interleave(4, 3)


def _side_bits(mean: Tensor) -> Tensor:
    return _SIDE_BITS * torch.log2(1.0 + 8.0 * mean).sum(dim=(1, 2, 3))
