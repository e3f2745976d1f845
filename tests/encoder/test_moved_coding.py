"""Frames that continue another by motion: what moved is found, and what is sent is what is shown.

The codec is one of cosines, whose prior nobody trained: what the installed one makes of scenes is
in test_moved_scenes.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edgecodec.encoder.motion_search import find_vectors
from edgecodec.encoder.moved_coding import PRICE_OF_A_BIT, MovedFrame, moved_frame
from edgecodec.encoder.reference import Reference
from edgecodec.encoder.symbol_choice import choose_symbols
from edgecodec.runtime.drawing import drawn
from edgecodec.runtime.frame_levels import LARGEST_BRIGHTNESS, LARGEST_LEVEL
from edgecodec.runtime.frames import Plane
from edgecodec.runtime.latents import LATENT_LEVELS_PER_UNIT, step_size
from edgecodec.runtime.motion import expected_levels
from edgecodec.runtime.moved_frames import Shown, decode_moved, left_added, seen_before
from edgecodec.runtime.prior_coding import decode_with_prior, encode_with_prior
from edgecodec.runtime.vectors import encode_vectors
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
WIDE = texture(HEIGHT + 16, WIDTH + 128)


def view(down: int = 0, across: int = 0) -> Plane:
    """A part of a wide picture; the camera moves by whole samples."""
    rows, columns = slice(down, down + HEIGHT), slice(20 + across, 20 + across + WIDTH)
    return np.ascontiguousarray(WIDE[rows, columns])


def moved(
    luma: Plane, before: Shown, quality: int, price: float = PRICE, span: int = 1
) -> MovedFrame:
    return moved_frame(
        wanted_of(luma, TABLES, quality),
        luma,
        Reference(before, TABLES),
        quality,
        PRIOR,
        TABLES,
        price_of_vectors=price,
        span=span,
    )


def inner(vectors: NDArray[np.int16]) -> NDArray[np.int16]:
    """Vectors of cells that see nothing from outside of the picture."""
    return vectors[:, 1:-1, 1:-1]


def assert_mostly_none(off: NDArray[np.integer[Any]]) -> None:
    """Half a sample more or less may cost less, under a prior that nobody trained: there what is
    left costs as by chance."""
    assert np.abs(off).max() <= 4
    assert (off == 0).mean() > 0.7


def assert_decoded(frame: MovedFrame, before: Shown, quality: int) -> None:
    packet, span = frame.packet(quality, PRIOR), frame.shown.span
    decoded = decode_moved(packet, before, quality, PRIOR, TABLES, span=span)
    np.testing.assert_array_equal(decoded.levels, frame.shown.levels)
    np.testing.assert_array_equal(decoded.vectors, frame.shown.vectors)
    # What has not moved has not moved in any time.
    assert decoded.span == span or not decoded.vectors.any()


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_player_decodes_what_is_shown_frame_by_frame(quality: int) -> None:
    shown = first_frame(view(), TABLES, quality)
    for number in range(1, 6):
        frame = moved(view(number, 3 * number), shown, quality)
        assert frame.shown.vectors.any()
        assert_decoded(frame, shown, quality)
        shown = frame.shown


@pytest.mark.parametrize("quality", QUALITIES)
def test_frames_that_reach_further_back_say_how_far(quality: int) -> None:
    shown = first_frame(view(), TABLES, quality)
    for number, span in ((4, 4), (5, 1), (8, 3)):
        frame = moved(view(0, 2 * number), shown, quality, span=span)
        assert frame.shown.span == span
        assert tuple(np.median(inner(frame.shown.vectors), axis=(1, 2))) == (0, 4 * span)
        assert_decoded(frame, shown, quality)
        shown = frame.shown


@pytest.mark.parametrize("quality", QUALITIES)
def test_another_picture_is_decoded_as_well(quality: int) -> None:
    """Nothing of it is expected, and from black to white it is beyond what can be sent."""
    for first, second in ((view(), texture(HEIGHT, WIDTH, 7)), (0 * view(), 0 * view() + 255)):
        shown = first_frame(first, TABLES, quality)
        frame = moved(second, shown, quality)
        assert frame.symbols.dtype == np.int16
        assert np.abs(frame.symbols).max() <= LARGEST_LEVEL
        assert np.abs(frame.shown.levels[0]).max() <= LARGEST_BRIGHTNESS
        assert np.abs(frame.shown.levels[1:]).max() <= LARGEST_LEVEL
        assert_decoded(frame, shown, quality)


@pytest.mark.parametrize("shape", [(16, 16), (16, 64), (48, 16)])
def test_small_pictures_move(shape: tuple[int, int]) -> None:
    first, second = (texture(*shape, seed) for seed in (0, 1))
    shown = first_frame(first, TABLES, 40)
    frame = moved(second, shown, 40)
    assert frame.symbols.shape == (CHANNELS, shape[0] // 16, shape[1] // 16)
    assert_decoded(frame, shown, 40)


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_frame_is_what_its_vectors_give_and_what_is_left(quality: int) -> None:
    before = moved(view(0, 3), first_frame(view(), TABLES, quality), quality).shown
    frame = moved(texture(HEIGHT, WIDTH, 7), before, quality)
    vectors = frame.shown.vectors
    assert frame.vectors_before is before.vectors
    np.testing.assert_array_equal(frame.expected, expected_levels(before.levels, vectors, TABLES))
    added = left_added(frame.expected, frame.symbols, quality)
    np.testing.assert_array_equal(frame.shown.levels, added)


@pytest.mark.parametrize("quality", QUALITIES)
def test_what_the_prior_sees_is_what_players_see(quality: int) -> None:
    luma = view(0, 5)
    frame = moved(luma, first_frame(view(), TABLES, quality), quality)
    seen = frame.seen(quality)
    vectors = frame.shown.vectors
    np.testing.assert_array_equal(seen, seen_before(frame.expected, vectors, quality))
    np.testing.assert_array_equal(seen[0], np.abs(vectors).sum(axis=0).clip(max=127))
    left = encode_with_prior(frame.symbols, quality, PRIOR, seen)
    assert frame.packet(quality, PRIOR).endswith(left)
    decoded = decode_with_prior(left, seen.shape[1:], quality, PRIOR, seen)  # type: ignore[arg-type]
    np.testing.assert_array_equal(decoded, frame.symbols)
    # And with which symbols are chosen.
    step = np.float32(LATENT_LEVELS_PER_UNIT * step_size(quality))
    wanted = (wanted_of(luma, TABLES, quality) - frame.expected / step).astype(np.float32)
    chosen = choose_symbols(wanted, quality, PRIOR, seen, price=PRICE_OF_A_BIT)
    np.testing.assert_array_equal(frame.symbols, chosen)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize(("down", "across"), [(0, 3), (0, -5), (4, 0), (6, 7)])
def test_a_camera_that_moves_is_found(down: int, across: int, quality: int) -> None:
    frame = moved(view(down, across), first_frame(view(), TABLES, quality), quality)
    off = inner(frame.shown.vectors) - np.array([2 * down, 2 * across])[:, None, None]
    assert_mostly_none(off)


@pytest.mark.parametrize("quality", QUALITIES)
def test_what_is_still_has_no_vectors_and_no_bytes(quality: int) -> None:
    shown = first_frame(view(), TABLES, quality)
    step = LATENT_LEVELS_PER_UNIT * step_size(quality)
    # What players have; at fine qualities the source itself.
    drawn_before = np.rint(drawn(shown.levels, TABLES).luma / 2 + 128).clip(0, 255)
    sources = [(drawn_before.astype(np.uint8), (shown.levels / step).astype(np.float32))]
    if quality >= 40:
        sources.append((view(), wanted_of(view(), TABLES, quality)))
    for luma, wanted in sources:
        reference = Reference(shown, TABLES)
        frame = moved_frame(wanted, luma, reference, quality, PRIOR, TABLES, price_of_vectors=PRICE)
        assert not frame.shown.vectors.any()
        assert not frame.symbols.any()
        assert frame.packet(quality, PRIOR) == b""
        np.testing.assert_array_equal(frame.shown.levels, shown.levels)


@pytest.mark.parametrize("seed", range(4))
def test_noise_moves_nothing(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 4, (HEIGHT, WIDTH))
    noisy = np.rint(view() + noise).clip(0, 255).astype(np.uint8)
    frame = moved(noisy, first_frame(view(), TABLES, 40), 40)
    assert not frame.shown.vectors.any()


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_half_that_is_still_stays_where_it_is(quality: int) -> None:
    half = view()
    half[:, WIDTH // 2 :] = view(0, 5)[:, WIDTH // 2 :]
    frame = moved(half, first_frame(view(), TABLES, quality), quality)
    _, still, moving = np.split(frame.shown.vectors, (0, 4), axis=2)
    assert_mostly_none(still[:, :-1, :3])
    assert_mostly_none(moving[:, 1:-1, 1:3] - np.array([0, 10])[:, None, None])


@pytest.mark.parametrize("quality", [40, 63])
def test_a_camera_that_stops_is_found(quality: int) -> None:
    first = first_frame(view(), TABLES, quality)
    before = Shown(first.levels, vectors_of(first.levels, 0, 6))
    vectors = moved(view(), before, quality).shown.vectors
    assert_mostly_none(vectors)


@pytest.mark.parametrize("quality", QUALITIES)
def test_vectors_that_the_search_did_not_find_may_be_those_before(quality: int) -> None:
    first = first_frame(view(), TABLES, quality)
    before = Shown(first.levels, vectors_of(first.levels, 0, 6))
    vectors = moved(view(0, 3), before, quality, DEAR).shown.vectors
    assert_mostly_none(inner(vectors) - np.array([0, 6])[:, None, None])
    # As they were before they are coded in next to nothing.
    assert len(encode_vectors(vectors, before.vectors)) <= 2 * len(vectors[0].ravel()) // 3


@pytest.mark.parametrize("quality", QUALITIES)
def test_where_each_cell_is_found_best_is_not_what_is_sent(quality: int) -> None:
    """In a picture that has nothing to do with the one before, vectors gain little: those that
    cost most are left."""
    shown = first_frame(view(), TABLES, quality)
    grey = Reference(shown, TABLES).luma
    sizes = np.zeros(2)
    for seed in range(50, 54):
        luma = texture(HEIGHT, WIDTH, seed)
        found = find_vectors(grey, luma.astype(np.float32), 4 * PRICE)
        sent = moved(luma, shown, quality).shown.vectors
        sizes += [len(encode_vectors(each, shown.vectors)) for each in (sent, found)]
    assert sizes[0] < 0.85 * sizes[1]


def test_moving_leaves_less_to_be_sent() -> None:
    """What is left after motion, in quantiser's steps, and what would be left without."""
    for quality in QUALITIES:
        shown = first_frame(view(), TABLES, quality)
        wanted = wanted_of(view(0, 3), TABLES, quality)
        step = np.float32(LATENT_LEVELS_PER_UNIT * step_size(quality))
        expected = moved(view(0, 3), shown, quality).expected
        errors = [np.square(wanted - each / step).sum() for each in (expected, shown.levels)]
        assert errors[0] < 0.3 * errors[1]


