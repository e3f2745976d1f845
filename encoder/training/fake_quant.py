"""The INT8 arithmetic of the exported graphs, simulated in float so that training sees it.

Scales and integers of weights and biases are the quantiser's own, fast or exact
(`export.quantization.arithmetic`); activations are uint8 over the fixed range of ReLU6, scales and
zero points those of `decoder.networks`. The straight-through estimator (Bengio et al.,
arXiv:1308.3432) carries gradients through the rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...decoder.networks import (
    LATENT_SCALE,
    PIXEL_SCALE,
    RELU6_SCALE,
    RESIDUAL_SCALE,
    Enhancer,
)
from ...export.quantization.arithmetic import Steps, quantize_bias, quantize_weight, weight_scale
from ...export.quantization.recipe import Arithmetic


class Int8Weight(nn.Module):
    """Parametrisation that rounds a convolution's weight to int8 for each output channel.

    `bias`, a parameter or None, bounds the scales as it does in the exported graph.
    """

    def __init__(self, steps: Steps, arithmetic: Arithmetic, bias: Tensor | None) -> None:
        super().__init__()
        self._steps = steps
        self._arithmetic = arithmetic
        # In a tuple, or it would be registered as a parameter of this module too.
        self._bias = (bias,)

    def scale(self, weight: Tensor) -> Tensor:
        """Real value of one integer step of each output channel, float64 [O]."""
        return weight_scale(weight, self._bias[0], self._steps, self._arithmetic)

    def forward(self, weight: Tensor) -> Tensor:
        scale = self.scale(weight)
        integers = quantize_weight(weight, scale, self._arithmetic)
        return _straight_through(weight, integers * scale[:, None, None, None])


class Int32Bias(nn.Module):
    """Parametrisation that rounds a convolution's bias to accumulator steps."""

    def __init__(self, steps: Steps, arithmetic: Arithmetic, weight: Tensor) -> None:
        super().__init__()
        self._steps = steps
        self._arithmetic = arithmetic
        self._weight = (weight,)

    def forward(self, bias: Tensor) -> Tensor:
        scale = weight_scale(self._weight[0], bias, self._steps, self._arithmetic)
        unit = scale * self._steps.input
        return _straight_through(bias, quantize_bias(bias, unit, self._arithmetic) * unit)


def quantize_activation(x: Tensor) -> Tensor:
    """`x` in [0, 6] rounded to the 256 levels of a uint8 feature."""
    return torch.fake_quantize_per_tensor_affine(x, RELU6_SCALE, 0, 0, 255)


def quantize_residual(x: Tensor) -> Tensor:
    """Residuals on the scale of pixels in [0, 1] as the device gives them: in quarters of a grey
    level, -32 to 31.75 of them; clipped values get no gradient."""
    return torch.fake_quantize_per_tensor_affine(x, RESIDUAL_SCALE, 128, 0, 255)


@contextmanager
def int8_arithmetic(network: nn.Module, arithmetic: Arithmetic = Arithmetic.FAST) -> Iterator[None]:
    """Within it, `network` computes with int8 weights and uint8 activations.

    Outside, the network holds its float weights again (the latent ones that training moves).
    """
    hooks = [m.register_forward_hook(_hook) for m in network.modules() if type(m) is nn.ReLU6]
    convolutions = [
        (module, _steps(network, name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    for module, steps in convolutions:
        weight, bias = module.weight, module.bias
        parametrize.register_parametrization(module, "weight", Int8Weight(steps, arithmetic, bias))
        if bias is not None:
            parametrize.register_parametrization(
                module, "bias", Int32Bias(steps, arithmetic, weight)
            )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, _ in convolutions:
            for name in ("weight", "bias"):
                if parametrize.is_parametrized(module, name):
                    parametrize.remove_parametrizations(module, name, leave_parametrized=False)


def _hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return quantize_activation(output)


def _steps(network: nn.Module, name: str) -> Steps:
    """What the architecture fixes on both sides of a convolution, by its name."""
    source = {"stem": PIXEL_SCALE, "up.expand": LATENT_SCALE}.get(name, RELU6_SCALE)
    if name != "head":
        return Steps(source, RELU6_SCALE)
    return Steps(source, RESIDUAL_SCALE if isinstance(network, Enhancer) else PIXEL_SCALE)


def _straight_through(real: Tensor, rounded: Tensor) -> Tensor:
    """`rounded` in value, `real` in gradients."""
    return real + (rounded.to(real.dtype) - real).detach()
