"""Coding of frames' sides and vectors between two others: exact round trips, a second reader that
agrees, damage in bounds."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.prior_positions import coding_steps
from edgecodec.runtime.range_coder import encode_runs
from edgecodec.runtime.scale_tables import load_scale_tables
from edgecodec.runtime.sides import (
    BOTH,
    FUTURE,
    PAST,
    Sides,
    decode_motion,
    encode_motion,
    side_contexts,
)
from edgecodec.runtime.vectors import MAX_VECTOR, Vectors, encode_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from . import reference_prior
from .mutations import any_raw
from .prior_samples import from_digest
from .reference_coder import RangeDecoder

FRAME = (34, 60)  # the cells of 540 x 960 samples

relaxed = settings(deadline=None, max_examples=100)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 40), st.integers(1, 40))


def random_vectors(seed: int, cells: tuple[int, int], most: int = MAX_VECTOR) -> Vectors:
    random = np.random.default_rng(seed)
    return random.integers(-most, most + 1, (2, *cells)).astype(np.int16)


def random_sides(seed: int, cells: tuple[int, int], alone: float = 0.5) -> Sides:
    random = np.random.default_rng(seed)
    return (random.integers(1, 3, cells) * (random.random(cells) < alone)).astype(np.uint8)


def covered_sides(seed: int, cells: tuple[int, int]) -> Sides:
    """Something that moves: what it uncovers is seen in one frame, what it covers in the other."""
    random = np.random.default_rng(seed)
    top, left = random.integers(0, cells)
    sides = np.zeros(cells, np.uint8)
    sides[top : top + 9, left : left + 2] = FUTURE
    sides[top : top + 9, left + 8 : left + 10] = PAST
    return sides


def still(cells: tuple[int, int] = FRAME) -> Vectors:
    return np.zeros((2, *cells), np.int16)


def seen_in_both(cells: tuple[int, int] = FRAME) -> Sides:
    return np.full(cells, BOTH, np.uint8)


Motion = tuple[Vectors, Sides, Vectors]
"""Vectors, sides, and what foretells the vectors."""


@st.composite
def vector_fields(draw: st.DrawFn, cells: tuple[int, int]) -> Vectors:
    return random_vectors(draw(seeds), cells, draw(st.sampled_from([0, 0, 1, 3, 9, MAX_VECTOR])))


@st.composite
def motions(draw: st.DrawFn) -> Motion:
    cells, seed = draw(cells_of), draw(seeds)
    share = draw(st.sampled_from([None, 0.0, 0.05, 0.5, 1.0]))
    sides = covered_sides(seed, cells) if share is None else random_sides(seed, cells, share)
    vectors = draw(vector_fields(cells))
    if draw(st.booleans()):
        return vectors, sides, draw(vector_fields(cells))
    noise = random_vectors(seed, cells, draw(st.sampled_from([0, 1, 4])))
    return vectors, sides, np.clip(vectors + noise, -MAX_VECTOR, MAX_VECTOR)


SIDE_TABLES = (8, 16, 21, 24, 27)
"""By how many neighbours are seen in one frame."""
TABLES = (
    (1, 7, 13, 6),
    (11, 16, 19, 15),
    (11, 23, 28, 33),
    (9, 30, 38, 44),
)
"""By how neighbours differ from each other, and how what is foretold differs from them."""
ROOT_TABLE = 16
ROOT = (4, 0)
_SIDE_OF = {0: BOTH, 1: PAST, -1: FUTURE}


def reference_reading(
    data: bytes, before: Vectors
) -> tuple[Vectors, Sides, set[int | tuple[int, int]]]:
    """A second reader of bytes that are not empty: plain integers, a cell at a time. Also gives the
    contexts that it met, those of sides as one number."""
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    coder = RangeDecoder(words)
    weights = load_scale_tables().weights.tolist()
    rows, columns = before.shape[1], before.shape[2]
    met: set[int | tuple[int, int]] = set()
    sides: dict[tuple[int, int], int] = {}
    for kind, level, cells in reference_prior.steps(rows, columns):
        around = {cell: neighbours(kind, level, cell, (rows, columns)) for cell in cells}
        counts = {cell: sum(sides[each] != BOTH for each in around[cell]) for cell in cells}
        for count in range(5):
            for cell in cells:
                if counts[cell] == count:
                    met.add(count)
                    sides[cell] = _SIDE_OF[coder.symbol(weights[SIDE_TABLES[count]])]
    known: dict[tuple[int, int], tuple[int, int]] = {}
    for kind, level, cells in reference_prior.steps(rows, columns):
        seen = {}
        for cell in cells:
            near = [known[each] for each in neighbours(kind, level, cell, (rows, columns))]
            seen[cell] = reference_context(near, (int(before[0, *cell]), int(before[1, *cell])))
        for context in sorted({context for context, _ in seen.values()}):
            met.add(context)
            table = ROOT_TABLE if context == ROOT else TABLES[context[0]][context[1]]
            for cell in cells:
                if seen[cell][0] == context:
                    down, across = (
                        reference_prior.wrapped(coder.symbol(weights[table]) + each)
                        for each in seen[cell][1]
                    )
                    known[cell] = down, across
    vectors, made = np.empty(before.shape, np.int16), np.empty((rows, columns), np.uint8)
    for cell, vector in known.items():
        vectors[:, *cell] = vector
        made[cell] = sides[cell]
    return vectors, made, met


def neighbours(
    kind: int, level: int, cell: tuple[int, int], shape: tuple[int, int]
) -> list[tuple[int, int]]:
    """Those of a cell that are there; a root has none."""
    if level == 4:
        return []
    return [each for each in reference_prior.neighbours(kind, level, cell, shape) if each]


def reference_context(
    near: list[tuple[int, int]], foretold: tuple[int, int]
) -> tuple[tuple[int, int], list[int]]:
    """The context and the predictions for both components."""
    if not near:
        return ROOT, list(foretold)
    half, spreads, differences, predictions = len(near) // 2, [], [], []
    for axis, here in enumerate(foretold):
        ordered = sorted(vector[axis] for vector in near)
        spreads.append(ordered[-1] - ordered[0])
        differences.append(abs(here - (ordered[half - 1] + ordered[half]) // 2))
        predictions.append(sorted([*ordered, here])[half])
    return (size_class(max(spreads)), size_class(max(differences))), predictions


def size_class(size: int) -> int:
    return sum(size > most for most in (0, 2, 8))


def assert_read_alike(data: bytes, motion: Motion) -> set[int | tuple[int, int]]:
    """By the second reader; gives the contexts that it met."""
    vectors, sides, met = reference_reading(data, motion[2])
    np.testing.assert_array_equal(vectors, motion[0])
    np.testing.assert_array_equal(sides, motion[1])
    return met


@relaxed
@given(motions())
def test_motion_round_trips(motion: Motion) -> None:
    kept = tuple(each.copy() for each in motion)
    vectors, sides, before = motion
    data = encode_motion(*motion)
    found, found_sides = decode_motion(data, before)
    assert (found.dtype, found_sides.dtype) == (np.int16, np.uint8)
    np.testing.assert_array_equal(found, vectors)
    np.testing.assert_array_equal(found_sides, sides)
    for each, was in zip(motion, kept, strict=True):
        np.testing.assert_array_equal(each, was)
    assert (data == b"") == (not vectors.any() and not sides.any())


@settings(deadline=None, max_examples=30)
@given(motions())
def test_a_second_reader_decodes_the_same(motion: Motion) -> None:
    if data := encode_motion(*motion):
        assert_read_alike(data, motion)


@pytest.mark.parametrize("cells", [(1, 1), (2, 1), (17, 33), (40, 3), (1, 40), (16, 16)])
def test_the_second_reader_agrees_at_all_levels_and_edges(cells: tuple[int, int]) -> None:
    for alone in (0.1, 0.5, 1.0):
        for most in (0, 3, MAX_VECTOR):
            sides = random_sides(7, cells, alone)
            sides[-1, -1] = FUTURE
            motion = random_vectors(5, cells, most), sides, random_vectors(6, cells, most)
            assert_read_alike(encode_motion(*motion), motion)


def test_the_second_reader_agrees_in_all_contexts() -> None:
    """Stripes that are seen in both, here and there in one, and in one alone; vectors that are
    still, noisy and wild, and foretold in all of these ways."""
    cells = (48, 48)
    vectors, before, sides = still(cells), still(cells), seen_in_both(cells)
    for stripe, most in enumerate((0, 1, 4, MAX_VECTOR)):
        part = slice(12 * stripe, 12 * stripe + 12)
        vectors[:, part] = random_vectors(stripe, (12, 48), most)
        before[:, :, part] = random_vectors(9 + stripe, (48, 12), most)
        sides[part] = random_sides(stripe, (12, 48), stripe / 3)
    motion = vectors, sides, np.clip(before + vectors, -MAX_VECTOR, MAX_VECTOR)
    met = assert_read_alike(encode_motion(*motion), motion)
    assert met >= set(range(5))
    assert len(met) == 5 + 17


def test_contexts_are_how_many_neighbours_are_seen_in_one_frame() -> None:
    """Told by hand: around the middle of 3x3 cells are its corners, around the cells at the sides
    those beside them, and what is missing lies on the other side again."""
    sides = np.array([[1, 0, 2], [0, 1, 0], [0, 0, 0]], np.uint8)
    flat, shape = sides.ravel(), sides.shape
    found = {}
    for step in coding_steps(*shape):
        for cell, context in zip(step.cells, side_contexts(step, flat), strict=True):
            found[divmod(int(cell), 3)] = int(context)
    assert found[0, 0] == 0
    assert found[1, 1] == 2
    assert found[0, 1] == 4
    assert found[1, 0] == 3
    assert found[2, 1] == 2
    assert len(found) == 9


def test_which_of_the_frames_a_neighbour_is_seen_in_is_not_told() -> None:
    cells = (20, 30)
    sides = random_sides(3, cells)
    turned = np.array((BOTH, FUTURE, PAST), np.uint8)[sides]
    for step in coding_steps(*cells):
        contexts = side_contexts(step, sides.ravel())
        np.testing.assert_array_equal(contexts, side_contexts(step, turned.ravel()))
        assert contexts.max() <= 4
    alike = encode_motion(still(cells), sides, still(cells))
    other = encode_motion(still(cells), turned, still(cells))
    assert len(alike) == len(other)
    assert alike != other


def test_motion_of_any_layout_in_memory_is_coded_the_same() -> None:
    cells = (20, 30)
    motion = random_vectors(3, cells, 9), covered_sides(4, cells), random_vectors(5, cells, 9)
    data = encode_motion(*motion)
    vectors, sides, before = (np.asfortranarray(each) for each in motion)
    assert encode_motion(vectors, sides, before) == data
    found = decode_motion(data, before)
    np.testing.assert_array_equal(found[0], motion[0])
    np.testing.assert_array_equal(found[1], motion[1])
    vectors, sides, before = (each[..., ::-1, ::-1] for each in motion)
    other = encode_motion(vectors, sides, before)
    assert other != data
    np.testing.assert_array_equal(decode_motion(other, before)[1], sides)


@relaxed
@given(cells_of, seeds)
def test_no_motion_costs_nothing(cells: tuple[int, int], seed: int) -> None:
    before = random_vectors(seed, cells)
    assert encode_motion(still(cells), seen_in_both(cells), before) == b""
    vectors, sides = decode_motion(b"", before)
    assert vectors.dtype == np.int16
    assert sides.dtype == np.uint8
    assert vectors.shape == before.shape
    assert sides.shape == cells
    assert not vectors.any()
    assert not sides.any()


def test_one_side_alone_is_written() -> None:
    for side in (PAST, FUTURE):
        for cell in ((0, 0), (33, 59), (16, 31)):
            sides = seen_in_both()
            sides[cell] = side
            data = encode_motion(still(), sides, still())
            assert 0 < len(data) < 60
            vectors, found = decode_motion(data, still())
            assert not vectors.any()
            np.testing.assert_array_equal(found, sides)


def test_sides_that_lie_together_cost_less() -> None:
    together, anywhere = seen_in_both(), seen_in_both()
    together[8:20, 10:14] = PAST
    places = np.random.default_rng(1).permutation(anywhere.size)[: np.count_nonzero(together)]
    anywhere.flat[places] = PAST
    costs = [len(encode_motion(still(), sides, still())) for sides in (together, anywhere)]
    assert 3 * costs[0] < 2 * costs[1]


def test_sides_that_are_all_alike_cost_little_beside_vectors() -> None:
    """Where all is seen in both, vectors take a few bytes more than those of a continued frame."""
    vectors = np.stack(np.indices(FRAME)).astype(np.int16) // 4
    wanted = len(encode_vectors(vectors, vectors))
    assert len(encode_motion(vectors, seen_in_both(), vectors)) <= wanted + 60


GOLDEN = "2011b0fa083fb7132e2e78d679d187508a11fd95dc078d4800e9a90bc0eb13a7"


def test_streams_of_this_version_stay_as_they_are() -> None:
    rows, columns = np.indices((19, 37))
    vectors = np.stack([rows // 3 - columns // 5, columns // 2 - 20]).astype(np.int16)
    vectors[:, 5:12, 20:30] = [[[-90]], [[70]]]
    before = vectors.copy()
    before[:, :, 9:] = vectors[:, :, :-9]
    before[:, :9] += from_digest("before", (2, 9, 37), 2).astype(np.int16)
    sides = seen_in_both((19, 37))
    sides[5:12, 18:20], sides[5:12, 28:30] = FUTURE, PAST
    sides[13:] = np.abs(from_digest("sides", (6, 37), 2))
    data = encode_motion(vectors, sides, before)
    assert_read_alike(data, (vectors, sides, before))
    assert hashlib.sha256(data).hexdigest() == GOLDEN


@settings(deadline=None, max_examples=300)
@given(motions(), seeds, st.booleans())
def test_damage_is_an_error_or_gives_motion(motion: Motion, seed: int, same: bool) -> None:
    damaged = any_raw(np.random.default_rng(seed), encode_motion(*motion))
    before = motion[2] if same else random_vectors(seed, motion[1].shape)
    assert_decodes_or_refuses(damaged, before)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), cells_of, seeds)
def test_any_words_are_an_error_or_give_motion(
    words: bytes, cells: tuple[int, int], seed: int
) -> None:
    assert_decodes_or_refuses(words[: len(words) // 4 * 4], random_vectors(seed, cells))


def test_both_come_of_damage() -> None:
    """What the tests above allow happens."""
    random = np.random.default_rng(2)
    seen: Counter[bool] = Counter()
    for seed in range(200):
        motion = random_vectors(seed, (9, 12), 3), random_sides(seed, (9, 12)), still((9, 12))
        data = bytearray(encode_motion(*motion))
        data[random.integers(len(data))] ^= 1 << random.integers(8)
        seen[assert_decodes_or_refuses(bytes(data), motion[2])] += 1
    assert min(seen[True], seen[False]) >= 10


def assert_decodes_or_refuses(data: bytes, before: Vectors) -> bool:
    try:
        vectors, sides = decode_motion(data, before)
    except BitstreamError:
        return False
    assert (vectors.dtype, sides.dtype) == (np.int16, np.uint8)
    assert vectors.shape == before.shape
    assert sides.shape == before.shape[1:]
    assert np.abs(vectors).max() <= MAX_VECTOR
    assert sides.max() <= FUTURE
    return True


@pytest.mark.parametrize("number", [2, -2, 3, 126, 127, -127])
def test_a_number_that_is_no_side_is_damage(number: int) -> None:
    numbers = np.array([number], np.int16)
    vector = ROOT_TABLE, np.zeros(2, np.int16)
    with pytest.raises(BitstreamError, match="a cell is seen in none of two frames"):
        decode_motion(encode_runs([(SIDE_TABLES[0], numbers), vector]), still((1, 1)))
    for side, wanted in ((1, PAST), (-1, FUTURE), (0, BOTH)):
        data = encode_runs([(SIDE_TABLES[0], np.array([side])), vector])
        assert decode_motion(data, still((1, 1)))[1].tolist() == [[wanted]]


def test_what_the_coder_cannot_have_written_is_damage() -> None:
    # The highest point of all is beyond the last symbol of every table.
    with pytest.raises(BitstreamError, match=r"^motion .* damaged"):
        decode_motion(b"\xff" * 8, still())


@pytest.mark.parametrize("length", [1, 2, 3, 5, 6, 7, 9])
def test_wrong_lengths_are_damage(length: int) -> None:
    with pytest.raises(BitstreamError, match=f"motion: {length} bytes"):
        decode_motion(bytes(length), still())


def test_motion_that_cannot_be_coded_is_refused() -> None:
    vectors, sides = random_vectors(1, (8, 9)), random_sides(1, (8, 9))
    for wrong in (
        vectors.astype(np.int32),
        vectors[:1],
        vectors[0],
        vectors[:, :0],
        vectors[:, 1:],
    ):
        with pytest.raises(ValueError, match="vectors"):
            encode_motion(wrong, sides, vectors)
        with pytest.raises(ValueError, match="vectors"):
            encode_motion(vectors, sides, wrong)
    for value in (128, -128, 2**15 - 1, -(2**15)):
        beyond = vectors.copy()
        beyond[1, 3, 4] = value
        with pytest.raises(ValueError, match="-127 to 127"):
            encode_motion(beyond, sides, vectors)
        with pytest.raises(ValueError, match="-127 to 127"):
            encode_motion(vectors, sides, beyond)
    for unfit in (
        sides[1:],
        sides[:, :8],
        sides[None],
        sides[:0],
        sides.T,
        sides.astype(np.int16),
        -sides.astype(np.int8),
        np.where(sides == 1, np.uint8(3), sides),
        np.full_like(sides, 255),
    ):
        with pytest.raises(ValueError, match="sides"):
            encode_motion(vectors, unfit, vectors)
