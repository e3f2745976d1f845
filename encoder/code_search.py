"""A scene's code: found by gradient descent on crops of the scene, through the last layer alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..decoder import Enhancer
from ..decoder.networks import BIAS_IDENTITY, GAIN_IDENTITY, GAIN_SCALE, RELU6_SCALE
from ..runtime.scene_code import SceneCode
from .code_crops import Crop
from .quality import PlanePsnr
from .torch_threads import one_torch_thread
from .training.packs import PLANES

_STEPS = 300
# The code's levels are whole numbers from here on.
_ROUNDED_FROM = 0.5
_RATES = {"gain": 2.0, "bias": 1.0}
_BATCH = 4096
_CROPS_AT_ONCE = 8
_SEED = 0
_PEAK = 1020.0
# Beyond 70 dB nothing is to be gained.
_LEAST_ERROR = 1e-7
_LOWEST, _HIGHEST = 1, 127


@dataclass(frozen=True)
class _Task:
    """`features` [M, C] at M cells, what is `missing` [M, 24] there (target less base, pixels in
    [0, 1]), and what the square of each of these counts for, `weight` [M, 24]: with no residual
    the sum of all is 1 or so."""

    features: Tensor
    missing: Tensor
    weight: Tensor


def search_code(
    network: Enhancer, crops: Sequence[Crop], base: Sequence[PlanePsnr], bits: int
) -> SceneCode | None:
    """The code that helps a scene of so many bits most for what it costs; None for the identity.

    `network` is a `device_network`, `base` is the PSNR of the scene's frames without it. What is
    minimised is the error left in each plane as a share of the base's, 6:1:1, and the code's bits
    as a share of the scene's: twice the bits usually halve the error.
    The result does not depend on the number of threads.
    """
    with one_torch_thread():
        torch.manual_seed(_SEED)
        with torch.no_grad():
            task = _task(network, crops, base)
        code = _descend(network, task, bits)
    identity = all(level == GAIN_IDENTITY for level in code.gain) and all(
        level == BIAS_IDENTITY for level in code.bias
    )
    return None if identity else code


def _task(network: Enhancer, crops: Sequence[Crop], base: Sequence[PlanePsnr]) -> _Task:
    """The crops' cells in random order."""
    features, missing, weights = [], [], []
    for start in range(0, len(crops), _CROPS_AT_ONCE):
        some = crops[start : start + _CROPS_AT_ONCE]
        shown = torch.from_numpy(np.stack([crop.shown for crop in some])).float() / 255.0
        condition = torch.from_numpy(np.stack([crop.condition for crop in some])).float() / 255.0
        made = network.features(shown[:, 0], shown[:, 1], shown[:, 2], condition)
        features.append(_cells(made[:, :, *some[0].inner]))
        gap = np.stack([crop.target.astype(np.float32) - crop.base for crop in some])
        missing.append(_cells(torch.from_numpy(gap) / _PEAK))
        for crop in some:
            cells = crop.base[0].size
            weights.append(_channel_weights(base[crop.frame]).expand(cells, -1))
    order = torch.randperm(sum(len(each) for each in features))
    weight = torch.cat(weights) / len(order)
    return _Task(torch.cat(features)[order], torch.cat(missing)[order], weight[order])


def _cells(maps: Tensor) -> Tensor:
    """[N, C, h, w] as [N * h * w, C]."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _channel_weights(base: PlanePsnr) -> Tensor:
    errors = [10 ** (-db / 10) for db in (base.y, base.u, base.v)]
    weights = [
        share / (max(error, _LEAST_ERROR) * (end - start))
        for (start, end, share), error in zip(PLANES, errors, strict=True)
        for _ in range(start, end)
    ]
    return torch.tensor(weights)


def _descend(network: Enhancer, task: _Task, bits: int) -> SceneCode:
    head = network.head.weight[:, :, 0, 0]
    offset = network.head.bias
    assert offset is not None
    channels = head.shape[1]
    gain, bias = (
        torch.zeros(channels, requires_grad=True),
        torch.zeros(channels, requires_grad=True),
    )
    optimizer = torch.optim.Adam(
        [{"params": [gain], "rate": _RATES["gain"]}, {"params": [bias], "rate": _RATES["bias"]}],
        betas=(0.9, 0.99),
    )
    cells = len(task.features)
    batches = max(1, round(cells / _BATCH))
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * 0.5 * (1 + math.cos(math.pi * step / _STEPS))
        part = slice(step % batches * cells // batches, (step % batches + 1) * cells // batches)
        g, b = (_whole(gain), _whole(bias)) if step >= _ROUNDED_FROM * _STEPS else (gain, bias)
        shifted = F.relu6(task.features[part] * (1 + g * GAIN_SCALE))
        shifted = F.relu6(shifted + b * RELU6_SCALE)
        left = task.missing[part] - F.linear(shifted, head, offset)
        distortion = batches * (left.square() * task.weight[part]).sum()
        loss = distortion + (_bits(g) + _bits(b)) / bits
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            gain.clamp_(_LOWEST - GAIN_IDENTITY, _HIGHEST)
            bias.clamp_(_LOWEST - BIAS_IDENTITY, _HIGHEST)
    return SceneCode(
        tuple(GAIN_IDENTITY + round(level) for level in gain.tolist()),
        tuple(BIAS_IDENTITY + round(level) for level in bias.tolist()),
    )


def _whole(levels: Tensor) -> Tensor:
    """The nearest whole numbers; gradients pass as if they were not rounded."""
    return levels + (levels.round() - levels).detach()


def _bits(levels: Tensor) -> Tensor:
    """About what the levels take: the entropy of a Laplace distribution of their mean, which is
    log2(2 e b) bits each."""
    return len(levels) * torch.log2(1 + 2 * math.e * levels.abs().mean())
