"""The rate that the entropy layer will spend on latents, as a differentiable estimate.

`runtime.symbols` sends, for every group of 4 channels x 4 x 4 cells, the index of one zero-mean
discretised Laplace table; the encoder picks the table that costs least. So the estimate is the
code length of the group's symbols under the Laplace whose mean magnitude is the group's own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SMALLEST_MEAN = 1.0 / 256.0
_SIDE_BITS = 1.5


def round_straight_through(x: Tensor) -> Tensor:
    """`x` rounded, with the gradient of the identity."""
    return x + (x.round() - x).detach()


def bits(symbols: Tensor) -> Tensor:
    """Estimated bits for each sample of rounded `symbols` [N, 64, h, w], h and w multiples of 4.

    A two-sided geometric variable with mean magnitude m is a Laplace of scale
    b = 0.5 / asinh(0.5 / m) integrated over unit cells.
    """
    n, c, h, w = symbols.shape
    magnitude = symbols.abs()
    mean = F.avg_pool2d(magnitude, 4).reshape(n, c // 4, 4, h // 4, w // 4).mean(dim=2)
    scale = 0.5 / torch.asinh(0.5 / (mean + _SMALLEST_MEAN))
    wide = scale.repeat_interleave(4, 1).repeat_interleave(4, 2).repeat_interleave(4, 3)
    # Cell [k - 1/2, k + 1/2] for k >= 1: half of exp(-(k - 1/2)/b) - exp(-(k + 1/2)/b), in logs.
    tail = (magnitude - 0.5) / wide
    nonzero = tail - torch.log(0.5 * -torch.expm1(-1.0 / wide))
    zero = -torch.log(-torch.expm1(-0.5 / wide))
    # Between 0 and 1 the estimate runs straight, so that gradients exist there too.
    share = magnitude.clamp(max=1.0)
    ones = 0.5 / wide - torch.log(0.5 * -torch.expm1(-1.0 / wide))
    nats = torch.where(magnitude > 1.0, nonzero, zero + share * (ones - zero))
    side = _SIDE_BITS * torch.log2(1.0 + 8.0 * mean).sum(dim=(1, 2, 3))
    return nats.sum(dim=(1, 2, 3)) / 0.6931471805599453 + side
