"""The INT8 arithmetic of the exported graphs, simulated in float so that training sees it.

Weights: symmetric int8 for each output channel, scale = max|w| / 127. Activations: uint8 over the
fixed range of ReLU6. The straight-through estimator (Bengio et al., arXiv:1308.3432) carries
gradients through the rounding. Scales and zero points are those of `decoder.networks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...decoder.networks import RELU6_SCALE, RESIDUAL_SCALE


class Int8Weight(nn.Module):
    """Parametrisation that rounds a convolution's weight to int8 for each output channel."""

    def forward(self, weight: Tensor) -> Tensor:
        scale = weight.detach().abs().amax(dim=(1, 2, 3)).clamp_min(1e-8) / 127.0
        zero = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -127, 127)


def quantize_activation(x: Tensor) -> Tensor:
    """`x` in [0, 6] rounded to the 256 levels of a uint8 feature."""
    return torch.fake_quantize_per_tensor_affine(x, RELU6_SCALE, 0, 0, 255)


def quantize_residual(x: Tensor) -> Tensor:
    """Residuals on the scale of pixels in [0, 1] as the device gives them: in quarters of a grey
    level, -32 to 31.75 of them; clipped values get no gradient."""
    return torch.fake_quantize_per_tensor_affine(x, RESIDUAL_SCALE, 128, 0, 255)


def _hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return quantize_activation(output)


@contextmanager
def int8_arithmetic(network: nn.Module) -> Iterator[None]:
    """Within it, `network` computes with int8 weights and uint8 activations.

    Outside, the network holds its float weights again (the latent ones that training moves).
    """
    hooks = [m.register_forward_hook(_hook) for m in network.modules() if type(m) is nn.ReLU6]
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    for module in convolutions:
        parametrize.register_parametrization(module, "weight", Int8Weight())
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module in convolutions:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
