"""Detail of single frames: nearer to their source, for as many bits as it is worth."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.detail_coding import (
    PRICE_OF_A_BIT,
    Detail,
    frame_detail,
)
from edgecodec.encoder.detail_quality import FINEST_QUALITY, FIRST_QUALITY
from edgecodec.encoder.symbol_choice import Weights
from edgecodec.runtime.detail import (
    QUALITIES,
    decode_detail,
    detail_samples,
    seen_before,
    step,
    with_detail,
)
from edgecodec.runtime.packing import Packed
from hypothesis import given, settings
from hypothesis import strategies as st

from .detail_pictures import BLOCKS, PRIORS, detail_prior, error_of, grainy, soft, some_latent

QUALITY = 40
SEEN = seen_before(some_latent(), QUALITY)


def detail_of(
    name: str,
    detail_quality: int = 30,
    source: Packed | None = None,
    shown: Packed | None = None,
    weights: Weights | None = None,
) -> Detail:
    """Of a picture that was drawn softly."""
    source = grainy() if source is None else source
    shown = soft() if shown is None else shown
    return frame_detail(source, shown, SEEN, detail_quality, detail_prior(name), weights)


def shown_with(detail: Detail) -> Packed:
    return with_detail(soft(), detail.samples)


@pytest.mark.parametrize("detail_quality", [0, 13, 40, 63])
@pytest.mark.parametrize("name", PRIORS)
def test_detail_brings_a_frame_nearer_to_its_source(name: str, detail_quality: int) -> None:
    before = (grainy().copy(), soft().copy(), SEEN.copy())
    detail = detail_of(name, detail_quality)
    assert detail.quality == detail_quality
    assert detail.keeps
    assert detail.seen is SEEN
    assert detail.symbols.dtype == np.int16
    assert detail.symbols.shape == (96, *BLOCKS)
    assert np.abs(detail.symbols).max() <= 127
    error = error_of(grainy(), shown_with(detail)).mean()
    assert error < 0.3 * error_of(grainy(), soft()).mean()
    # In all planes.
    for plane in (slice(64), slice(64, 80), slice(80, 96)):
        now, was = (
            error_of(grainy()[:, plane], each[:, plane]).mean()
            for each in (shown_with(detail), soft())
        )
        assert now < 0.5 * was
    for each, was_before in zip((grainy(), soft(), SEEN), before, strict=True):
        np.testing.assert_array_equal(each, was_before)


@pytest.mark.parametrize("name", PRIORS)
def test_finer_detail_is_nearer_and_dearer(name: str) -> None:
    made = [detail_of(name, quality) for quality in (0, 20, 40, 63)]
    errors = [error_of(grainy(), shown_with(each)).mean() for each in made]
    bits = [each.bits(detail_prior(name)) for each in made]
    assert errors == sorted(errors, reverse=True)
    assert bits == sorted(bits)
    assert errors[-1] < step(63) ** 2 / 4
    assert errors[0] > 4 * errors[-1]


@pytest.mark.parametrize("name", PRIORS)
def test_detail_costs_less_than_none(name: str) -> None:
    """In squared steps and bits, as it is chosen."""
    for quality in (0, 30, 63):
        detail = detail_of(name, quality)
        bits = PRICE_OF_A_BIT * step(quality) ** 2 * detail.bits(detail_prior(name))
        left = 96 * error_of(grainy(), shown_with(detail)).sum()
        assert left + bits < 96 * error_of(grainy(), soft()).sum()


@pytest.mark.parametrize("detail_quality", [0, 30, 63])
@pytest.mark.parametrize("name", PRIORS)
def test_where_nothing_is_missing_nothing_is_sent(name: str, detail_quality: int) -> None:
    detail = detail_of(name, detail_quality, source=soft())
    assert not detail.symbols.any()
    assert not detail.samples.any()
    assert detail.bits(detail_prior(name)) == 0
    assert detail.packet(detail_prior(name)) == b""


def test_what_is_not_worth_its_bits_is_not_sent() -> None:
    """Half a grey level here and there, of steps of 64."""
    source = soft().copy()
    source[:, ::7] = np.minimum(source[:, ::7], 254) + 1
    for name in PRIORS:
        assert not detail_of(name, 0, source=source).symbols.any()


@pytest.mark.parametrize("name", PRIORS)
def test_heavier_blocks_are_nearer_to_the_source(name: str) -> None:
    heavy = np.indices(BLOCKS).sum(axis=0) % 2 == 0
    weights = np.where(heavy, 1, 0.05).astype(np.float32)
    errors, other = (
        error_of(grainy(), shown_with(detail_of(name, 20, weights=each)))
        for each in (weights, weights[:, ::-1])
    )
    assert errors[heavy].mean() < 0.5 * errors[~heavy].mean()
    # Each block for itself: it is heavy in one and light in the other.
    assert errors[heavy].mean() < 0.5 * other[heavy].mean()
    assert other[~heavy].mean() < 0.5 * errors[~heavy].mean()


@pytest.mark.parametrize("name", PRIORS)
def test_alike_weights_are_none(name: str) -> None:
    alike = detail_of(name, weights=np.ones(BLOCKS, np.float32))
    np.testing.assert_array_equal(alike.symbols, detail_of(name).symbols)
    lighter = detail_of(name, weights=np.full(BLOCKS, 0.1, np.float32))
    prior = detail_prior(name)
    assert lighter.bits(prior) < alike.bits(prior)
    assert error_of(grainy(), shown_with(lighter)).mean() > (
        error_of(grainy(), shown_with(alike)).mean()
    )


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("name", PRIORS)
def test_players_add_what_the_encoder_saw(name: str, keeps: bool) -> None:
    sent = detail_of(name)
    detail = Detail(sent.quality, sent.symbols, sent.seen, keeps)
    prior = detail_prior(name)
    packet = detail.packet(prior)
    assert 0 <= 8 * len(packet) - detail.bits(prior) <= 200
    assert packet[0] == detail.quality + (0 if keeps else 64)
    found = decode_detail(packet, some_latent(), QUALITY, prior)
    np.testing.assert_array_equal(found, detail.samples)
    np.testing.assert_array_equal(found, detail_samples(sent.symbols, sent.quality))
    kept = np.full_like(detail.samples, 3)
    found = decode_detail(packet, some_latent(), QUALITY, prior, kept)
    wanted = detail.samples + (3 if keeps else 0)
    np.testing.assert_array_equal(found, wanted.clip(-255, 255))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.integers(0, 63), st.sampled_from([1, 30, 255]))
def test_any_source_can_be_coded(seed: int, detail_quality: int, most: int) -> None:
    """Noise, and black for white: there are symbols for all that may be missing."""
    random = np.random.default_rng(seed)
    source, shown = random.integers(0, most + 1, (2, 1, 96, *BLOCKS)).astype(np.uint8)
    shown[:, :, :2] = 0
    source[:, :, :2] = most
    detail = detail_of("random", detail_quality, source, shown)
    prior = detail_prior("random")
    found = decode_detail(detail.packet(prior), some_latent(), QUALITY, prior)
    if found is None:
        assert not detail.symbols.any()
        found = np.zeros_like(detail.samples)
    np.testing.assert_array_equal(found, detail.samples)
    error = error_of(source, with_detail(shown, found)).sum()
    assert error <= error_of(source, shown).sum() + 1


def test_qualities_of_detail_go_on_where_those_of_latents_begin_to_have_any() -> None:
    assert FINEST_QUALITY - FIRST_QUALITY == QUALITIES - 1