def test_what_motion_is_looked_for_in_is_what_players_see_of_a_frame() -> None:
    shown = first_frame(view(), TABLES, 40)
    reference, picture = Reference(shown, TABLES), drawn(shown.levels, TABLES)
    np.testing.assert_array_equal(reference.picture.luma, picture.luma)
    np.testing.assert_array_equal(reference.picture.chroma, picture.chroma)
    np.testing.assert_array_equal(reference.luma, picture.luma / 2 + 128)
    assert reference.luma.dtype == np.float32
    assert np.abs(reference.luma - view()).mean() < 2


def test_the_same_frame_is_made_again_and_nothing_given_is_changed() -> None:
    shown = first_frame(view(), TABLES, 40)
    luma, wanted = view(0, 3), wanted_of(view(0, 3), TABLES, 40)
    reference = Reference(shown, TABLES)
    given = (wanted, luma, shown.levels, shown.vectors, reference.picture.luma, reference.luma)
    kept = [each.copy() for each in given]
    # What a reference has looked up for one frame is right for the next.
    first, second, third = (
        moved_frame(wanted, luma, each, 40, PRIOR, TABLES, price_of_vectors=PRICE)
        for each in (reference, reference, Reference(shown, TABLES))
    )
    assert first.packet(40, PRIOR) == second.packet(40, PRIOR) == third.packet(40, PRIOR)
    for each, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(each, before)
