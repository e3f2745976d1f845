"""Packets of frames between two others: exact round trips, and damage in bounds."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from edgecodec.runtime.between_frames import (
    Between,
    Sighted,
    decode_between,
    encode_between,
    sighted,
)
from edgecodec.runtime.drawing import drawn
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.fields import Limits, pack_unsigned
from edgecodec.runtime.frame_levels import Levels
from edgecodec.runtime.latents import STEPS_Q16
from edgecodec.runtime.motion import Vectors, expected_levels
from edgecodec.runtime.motion_tables import MotionTables
from edgecodec.runtime.moved_frames import Shown, left_added
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.sides import BOTH, FUTURE, PAST, Sides, encode_motion
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from . import prior_samples
from .motion_samples import (
    cosine_tables,
    fixed_arrays,
    prior_of,
    some_levels,
    some_sides,
    some_vectors,
)
from .mutations import any_raw
from .prior_samples import Design, from_digest, prior_symbols

DESIGN = Design(groups=(3, 5), means=(1, 0), signed=4, previous=1)
PRIOR = prior_of(DESIGN)
TABLES = cosine_tables(DESIGN.channels)

relaxed = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 9), st.integers(1, 10))
qualities = st.integers(0, 63)
distances = st.integers(1, 40)


def stretched(vectors: Vectors, wanted: int, span: int) -> Vectors:
    """How far what moves so in `span` frames moves in `wanted`, one number at a time."""
    made = []
    for number in vectors.ravel().tolist():
        exact = Fraction(number * wanted, span)
        nearest = floor(abs(exact) + Fraction(1, 2))
        made.append(min(nearest, 127) * (1 if exact > 0 else -1))
    return np.array(made, np.int16).reshape(vectors.shape)


def mean(past: Levels, future: Levels) -> Levels:
    """Halves towards zero, one number at a time."""
    total = (past.astype(int) + future).ravel().tolist()
    return np.array([int(each / 2) for each in total], np.int16).reshape(past.shape)


def nearest_steps(level: int, quality: int) -> int:
    """Halves away from zero."""
    size = floor(Fraction(abs(level) << 16, STEPS_Q16[quality]) + Fraction(1, 2))
    return min(size, 127) * (1 if level > 0 else -1)


@dataclass(frozen=True)
class Frame:
    """A frame between two others: what is sent of it."""

    between: Between
    vectors: Vectors
    sides: Sides
    symbols: NDArray[np.int16]
    quality: int

    @property
    def past(self) -> Levels:
        """What is expected by the frame before alone."""
        return expected_levels(self.between.past.levels, self.vectors, TABLES)

    @property
    def future(self) -> Levels:
        """What is expected by the frame after alone, where everything moves on evenly."""
        there = stretched(self.vectors, -self.between.behind, self.between.ahead)
        return expected_levels(self.between.future.levels, there, TABLES)

    @property
    def expected(self) -> Levels:
        both = mean(self.past, self.future)
        one = np.where(self.sides == PAST, self.past, self.future)
        return np.where(self.sides == BOTH, both, one)

    @property
    def seen(self) -> NDArray[np.int16]:
        """What the prior sees, one number at a time."""
        made = np.zeros_like(self.symbols)
        expected, past, future = self.expected, self.past, self.future
        for place in np.ndindex(self.between.shape):
            column = (slice(None), *place)
            symbols = [nearest_steps(each, self.quality) for each in expected[column].tolist()]
            apart = [
                nearest_steps(abs(one - other), self.quality)
                for one, other in zip(past[column].tolist(), future[column].tolist(), strict=True)
            ]
            total = min(sum(apart), 127)
            made[column] = [total if self.sides[place] == BOTH else -total, *symbols[1:]]
        return made

    @property
    def levels(self) -> Levels:
        """What a player has then."""
        return left_added(self.expected, self.symbols, self.quality)

    @property
    def foretold(self) -> Vectors:
        """The vectors of the frame after, or of the one before if these are none."""
        after, before = self.between.future, self.between.past
        moved = after if after.vectors.any() else before
        return stretched(moved.vectors, self.between.ahead, moved.span)

    def motion(self) -> bytes:
        return encode_motion(self.vectors, self.sides, self.foretold)

    def packet(self) -> bytes:
        seen_by = sighted(self.between, self.vectors, TABLES)
        seen, foretold = seen_by.seen(self.sides, self.quality), self.between.vectors_before()
        moved = self.vectors, self.sides, self.symbols, seen, foretold
        return encode_between(*moved, self.quality, PRIOR)

    def decoded(self, data: bytes, limits: Limits | None = None) -> Shown:
        return decode_between(data, self.between, self.quality, PRIOR, TABLES, limits)


def frame_of(
    seed: int,
    cells: tuple[int, int] = (5, 6),
    quality: int = 30,
    moved: float = 0.5,
    alone: float = 0.4,
    spread: float = 0.5,
    away: tuple[int, int] = (1, 1),
    spans: tuple[int, int] = (1, 1),
) -> Frame:
    """Between frames that have moved in `spans`, from the one `away` frames before and after it."""
    past, future = (
        Shown(some_levels(each, DESIGN.channels, cells), some_vectors(each // 2, cells), span)
        for each, span in zip((seed, seed + 1), spans, strict=True)
    )
    return Frame(
        Between(past, future, *away),
        some_vectors(seed, cells, moved=moved),
        some_sides(seed, cells, alone),
        prior_symbols(seed, DESIGN, cells, spread),
        quality,
    )


signed_spans = distances.flatmap(lambda span: st.sampled_from([span, -span]))
frames = st.builds(
    frame_of,
    seeds,
    cells_of,
    qualities,
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.sampled_from([0.0, 0.2, 2.0, 60.0]),
    st.tuples(distances, distances),
    st.tuples(signed_spans, signed_spans),
)


@relaxed
@given(frames)
def test_frames_round_trip(frame: Frame) -> None:
    data = frame.packet()
    around = frame.between.past, frame.between.future
    before = [(each.levels.copy(), each.vectors.copy()) for each in around]
    decoded = frame.decoded(data)
    assert decoded.levels.dtype == decoded.vectors.dtype == np.int16
    np.testing.assert_array_equal(decoded.levels, frame.levels)
    np.testing.assert_array_equal(decoded.vectors, frame.vectors)
    assert decoded.span == frame.between.ahead
    for each, (levels, vectors) in zip(around, before, strict=True):
        np.testing.assert_array_equal(each.levels, levels)
        np.testing.assert_array_equal(each.vectors, vectors)
    is_plain = not (frame.vectors.any() or frame.sides.any() or frame.symbols.any())
    assert (data == b"") == is_plain


@relaxed
@given(frames)
def test_a_packet_is_its_motion_and_what_is_left(frame: Frame) -> None:
    data, moved = frame.packet(), frame.motion()
    left = encode_with_prior(frame.symbols, frame.quality, PRIOR, frame.seen)
    if data:
        assert data == pack_unsigned(len(moved)) + moved + left


@given(seeds, cells_of, qualities, st.tuples(distances, distances))
@settings(deadline=None, max_examples=20)
def test_no_bytes_mean_the_mean_of_both(
    seed: int, cells: tuple[int, int], quality: int, away: tuple[int, int]
) -> None:
    """However far they are, and however they have moved."""
    frame = frame_of(seed, cells, quality, moved=0, alone=0, spread=0, away=away)
    assert frame.packet() == b""
    wanted = mean(frame.between.past.levels, frame.between.future.levels)
    # A writer that says so at length is read, too.
    for data in (b"", b"\0"):
        found = frame.decoded(data)
        np.testing.assert_array_equal(found.levels, wanted)
        assert not found.vectors.any()
        assert found.vectors.shape == (2, *cells)


def test_halves_are_towards_zero() -> None:
    past, future = np.zeros((2, 3, 2, 4), np.int16)
    past[0] = [[508, -508, 3, -3], [-507, 508, 0, -1]]
    future[0] = [[508, -508, 4, -4], [-508, 507, -1, 0]]
    past[1:] = [[127, -127, 1, -1], [-127, 2, 5, -5]]
    future[1:] = [[126, -127, 0, 0], [-126, -5, -4, 8]]
    found = Sighted(past, future).expected(np.zeros((2, 4), np.uint8))
    assert found.dtype == np.int16
    assert found[0].tolist() == [[508, -508, 3, -3], [-507, 507, 0, 0]]
    for channel in (1, 2):
        assert found[channel].tolist() == [[126, -127, 0, 0], [-126, -1, 0, 1]]


@relaxed
@given(seeds, cells_of, qualities, st.tuples(distances, distances))
def test_motion_alone_gives_what_is_expected(
    seed: int, cells: tuple[int, int], quality: int, away: tuple[int, int]
) -> None:
    frame = frame_of(seed, cells, quality, moved=1, spread=0, away=away)
    np.testing.assert_array_equal(frame.decoded(frame.packet()).levels, frame.expected)


@pytest.mark.parametrize("side", [BOTH, PAST, FUTURE])
def test_each_side_alone_is_expected(side: int) -> None:
    frame = frame_of(4, moved=0.7, spread=0, away=(2, 3))
    frame = replace(frame, sides=np.full_like(frame.sides, side))
    wanted = {BOTH: mean(frame.past, frame.future), PAST: frame.past, FUTURE: frame.future}
    assert len({levels.tobytes() for levels in wanted.values()}) == 3
    np.testing.assert_array_equal(frame.decoded(frame.packet()).levels, wanted[side])


@pytest.mark.parametrize("side", [PAST, FUTURE])
def test_a_frame_seen_in_one_alone_does_not_know_the_other(side: int) -> None:
    """But for what the prior sees, and what foretells the vectors."""
    frame = frame_of(4, moved=0.7, spread=0, away=(2, 3))
    frame = replace(frame, sides=np.full_like(frame.sides, side))
    other = some_levels(99, DESIGN.channels, frame.between.shape)
    name = "future" if side == PAST else "past"
    shown = replace(getattr(frame.between, name), levels=other)
    changed = replace(frame, between=replace(frame.between, **{name: shown}))
    assert changed.packet() == frame.packet()
    np.testing.assert_array_equal(
        changed.decoded(frame.packet()).levels, frame.decoded(frame.packet()).levels
    )


@relaxed
@given(seeds, distances, distances)
def test_in_the_frame_after_vectors_lie_the_other_way(seed: int, ahead: int, behind: int) -> None:
    between = frame_of(seed, away=(ahead, behind)).between
    vectors = some_vectors(seed, (5, 6), moved=1)
    found = between.mirrored(vectors)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, stretched(vectors, -behind, ahead))
    np.testing.assert_array_equal(between.mirrored(-vectors), -found)


@pytest.mark.parametrize(
    ("ahead", "behind", "wanted"),
    [
        (1, 1, [0, -1, 1, -2, -3, 5, -127, 127]),
        (2, 1, [0, -1, 1, -1, -2, 3, -64, 64]),
        (3, 1, [0, 0, 0, -1, -1, 2, -42, 42]),
        (1, 2, [0, -2, 2, -4, -6, 10, -127, 127]),
        (2, 3, [0, -2, 2, -3, -5, 8, -127, 127]),
        (5, 3, [0, -1, 1, -1, -2, 3, -76, 76]),
        (3, 6, [0, -2, 2, -4, -6, 10, -127, 127]),
        (255, 1, [0, 0, 0, 0, 0, 0, 0, 0]),
        (1, 255, [0, -127, 127, -127, -127, 127, -127, 127]),
    ],
)
def test_vectors_that_are_turned_are_told_by_hand(
    ahead: int, behind: int, wanted: list[int]
) -> None:
    """The nearest, halves away from zero, and no farther than vectors reach."""
    vectors = np.array([0, 1, -1, 2, 3, -5, 127, -127], np.int16)
    between = replace(frame_of(1).between, ahead=ahead, behind=behind)
    assert between.mirrored(vectors).tolist() == wanted


def test_what_moves_evenly_is_found_in_both() -> None:
    """A pan by a cell each frame: two frames before and one after, both have the frame's levels."""
    cells, (ahead, behind) = (9, 16), (2, 1)
    whole = some_levels(8, 20, (9, 24), 9)
    past, here, future = (whole[:, :, at : at + 16] for at in (0, ahead, ahead + behind))
    vectors = np.zeros((2, *cells), np.int16)
    vectors[1] = 32 * ahead
    around = Shown.still(past), Shown.still(future)
    # What lies to the right of a cell now was farther to the right before.
    seen_by = sighted(Between(*around, ahead, behind), vectors, cosine_tables(20))
    for levels in (seen_by.past, seen_by.future):
        inside = slice(3, 13)
        apart = levels[:, :, inside].astype(int) - here[:, :, inside]
        assert np.abs(apart).max() <= 1


