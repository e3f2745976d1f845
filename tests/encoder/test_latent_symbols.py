"""What of an analysis network's latents can be sent, and what a network gets of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.encoder.analysis import spread_brightness
from edgecodec.encoder.latent_symbols import device_latent, integer_symbols, nearest
from edgecodec.runtime.latents import dequantize
from edgecodec.runtime.prior_coding import encode_with_prior

from .prior_samples import CHANNELS, prior_of, smooth_symbols

PLAIN = prior_of()
WHOLE = prior_of(whole=True)


@pytest.mark.parametrize("prior", [None, PLAIN], ids=["scales", "prior"])
def test_levels_are_rounded_and_kept_to_what_tables_code(prior) -> None:
    levels = torch.linspace(-300, 300, CHANNELS * 12).reshape(CHANNELS, 3, 4)
    symbols = integer_symbols(levels, prior)
    assert symbols.dtype == np.int16
    assert (symbols.min(), symbols.max()) == (-127, 127)
    inside = np.abs(levels.numpy()) < 127
    assert np.abs(symbols - levels.numpy())[inside].max() <= 0.5


def test_a_whole_brightness_goes_further_but_no_more_than_255_levels_in_a_frame() -> None:
    levels = torch.zeros(CHANNELS, 4, 4)
    levels[0] = torch.linspace(100, 340, 16).reshape(4, 4)
    levels[1] = 200
    symbols = integer_symbols(levels, WHOLE)
    assert np.array_equal(symbols[0], levels[0].round().numpy())
    assert symbols[1].max() == 127
    levels[0] *= 3
    symbols = integer_symbols(levels, WHOLE)
    assert (symbols[0].min(), symbols[0].max()) == (300, 508)
    levels[0] -= 900
    symbols = integer_symbols(levels, WHOLE)
    assert (symbols[0].min(), symbols[0].max()) == (-508, -254)
    # That is what the entropy layer takes.
    assert encode_with_prior(symbols, 30, WHOLE, None)


def test_batches_are_rounded_as_frames_are() -> None:
    levels = 40 * torch.randn(CHANNELS, 5, 6, generator=torch.Generator().manual_seed(0))
    levels[0] *= 8
    one = nearest(levels[None], WHOLE)[0]
    assert np.array_equal(one.numpy(), integer_symbols(levels, WHOLE))


def test_without_whole_brightness_a_network_gets_the_symbols() -> None:
    symbols = smooth_symbols((CHANNELS, 4, 6))
    expected = dequantize(symbols.astype(np.int8), 44)
    assert np.array_equal(device_latent(symbols, 44, None), expected)
    assert np.array_equal(device_latent(symbols, 44, PLAIN), expected)


def test_a_whole_brightness_reaches_the_network_in_two_parts_as_in_training() -> None:
    symbols = smooth_symbols((CHANNELS, 6, 8), brightness=120)
    latent = device_latent(symbols, 63, WHOLE)
    trained = spread_brightness(torch.from_numpy(symbols)[None].float()).numpy().astype(np.int8)
    assert latent.shape == (1, CHANNELS + 1, 6, 8)
    assert np.array_equal(latent, dequantize(trained[0], 63))
