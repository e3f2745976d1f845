"""What a graph would cost if it were changed: input for another prediction."""

from __future__ import annotations

import math
from dataclasses import replace

from .count import GraphCost, LayerCost

_COMBINING = frozenset({"Add", "Mul"})


def with_channels(cost: GraphCost, multiple: int) -> GraphCost:
    """The graph with the channels of every ungrouped layer raised to a multiple of `multiple`.

    Its own inputs and outputs stay as they are. Layers that count no multiply-accumulates stay too.
    """
    return replace(cost, layers=tuple(_raised(layer, multiple) for layer in cost.layers))


def raises_channels(cost: GraphCost, multiple: int) -> bool:
    """Whether `with_channels` would change anything."""
    return any(_raised(layer, multiple) != layer for layer in cost.layers)


def without_scene_code(cost: GraphCost) -> GraphCost:
    """The graph without its steps that multiply by and add a scene's code.

    Those are the element-wise steps that read one tensor of frame size and one of a value a
    channel. A device that may change weights between scenes can fold them into a convolution.
    """
    kept = tuple(layer for layer in cost.layers if not _is_scene_code(layer))
    return replace(cost, layers=kept)


def frames_in_one_call(cost: GraphCost, frames: int) -> GraphCost:
    """One call that does the work of `frames` frames: more elements, the same weights."""
    layers = tuple(
        replace(
            layer,
            macs=layer.macs * frames,
            input_elements=layer.input_elements * frames,
            output_elements=layer.output_elements * frames,
        )
        for layer in cost.layers
    )
    return replace(
        cost,
        layers=layers,
        input_elements=cost.input_elements * frames,
        output_elements=cost.output_elements * frames,
    )


def in_int8(cost: GraphCost) -> GraphCost:
    """The same graph in eight bits."""
    return replace(cost, precision="w8a8", activation_bytes_each=1)


def _raised(layer: LayerCost, multiple: int) -> LayerCost:
    if not layer.macs or layer.groups > 1:
        return layer
    cin = math.ceil(layer.in_channels / multiple) * multiple
    cout = math.ceil(layer.out_channels / multiple) * multiple
    wider_in, wider_out = cin / layer.in_channels, cout / layer.out_channels
    return replace(
        layer,
        macs=round(layer.macs * wider_in * wider_out),
        weights=round(layer.weights * wider_in * wider_out),
        input_elements=round(layer.input_elements * wider_in),
        output_elements=round(layer.output_elements * wider_out),
        in_channels=cin,
        out_channels=cout,
    )


def _is_scene_code(layer: LayerCost) -> bool:
    if layer.op not in _COMBINING or not layer.output_elements:
        return False
    code = layer.input_elements - layer.output_elements
    return 0 < code < layer.output_elements