def test_what_is_seen_is_that_of_pictures_that_are_drawn_already() -> None:
    frame = frame_of(3, moved=0.8, away=(1, 2))
    past, future = (
        drawn(each.levels, TABLES) for each in (frame.between.past, frame.between.future)
    )
    found = sighted(frame.between, frame.vectors, TABLES, (past, future))
    np.testing.assert_array_equal(found.past, frame.past)
    np.testing.assert_array_equal(found.future, frame.future)
    turned = sighted(frame.between, frame.vectors, TABLES, (future, past))
    assert (turned.past != frame.past).any()
    assert (turned.future != frame.future).any()


@relaxed
@given(seeds, distances, signed_spans, signed_spans)
def test_vectors_are_foretold_by_those_of_the_frame_after(
    seed: int, ahead: int, past_span: int, future_span: int
) -> None:
    between = frame_of(seed, away=(ahead, 3), spans=(past_span, future_span)).between
    found = between.vectors_before()
    assert found.dtype == np.int16
    future = between.future.vectors
    if future.any():
        np.testing.assert_array_equal(found, stretched(future, ahead, future_span))
    still = replace(between, future=Shown.still(between.future.levels))
    past = stretched(between.past.vectors, ahead, past_span)
    np.testing.assert_array_equal(still.vectors_before(), past)
    neither = replace(still, past=Shown.still(between.past.levels))
    assert not neither.vectors_before().any()


