"""A network of an installed model folder as a torch module that computes what the device does."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..decoder import Enhancer, build
from ..runtime.errors import ModelError
from ..runtime.models import ModelEntry
from ..runtime.template import read_template, titled
from ..runtime.title import TitleWeights
from .training.fake_quant import quantize_activation

# What export adds to a parameter's name for its integers.
_INTEGERS = "_quantized"


def device_network(entry: ModelEntry, title: TitleWeights | None = None) -> Enhancer:
    """An `enhancer` or a `generator_up` with its INT8 weights, those of a title where there is one.

    Its features and what it makes of a scene's code are rounded to their 256 levels, as the device
    rounds them. Its parameters take no gradients.

    Raises ModelError for a network without a template or of another architecture, BitstreamError
    for a title that does not fit.
    """
    template = read_template(entry)
    changed = {} if title is None else titled(template, title)
    known = {tensor.name: tensor for tensor in template.tensors}
    try:
        network = build(entry.name, entry.tier)
    except KeyError as error:
        raise ModelError(f"{entry.file}: no network {entry.name} of tier {entry.tier}") from error
    if not isinstance(network, Enhancer):
        raise ModelError(f"{entry.file}: {entry.name} takes no scene code")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            tensor = known.pop(name + _INTEGERS, None)
            if tensor is None and name.endswith(".bias"):
                # Graphs leave out what adds nothing.
                parameter.zero_()
                continue
            if tensor is None or tensor.values.shape != tuple(parameter.shape):
                shape = "missing" if tensor is None else f"{tensor.values.shape}"
                raise ModelError(
                    f"{entry.file}: {name} is {shape} in its template, tier {entry.tier} has "
                    f"{tuple(parameter.shape)}"
                )
            scale = tensor.scale.reshape(-1, *[1] * (tensor.values.ndim - 1)).astype(np.float64)
            parameter.copy_(torch.from_numpy(changed.get(tensor.name, tensor.values) * scale))
    if known:
        raise ModelError(f"{entry.file}: tier {entry.tier} has no {', '.join(known)}")
    network.requires_grad_(requires_grad=False)
    network.activation.register_forward_hook(_rounded)
    return network.eval()


def _rounded(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return quantize_activation(output)
