"""Detail: the transform, what its prior sees, and what cells keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.detail import (
    Detailed,
    added,
    detail_samples,
    keeping,
    kept_samples,
    seen_before,
    step,
    suits_detail,
    transform,
    with_detail,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .detail_samples import (
    CHANNELS,
    LATENTS,
    detail_prior,
    detail_symbols,
    slow_samples,
    slowly_kept,
    some_latent,
    some_samples,
    weights,
)
from .motion_samples import prior_of
from .prior_samples import DESIGNS, DETAIL_DESIGN

relaxed = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 4), st.integers(1, 5))
qualities = st.integers(0, 63)
spreads = st.sampled_from([0.0, 0.1, 1.0, 60.0])
PRIOR = detail_prior()


def test_coefficients_add_what_the_format_says_in_nearly_orthogonal_parts() -> None:
    made = transform()
    assert made.dtype == np.float32
    np.testing.assert_array_equal(1024 * made.astype(np.float64), weights())
    products = made.astype(np.float64) @ made.T
    assert np.abs(products - np.eye(CHANNELS)).max() < 0.01
    # Planes do not mix.
    assert not made[:64, 64:].any()
    assert not made[64:80, 80:].any()
    assert not made[64:, :64].any()
    assert not made[80:, 64:80].any()


def test_no_sum_leaves_the_integers_that_a_float_holds() -> None:
    """Of the largest coefficients, with the signs by which each sample is largest."""
    assert 2047 * np.abs(weights()).sum(axis=0).max() + 512 < 2**24
    coefficients = np.where(weights() < 0, -2047, 2047).T
    sums = coefficients.astype(np.float32) @ transform()
    assert sums.dtype == np.float32
    np.testing.assert_array_equal(1024 * sums.astype(np.float64), coefficients @ weights())


def test_steps_go_from_64_to_4_by_the_same_factor() -> None:
    steps = [step(quality) for quality in range(64)]
    assert (steps[0], steps[63]) == (64, 4)
    np.testing.assert_allclose(np.diff(np.log2(steps)), -4 / 63, rtol=1e-4)


@relaxed
@given(seeds, cells_of, qualities, spreads)
def test_samples_are_those_of_whole_numbers(
    seed: int, cells: tuple[int, int], quality: int, spread: float
) -> None:
    symbols = detail_symbols(seed, cells, spread)
    before = symbols.copy()
    samples = detail_samples(symbols, quality)
    assert samples.dtype == np.int16
    assert samples.flags.c_contiguous
    np.testing.assert_array_equal(samples, slow_samples(symbols, quality))
    np.testing.assert_array_equal(symbols, before)
    assert np.abs(samples).max() <= 255


@pytest.mark.parametrize("quality", [0, 1, 20, 63])
def test_the_largest_symbols_make_exact_samples(quality: int) -> None:
    """For each sample, the signs by which it is largest or least before it is clipped."""
    signs = np.where(weights() < 0, -127, 127)
    symbols = np.stack([signs, -signs]).transpose(1, 2, 0).astype(np.int16)
    wanted = slow_samples(symbols, quality)
    np.testing.assert_array_equal(detail_samples(symbols, quality), wanted)
    assert (wanted.max(), wanted.min()) == (255, -255)


@relaxed
@given(seeds, qualities)
def test_large_symbols_of_any_signs_make_exact_samples(seed: int, quality: int) -> None:
    symbols = np.random.default_rng(seed).choice([-127, 127], (CHANNELS, 3, 4)).astype(np.int16)
    wanted = slow_samples(symbols, quality)
    np.testing.assert_array_equal(detail_samples(symbols, quality), wanted)


def test_halves_are_rounded_up() -> None:
    """A step of 4 in the lowest coefficient of luma is half a grey level."""
    symbols = np.zeros((CHANNELS, 1, 3), np.int16)
    symbols[0, 0] = [1, -1, -3]
    samples = detail_samples(symbols, 63)
    assert samples[:64, 0].tolist() == [[1, 0, -1]] * 64
    assert not samples[64:].any()


def test_what_is_added_to_a_frame_stays_within_its_range() -> None:
    frame = np.array([0, 3, 128, 250, 255], np.uint8).repeat(3).reshape(1, 1, 5, 3)
    samples = np.array([-255, 5, 255], np.int16)[None, None].repeat(5, 1)
    shown = with_detail(frame, samples)
    assert shown.dtype == np.uint8
    wanted = [[0, 5, 255], [0, 8, 255], [0, 133, 255], [0, 255, 255], [0, 255, 255]]
    assert shown[0, 0].tolist() == wanted
    kept = np.array([250, -255, 1], np.int16)
    assert added(np.array([6, -1, 1], np.int16), kept).tolist() == [255, -255, 2]
    assert added(kept, None) is kept


@relaxed
@given(seeds, cells_of, qualities, st.integers(LATENTS, LATENTS + 9))
def test_a_prior_sees_the_latents_of_a_blocks_cell(
    seed: int, cells: tuple[int, int], quality: int, channels: int
) -> None:
    latent = some_latent(seed, cells, channels)
    before = latent.copy()
    seen = seen_before(latent, quality)
    assert seen.dtype == np.int16
    assert seen.shape == (CHANNELS, 2 * cells[0], 2 * cells[1])
    assert (seen[0] == quality).all()
    for channel, row, column in np.ndindex(seen.shape):
        if channel:
            level = int(latent[0, channel + 1, row // 2, column // 2])
            assert seen[channel, row, column] == max(level - 128, -127)
    np.testing.assert_array_equal(latent, before)


def test_the_least_latent_is_seen_as_the_one_above() -> None:
    latent = np.zeros((1, LATENTS, 1, 2), np.uint8)
    latent[..., 1] = 255
    assert seen_before(latent, 5)[1:, 0].tolist() == [[-127, -127, 127, 127]] * 95


@relaxed
@given(seeds, cells_of, st.integers(0, 3), st.integers(1, 2))
def test_cells_keep_what_the_first_frame_with_the_same_levels_has(
    seed: int, cells: tuple[int, int], count: int, channels: int
) -> None:
    random = np.random.default_rng(seed)
    levels, *others = random.integers(-1, 1, (1 + count, channels, *cells)).astype(np.int16)
    kept = keeping(levels, others)
    assert [each.shape for each in kept] == [cells] * count
    for row, column in np.ndindex(*cells):
        own = levels[:, row, column].tolist()
        same = [other[:, row, column].tolist() == own for other in others]
        first = [number for number, each in enumerate(same) if each][:1]
        assert [number for number, each in enumerate(kept) if each[row, column]] == first
    samples = [some_samples(seed + number, cells) for number in range(count)]
    samples = [each * (number != 1) for number, each in enumerate(samples)]
    references = list(zip(others, samples, strict=True))
    detailed = [Detailed(each, made if made.any() else None) for each, made in references]
    found, wanted = kept_samples(levels, detailed), slowly_kept(levels, references)
    assert found is not None or not wanted.any()
    if found is not None:
        assert found.dtype == np.int16
        np.testing.assert_array_equal(found, wanted)


def test_where_no_cell_keeps_anything_there_is_nothing() -> None:
    levels, samples = np.zeros((3, 2, 2), np.int16), some_samples(1, (2, 2))
    has, has_none = Detailed(levels, samples), Detailed(levels, None)
    assert kept_samples(levels, []) is None
    assert kept_samples(levels, [has_none]) is None
    assert kept_samples(levels + np.int16(1), [has, has]) is None
    # One channel of each cell is another.
    other = levels.copy()
    other[np.arange(4).reshape(2, 2) % 3, [[0, 0], [1, 1]], [[0, 1], [0, 1]]] = 1
    assert kept_samples(other, [has]) is None
    # The first counts, though there is nothing to keep of it.
    assert kept_samples(levels, [has_none, has]) is None
    np.testing.assert_array_equal(kept_samples(levels, [has, has_none]), samples)


def test_a_prior_suits_if_it_sees_and_codes_as_many_channels() -> None:
    assert suits_detail(PRIOR, LATENTS)
    assert suits_detail(PRIOR, 160)
    for latents in (1, 64, 95, 96):
        assert not suits_detail(PRIOR, latents)
    for design in (
        replace(DETAIL_DESIGN, groups=(4, 12, 79)),
        replace(DETAIL_DESIGN, groups=(4, 12, 81)),
        replace(DETAIL_DESIGN, previous=0),
        replace(DETAIL_DESIGN, previous=2),
        replace(DETAIL_DESIGN, whole=1),
        *DESIGNS,
    ):
        assert not suits_detail(prior_of(design), 160)
