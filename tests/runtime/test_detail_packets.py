"""Packets of detail: exact round trips, and damage in bounds."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from edgecodec.runtime.detail import decode_detail, encode_detail, seen_before
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import encode_with_prior
from edgecodec.runtime.scale_tables import load_scale_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from . import reference_prior
from .detail_samples import (
    CHANNELS,
    LATENTS,
    detail_prior,
    detail_symbols,
    slow_samples,
    some_latent,
    some_samples,
)
from .mutations import any_raw
from .prior_samples import DETAIL_DESIGN, fixed_arrays, from_digest, prior_arrays

relaxed = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 4), st.integers(1, 5))
qualities = st.integers(0, 63)
spreads = st.sampled_from([0.0, 0.1, 1.0, 60.0])
PRIOR = detail_prior()


@relaxed
@given(seeds, cells_of, qualities, qualities, spreads, st.booleans(), st.booleans())
def test_packets_round_trip(
    seed: int,
    cells: tuple[int, int],
    quality: int,
    detail_quality: int,
    spread: float,
    keeps: bool,
    has_kept: bool,
) -> None:
    latent, symbols = some_latent(seed, cells), detail_symbols(seed, cells, spread)
    kept = some_samples(seed, cells) if has_kept else None
    seen = seen_before(latent, quality)
    data = encode_detail(symbols, detail_quality, PRIOR, seen, keeps=keeps)
    first = bytes([detail_quality + (0 if keeps else 64)])
    if symbols.any():
        _, rows, columns = (np.unique(each) // 2 for each in symbols.nonzero())
        top, left, end, after = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
        place = (slice(None), slice(2 * top, 2 * end), slice(2 * left, 2 * after))
        coded = encode_with_prior(symbols[place], detail_quality, PRIOR, seen[place])
        assert data == first + bytes([top, left, end - top, after - left]) + coded
    else:
        assert data == (b"" if keeps else first)
    before = None if kept is None else kept.copy()
    decoded = decode_detail(data, latent, quality, PRIOR, kept)
    if before is not None:
        np.testing.assert_array_equal(kept, before)
    if not symbols.any():
        assert decoded is (kept if keeps else None)
        return
    wanted = slow_samples(symbols, detail_quality)
    if before is not None and keeps:
        wanted = (wanted + before).clip(-255, 255)
    assert decoded is not None
    assert decoded.dtype == np.int16
    np.testing.assert_array_equal(decoded, wanted)


@pytest.mark.parametrize("has_kept", [False, True])
def test_packets_without_numbers_keep_all_or_nothing(has_kept: bool) -> None:
    latent = some_latent(2, (2, 3))
    kept = some_samples(2, (2, 3)) if has_kept else None
    for quality in range(64):
        for data in (b"", bytes([quality])):
            assert decode_detail(data, latent, 30, PRIOR, kept) is kept
        assert decode_detail(bytes([64 + quality]), latent, 30, PRIOR, kept) is None


@pytest.mark.parametrize("first", [128, 129, 192, 255])
@pytest.mark.parametrize("has_numbers", [False, True])
def test_other_first_bytes_are_damage(first: int, has_numbers: bool) -> None:
    latent = some_latent(2, (2, 3))
    coded = encode_with_prior(detail_symbols(2, (2, 3)), 9, PRIOR, seen_before(latent, 30))
    data = bytes([first]) + (coded if has_numbers else b"")
    with pytest.raises(BitstreamError, match=f"detail is damaged: it begins with {first}"):
        decode_detail(data, latent, 30, PRIOR, some_samples(2, (2, 3)))


def a_packet(seed: int = 2, cells: tuple[int, int] = (2, 3)) -> tuple[bytes, NDArray[np.uint8]]:
    """Of a frame of quality 30, and its latent."""
    latent = some_latent(seed, cells)
    seen = seen_before(latent, 30)
    return encode_detail(detail_symbols(seed, cells), 9, PRIOR, seen), latent


def test_packets_that_are_cut_off_are_damage() -> None:
    """But for their first byte alone, and for numbers that are left out: these are all 0."""
    data, latent = a_packet()
    assert len(data) > 100
    for length in (*range(2, 5), *range(6, len(data))):
        with pytest.raises(BitstreamError, match=r"latents|detail, its byte \d: cut off"):
            decode_detail(data[:length], latent, 30, PRIOR)
    kept = some_samples(1, (2, 3))
    np.testing.assert_array_equal(decode_detail(data[:5], latent, 30, PRIOR, kept), kept)


@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("has_kept", [False, True])
def test_only_the_cells_that_have_any_are_coded(row: int, column: int, has_kept: bool) -> None:
    """One block in one cell, and one in the last: between them what is kept stays, too."""
    latent = some_latent(5, (3, 4))
    kept = some_samples(5, (3, 4)) if has_kept else np.zeros((CHANNELS, 6, 8), np.int16)
    symbols = np.zeros_like(kept)
    symbols[1, 2 * row, 2 * column] = symbols[95, 5, 7] = 7
    seen = seen_before(latent, 30)
    data = encode_detail(symbols, 9, PRIOR, seen)
    assert data[:5] == bytes([9, row, column, 3 - row, 4 - column])
    place = np.s_[:, 2 * row :, 2 * column :]
    assert data[5:] == encode_with_prior(symbols[place], 9, PRIOR, seen[place])
    found = decode_detail(data, latent, 30, PRIOR, kept if has_kept else None)
    np.testing.assert_array_equal(found, (slow_samples(symbols, 9) + kept).clip(-255, 255))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (b"\0\0\0\3", "no cell has any"),
        (b"\0\0\2\0", "no cell has any"),
        (b"\1\0\2\3", "2x3 cells from row 1 and column 0 on, of 2x3"),
        (b"\0\3\2\1", "2x1 cells from row 0 and column 3 on, of 2x3"),
        (b"\0\0\3\3", "3x3 cells from row 0 and column 0 on, of 2x3"),
        (b"\0\0\xff\xff\3\3", "65535x3 cells"),
        (b"\0\0\x80\x80\4\3", "65536"),
        (b"\xff" * 9 + b"\1\0\2\3", "18446744073709551615"),
        (b"\xff" * 40, "an integer of more than"),
    ],
)
def test_cells_that_are_not_there_are_damage(place: bytes, message: str) -> None:
    data, latent = a_packet()
    with pytest.raises(BitstreamError, match=message):
        decode_detail(data[:1] + place + data[5:], latent, 30, PRIOR)


def test_another_frame_is_noticed() -> None:
    data, latent = a_packet()
    assert decode_detail(data, latent, 30, PRIOR) is not None
    with pytest.raises(BitstreamError, match="latents"):
        decode_detail(data, latent, 3, PRIOR)
    with pytest.raises(BitstreamError, match="latents"):
        decode_detail(data, 255 - latent, 30, PRIOR)
    with pytest.raises(BitstreamError, match="latents"):
        decode_detail(bytes([10]) + data[1:], latent, 30, PRIOR)
    with pytest.raises(BitstreamError, match="latents"):
        decode_detail(data, latent, 30, detail_prior(22))


def decodes(data: bytes, cells: tuple[int, int], latent: NDArray[np.uint8]) -> bool:
    """Whether bytes give samples or nothing; any other exception than BitstreamError escapes."""
    kept = some_samples(1, cells)
    try:
        samples = decode_detail(data, latent, 30, PRIOR, kept)
    except BitstreamError:
        return False
    if samples is not None:
        assert samples.dtype == np.int16
        assert samples.shape == kept.shape
        assert np.abs(samples).max() <= 255
    return True


@settings(deadline=None, max_examples=200)
@given(seeds, cells_of)
def test_damage_is_an_error_or_gives_samples(seed: int, cells: tuple[int, int]) -> None:
    data, latent = a_packet(seed, cells)
    decodes(any_raw(np.random.default_rng(seed), data), cells, latent)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), cells_of)
def test_any_bytes_are_an_error_or_give_samples(data: bytes, cells: tuple[int, int]) -> None:
    decodes(data, cells, some_latent(3, cells))


def test_both_come_of_damage() -> None:
    """What the tests above allow happens."""
    random, (data, latent) = np.random.default_rng(2), a_packet()
    seen = Counter(decodes(any_raw(random, data[:8]), (2, 3), latent) for _ in range(200))
    assert min(seen[True], seen[False]) >= 10


def test_a_flipped_bit_of_what_is_coded_is_noticed() -> None:
    data, latent = a_packet()
    for bit in (*range(8), *range(8, 8 * len(data) - 40, 61)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        if bit == 6:
            assert decodes(bytes(damaged), (2, 3), latent)
        else:
            with pytest.raises(BitstreamError):
                decode_detail(bytes(damaged), latent, 30, PRIOR)


def test_limits_hold() -> None:
    data, latent = a_packet()
    most = CHANNELS * 4 * 6
    assert decode_detail(data, latent, 30, PRIOR, limits=Limits(max_symbols_per_frame=most)).any()  # type: ignore[union-attr]
    tight = Limits(max_symbols_per_frame=most - 1)
    with pytest.raises(BitstreamError, match=f"4x6 cells: 1 to {most - 1} symbols"):
        decode_detail(data, latent, 30, PRIOR, limits=tight)


def test_what_cannot_be_coded_is_refused() -> None:
    symbols = detail_symbols(2, (2, 3))
    seen = seen_before(some_latent(2, (2, 3)), 30)
    for wrong in (symbols + np.int16(128), symbols[:-1], symbols.astype(np.int32), symbols[:, 1:]):
        with pytest.raises(ValueError, match="symbols"):
            encode_detail(wrong, 30, PRIOR, seen)


def test_another_reader_made_from_the_format_page_finds_the_same() -> None:
    symbols = detail_symbols(4, (1, 2))
    seen, arrays = seen_before(some_latent(4, (1, 2)), 30), prior_arrays(21, DETAIL_DESIGN)
    data = encode_detail(symbols, 9, PRIOR, seen)
    tables = load_scale_tables().weights.tolist()
    assert data[:5] == bytes([9, 0, 0, 1, 2])
    found = reference_prior.decode(data[5:], (2, 4), 9, arrays, seen, tables)
    np.testing.assert_array_equal(found, symbols)


GOLDEN = ("6d2ab34def0bc066", "34f93ceaefb1edbc")


def test_packets_of_this_version_stay_as_they_are() -> None:
    prior = Prior.from_arrays(fixed_arrays(DETAIL_DESIGN))
    latent = (from_digest("latent", (1, LATENTS, 3, 4), 128) + 128).astype(np.uint8)
    symbols = (from_digest("symbols", (CHANNELS, 6, 8), 6) // 3).astype(np.int16)
    kept = (4 * from_digest("kept", (CHANNELS, 6, 8), 60)).astype(np.int16)
    data = encode_detail(symbols, 40, prior, seen_before(latent, 30))
    samples = decode_detail(data, latent, 30, prior, kept)
    assert samples is not None
    wanted = (slow_samples(symbols, 40) + kept).clip(-255, 255)
    np.testing.assert_array_equal(samples, wanted)
    found = tuple(
        hashlib.sha256(each).hexdigest()[:16] for each in (data, samples.astype("<i2").tobytes())
    )
    assert found == GOLDEN
