"""Levels of latents: what networks take, as one integer each, there and back."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from edgecodec.runtime.frame_levels import (
    LARGEST_BRIGHTNESS,
    LARGEST_LEVEL,
    clipped,
    latent_of,
    levels_of,
    nearest_symbols,
    symbol_levels,
)
from edgecodec.runtime.latents import STEPS_Q16, dequantize
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import network_symbols
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from .motion_samples import some_levels
from .prior_samples import WHOLE, prior_arrays

QUALITIES = range(64)
EXACT = (*range(48), 63)
"""Qualities at which networks are given every I-frame again: a step is 4 levels or more, or 2."""
PRIOR = Prior.from_arrays(prior_arrays(1, WHOLE))

relaxed = settings(deadline=None, max_examples=100)
qualities = st.sampled_from(QUALITIES)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 6), st.integers(1, 7))


def i_frame(symbols: NDArray[np.int16], quality: int) -> NDArray[np.uint8]:
    """What the network takes of an I-frame's symbols, of a whole brightness."""
    return dequantize(network_symbols(symbols, PRIOR), quality)


def unclipped_symbols(seed: int, quality: int, cells: tuple[int, int]) -> NDArray[np.int16]:
    """An I-frame's symbols of which no latent leaves a byte."""
    random = np.random.default_rng(seed)
    most = 126 * 2**16 // STEPS_Q16[quality]
    symbols = random.integers(-most, most + 1, (PRIOR.channels, *cells))
    symbols[0] = random.integers(-4 * most + 2, 4 * most - 1, cells)
    return symbols.astype(np.int16)


def step_of(quality: int) -> Fraction:
    """The quantiser's step in levels."""
    return Fraction(STEPS_Q16[quality], 2**16)


def every_brightness(quality: int) -> NDArray[np.uint8]:
    """The latents of an I-frame that has each brightness symbol that is not clipped."""
    most = 126 * 2**16 // STEPS_Q16[quality]
    symbols = np.zeros((PRIOR.channels, 1, 8 * most - 3), np.int16)
    symbols[0] = np.arange(2 - 4 * most, 4 * most - 1)
    return i_frame(symbols, quality)


@relaxed
@given(seeds, qualities, cells_of)
def test_a_brightness_is_four_times_its_fours_and_the_rest(
    seed: int, quality: int, cells: tuple[int, int]
) -> None:
    latent = i_frame(unclipped_symbols(seed, quality, cells), quality)
    levels = levels_of(latent)
    assert levels.dtype == np.int16
    assert levels.shape == (PRIOR.channels, *cells)
    for channel, row, column in np.ndindex(levels.shape):
        fours, rest, *others = (int(each) - 128 for each in latent[0, :, row, column])
        assert levels[channel, row, column] == [4 * fours + rest, *others][channel]


@relaxed
@given(seeds, st.sampled_from(EXACT), cells_of)
def test_levels_give_an_i_frames_latents_again(
    seed: int, quality: int, cells: tuple[int, int]
) -> None:
    latent = i_frame(unclipped_symbols(seed, quality, cells), quality)
    np.testing.assert_array_equal(latent_of(levels_of(latent), quality), latent)


@pytest.mark.parametrize("quality", QUALITIES)
def test_an_i_frames_brightness_stays_and_its_fours_almost_always(quality: int) -> None:
    """Where steps are small and no whole numbers, a few fours and rests are others: with the same
    sum."""
    latent = every_brightness(quality)
    again = latent_of(levels_of(latent), quality)
    np.testing.assert_array_equal(levels_of(again), levels_of(latent))
    moved = np.abs(again[0, 0].astype(int) - latent[0, 0])
    if quality in EXACT:
        assert not moved.any()
    else:
        assert 0 < np.count_nonzero(moved) <= 0.12 * moved.size
        assert moved.max() <= 3


@relaxed
@given(seeds, qualities, cells_of)
def test_other_channels_are_as_an_i_frame_has_them(
    seed: int, quality: int, cells: tuple[int, int]
) -> None:
    latent = i_frame(unclipped_symbols(seed, quality, cells), quality)
    np.testing.assert_array_equal(latent_of(levels_of(latent), quality)[:, 2:], latent[:, 2:])


@pytest.mark.parametrize("quality", QUALITIES)
def test_no_level_in_range_is_lost(quality: int) -> None:
    levels = np.zeros((2, 1, 2 * LARGEST_BRIGHTNESS + 1), np.int16)
    levels[0] = np.arange(-LARGEST_BRIGHTNESS, LARGEST_BRIGHTNESS + 1)
    levels[1] = levels[0].clip(-LARGEST_LEVEL, LARGEST_LEVEL)
    latent = latent_of(levels, quality)
    assert latent.dtype == np.uint8
    assert latent.shape == (1, 3, 1, levels.shape[2])
    fours, rest, others = latent[0, :, 0].astype(int) - 128
    np.testing.assert_array_equal(4 * fours + rest, levels[0, 0])
    np.testing.assert_array_equal(others, levels[1, 0])
    np.testing.assert_array_equal(levels_of(latent), levels)
    assert np.abs(fours).max() <= LARGEST_LEVEL
    step = step_of(quality)
    assert rest.min() >= -Fraction(5, 2) * step - 2
    assert rest.max() <= Fraction(3, 2) * step + 2