@pytest.mark.parametrize(
    ("span", "ahead", "wanted"),
    [
        (1, 1, [0, 1, -3, 127]),
        (2, 1, [0, 1, -2, 64]),
        (4, 1, [0, 0, -1, 32]),
        (4, 3, [0, 1, -2, 95]),
        (1, 3, [0, 3, -9, 127]),
        (-1, 1, [0, -1, 3, -127]),
        (-2, 1, [0, -1, 2, -64]),
        (-4, 3, [0, -1, 2, -95]),
        (-1, 2, [0, -2, 6, -127]),
    ],
)
@pytest.mark.parametrize("source", ["past", "future"])
def test_foretold_vectors_are_told_by_hand(
    source: str, span: int, ahead: int, wanted: list[int]
) -> None:
    """Vectors of a frame that continues a later one point the other way."""
    levels = np.zeros((DESIGN.channels, 1, 2), np.int16)
    vectors = np.array([0, 1, -3, 127], np.int16).reshape(2, 1, 2)
    around = {"past": Shown.still(levels), "future": Shown.still(levels)}
    around[source] = Shown(levels, vectors, span)
    between = Between(**around, ahead=ahead, behind=2)
    assert between.vectors_before().ravel().tolist() == wanted


def test_one_cell_that_moves_in_the_frame_after_foretells_all() -> None:
    """The frame before is not asked for those that stand still there."""
    between = frame_of(5).between
    vectors = np.zeros((2, 5, 6), np.int16)
    vectors[1, 2, 3] = 9
    future = Shown(between.future.levels, vectors, 3)
    found = replace(between, future=future).vectors_before()
    assert found[1, 2, 3] == 3
    assert np.count_nonzero(found) == 1


