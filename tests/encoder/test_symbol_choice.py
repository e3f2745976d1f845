"""Symbols chosen for what they cost in bits and error together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.encoder import symbol_choice
from edgecodec.encoder.latent_symbols import integer_symbols
from edgecodec.encoder.symbol_choice import (
    PRICE_OF_A_BIT,
    PRICE_OF_A_CHANGE,
    PRICE_WHERE_STILL,
    choose_symbols,
    sent_symbols,
    symbol_costs,
)
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior, prior_bits

from .prior_samples import CHANNELS, prior_of, smooth_symbols

SHAPE = (6, 9)
QUALITY = 33
PLAIN, WHOLE = prior_of(), prior_of(whole=True)
SEEN = prior_of(previous=True)
GATED = prior_of(gated=True)
WHOLE_GATED = prior_of(whole=True, gated=True)


def levels_of(prior: Prior, seed: int = 0) -> np.ndarray:
    brightness = 110 if prior.whole else 0
    symbols = smooth_symbols((CHANNELS, *SHAPE), seed, brightness=brightness)
    random = np.random.default_rng(seed + 1)
    return (symbols + random.uniform(-0.5, 0.5, symbols.shape)).astype(np.float32)


def previous_of(prior: Prior) -> np.ndarray | None:
    levels = levels_of(prior, seed=5)
    return np.rint(levels).astype(np.int16) if prior.previous else None


def cost(
    levels: np.ndarray, symbols: np.ndarray, prior: Prior, price: float = PRICE_OF_A_BIT
) -> float:
    bits = prior_bits(symbols, QUALITY, prior, previous_of(prior))
    return float(np.square(levels - symbols, dtype=np.float64).sum()) + price * bits


EVERY = pytest.mark.parametrize(
    "prior",
    [PLAIN, WHOLE, SEEN, GATED, WHOLE_GATED],
    ids=["plain", "whole", "seen", "gated", "both"],
)


@EVERY
def test_cells_that_count_more_are_nearer_to_what_they_were(prior: Prior) -> None:
    levels = levels_of(prior)
    plain = choose_symbols(levels, QUALITY, prior, previous_of(prior))
    alike = np.ones(SHAPE, np.float32)
    same = choose_symbols(levels, QUALITY, prior, previous_of(prior), weights=alike)
    assert np.array_equal(plain, same)
    weights = alike.copy()
    weights[:, :4], weights[:, 4:] = 4, 0.25
    weighted = choose_symbols(levels, QUALITY, prior, previous_of(prior), weights=weights)
    near, far = (
        np.square(levels - weighted)[..., part].sum() - np.square(levels - plain)[..., part].sum()
        for part in (slice(4), slice(4, None))
    )
    assert near < 0 < far


@EVERY
def test_the_choice_costs_less_than_the_nearest_and_is_near(prior: Prior) -> None:
    levels = levels_of(prior)
    nearest = integer_symbols(torch.from_numpy(levels), prior)
    chosen = choose_symbols(levels, QUALITY, prior, previous_of(prior))
    assert chosen.dtype == np.int16
    assert cost(levels, chosen, prior) < 0.99 * cost(levels, nearest, prior)
    # A symbol of any table has at most 24 bits.
    assert np.square(levels - chosen).max() <= 0.5**2 + 24 * PRICE_OF_A_BIT


@EVERY
def test_players_read_it(prior: Prior) -> None:
    previous = previous_of(prior)
    chosen = choose_symbols(levels_of(prior), QUALITY, prior, previous)
    data = encode_with_prior(chosen, QUALITY, prior, previous)
    assert np.array_equal(decode_with_prior(data, SHAPE, QUALITY, prior, previous), chosen)


@EVERY
def test_dearer_bits_are_fewer(prior: Prior) -> None:
    levels, previous = levels_of(prior), previous_of(prior)
    sizes = [
        prior_bits(
            choose_symbols(levels, QUALITY, prior, previous, price=price), QUALITY, prior, previous
        )
        for price in (0.0, 0.05, 0.2)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("prior", [PLAIN, WHOLE, SEEN], ids=["plain", "whole", "seen"])
def test_bits_for_nothing_leave_the_nearest(prior: Prior) -> None:
    levels = levels_of(prior)
    chosen = choose_symbols(levels, QUALITY, prior, previous_of(prior), price=0.0)
    assert np.array_equal(chosen, np.rint(levels))


def test_what_is_only_seen_is_not_held() -> None:
    """Without gates, what was before is no symbol of this frame: nothing stays but zeros."""
    previous = np.ones((CHANNELS, *SHAPE), np.int16)
    levels = np.full(previous.shape, 0.45, np.float32)
    for prior, stays in ((SEEN, np.zeros_like(previous)), (GATED, previous)):
        chosen = choose_symbols(levels, QUALITY, prior, previous, price=5.0)
        assert np.array_equal(chosen, stays)
        assert encode_with_prior(chosen, QUALITY, prior, previous) == b""


@EVERY
def test_levels_beyond_what_can_be_sent_are_held(prior: Prior) -> None:
    levels = 30 * levels_of(prior)
    previous = previous_of(prior)
    chosen = choose_symbols(levels, QUALITY, prior, previous)
    assert encode_with_prior(chosen, QUALITY, prior, previous)
    assert np.abs(chosen[1:]).max() == 127


@pytest.mark.parametrize("prior", [GATED, WHOLE_GATED], ids=["plain", "whole"])
def test_what_hardly_moves_stays_and_takes_nothing(prior: Prior) -> None:
    previous = previous_of(prior)
    assert previous is not None
    random = np.random.default_rng(2)
    levels = (previous + random.uniform(-0.3, 0.3, previous.shape)).astype(np.float32)
    chosen = choose_symbols(levels, QUALITY, prior, previous)
    assert np.array_equal(chosen, previous)
    assert encode_with_prior(chosen, QUALITY, prior, previous) == b""


@pytest.mark.parametrize("prior", [WHOLE, WHOLE_GATED], ids=["alone", "continued"])
def test_groups_that_are_not_worth_their_bits_are_not_coded(prior: Prior) -> None:
    levels, previous = levels_of(prior), previous_of(prior)
    last = prior.order[-prior.groups[-1] :]
    expected = np.zeros_like(levels) if previous is None else previous.astype(np.float32)
    levels[last] = expected[last]
    levels[last[0], 2, 3] += 1.0
    sizes = []
    for price in (0.0, 0.2):
        chosen = choose_symbols(levels, QUALITY, prior, previous, price=price)
        sizes.append(encode_with_prior(chosen, QUALITY, prior, previous)[6])
    assert sizes == [len(prior.groups), len(prior.groups) - 1]


def test_errors_do_not_stay_in_a_chain_of_frames() -> None:
    """Latents drift to and fro by up to two steps: symbols follow them as well the fourth time."""
    levels = levels_of(WHOLE_GATED)
    away = np.random.default_rng(3).uniform(-2, 2, levels.shape).astype(np.float32)
    previous = np.rint(levels).astype(np.int16)
    errors = []
    for number in range(80):
        now = levels + np.float32(np.sin(2 * np.pi * number / 20)) * away
        previous = choose_symbols(now, QUALITY, WHOLE_GATED, previous)
        errors.append(float(np.square(now - previous).mean()))
    assert max(errors[60:]) < 1.05 * max(errors[:20])
    assert max(errors) < 0.35


def test_an_i_frame_is_the_finer_the_more_frames_continue_it() -> None:
    levels = torch.from_numpy(levels_of(WHOLE))
    sent = [sent_symbols(levels, QUALITY, WHOLE, None, followers=count) for count in (0, 3, 1000)]
    sizes = [prior_bits(each, QUALITY, WHOLE, None) for each in sent]
    assert sizes[0] < sizes[1] < sizes[2]
    errors = [np.abs(levels.numpy() - each).max() for each in sent]
    assert errors[0] > errors[2]


@pytest.mark.parametrize(("moved", "price"), [(0.7, PRICE_WHERE_STILL), (9.0, PRICE_OF_A_CHANGE)])
def test_changes_cost_more_where_a_picture_hardly_differs(
    monkeypatch: pytest.MonkeyPatch, moved: float, price: float
) -> None:
    previous = np.rint(4 * levels_of(WHOLE_GATED)).astype(np.int16)
    change = np.random.default_rng(4).normal(0, moved, previous.shape)
    levels = torch.from_numpy((previous + change).astype(np.float32))
    asked: list[float] = []
    monkeypatch.setattr(
        symbol_choice,
        "choose_symbols",
        lambda *given, price, weights: asked.append(price) or given[3],
    )
    assert sent_symbols(levels, QUALITY, WHOLE_GATED, previous) is previous
    assert asked == [price]


def test_only_priors_of_whole_brightness_have_symbols_chosen() -> None:
    levels = torch.from_numpy(levels_of(PLAIN))
    for prior in (None, PLAIN):
        sent = sent_symbols(levels, QUALITY, prior, None)
        assert np.array_equal(sent, integer_symbols(levels, prior))
    levels = torch.from_numpy(levels_of(WHOLE))
    sent = sent_symbols(levels, QUALITY, WHOLE, None)
    assert np.array_equal(sent, choose_symbols(levels.numpy(), QUALITY, WHOLE))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("prior", [PLAIN, SEEN], ids=["plain", "seen"])
def test_what_cells_cost_is_what_the_best_symbols_for_them_do(
    prior: Prior, *, weighted: bool
) -> None:
    """Of the frame's own latents it is less than what is sent costs, of others' more."""
    levels, previous = levels_of(prior), previous_of(prior)
    random = np.random.default_rng(8)
    weights = random.uniform(0.5, 2, SHAPE).astype(np.float32) if weighted else None
    chosen = choose_symbols(levels, QUALITY, prior, previous, weights=weights)
    seen = np.zeros_like(chosen) if previous is None else previous
    costs = symbol_costs(chosen, QUALITY, prior, seen, price=PRICE_OF_A_BIT, weights=weights)
    cells = np.arange(SHAPE[0] * SHAPE[1])
    flat = levels.reshape(len(levels), -1)
    least = costs(cells, flat)
    assert least.shape == cells.shape
    assert least.dtype == np.float32
    counts = 1.0 if weights is None else weights
    errors = (counts * np.square(levels - chosen, dtype=np.float64)).sum()
    spent = errors + PRICE_OF_A_BIT * prior_bits(chosen, QUALITY, prior, previous)
    assert 0.5 * spent < least.sum() <= spent
    # Of some cells in another order.
    some = random.permutation(cells)[:7]
    np.testing.assert_allclose(costs(some, flat[:, some]), least[some], rtol=1e-4)
    assert costs(cells, flat + 3).sum() > 1.5 * least.sum()


def test_channels_that_are_not_coded_cost_what_is_lost() -> None:
    levels = np.full((CHANNELS, *SHAPE), 0.4, np.float32)
    nothing = np.zeros(levels.shape, np.int16)
    costs = symbol_costs(nothing, QUALITY, SEEN, nothing, price=PRICE_OF_A_BIT)
    cells = np.arange(4)
    found = costs(cells, np.full((CHANNELS, 4), 2.0, np.float32))
    np.testing.assert_allclose(found, np.full(4, 4.0 * CHANNELS), rtol=1e-5)
