"""What a search by gradients believes of the rate is what the entropy layer takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.encoder.latent_rate import Coding, PriorCoding, ScaleCoding, coding_of
from edgecodec.runtime.prior_coding import encode_with_prior

from .prior_samples import CHANNELS, prior_of, smooth_symbols

QUALITY = 30
PLAIN, WHOLE = prior_of(), prior_of(whole=True)


def levels_of(shape: tuple[int, int] = (6, 9), brightness: int = 0) -> torch.Tensor:
    symbols = smooth_symbols((CHANNELS, *shape), brightness=brightness)
    random = torch.Generator().manual_seed(1)
    return torch.from_numpy(symbols)[None] + 0.4 * (torch.rand(1, *symbols.shape, generator=random))


def test_frames_with_a_prior_are_searched_with_it() -> None:
    assert isinstance(coding_of(None, QUALITY), ScaleCoding)
    assert coding_of(PLAIN, QUALITY) == PriorCoding(PLAIN, QUALITY)


@pytest.mark.parametrize(
    ("prior", "brightness"), [(PLAIN, 0), (WHOLE, 110)], ids=["plain", "whole"]
)
def test_bits_of_whole_symbols_are_those_of_real_bytes(prior, brightness: int) -> None:
    coding = PriorCoding(prior, QUALITY)
    symbols = coding.nearest(levels_of((20, 24), brightness))
    real = 8 * len(encode_with_prior(symbols[0].numpy().astype(np.int16), QUALITY, prior, None))
    assert coding.bits(symbols) == pytest.approx(real, abs=96)
    # The same again, but for what tables round: none of their probabilities is nearly nothing.
    without_noise = float(coding.noisy_bits(symbols, symbols))
    assert without_noise == pytest.approx(real, rel=0.05)


@pytest.mark.parametrize(
    "coding", [ScaleCoding(), PriorCoding(PLAIN, QUALITY)], ids=["scales", "prior"]
)
def test_gradients_lead_to_fewer_bits(coding: Coding) -> None:
    moved = levels_of().requires_grad_()
    before = coding.nearest(moved.detach())
    coding.noisy_bits(before, moved).sum().backward()
    assert moved.grad is not None
    after = coding.nearest(moved.detach() - 0.3 * moved.grad.sign())
    assert coding.bits(after) < coding.bits(before)


def test_a_decoder_takes_a_whole_brightness_in_two_parts() -> None:
    levels = levels_of(brightness=110)
    coding = PriorCoding(WHOLE, QUALITY)
    symbols = coding.nearest(levels)
    latents = coding.latents(symbols)
    assert latents.shape[1] == CHANNELS + 1
    assert torch.equal(4 * latents[:, 0] + latents[:, 1], symbols[:, 0])
    assert latents.abs().max() <= 127
    for plain in (ScaleCoding(), PriorCoding(PLAIN, QUALITY)):
        assert torch.equal(plain.latents(symbols), symbols)