@pytest.mark.parametrize("name", ["past", "future"])
def test_motion_that_is_foretold_costs_less(name: str) -> None:
    """A pan that goes on, against one that begins."""
    cells = (20, 30)
    levels = some_levels(1, DESIGN.channels, cells)
    around = {"past": Shown.still(levels), "future": Shown.still(levels)}
    frame = frame_of(6, cells, alone=0, spread=0)
    frame.vectors[0], frame.vectors[1] = 6, -9
    begins = replace(frame, between=Between(**around, ahead=1, behind=2))
    around[name] = Shown(levels, 3 * frame.vectors, 3)
    goes_on = replace(frame, between=Between(**around, ahead=1, behind=2))
    assert len(goes_on.packet()) <= 20
    assert 4 * len(goes_on.packet()) < len(begins.packet())


@relaxed
@given(frames)
def test_a_prior_sees_what_is_expected_and_how_far_both_are_apart(frame: Frame) -> None:
    seen_by = sighted(frame.between, frame.vectors, TABLES)
    np.testing.assert_array_equal(seen_by.past, frame.past)
    np.testing.assert_array_equal(seen_by.future, frame.future)
    found = seen_by.seen(frame.sides, frame.quality)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, frame.seen)


def test_what_a_prior_sees_is_told_by_hand() -> None:
    past, future = np.zeros((2, 3, 1, 6), np.int16)
    past[:, 0] = [[9, 3, 508, 1, 8, 0], [7, 0, 127, 0, 3, 0], [-3, 0, 127, 0, 0, 0]]
    future[:, 0] = [[1, 0, -508, 0, 0, 0], [0, 0, -127, 0, 0, 0], [-3, 0, -127, 0, 0, 0]]
    sides = np.array([[BOTH, BOTH, FUTURE, PAST, PAST, PAST]], np.uint8)
    # Steps of two levels, halves away from zero.
    found = Sighted(past, future).seen(sides, 63)
    assert found[:, 0].tolist() == [
        [4 + 4, 2, -127, -1, -(4 + 2), 0],
        [2, 0, -64, 0, 2, 0],
        [-2, 0, -64, 0, 0, 0],
    ]
    assert not Sighted(past, past).seen(sides, 63)[0].any()


