"""Coding of motion vectors: exact round trips, a second reader that agrees, damage in bounds."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.scale_tables import load_scale_tables
from edgecodec.runtime.vectors import (
    COMPONENTS,
    MAX_VECTOR,
    decode_vectors,
    encode_vectors,
    vector_bits,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from . import reference_prior
from .mutations import any_raw
from .prior_samples import from_digest
from .reference_coder import RangeDecoder

WORD_BITS = 32
FRAME = (34, 60)  # the cells of 540 x 960 samples

relaxed = settings(deadline=None, max_examples=100)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 40), st.integers(1, 40))
component = st.integers(-MAX_VECTOR, MAX_VECTOR)


def random_field(seed: int, cells: tuple[int, int], most: int = MAX_VECTOR) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(-most, most + 1, (COMPONENTS, *cells)).astype(np.int16)


def smooth_field(seed: int, cells: tuple[int, int]) -> np.ndarray:
    """A pan and zoom behind something that moves otherwise."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(cells)
    zoom = random.uniform(-1, 1)
    field = random.integers(-60, 61, (COMPONENTS, 1, 1)) + np.stack([rows, columns]) * zoom
    top, left = random.integers(0, cells)
    field[:, top : top + 9, left : left + 9] = random.integers(-127, 128, (COMPONENTS, 1, 1))
    return np.clip(np.round(field), -MAX_VECTOR, MAX_VECTOR).astype(np.int16)


def pan(down: int, across: int, cells: tuple[int, int] = FRAME) -> np.ndarray:
    field = np.empty((COMPONENTS, *cells), np.int16)
    field[0], field[1] = down, across
    return field


def still(cells: tuple[int, int] = FRAME) -> np.ndarray:
    return np.zeros((COMPONENTS, *cells), np.int16)


