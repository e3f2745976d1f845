"""Packets of frames that have moved: exact round trips, and damage in bounds."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.fields import Limits, pack_unsigned
from edgecodec.runtime.frame_levels import Levels, clipped, symbol_levels
from edgecodec.runtime.motion import Vectors, expected_levels
from edgecodec.runtime.motion_tables import MotionTables
from edgecodec.runtime.moved_frames import (
    Shown,
    decode_moved,
    encode_moved,
    left_added,
    seen_before,
    suits_motion,
)
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.vectors import encode_vectors
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from . import prior_samples
from .motion_samples import (
    cosine_tables,
    fixed_arrays,
    prior_of,
    random_arrays,
    some_levels,
    some_vectors,
)
from .mutations import any_raw
from .prior_samples import DESIGNS, PLAIN, Design, from_digest, prior_symbols

DESIGN = Design(groups=(3, 5), means=(1, 0), signed=4, previous=1)
PRIOR = prior_of(DESIGN)
TABLES = cosine_tables(DESIGN.channels)

relaxed = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 9), st.integers(1, 10))
qualities = st.integers(0, 63)


@dataclass(frozen=True)
class Frame:
    """A frame after one that showed `before`: what is sent of it."""

    before: Shown
    vectors: Vectors
    symbols: NDArray[np.int16]
    quality: int

    @property
    def expected(self) -> Levels:
        return expected_levels(self.before.levels, self.vectors, TABLES)

    @property
    def levels(self) -> Levels:
        """What a player has then."""
        return left_added(self.expected, self.symbols, self.quality)

    @property
    def shape(self) -> tuple[int, int]:
        return self.before.levels.shape[1], self.before.levels.shape[2]

    def packet(self) -> bytes:
        moved = self.vectors, self.symbols, self.expected, self.before.vectors
        return encode_moved(*moved, self.quality, PRIOR)

    def decoded(self, data: bytes, limits: Limits | None = None) -> Shown:
        return decode_moved(data, self.before, self.quality, PRIOR, TABLES, limits)


def frame_of(
    seed: int,
    cells: tuple[int, int] = (5, 6),
    quality: int = 30,
    moved: float = 0.5,
    spread: float = 0.5,
) -> Frame:
    before = some_levels(seed, DESIGN.channels, cells), some_vectors(seed // 2, cells)
    return Frame(
        Shown(*before),
        some_vectors(seed, cells, moved=moved),
        prior_symbols(seed, DESIGN, cells, spread),
        quality,
    )


frames = st.builds(
    frame_of,
    seeds,
    cells_of,
    qualities,
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([0.0, 0.2, 2.0, 60.0]),
)


@relaxed
@given(frames)
def test_frames_round_trip(frame: Frame) -> None:
    data = frame.packet()
    before = frame.before.levels.copy(), frame.before.vectors.copy()
    decoded = frame.decoded(data)
    assert decoded.levels.dtype == decoded.vectors.dtype == np.int16
    np.testing.assert_array_equal(decoded.levels, frame.levels)
    np.testing.assert_array_equal(decoded.vectors, frame.vectors)
    np.testing.assert_array_equal(frame.before.levels, before[0])
    np.testing.assert_array_equal(frame.before.vectors, before[1])
    assert (data == b"") == (not frame.vectors.any() and not frame.symbols.any())


@relaxed
@given(frames)
def test_a_packet_is_its_vectors_and_what_is_left(frame: Frame) -> None:
    data = frame.packet()
    moved = encode_vectors(frame.vectors, frame.before.vectors)
    seen = seen_before(frame.expected, frame.vectors, frame.quality)
    left = encode_with_prior(frame.symbols, frame.quality, PRIOR, seen)
    if data:
        assert data == pack_unsigned(len(moved)) + moved + left


@given(seeds, cells_of, qualities)
@settings(deadline=None, max_examples=20)
def test_no_bytes_mean_the_levels_before(seed: int, cells: tuple[int, int], quality: int) -> None:
    frame = frame_of(seed, cells, quality, moved=0, spread=0)
    assert frame.packet() == b""
    np.testing.assert_array_equal(frame.levels, frame.before.levels)
    # A writer that says so at length is read, too.
    for data in (b"", b"\0"):
        np.testing.assert_array_equal(frame.decoded(data).levels, frame.before.levels)
        assert not frame.decoded(data).vectors.any()


@relaxed
@given(seeds, cells_of, qualities)
def test_motion_alone_gives_what_is_expected(
    seed: int, cells: tuple[int, int], quality: int
) -> None:
    frame = frame_of(seed, cells, quality, moved=1, spread=0)
    np.testing.assert_array_equal(frame.decoded(frame.packet()).levels, frame.expected)


@relaxed
@given(seeds, cells_of, qualities)
def test_what_is_left_is_added_in_steps_within_range(
    seed: int, cells: tuple[int, int], quality: int
) -> None:
    expected = some_levels(seed, DESIGN.channels, cells)
    symbols = prior_symbols(seed, DESIGN, cells, 3.0)
    found = left_added(expected, symbols, quality)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(
        found, clipped(expected.astype(np.int32) + symbol_levels(symbols, quality))
    )
    assert np.abs(found[0]).max() <= 508
    assert np.abs(found[1:]).max(initial=0) <= 127


def test_the_largest_of_all_is_added_without_wrapping() -> None:
    expected = np.full((DESIGN.channels, 1, 1), 127, np.int16)
    expected[0] = 508
    symbols = np.full((DESIGN.channels, 1, 1), 127, np.int16)
    np.testing.assert_array_equal(left_added(expected, symbols, 0), expected)
    np.testing.assert_array_equal(left_added(-expected, -symbols, 0), -expected)
    most = np.maximum(expected.astype(int) - 127 * 32, -127)
    most[0] = -508
    np.testing.assert_array_equal(left_added(expected, -symbols, 0), most)


def test_a_prior_sees_what_is_expected_and_how_far_cells_have_moved() -> None:
    expected = some_levels(3, DESIGN.channels, (4, 5))
    vectors = np.zeros((2, 4, 5), np.int16)
    vectors[:, 0, :4] = [[3, -5, 127, -127], [-4, 0, 1, -127]]
    seen = seen_before(expected, vectors, 63)
    assert seen.dtype == np.int16
    assert seen[0, 0].tolist() == [7, 5, 127, 127, 0]
    assert not seen[0, 1:].any()
    # Steps of two levels, halves away from zero.
    np.testing.assert_array_equal(
        seen[1:], np.sign(expected[1:]) * ((np.abs(expected[1:]) + 1) // 2)
    )


def test_what_has_moved_is_seen_by_the_prior() -> None:
    """With the same left, another vector or another frame before codes otherwise."""
    frame = frame_of(5, spread=1.0)
    data = frame.packet()
    length = len(encode_vectors(frame.vectors, frame.before.vectors))
    seen = seen_before(frame.expected, frame.vectors, frame.quality)
    left = data[len(pack_unsigned(length)) + length :]
    found = decode_with_prior(left, frame.shape, frame.quality, PRIOR, seen)
    np.testing.assert_array_equal(found, frame.symbols)
    for other in (np.zeros_like(seen), np.where(np.arange(8)[:, None, None] > 0, seen, 0)):
        assert encode_with_prior(frame.symbols, frame.quality, PRIOR, other) != left


def test_another_frame_before_is_noticed() -> None:
    frame = frame_of(6, spread=1.0)
    levels = some_levels(7, DESIGN.channels, frame.shape)
    vectors = some_vectors(8, frame.shape)
    for other in (Shown(levels, frame.before.vectors), Shown(frame.before.levels, vectors)):
        with pytest.raises(BitstreamError, match=r"latents|vectors"):
            replace(frame, before=other).decoded(frame.packet())


def test_a_frame_that_stood_still_before_has_no_vectors() -> None:
    levels = some_levels(7, DESIGN.channels, (3, 4))
    shown = Shown.still(levels)
    np.testing.assert_array_equal(shown.levels, levels)
    assert shown.vectors.dtype == np.int16
    assert shown.vectors.shape == (2, 3, 4)
    assert not shown.vectors.any()


@pytest.mark.parametrize("span", [1, 2, 9, -3])
def test_how_far_a_frame_has_moved_is_kept_for_those_between(span: int) -> None:
    """It says nothing about this frame, and of one that has not moved it says nothing at all."""
    frame = frame_of(6)
    wanted = frame.decoded(frame.packet())
    assert wanted.span == 1
    how = frame.quality, PRIOR, TABLES
    found = decode_moved(frame.packet(), frame.before, *how, span=span)
    np.testing.assert_array_equal(found.levels, wanted.levels)
    np.testing.assert_array_equal(found.vectors, wanted.vectors)
    assert found.span == span
    assert not decode_moved(b"", frame.before, *how, span=span).vectors.any()


def test_another_quality_is_noticed() -> None:
    frame = frame_of(6, spread=1.0)
    with pytest.raises(BitstreamError, match="latents"):
        replace(frame, quality=50).decoded(frame.packet())


@settings(deadline=None, max_examples=300)
@given(frames, seeds)
def test_damage_is_an_error_or_gives_levels(frame: Frame, seed: int) -> None:
    damaged = any_raw(np.random.default_rng(seed), frame.packet())
    assert_decodes_or_refuses(frame, damaged)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), cells_of, qualities)
def test_any_bytes_are_an_error_or_give_levels(
    data: bytes, cells: tuple[int, int], quality: int
) -> None:
    assert_decodes_or_refuses(frame_of(1, cells, quality), data)


def test_both_come_of_damage() -> None:
    """What the tests above allow happens."""
    random = np.random.default_rng(2)
    seen: Counter[bool] = Counter()
    for seed in range(200):
        frame = frame_of(seed, spread=0.3 * (seed % 2))
        seen[assert_decodes_or_refuses(frame, any_raw(random, frame.packet()))] += 1
    assert min(seen[True], seen[False]) >= 10


def assert_decodes_or_refuses(frame: Frame, data: bytes) -> bool:
    before = frame.before.levels.copy()
    try:
        decoded = frame.decoded(data)
    except BitstreamError:
        return False
    finally:
        np.testing.assert_array_equal(frame.before.levels, before)
    assert decoded.levels.dtype == decoded.vectors.dtype == np.int16
    assert decoded.levels.shape == frame.before.levels.shape
    assert decoded.vectors.shape == frame.before.vectors.shape
    assert np.abs(decoded.levels[0]).max() <= 508
    assert np.abs(decoded.levels[1:]).max() <= 127
    assert np.abs(decoded.vectors).max() <= 127
    return True


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x05", "a continued frame.*5 bytes wanted, 0 are left"),
        (b"\x05\0\0\0\0", "5 bytes wanted, 4 are left"),
        (b"\xff" * 9 + b"\x01", "bytes wanted"),
        (b"\x80", "cut off in an integer"),
        (b"\x80" * 12, "an integer of more than"),
        (b"\x03\0\0\0", "vectors: 3 bytes"),
        (b"\x08" + b"\xff" * 8, "vectors are damaged"),
        (b"\0\0", "1 bytes of latents"),
        (b"\0" + bytes(6) + b"\x03" + bytes(4), "3 coded groups, the prior has 2"),
    ],
)
def test_what_no_writer_writes_is_damage(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        frame_of(1).decoded(data)


def test_limits_hold() -> None:
    frame = frame_of(8, (5, 6))
    data, most = frame.packet(), DESIGN.channels * 5 * 6
    found = frame.decoded(data, Limits(max_symbols_per_frame=most))
    np.testing.assert_array_equal(found.levels, frame.levels)
    with pytest.raises(BitstreamError, match=f"1 to {most - 1} symbols"):
        frame.decoded(data, Limits(max_symbols_per_frame=most - 1))


def test_what_cannot_be_coded_is_refused() -> None:
    frame = frame_of(9)
    vectors = frame.vectors, frame.before.vectors
    for wrong in (vectors[0] + np.int16(128), vectors[0].astype(np.int32)):
        with pytest.raises(ValueError, match="vectors"):
            encode_moved(wrong, frame.symbols, frame.expected, vectors[1], 30, PRIOR)
        with pytest.raises(ValueError, match="vectors"):
            encode_moved(vectors[0], frame.symbols, frame.expected, wrong, 30, PRIOR)
    for symbols in (
        frame.symbols + np.int16(200),
        frame.symbols[:-1],
        frame.symbols.astype(np.int32),
    ):
        with pytest.raises(ValueError, match="symbols"):
            encode_moved(vectors[0], symbols, frame.expected, vectors[1], 30, PRIOR)


def test_a_prior_suits_if_it_sees_and_codes_differences_of_as_many_channels() -> None:
    assert suits_motion(PRIOR, TABLES)
    for channels in (1, 7, 9):
        assert not suits_motion(PRIOR, cosine_tables(channels))
    for design in (
        replace(DESIGN, previous=0),
        replace(DESIGN, previous=2),
        replace(DESIGN, groups=(1, 7), whole=1),
        replace(DESIGN, groups=(3, 4)),
    ):
        assert not suits_motion(prior_of(design), TABLES)
    for design in DESIGNS:
        suits = design.previous == 1 and not design.whole
        assert suits_motion(prior_of(design), cosine_tables(design.channels)) == suits
    assert not suits_motion(prior_of(PLAIN), cosine_tables(PLAIN.channels))


def test_a_frame_is_drawn_once_for_all_that_look_at_it() -> None:
    shown = Shown.still(some_levels(3, DESIGN.channels, (4, 5)))
    drawing = shown.drawing(TABLES)
    assert shown.drawing(TABLES) is drawing
    # By other tables it is another picture.
    other = MotionTables.from_arrays(random_arrays(3, DESIGN.channels))
    assert shown.drawing(other) is not drawing
    assert shown.drawing(TABLES) is drawing
    every = np.argwhere(np.ones((4, 5), bool))
    one, another = (shown.drawing(each).showing(every).luma for each in (TABLES, other))
    assert (one != another).any()


GOLDEN = ("b284a084dd3351c0", "ae38ff8aa1f12289")


def test_packets_of_this_version_stay_as_they_are() -> None:
    prior = Prior.from_arrays(prior_samples.fixed_arrays(DESIGN))
    tables = MotionTables.from_arrays(fixed_arrays(DESIGN.channels))
    before = Shown(
        from_digest("before", (8, 7, 9), 100).astype(np.int16),
        from_digest("vectors before", (2, 7, 9), 127).astype(np.int16),
    )
    vectors = from_digest("vectors", (2, 7, 9), 127).astype(np.int16)
    vectors[:, :, 5:] = 0
    vectors[:, :3] = before.vectors[:, :3]
    symbols = (from_digest("symbols", (8, 7, 9), 6) // 3).astype(np.int16)
    expected = expected_levels(before.levels, vectors, tables)
    data = encode_moved(vectors, symbols, expected, before.vectors, 40, prior)
    levels = decode_moved(data, before, 40, prior, tables).levels
    np.testing.assert_array_equal(levels, left_added(expected, symbols, 40))
    found = tuple(
        hashlib.sha256(each).hexdigest()[:16] for each in (data, levels.astype("<i2").tobytes())
    )
    assert found == GOLDEN
