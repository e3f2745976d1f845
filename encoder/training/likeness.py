"""MS-SSIM of luma as a loss (Wang, Simoncelli and Bovik 2003), of batches on their way to it.

Windows are products with two matrices of a band each: on a CPU less than a third of the time that
pytorch-msssim's convolutions take, forward and back.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

# Of the scales, the finest first.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
# A power has no slope at zero, and nothing that is trained is less alike.
_LEAST = 1e-3

SMALLEST_SIDE = (_WINDOW - 1) * (1 << (len(_WEIGHTS) - 1)) + 1
"""Of pictures on which five scales with whole windows fit."""


def ms_ssim(source: Tensor, decoded: Tensor) -> Tensor:
    """MS-SSIM [N], at most 1, of planes [N, H, W] in [0, 1]; five scales, a Gaussian window of 11
    samples. Raises ValueError for sides below `SMALLEST_SIDE`."""
    if min(source.shape[1:]) < SMALLEST_SIDE:
        raise ValueError(f"planes {list(source.shape)}: sides must be {SMALLEST_SIDE} or more")
    product = torch.ones(len(source), device=source.device)
    for scale, weight in enumerate(_WEIGHTS):
        if scale:
            source, decoded = (F.avg_pool2d(each, 2) for each in (source, decoded))
        similarity = _similarity(source, decoded, luminance_too=scale == len(_WEIGHTS) - 1)
        product = product * similarity.clamp(min=_LEAST) ** weight
    return product


def _similarity(a: Tensor, b: Tensor, *, luminance_too: bool) -> Tensor:
    """Mean over a picture [N] of contrast and structure, at the coarsest scale of luminance too."""
    means = _blurred(torch.stack((a, b, a * a, b * b, a * b)))
    mean_a, mean_b, square_a, square_b, product = means.unbind()
    squares = mean_a * mean_a + mean_b * mean_b
    covariance = product - mean_a * mean_b
    similar = (2 * covariance + _C2) / (square_a + square_b - squares + _C2)
    if luminance_too:
        similar = similar * (2 * mean_a * mean_b + _C1) / (squares + _C1)
    return similar.mean(dim=(1, 2))


def _blurred(planes: Tensor) -> Tensor:
    down, across = (_band(side, planes.device) for side in planes.shape[-2:])
    return down @ planes @ across.T


@cache
def _band(side: int, device: torch.device) -> Tensor:
    """The matrix [side - 10, side] whose products are means under the window at every place."""
    taps = torch.exp(-(torch.arange(_WINDOW) - _WINDOW // 2).square() / (2 * _SIGMA**2))
    taps = taps / taps.sum()
    rows = torch.zeros(side - _WINDOW + 1, side)
    for place, row in enumerate(rows):
        row[place : place + _WINDOW] = taps
    return rows.to(device)