@relaxed
@given(st.integers(-LARGEST_BRIGHTNESS, LARGEST_BRIGHTNESS), qualities)
def test_fours_are_those_of_the_nearest_symbol(brightness: int, quality: int) -> None:
    """A symbol s of fours stands for 4 s - 2 to 4 s + 1 steps of brightness."""
    step = step_of(quality)
    symbol = next(s for s in range(-90, 91) if 4 * s - 2.5 <= brightness / step < 4 * s + 1.5)
    size = floor(abs(symbol) * step + Fraction(1, 2))
    fours = min(127, size) * (1 if symbol > 0 else -1)
    levels = np.array([brightness, 0], np.int16).reshape(2, 1, 1)
    found = latent_of(levels, quality)[0, :, 0, 0].tolist()
    assert found == [128 + fours, 128 + brightness - 4 * fours, 128]


@pytest.mark.parametrize("quality", QUALITIES)
def test_levels_beyond_their_range_do_not_wrap(quality: int) -> None:
    levels = np.array([[2000, -2000], [300, -300]], np.int16).reshape(2, 1, 2)
    found = latent_of(levels, quality)[0, :, 0]
    assert found.tolist() == [[255, 1], [255, 0], [255, 0]]


@relaxed
@given(seeds, cells_of)
def test_levels_of_any_latents_are_within_range(seed: int, cells: tuple[int, int]) -> None:
    """The sums of motion tables are exact for such alone."""
    random = np.random.default_rng(seed)
    latent = random.integers(0, 256, (1, 4, *cells)).astype(np.uint8)
    latent[0, :, 0, 0] = random.choice([0, 255])
    levels = levels_of(latent)
    assert np.abs(levels[0]).max() == LARGEST_BRIGHTNESS
    assert np.abs(levels[1:]).max() == LARGEST_LEVEL
    signed = latent[0].astype(int) - 128
    wanted = np.concatenate([4 * signed[:1] + signed[1:2], signed[2:]])
    is_inside = np.abs(wanted) <= np.array([508, 127, 127])[:, None, None]
    np.testing.assert_array_equal(levels[is_inside], wanted[is_inside])


@relaxed
@given(seeds, cells_of)
def test_only_a_brightness_may_be_beyond_127(seed: int, cells: tuple[int, int]) -> None:
    levels = np.random.default_rng(seed).integers(-900, 901, (3, *cells)).astype(np.int32)
    before = levels.copy()
    made = clipped(levels)
    assert made.dtype == np.int16
    for channel, row, column in np.ndindex(made.shape):
        most = 127 if channel else 508
        wanted = min(most, max(-most, int(before[channel, row, column])))
        assert made[channel, row, column] == wanted
    np.testing.assert_array_equal(levels, before)


def test_levels_far_beyond_are_clipped_and_do_not_wrap() -> None:
    far = np.array([[2**31 - 1, -(2**31)]], np.int32).reshape(1, 1, 2)
    np.testing.assert_array_equal(clipped(far), [[[508, -508]]])
    np.testing.assert_array_equal(clipped(np.concatenate([far, far]))[1], [[127, -127]])


@pytest.mark.parametrize("quality", QUALITIES)
def test_symbols_are_as_many_levels_as_latents_of_them(quality: int) -> None:
    symbols = np.arange(-127, 128, dtype=np.int16).reshape(1, 1, -1)
    levels = symbol_levels(symbols, quality)
    for symbol, level in zip(symbols.ravel().tolist(), levels.ravel().tolist(), strict=True):
        size = (abs(symbol) * STEPS_Q16[quality] + 2**15) >> 16
        assert level == (size if symbol >= 0 else -size)
    latent = dequantize(symbols.astype(np.int8), quality)[0].astype(int) - 128
    np.testing.assert_array_equal(levels.clip(-128, 127), latent)


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_nearest_symbols_are_those_that_levels_were_made_of(quality: int) -> None:
    symbols = np.arange(-127, 128, dtype=np.int16).reshape(1, 1, -1)
    levels = symbol_levels(symbols, quality).astype(np.int16)
    nearest = nearest_symbols(levels, quality)
    assert nearest.dtype == np.int16
    np.testing.assert_array_equal(nearest, symbols)


@pytest.mark.parametrize("quality", QUALITIES)
def test_no_symbol_is_nearer_than_the_nearest(quality: int) -> None:
    levels = np.arange(-LARGEST_BRIGHTNESS, LARGEST_BRIGHTNESS + 1, dtype=np.int16)
    nearest = nearest_symbols(levels.reshape(1, 1, -1), quality).ravel()
    step = STEPS_Q16[quality]
    for level, symbol in zip(levels.tolist(), nearest.tolist(), strict=True):
        if abs(symbol) == 127:
            assert symbol * level > 0
            assert 2**17 * abs(level) >= (2 * 127 - 1) * step
        else:
            assert abs(2**17 * level - 2 * symbol * step) <= step
    np.testing.assert_array_equal(nearest, -nearest[::-1])


def test_halves_are_rounded_away_from_zero() -> None:
    levels = np.array([1, -1, 3, -3, 2, 253, 255, -508], np.int16).reshape(1, 1, -1)
    nearest = nearest_symbols(levels, 63)
    assert nearest.ravel().tolist() == [1, -1, 2, -2, 1, 127, 127, -127]


def test_what_is_given_stays_as_it_was() -> None:
    levels = some_levels(3, 4, (5, 6))
    latent, before = latent_of(levels, 30), levels.copy()
    kept = latent.copy()
    levels_of(latent)
    nearest_symbols(levels, 30)
    symbol_levels(levels, 30)
    np.testing.assert_array_equal(levels, before)
    np.testing.assert_array_equal(latent, kept)
