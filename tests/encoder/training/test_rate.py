"""The estimate of the rate against the coder that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.encoder.training.rate import (
    bits,
    laplace_bits,
    noisy_bits,
    round_straight_through,
)
from edgecodec.runtime.scale_tables import MAX_SYMBOL, load_scale_tables
from edgecodec.runtime.symbols import (
    Latent,
    choose_difference_tables,
    choose_scale_index,
    encode_latent,
)


def laplace(mean: float, seed: int = 0) -> np.ndarray:
    """Symbols [64, 16, 16] whose mean magnitude varies between groups around `mean`."""
    random = np.random.default_rng(seed)
    scales = mean * random.uniform(0.5, 1.5, (16, 4, 4))
    spread = scales.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    return np.clip(np.rint(random.laplace(size=spread.shape) * spread), -127, 127).astype(np.int8)


@pytest.mark.parametrize("mean", [0.3, 1.0, 4.0, 15.0])
def test_the_estimate_is_what_the_coder_spends(mean: float) -> None:
    symbols = laplace(mean)
    scale_index = choose_scale_index(symbols)
    tables = choose_difference_tables([scale_index])
    coded = encode_latent(Latent(symbols, scale_index), tables, None)
    estimate = float(bits(torch.from_numpy(symbols).float()[None]))
    assert estimate == pytest.approx(8 * len(coded), rel=0.12)


def test_nothing_costs_next_to_nothing() -> None:
    assert float(bits(torch.zeros(1, 64, 8, 8))) < 32


def test_every_sample_is_counted_for_itself() -> None:
    one, other = (torch.from_numpy(laplace(mean)).float() for mean in (0.5, 3.0))
    together = bits(torch.stack([one, other]))
    assert together.shape == (2,)
    alone = torch.cat([bits(one[None]), bits(other[None])])
    assert torch.allclose(together, alone, rtol=1e-4)
    assert together[0] < together[1]


def test_larger_symbols_cost_more_and_gradients_say_so() -> None:
    latent = torch.from_numpy(laplace(1.0)).float()[None].requires_grad_()
    bits(round_straight_through(latent)).sum().backward()
    assert latent.grad is not None
    assert torch.isfinite(latent.grad).all()
    # Towards zero is cheaper, for most symbols that are not zero.
    moved = latent.detach() != 0
    assert (latent.grad[moved] * latent.detach()[moved].sign() > 0).float().mean() > 0.9


def test_rounding_lets_gradients_through() -> None:
    x = torch.tensor([0.4, -1.6, 2.5], requires_grad=True)
    y = round_straight_through(x)
    assert y.tolist() == [0.0, -2.0, 2.0]
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("mean", [0.5, 2.0, 8.0])
def test_noise_in_the_place_of_rounding_costs_about_as_much(mean: float) -> None:
    torch.manual_seed(0)
    symbols = torch.from_numpy(laplace(mean)).float()[None]
    noisy = symbols + torch.rand_like(symbols) - 0.5
    # Noise on symbols that were rounded already is twice the noise: never cheaper.
    assert float(bits(symbols)) <= float(noisy_bits(symbols, noisy)) <= 1.6 * float(bits(symbols))
    assert float(noisy_bits(symbols, symbols)) == pytest.approx(float(bits(symbols)), rel=0.01)


def test_noisy_latents_that_round_to_zero_are_drawn_towards_it() -> None:
    symbols = torch.from_numpy(laplace(1.0)).float()[None]
    levels = torch.full_like(symbols, 0.3).requires_grad_()
    noisy_bits(symbols, levels).sum().backward()
    assert levels.grad is not None
    assert (levels.grad > 0).all()


@pytest.mark.parametrize("table", [0, 1, 7, 20, 40, 63])
def test_a_number_takes_what_its_table_says(table: int) -> None:
    """Also where it is least likely: no number takes more than 23 bits. (The last number of a table
    has all that is beyond it.)"""
    numbers = torch.arange(1 - MAX_SYMBOL, MAX_SYMBOL).double()
    found = laplace_bits(numbers, torch.full_like(numbers, table)).numpy()
    wanted = load_scale_tables().bits[table, np.abs(numbers.numpy().astype(int))]
    # Where a number has but a few parts of 2^24, whole ones are coarse.
    np.testing.assert_allclose(found, wanted, atol=0.6)
    assert np.abs(found - wanted).mean() < 0.1
    assert found.max() <= 23 + 1e-6


def test_what_is_least_likely_has_gradients_for_its_table() -> None:
    number, table = torch.tensor([3.0]), torch.tensor([2.0], requires_grad=True)
    laplace_bits(number, table).sum().backward()
    assert table.grad is not None
    assert torch.isfinite(table.grad).all()
    assert table.grad.item() < 0