@st.composite
def fields(draw: st.DrawFn, cells: tuple[int, int] | None = None) -> np.ndarray:
    cells, seed = cells or draw(cells_of), draw(seeds)
    if draw(st.booleans()):
        return smooth_field(seed, cells)
    return random_field(seed, cells, draw(st.sampled_from([0, 1, 3, 5, 20, MAX_VECTOR])))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, and those of the frame before: alike, or of anything else."""
    vectors = draw(fields())
    cells = vectors.shape[1:]
    if draw(st.booleans()):
        return vectors, draw(fields(cells))
    noise = random_field(draw(seeds), cells, draw(st.sampled_from([0, 1, 4])))
    return vectors, np.clip(vectors + noise, -MAX_VECTOR, MAX_VECTOR)


TABLES = (
    (3, 15, 23, 10),
    (17, 21, 25, 19),
    (19, 27, 31, 35),
    (16, 33, 39, 42),
)
"""By how neighbours differ from each other, and how the frame before differs from them."""
ROOT_TABLE = 18


def reference_decode(data: bytes, before: np.ndarray) -> np.ndarray:
    return reference_reading(data, before)[0]


def reference_reading(data: bytes, before: np.ndarray) -> tuple[np.ndarray, set[tuple[int, int]]]:
    """A second reader of bytes that are not empty: plain integers, a cell at a time. Also gives the
    contexts that it met."""
    weights = load_scale_tables().weights.tolist()
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
    coder = RangeDecoder(words)
    shape = before.shape[1], before.shape[2]
    known: dict[tuple[int, int], tuple[int, int]] = {}
    met: set[tuple[int, int]] = set()
    for kind, level, cells in reference_prior.steps(*shape):
        seen = {}
        for cell in cells:
            near = reference_prior.neighbours(kind, level, cell, shape) if level < 4 else []
            sides = list(zip(*(known[each] for each in near if each is not None), strict=True))
            was = int(before[0, *cell]), int(before[1, *cell])
            seen[cell] = reference_context(sides, was)
        contexts = sorted({context for context, _ in seen.values()})
        met.update(contexts)
        for context in contexts:
            table = weights[TABLES[context[0]][context[1]] if context != ROOT else ROOT_TABLE]
            for cell in cells:
                found, predictions = seen[cell]
                if found == context:
                    down, across = (
                        reference_prior.wrapped(coder.symbol(table) + each) for each in predictions
                    )
                    known[cell] = down, across
    vectors = np.empty((2, *shape), np.int16)
    for (row, column), vector in known.items():
        vectors[:, row, column] = vector
    return vectors, met


ROOT = (4, 0)


def reference_context(
    sides: list[tuple[int, ...]], was: tuple[int, int]
) -> tuple[tuple[int, int], list[int]]:
    """The context and the predictions for both components of the neighbours and of the vector in
    the frame before."""
    if not sides:
        return ROOT, list(was)
    spread = max(max(side) - min(side) for side in sides)
    middles, predictions = [], []
    for side, here in zip(sides, was, strict=True):
        ordered, half = sorted(side), len(side) // 2
        assert len(side) in (2, 4)
        middles.append((ordered[half - 1] + ordered[half]) // 2)
        predictions.append(sorted((*side, here))[half])
    difference = max(abs(here - middle) for here, middle in zip(was, middles, strict=True))
    return (size_class(spread), size_class(difference)), predictions


def size_class(size: int) -> int:
    return 0 if size == 0 else 1 if size <= 2 else 2 if size <= 8 else 3


@relaxed
@given(pairs())
def test_vectors_round_trip(pair: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, before = pair
    kept = vectors.copy(), before.copy()
    data = encode_vectors(vectors, before)
    decoded = decode_vectors(data, before)
    assert decoded.dtype == np.int16
    np.testing.assert_array_equal(decoded, vectors)
    np.testing.assert_array_equal(vectors, kept[0])
    np.testing.assert_array_equal(before, kept[1])
    assert (data == b"") == (not vectors.any())


@settings(deadline=None, max_examples=30)
@given(pairs())
def test_a_second_reader_decodes_the_same(pair: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, before = pair
    data = encode_vectors(vectors, before)
    if data:
        np.testing.assert_array_equal(reference_decode(data, before), vectors)


@pytest.mark.parametrize("cells", [(1, 1), (17, 33), (40, 3), (1, 40), (16, 16)])
def test_the_second_reader_agrees_at_all_levels_and_edges(cells: tuple[int, int]) -> None:
    for most in (1, 3, 5, MAX_VECTOR):
        for before in (still(cells), random_field(8, cells, most)):
            vectors = random_field(7, cells, most)
            vectors[0, 0, 0] = 1
            found = reference_decode(encode_vectors(vectors, before), before)
            np.testing.assert_array_equal(found, vectors)


def test_the_second_reader_agrees_in_all_contexts() -> None:
    """Fields of stripes that are still, noisy and wild, before and now."""
    cells = (48, 48)
    vectors, before = still(cells), still(cells)
    for stripe, most in enumerate((0, 1, 4, MAX_VECTOR)):
        vectors[:, 12 * stripe : 12 * stripe + 12] = random_field(stripe, (12, 48), most)
        before[:, :, 12 * stripe : 12 * stripe + 12] = random_field(9 + stripe, (48, 12), most)
    before = np.clip(before + vectors, -MAX_VECTOR, MAX_VECTOR)
    found, contexts = reference_reading(encode_vectors(vectors, before), before)
    np.testing.assert_array_equal(found, vectors)
    assert len(contexts) == 17


def test_vectors_of_any_layout_in_memory_are_coded_the_same() -> None:
    vectors, before = smooth_field(3, (20, 30)), smooth_field(4, (20, 30))
    data = encode_vectors(vectors, before)
    assert encode_vectors(np.asfortranarray(vectors), np.asfortranarray(before)) == data
    turned, turned_before = vectors[:, ::-1, ::-1], before[:, ::-1, ::-1]
    found = encode_vectors(turned, turned_before)
    assert found != data
    np.testing.assert_array_equal(decode_vectors(found, turned_before), turned)


@given(fields())
def test_no_motion_costs_nothing(before: np.ndarray) -> None:
    zeros = np.zeros_like(before)
    assert encode_vectors(zeros, before) == b""
    assert vector_bits(zeros, before) == 0
    np.testing.assert_array_equal(decode_vectors(b"", before), zeros)


@relaxed
@given(pairs())
def test_bits_are_those_of_the_coder(pair: tuple[np.ndarray, np.ndarray]) -> None:
    # The last word may save a part of a bit, and the coder may end with one or two that say little.
    more = 8 * len(encode_vectors(*pair)) - vector_bits(*pair)
    assert -1 <= more <= 2 * WORD_BITS


@relaxed
@given(component, component)
def test_a_pan_costs_few_bytes(down: int, across: int) -> None:
    """Of one that begins only the roots have anything to say, but the others are less certain; of
    one that goes on nothing has."""
    field = pan(down, across)
    is_slow = 2 < max(abs(down), abs(across)) <= 8
    assert len(encode_vectors(field, still())) < (500 if is_slow else 150)
    assert len(encode_vectors(field, field)) <= 4


@pytest.mark.parametrize("seed", range(5))
def test_motion_that_goes_on_costs_less_than_motion_that_begins(seed: int) -> None:
    vectors = smooth_field(seed, FRAME)
    noise = random_field(seed, FRAME, 1) * (np.random.default_rng(seed).random(FRAME) < 0.1)
    before = np.clip(vectors + noise, -MAX_VECTOR, MAX_VECTOR).astype(np.int16)
    assert vector_bits(vectors, before) < vector_bits(vectors, still())


def test_smooth_motion_costs_much_less_than_any() -> None:
    for seed in range(5):
        smooth, anything = smooth_field(seed, FRAME), random_field(seed, FRAME)
        assert 4 * vector_bits(smooth, still()) < vector_bits(anything, still())


def test_differences_are_modulo_255() -> None:
    """From -127 to 127 is one step down, and back one up."""
    end, zero = pan(MAX_VECTOR, -MAX_VECTOR, (1, 1)), still((1, 1))
    data = encode_vectors(end, -end)
    assert data == encode_vectors(zero + np.array([-1, 1], np.int16).reshape(2, 1, 1), zero)
    np.testing.assert_array_equal(decode_vectors(data, -end), end)


GOLDEN = "907b0c50323e7bf4437dc8b103ef60a5155f548d1b65e63f15a2832530ee55fa"


def test_streams_of_this_version_stay_as_they_are() -> None:
    rows, columns = np.indices((19, 37))
    vectors = np.stack([rows // 3 - columns // 5, columns // 2 - 20]).astype(np.int16)
    vectors[:, 5:12, 20:30] = [[[-90]], [[70]]]
    before = vectors.copy()
    before[:, :, 9:] = vectors[:, :, :-9]
    before[:, :9] += from_digest("before", (COMPONENTS, 9, 37), 2).astype(np.int16)
    vectors[:, 12:] += from_digest("vectors", (COMPONENTS, 7, 37), 3).astype(np.int16)
    data = encode_vectors(vectors, before)
    np.testing.assert_array_equal(reference_decode(data, before), vectors)
    assert hashlib.sha256(data).hexdigest() == GOLDEN


@settings(deadline=None, max_examples=300)
@given(pairs(), fields(), seeds, st.booleans())
def test_damage_is_an_error_or_gives_vectors(
    pair: tuple[np.ndarray, np.ndarray], other: np.ndarray, seed: int, same: bool
) -> None:
    damaged = any_raw(np.random.default_rng(seed), encode_vectors(*pair))
    assert_decodes_or_refuses(damaged, pair[1] if same else other)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), fields())
def test_any_words_are_an_error_or_give_vectors(words: bytes, before: np.ndarray) -> None:
    assert_decodes_or_refuses(words[: len(words) // 4 * 4], before)


def assert_decodes_or_refuses(data: bytes, before: np.ndarray) -> None:
    try:
        decoded = decode_vectors(data, before)
    except BitstreamError:
        return
    assert decoded.dtype == np.int16
    assert decoded.shape == before.shape
    assert np.abs(decoded).max() <= MAX_VECTOR


def test_what_the_coder_cannot_have_written_is_damage() -> None:
    # The highest point of all is beyond the last symbol of every table.
    with pytest.raises(BitstreamError, match="vectors are damaged"):
        decode_vectors(b"\xff" * 8, still())


@pytest.mark.parametrize("length", [1, 2, 3, 5, 6, 7, 9])
def test_wrong_lengths_are_damage(length: int) -> None:
    with pytest.raises(BitstreamError, match=f"{length} bytes"):
        decode_vectors(bytes(length), still())


def test_vectors_that_cannot_be_coded_are_refused() -> None:
    vectors = smooth_field(1, (8, 9))
    for wrong in (
        vectors.astype(np.int32),
        vectors.astype(np.int8),
        vectors[:1],
        vectors[0],
        vectors[:, :0],
        vectors[:, :, :0],
        vectors[:, 1:],
    ):
        for call in (encode_vectors, vector_bits):
            with pytest.raises(ValueError, match="vectors"):
                call(wrong, vectors)
            with pytest.raises(ValueError, match="vectors"):
                call(vectors, wrong)
    for value in (128, -128, 2**15 - 1, -(2**15)):
        beyond = vectors.copy()
        beyond[1, 3, 4] = value
        for call in (encode_vectors, vector_bits):
            with pytest.raises(ValueError, match="-127 to 127"):
                call(beyond, vectors)
            with pytest.raises(ValueError, match="-127 to 127"):
                call(vectors, beyond)
