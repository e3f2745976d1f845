"""Scales and integers, and what exact arithmetic promises of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.export.quantization import Arithmetic
from edgecodec.export.quantization.arithmetic import (
    EXACT_ACCUMULATOR_MAX,
    EXACT_BIAS_MAX,
    LEAST_SHIFT,
    MOST_SHIFT,
    Steps,
    exact_shift,
    quantize_bias,
    quantize_weight,
    weight_scale,
)
from hypothesis import given, settings
from hypothesis import strategies as st

RELU6, PIXEL = 6 / 255, 1 / 255


def random_layer(seed: int, peak: float, inputs: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn((6, inputs, 3, 3), generator=random) * peak
    return weight, torch.randn(6, generator=random)


layers = st.builds(random_layer, st.integers(0, 2**31), st.floats(1e-4, 0.5), st.integers(1, 64))
steps = st.sampled_from(
    [Steps(PIXEL, RELU6), Steps(RELU6, RELU6), Steps(RELU6, PIXEL), Steps(0.25, 0.011)]
)


@settings(deadline=None, max_examples=50)
@given(layer=layers, steps=steps, per_channel=st.booleans())
def test_exact_integers_stay_off_the_ties(
    layer: tuple[torch.Tensor, torch.Tensor], steps: Steps, per_channel: bool
) -> None:
    weight, bias = layer
    scale = weight_scale(weight, bias, steps, Arithmetic.EXACT, per_channel=per_channel)
    shift = -torch.log2(scale * (steps.input / steps.output))
    assert torch.allclose(shift, shift.round(), atol=1e-9)
    assert LEAST_SHIFT <= shift.min() <= shift.max() <= MOST_SHIFT
    if not per_channel:
        assert len(scale.unique()) == 1
    weights = quantize_weight(weight, scale, Arithmetic.EXACT)
    biases = quantize_bias(bias, scale * steps.input, Arithmetic.EXACT)
    assert not (weights % 4).any()
    assert weights.abs().max() <= 124
    assert (biases % 4 == 2).all()
    assert biases.abs().max() <= EXACT_BIAS_MAX
    assert (255 * weights.abs().sum((1, 2, 3)) + biases.abs()).max() <= EXACT_ACCUMULATOR_MAX
    # Whatever the input: an accumulator is never within 1 of a tie.
    levels = torch.randint(0, 256, weight.shape[1:]).double()
    accumulators = (weights * levels).sum((1, 2, 3)) + biases
    whole = torch.exp2(shift.round())
    distance = (accumulators - whole / 2) % whole
    assert torch.minimum(distance, whole - distance).min() >= 2


@settings(deadline=None, max_examples=50)
@given(layer=layers, steps=steps)
def test_exact_integers_are_found_again_in_the_values_they_stand_for(
    layer: tuple[torch.Tensor, torch.Tensor], steps: Steps
) -> None:
    """What rounding to outputs and training rely on: float32 carries the integers."""
    weight, bias = layer
    scale = weight_scale(weight, bias, steps, Arithmetic.EXACT)
    real = quantize_weight(weight, scale, Arithmetic.EXACT) * scale[:, None, None, None]
    again = weight_scale(real.float(), bias, steps, Arithmetic.EXACT)
    same = quantize_weight(real.float(), again, Arithmetic.EXACT) * again[:, None, None, None]
    assert torch.allclose(same, real, rtol=1e-6)


def test_a_few_large_weights_are_clipped_where_the_others_gain_more() -> None:
    weight = torch.full((1, 500, 1, 1), 0.011)
    weight[0, 0] = 0.6
    shift = exact_shift(weight, None, Steps(RELU6, RELU6))
    scale = torch.exp2(-shift)
    integers = quantize_weight(weight, scale, Arithmetic.EXACT)
    assert integers.max() == 124
    assert scale * 124 < 0.6
    finest_without = torch.floor(torch.log2(torch.tensor(124 / 0.6)))
    plain = quantize_weight(weight, torch.exp2(-finest_without)[None], Arithmetic.EXACT)
    error = (integers * scale - weight).square().sum()
    assert error < (plain * torch.exp2(-finest_without) - weight).square().sum()


@settings(deadline=None, max_examples=50)
@given(layer=layers, steps=steps)
def test_fast_scales_hold_the_largest_weight(
    layer: tuple[torch.Tensor, torch.Tensor], steps: Steps
) -> None:
    weight, bias = layer
    # So small that it bounds no scale.
    bias = bias * weight.abs().max()
    each = weight_scale(weight, bias, steps, Arithmetic.FAST)
    one = weight_scale(weight, bias, steps, Arithmetic.FAST, per_channel=False)
    np.testing.assert_allclose(each, weight.abs().amax((1, 2, 3)) / 127, rtol=1e-6)
    assert (one == each.max()).all()
    assert quantize_weight(weight, each, Arithmetic.FAST).abs().amax((1, 2, 3)).eq(127).all()


@pytest.mark.parametrize("arithmetic", list(Arithmetic))
def test_a_channel_of_zeros_stays_zero(arithmetic: Arithmetic) -> None:
    zeros = torch.zeros(2, 3, 1, 1)
    scale = weight_scale(zeros, torch.zeros(2), Steps(RELU6, RELU6), arithmetic)
    assert torch.isfinite(scale).all()
    assert not quantize_weight(zeros, scale, arithmetic).any()


@pytest.mark.parametrize(("weight", "bias"), [(20.0, 0.0), (1e-3, 1e9)])
def test_what_no_shift_holds_is_an_error(weight: float, bias: float) -> None:
    layer = torch.full((1, 1, 1, 1), weight), torch.tensor([bias])
    with pytest.raises(ValueError, match="exact arithmetic"):
        weight_scale(*layer, Steps(1.0, 0.1), Arithmetic.EXACT)
