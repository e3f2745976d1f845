"""Frames between two others: motion is found in both, or in the one that shows what is there, and
what is sent is what is shown.

The codec is that of test_moved_coding.py: one of cosines, with a prior that nobody trained.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from edgecodec.encoder.between_coding import BetweenFrame, between_frame
from edgecodec.encoder.moved_coding import PRICE_OF_A_BIT, moved_frame
from edgecodec.encoder.reference import Reference
from edgecodec.encoder.symbol_choice import Weights, choose_symbols
from edgecodec.runtime.between_frames import Between, decode_between, sighted
from edgecodec.runtime.drawing import drawn
from edgecodec.runtime.frame_levels import LARGEST_BRIGHTNESS, LARGEST_LEVEL, Levels
from edgecodec.runtime.frames import Plane
from edgecodec.runtime.latents import LATENT_LEVELS_PER_UNIT, step_size
from edgecodec.runtime.moved_frames import Shown, left_added
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.sides import BOTH, FUTURE, PAST, Sides, encode_motion
from edgecodec.runtime.vectors import MAX_VECTOR
from numpy.typing import NDArray

from ..runtime.motion_samples import cosine_tables, prior_of
from ..runtime.prior_samples import Design
from .moving_pictures import first_frame, texture, vectors_of, wanted_of

CHANNELS = 24
TABLES = cosine_tables(CHANNELS)
PRIOR = prior_of(Design(groups=(8, 16), means=(1, 0), signed=4, previous=1))
HEIGHT, WIDTH = 96, 128
PRICE, DEAR = 50.0, 1e9
QUALITIES = (10, 40, 63)
DISTANCES = ((1, 1), (1, 3), (4, 2))
WIDE = texture(HEIGHT + 64, WIDTH + 128)
OTHER = texture(HEIGHT + 64, WIDTH + 128, 7)


def view(down: int = 0, across: int = 0, wide: Plane = WIDE) -> Plane:
    """A part of a wide picture; the camera moves by whole samples."""
    rows, columns = slice(32 + down, 32 + down + HEIGHT), slice(64 + across, 64 + across + WIDTH)
    return np.ascontiguousarray(wide[rows, columns])


def with_right_half(left: Plane, right: Plane) -> Plane:
    made = left.copy()
    made[:, WIDTH // 2 :] = right[:, WIDTH // 2 :]
    return made


def pair_of(past: Plane, future: Plane, quality: int, away: tuple[int, int] = (1, 1)) -> Between:
    """Two I-frames, and how far they are from the frame between them."""
    return Between(*(first_frame(each, TABLES, quality) for each in (past, future)), *away)


def made_of(
    wanted: NDArray[np.float32],
    luma: Plane,
    pair: Between,
    quality: int,
    price: float = PRICE,
    weights: Weights | None = None,
) -> BetweenFrame:
    return between_frame(
        wanted,
        luma,
        (Reference(pair.past, TABLES), Reference(pair.future, TABLES)),
        (pair.ahead, pair.behind),
        quality,
        PRIOR,
        TABLES,
        price_of_vectors=price,
        weights=weights,
    )


def between(luma: Plane, pair: Between, quality: int, price: float = PRICE) -> BetweenFrame:
    return made_of(wanted_of(luma, TABLES, quality), luma, pair, quality, price)


def step_of(quality: int) -> np.float32:
    """Levels that a symbol stands for."""
    return np.float32(LATENT_LEVELS_PER_UNIT * step_size(quality))


def expected_of(vectors: NDArray[np.int16], sides: Sides, pair: Between) -> Levels:
    return sighted(pair, vectors, TABLES).expected(sides)


def drawn_from(levels: Levels) -> NDArray[np.float32]:
    """Luma in grey levels, as players have it."""
    made: NDArray[np.float32] = drawn(levels, TABLES).luma / 2 + 128
    return made


def inner(cells: NDArray[np.int16]) -> NDArray[np.int16]:
    """Cells that see nothing from outside of the picture."""
    return cells[..., 1:-1, 1:-1]


def middle_vector(vectors: NDArray[np.int16]) -> tuple[float, float]:
    down, across = np.median(vectors, axis=(1, 2))
    return float(down), float(across)


def share(sides: Sides, side: int) -> float:
    return float(np.mean(sides == side))


def assert_decoded(frame: BetweenFrame, pair: Between, quality: int) -> None:
    decoded = decode_between(frame.packet(quality, PRIOR), pair, quality, PRIOR, TABLES)
    np.testing.assert_array_equal(decoded.levels, frame.shown.levels)
    np.testing.assert_array_equal(decoded.vectors, frame.shown.vectors)
    assert decoded.span == frame.shown.span == pair.ahead


@pytest.mark.parametrize("away", DISTANCES)
@pytest.mark.parametrize("quality", QUALITIES)
def test_a_player_decodes_what_is_shown(quality: int, away: tuple[int, int]) -> None:
    pair = pair_of(view(), view(sum(away), 3 * sum(away)), quality, away)
    frame = between(view(away[0], 3 * away[0]), pair, quality)
    assert frame.shown.vectors.any()
    assert_decoded(frame, pair, quality)


@pytest.mark.parametrize("quality", QUALITIES)
def test_frames_lie_between_frames_that_have_moved(quality: int) -> None:
    """Four on from an I-frame, then the one between, then those between each two."""
    seen = {0: first_frame(view(), TABLES, quality)}
    luma = view(0, 12)
    seen[4] = moved_frame(
        wanted_of(luma, TABLES, quality),
        luma,
        Reference(seen[0], TABLES),
        quality,
        PRIOR,
        TABLES,
        price_of_vectors=PRICE,
        span=4,
    ).shown
    for past, at, future in ((0, 2, 4), (0, 1, 2), (2, 3, 4)):
        pair = Between(seen[past], seen[future], at - past, future - at)
        frame = between(view(0, 3 * at), pair, quality)
        np.testing.assert_array_equal(frame.vectors_before, pair.vectors_before())
        assert frame.vectors_before.any()
        assert middle_vector(inner(frame.shown.vectors)) == (0, 6 * (at - past))
        assert_decoded(frame, pair, quality)
        seen[at] = frame.shown


@pytest.mark.parametrize("quality", QUALITIES)
def test_other_pictures_are_decoded_as_well(quality: int) -> None:
    """Nothing of them is expected, and from black to white is beyond what can be sent."""
    black, white = 0 * view(), 0 * view() + 255
    shown = [*product((black, white), repeat=3), (view(), view(wide=OTHER), texture(96, 128, 9))]
    for past, now, future in shown:
        pair = pair_of(past, future, quality)
        frame = between(now, pair, quality)
        assert frame.symbols.dtype == frame.known.dtype == frame.shown.vectors.dtype == np.int16
        assert frame.sides.dtype == np.uint8
        assert frame.sides.max() <= FUTURE
        assert max(np.abs(frame.symbols).max(), np.abs(frame.known).max()) <= LARGEST_LEVEL
        assert np.abs(frame.shown.vectors).max() <= MAX_VECTOR
        assert np.abs(frame.shown.levels[0]).max() <= LARGEST_BRIGHTNESS
        assert np.abs(frame.shown.levels[1:]).max() <= LARGEST_LEVEL
        assert_decoded(frame, pair, quality)


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (48, 16)])
def test_small_pictures_lie_between_others(shape: tuple[int, int]) -> None:
    past, now, future = (texture(*shape, seed) for seed in range(3))
    pair = pair_of(past, future, 40)
    frame = between(now, pair, 40)
    cells = shape[0] // 16, shape[1] // 16
    assert frame.symbols.shape == frame.known.shape == (CHANNELS, *cells)
    assert frame.sides.shape == cells
    assert_decoded(frame, pair, 40)


@pytest.mark.parametrize("away", [(1, 15), (15, 1), (1, 1)])
def test_what_moves_further_than_vectors_reach_is_decoded(away: tuple[int, int]) -> None:
    """Where the motion to one frame is stretched to the other, it is cut off."""
    pair = pair_of(view(0, -60), view(0, 60), 40, away)
    frame = between(view(), pair, 40)
    assert np.abs(frame.shown.vectors).max() <= MAX_VECTOR
    assert_decoded(frame, pair, 40)


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_frame_is_what_its_motion_gives_and_what_is_left(quality: int) -> None:
    past, future = (first_frame(view(0, at), TABLES, quality) for at in (0, 9))
    future = Shown(future.levels, vectors_of(future.levels, 0, 18), 3)
    pair = Between(past, future, 1, 2)
    frame = between(view(0, 3, OTHER), pair, quality)
    np.testing.assert_array_equal(frame.vectors_before, pair.vectors_before())
    np.testing.assert_array_equal(frame.vectors_before, vectors_of(future.levels, 0, 6))
    expected = expected_of(frame.shown.vectors, frame.sides, pair)
    added = left_added(expected, frame.symbols, quality)
    np.testing.assert_array_equal(frame.shown.levels, added)


@pytest.mark.parametrize("quality", QUALITIES)
def test_what_the_prior_sees_is_what_players_see(quality: int) -> None:
    luma = with_right_half(view(0, 5), view(0, 5, OTHER))
    pair = pair_of(view(), with_right_half(view(0, 10), view(0, 5, OTHER)), quality)
    frame = between(luma, pair, quality)
    vectors, seen = frame.shown.vectors, frame.seen(quality)
    np.testing.assert_array_equal(seen, frame.known)
    seen_by = sighted(pair, vectors, TABLES)
    np.testing.assert_array_equal(seen, seen_by.seen(frame.sides, quality))
    # Less than nothing apart says that one of the two is used.
    assert (seen[0][frame.sides == BOTH] >= 0).all()
    assert (seen[0][frame.sides != BOTH] <= 0).all()
    assert (seen[0] < 0).any()
    motion = encode_motion(vectors, frame.sides, frame.vectors_before)
    left = encode_with_prior(frame.symbols, quality, PRIOR, seen)
    assert frame.packet(quality, PRIOR).endswith(motion + left)
    decoded = decode_with_prior(left, pair.shape, quality, PRIOR, seen)
    np.testing.assert_array_equal(decoded, frame.symbols)
    # And with which symbols are chosen.
    expected = seen_by.expected(frame.sides)
    wanted = (wanted_of(luma, TABLES, quality) - expected / step_of(quality)).astype(np.float32)
    chosen = choose_symbols(wanted, quality, PRIOR, seen, price=PRICE_OF_A_BIT)
    np.testing.assert_array_equal(frame.symbols, chosen)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("away", [*DISTANCES, (2, 2)])
@pytest.mark.parametrize(("down", "across"), [(0, 3), (0, -5), (4, 0), (-3, 4)])
def test_a_camera_that_moves_evenly_is_found(
    down: int, across: int, away: tuple[int, int], quality: int
) -> None:
    """As many frames as the one before is away."""
    ahead, behind = away
    past, future = (view(at * down, at * across) for at in (-ahead, behind))
    pair = pair_of(past, future, quality, away)
    frame = between(view(), pair, quality)
    expected = 2 * down * ahead, 2 * across * ahead
    assert middle_vector(inner(frame.shown.vectors)) == expected
    assert share(inner(frame.sides), BOTH) > 0.5


@pytest.mark.parametrize("away", DISTANCES)
@pytest.mark.parametrize("quality", [40, 63])
@pytest.mark.parametrize("side", [PAST, FUTURE])
def test_what_only_one_frame_shows_is_seen_in_that_one(
    side: int, quality: int, away: tuple[int, int]
) -> None:
    """In the right half something is covered, or uncovered; the left half stays."""
    plain, changed = view(), with_right_half(view(), view(wide=OTHER))
    past, now, future = (plain, plain, changed) if side == PAST else (plain, changed, changed)
    pair = pair_of(past, future, quality, away)
    frame = between(now, pair, quality)
    columns = WIDTH // 32
    # Cells see some of the half beside theirs.
    left, right = frame.sides[:, : columns - 1], frame.sides[:, columns + 1 :]
    assert share(right, side) > 0.9
    assert share(right, FUTURE if side == PAST else PAST) == 0
    assert share(left, BOTH) > 0.7
    assert_decoded(frame, pair, quality)
    # It leaves next to nothing then, where both together leave half a picture.
    both = expected_of(frame.shown.vectors, np.zeros_like(frame.sides), pair)
    one = expected_of(frame.shown.vectors, frame.sides, pair)
    wanted = wanted_of(now, TABLES, quality)
    errors = [np.square(wanted - each / step_of(quality)).sum() for each in (one, both)]
    assert errors[0] < 0.1 * errors[1]


@pytest.mark.parametrize("away", DISTANCES)
@pytest.mark.parametrize("quality", QUALITIES)
def test_what_only_the_future_shows_is_found_where_it_has_moved_to(
    quality: int, away: tuple[int, int]
) -> None:
    """Nothing before says how it moves: vectors point there as if it had come evenly."""
    ahead, behind = away
    now, future = (with_right_half(view(), view(0, at, OTHER)) for at in (0, 4 * behind))
    pair = pair_of(view(), future, quality, away)
    frame = between(now, pair, quality)
    columns = slice(WIDTH // 32 + 1, -1)
    assert share(frame.sides[1:-1, columns], FUTURE) > 0.7
    down, across = middle_vector(frame.shown.vectors[:, 1:-1, columns])
    # Vectors that point to the same place in the future are all as good, and halves of a sample
    # hardly differ in what is so soft.
    assert abs(down) <= 1
    assert abs(across - 8 * ahead) <= ahead / behind


@pytest.mark.parametrize("quality", QUALITIES)
def test_what_stands_still_has_no_bytes(quality: int) -> None:
    """Where the source is the mean of both, as players have them: alike, noisy, or fading."""
    noise = np.random.default_rng(2).normal(0, 3, (2, HEIGHT, WIDTH))
    noisy = (np.rint(view() + each).clip(0, 255).astype(np.uint8) for each in noise)
    fading = (np.rint(view() * each).astype(np.uint8) for each in (1, 0.9))
    for past, future in ((view(), view()), noisy, fading):
        pair = pair_of(past, future, quality, (1, 2))
        still = np.zeros((2, *pair.shape), np.int16)
        mean = expected_of(still, np.zeros(pair.shape, np.uint8), pair)
        luma = np.rint(drawn_from(mean)).clip(0, 255).astype(np.uint8)
        wanted = (mean / step_of(quality)).astype(np.float32)
        frame = made_of(wanted, luma, pair, quality)
        assert not frame.shown.vectors.any()
        assert not frame.sides.any()
        assert not frame.symbols.any()
        assert frame.packet(quality, PRIOR) == b""
        np.testing.assert_array_equal(frame.shown.levels, mean)
        assert_decoded(frame, pair, quality)


@pytest.mark.parametrize("seed", range(4))
def test_noise_moves_nothing(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 4, (3, HEIGHT, WIDTH))
    past, now, future = (np.rint(view() + each).clip(0, 255).astype(np.uint8) for each in noise)
    frame = between(now, pair_of(past, future, 40), 40)
    assert not frame.shown.vectors.any()


@pytest.mark.parametrize("quality", QUALITIES)
def test_vectors_that_the_search_did_not_find_may_be_those_of_the_future(quality: int) -> None:
    past, future = (first_frame(view(0, at), TABLES, quality) for at in (0, 9))
    future = Shown(future.levels, vectors_of(future.levels, 0, 18), 3)
    pair = Between(past, future, 2, 1)
    frame = between(view(0, 6), pair, quality, DEAR)
    assert middle_vector(inner(frame.shown.vectors)) == (0, 12)
    # As they are foretold they are coded in next to nothing.
    motion = encode_motion(frame.shown.vectors, frame.sides, frame.vectors_before)
    assert len(motion) <= frame.sides.size


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("how", ["fading", "noisy"])
def test_it_leaves_less_than_to_continue_the_past(how: str, quality: int) -> None:
    """Of a camera that moves evenly: what has changed half way is between, and of noise the mean
    of two has half."""
    noise = np.random.default_rng(6).normal(0, 8, (3, HEIGHT, WIDTH))

    def seen(number: int) -> Plane:
        picture = view(0, 3 * number).astype(np.float64)
        made = picture + noise[number] if how == "noisy" else picture * (1 - 0.12 * number)
        return np.rint(made).clip(0, 255).astype(np.uint8)

    past, now, future = map(seen, range(3))
    pair = pair_of(past, future, quality)
    frame = between(now, pair, quality)
    wanted, price = wanted_of(now, TABLES, quality), {"price_of_vectors": PRICE}
    reference = Reference(pair.past, TABLES)
    continued = moved_frame(wanted, now, reference, quality, PRIOR, TABLES, **price)
    expected = expected_of(frame.shown.vectors, frame.sides, pair)
    errors = [
        np.square(wanted - each / step_of(quality))[:, 1:-1, 1:-1].sum()
        for each in (expected, continued.expected)
    ]
    assert errors[0] < (0.5 if how == "fading" else 0.9) * errors[1]


def test_errors_count_where_they_are_said_to() -> None:
    """In the right half of the picture they hardly do."""
    pair = pair_of(view(), view(wide=OTHER), 40)
    luma = texture(HEIGHT, WIDTH, 9)
    wanted = wanted_of(luma, TABLES, 40)
    weights = np.ones(pair.shape, np.float32)
    weights[:, pair.shape[1] // 2 :] = 1e-3
    errors = []
    for each in (np.ones_like(weights), weights):
        frame = made_of(wanted, luma, pair, 40, weights=each)
        off = np.square(wanted - frame.shown.levels / step_of(40))
        errors.append([half.sum() for half in np.split(off, 2, axis=2)])
        assert_decoded(frame, pair, 40)
    (left, right), (left_weighted, right_weighted) = errors
    assert left_weighted < 1.2 * left
    assert right_weighted > 2 * right


def test_the_same_frame_is_made_again_and_nothing_given_is_changed() -> None:
    past, future = (first_frame(view(0, at), TABLES, 40) for at in (0, 9))
    future = Shown(future.levels, vectors_of(future.levels, 0, 18), 3)
    luma, wanted = view(0, 3), wanted_of(view(0, 3), TABLES, 40)
    references = Reference(past, TABLES), Reference(future, TABLES)
    given = [wanted, luma]
    for each in references:
        given += [each.shown.levels, each.shown.vectors, each.picture.luma, each.picture.chroma]
    kept = [each.copy() for each in given]
    # What references have looked up for one frame is right for the next.
    anew = Reference(past, TABLES), Reference(future, TABLES)
    packets = {
        between_frame(wanted, luma, each, (1, 2), 40, PRIOR, TABLES, price_of_vectors=PRICE).packet(
            40, PRIOR
        )
        for each in (references, references, anew)
    }
    assert len(packets) == 1
    for each, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(each, before)