def test_what_both_frames_say_is_seen_by_the_prior() -> None:
    """With the same left, other motion or other frames around code otherwise."""
    frame = frame_of(5, spread=1.0)
    data, motion = frame.packet(), frame.motion()
    left = data[len(pack_unsigned(len(motion))) + len(motion) :]
    found = decode_with_prior(left, frame.between.shape, frame.quality, PRIOR, frame.seen)
    np.testing.assert_array_equal(found, frame.symbols)
    for other in (np.zeros_like(frame.seen), np.abs(frame.seen)):
        assert encode_with_prior(frame.symbols, frame.quality, PRIOR, other) != left


@pytest.mark.parametrize("name", ["past", "future"])
def test_another_frame_around_is_noticed(name: str) -> None:
    frame = frame_of(6, spread=1.0)
    levels = some_levels(99, DESIGN.channels, frame.between.shape)
    shown = replace(getattr(frame.between, name), levels=levels)
    other = replace(frame, between=replace(frame.between, **{name: shown}))
    with pytest.raises(BitstreamError, match="latents"):
        other.decoded(frame.packet())


def test_other_vectors_around_and_other_distances_are_noticed() -> None:
    frame = frame_of(6, spread=1.0, away=(2, 3))
    moved = Shown(frame.between.future.levels, some_vectors(8, frame.between.shape))
    for change in (
        {"future": moved},
        {"future": replace(frame.between.future, span=2)},
        {"ahead": 3},
        {"behind": 1},
    ):
        other = replace(frame, between=replace(frame.between, **change))
        with pytest.raises(BitstreamError, match=r"latents|motion"):
            other.decoded(frame.packet())
    # Those of the frame before say nothing where those of the one after do.
    still = Shown.still(frame.between.past.levels)
    same = replace(frame, between=replace(frame.between, past=still))
    np.testing.assert_array_equal(same.decoded(frame.packet()).levels, frame.levels)


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


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60), cells_of, st.tuples(distances, distances))
def test_any_motion_is_an_error_or_gives_levels(
    words: bytes, cells: tuple[int, int], away: tuple[int, int]
) -> None:
    """Words of whole length, and nothing left, so that it is the motion that is read."""
    words = words[: len(words) // 4 * 4]
    frame = frame_of(1, cells, away=away)
    assert_decodes_or_refuses(frame, pack_unsigned(len(words)) + words)


def test_both_come_of_damage() -> None:
    """What the tests above allow happens."""
    random = np.random.default_rng(2)
    seen: Counter[bool] = Counter()
    for seed in range(200):
        frame = frame_of(seed, spread=0.3 * (seed % 2))
        seen[assert_decodes_or_refuses(frame, any_raw(random, frame.packet()))] += 1
    assert min(seen[True], seen[False]) >= 10


def assert_decodes_or_refuses(frame: Frame, data: bytes) -> bool:
    around = frame.between.past, frame.between.future
    before = [each.levels.copy() for each in around]
    try:
        decoded = frame.decoded(data)
    except BitstreamError:
        return False
    finally:
        for each, levels in zip(around, before, strict=True):
            np.testing.assert_array_equal(each.levels, levels)
    assert decoded.levels.dtype == decoded.vectors.dtype == np.int16
    assert decoded.levels.shape == before[0].shape
    assert decoded.vectors.shape == around[0].vectors.shape
    assert np.abs(decoded.levels[0]).max() <= 508
    assert np.abs(decoded.levels[1:]).max() <= 127
    assert np.abs(decoded.vectors).max() <= 127
    return True


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x05", "a frame between two.*5 bytes wanted, 0 are left"),
        (b"\x05\0\0\0\0", "5 bytes wanted, 4 are left"),
        (b"\xff" * 9 + b"\x01", "bytes wanted"),
        (b"\x80", "cut off in an integer"),
        (b"\x80" * 12, "an integer of more than"),
        (b"\x03\0\0\0", "motion: 3 bytes"),
        (b"\x08" + b"\xff" * 8, "motion .* damaged"),
        (b"\x08" + bytes(8), "a cell is seen in none of two frames"),
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
    for packet in (data, b""):
        with pytest.raises(BitstreamError, match=f"1 to {most - 1} symbols"):
            frame.decoded(packet, Limits(max_symbols_per_frame=most - 1))


def test_what_cannot_be_coded_is_refused() -> None:
    frame = frame_of(9)
    seen, foretold, how = frame.seen, frame.foretold, (30, PRIOR)
    for wrong in (frame.vectors + np.int16(128), frame.vectors.astype(np.int32)):
        with pytest.raises(ValueError, match="vectors"):
            encode_between(wrong, frame.sides, frame.symbols, seen, foretold, *how)
        with pytest.raises(ValueError, match="vectors"):
            encode_between(frame.vectors, frame.sides, frame.symbols, seen, wrong, *how)
    for sides in (frame.sides + np.uint8(1), frame.sides[1:], frame.sides.astype(np.int16)):
        with pytest.raises(ValueError, match="sides"):
            encode_between(frame.vectors, sides, frame.symbols, seen, foretold, *how)
    for symbols in (
        frame.symbols + np.int16(200),
        frame.symbols[:-1],
        frame.symbols.astype(np.int32),
    ):
        with pytest.raises(ValueError, match="symbols"):
            encode_between(frame.vectors, frame.sides, symbols, seen, foretold, *how)


GOLDEN = ("08d5c3e1e29b8910", "dd7740a496ac41f3")


def test_packets_of_this_version_stay_as_they_are() -> None:
    prior = Prior.from_arrays(prior_samples.fixed_arrays(DESIGN))
    tables = MotionTables.from_arrays(fixed_arrays(DESIGN.channels))
    past, future = (
        Shown(
            from_digest(name, (8, 7, 9), 100).astype(np.int16),
            from_digest(f"vectors {name}", (2, 7, 9), 127).astype(np.int16),
            span,
        )
        for name, span in (("past", 1), ("future", -2))
    )
    between = Between(past, future, 3, 2)
    vectors = from_digest("vectors", (2, 7, 9), 127).astype(np.int16)
    vectors[:, :, 5:] = 0
    vectors[:, :3] = stretched(future.vectors, 3, -2)[:, :3]
    sides = np.abs(from_digest("sides", (7, 9), 2)).astype(np.uint8)
    sides[:, 4:] = BOTH
    symbols = (from_digest("symbols", (8, 7, 9), 6) // 3).astype(np.int16)
    seen_by = sighted(between, vectors, tables)
    seen, foretold = seen_by.seen(sides, 40), between.vectors_before()
    data = encode_between(vectors, sides, symbols, seen, foretold, 40, prior)
    levels = decode_between(data, between, 40, prior, tables).levels
    np.testing.assert_array_equal(levels, left_added(seen_by.expected(sides), symbols, 40))
    found = tuple(
        hashlib.sha256(each).hexdigest()[:16] for each in (data, levels.astype("<i2").tobytes())
    )
    assert found == GOLDEN
