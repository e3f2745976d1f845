"""Bias correction: what rounded weights shift on average, each channel's bias takes back.

An error of a weight meets the mean of what it multiplies: the shift of output channel o is the sum
over input channels i of (rounded - real weights of o and i, summed over the kernel) * mean(i)
(Nagel et al. 2019, arXiv:1906.04721, equation 17, with means of real samples). Padding is left out
of account. The means are those of the float network, so that no layer waits for the one before.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import torch

from ...decoder.networks import NetworkSpec
from ..quantization import LayerPrecision, Recipe
from ..quantization.arithmetic import Steps, quantize_weight, weight_scale
from ..quantization.structure import activation_affines, constants, convolution
from .statistics import Statistics


def bias_corrections(
    model: onnx.ModelProto, spec: NetworkSpec, recipe: Recipe, statistics: Statistics
) -> Mapping[str, tuple[float, ...]]:
    """What to add to the real bias of each channel, by layer [O], under `recipe`.

    `statistics`: what `collect` found for `model`. Layers that `recipe` keeps in float have no
    entry. Raises what `quantize` raises for `recipe`.
    """
    affines = activation_affines(model, spec, recipe.ranges)
    known = constants(model)
    clipped = {n.input[0]: n.output[0] for n in model.graph.node if n.op_type == "Clip"}
    preset = recipe.preset
    corrections = {}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        layer = convolution(node, known)
        if recipe.precision.get(layer.name) is LayerPrecision.FLOAT:
            continue
        weight, bias = torch.tensor(layer.weight), torch.tensor(layer.bias)
        stored = clipped.get(node.output[0], node.output[0])
        steps = Steps(affines[node.input[0]].scale, affines[stored].scale)
        scale = weight_scale(weight, bias, steps, preset.arithmetic, per_channel=preset.per_channel)
        rounded = quantize_weight(weight, scale, preset.arithmetic) * scale[:, None, None, None]
        errors = (rounded - weight.double()).sum((2, 3)).numpy()
        shift = errors @ statistics.input_means[layer.name]
        corrections[layer.name] = tuple(float(-x) for x in shift)
    return corrections
