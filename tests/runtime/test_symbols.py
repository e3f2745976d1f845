"""The entropy layer: exact round trips, the tables the format defines, damage that is noticed."""

from __future__ import annotations

import hashlib
from typing import Any

import constriction
import numpy as np
import pytest
from edgecodec.encoder.training.scale_tables import make_scale_tables
from edgecodec.runtime.container import Limits
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.scale_tables import SCALE_TABLES_SHA256, load_scale_tables
from edgecodec.runtime.symbols import (
    Latent,
    Predictor,
    choose_difference_tables,
    choose_scale_index,
    decode_latent,
    encode_latent,
    index_shape,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from . import reference_coder
from .ecv_samples import sample_latent

relaxed = settings(deadline=None, max_examples=60)
cells_of = st.tuples(st.integers(1, 13), st.integers(1, 13))
activities = st.sampled_from([0.0, 0.02, 0.3, 1.0])


def assert_same(decoded: Latent, wanted: Latent) -> None:
    np.testing.assert_array_equal(decoded.symbols, wanted.symbols)
    np.testing.assert_array_equal(decoded.scale_index, wanted.scale_index)
    assert decoded.symbols.dtype == np.int8
    assert decoded.scale_index.dtype == np.uint8


def test_the_shipped_tables_are_those_that_the_format_defines() -> None:
    weights = load_scale_tables().weights
    assert hashlib.sha256(weights.astype("<u4").tobytes()).hexdigest() == SCALE_TABLES_SHA256
    np.testing.assert_array_equal(weights, make_scale_tables())
    assert weights.min() >= 1
    assert set(weights.sum(axis=1)) == {2**24 - 255}
    np.testing.assert_array_equal(weights, weights[:, ::-1])


def test_the_tables_are_laplace_distributions_of_growing_deviation() -> None:
    weights = load_scale_tables().weights.astype(np.float64)
    deviations = 0.08 * 600 ** (np.arange(64) / 63)
    tables = slice(28, 64)
    decay = weights[tables, 127 + 4] / weights[tables, 127 + 3]
    np.testing.assert_allclose(decay, np.exp(-np.sqrt(2) / deviations[tables]), rtol=1e-3)
    assert (np.diff(weights[:, 127]) < 0).all()


@relaxed
@given(st.integers(0, 2**32), st.lists(activities, min_size=1, max_size=4), cells_of)
def test_frames_round_trip(seed: int, shares: list[float], cells: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    frames = [sample_latent(rng, cells, share) for share in shares]
    tables = choose_difference_tables([frame.scale_index for frame in frames])
    previous = None
    for frame in frames:
        data = encode_latent(frame, tables, previous)
        assert_same(decode_latent(data, cells, tables, previous), frame)
        assert (data == b"") == (not frame.symbols.any())
        previous = frame.scale_index


@relaxed
@given(st.integers(0, 2**32), cells_of, st.lists(st.integers(1, 63), min_size=16, max_size=16))
def test_any_symbols_any_scales_and_any_tables_round_trip(
    seed: int, cells: tuple[int, int], tables: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    symbols = rng.integers(-127, 128, (64, *cells)).astype(np.int8)
    scale_index = rng.integers(1, 64, index_shape(*cells)).astype(np.uint8)
    previous = rng.integers(0, 64, index_shape(*cells)).astype(np.uint8)
    latent = Latent(symbols, scale_index)
    for each in (None, previous):
        data = encode_latent(latent, tables, each)
        assert_same(decode_latent(data, cells, tables, each), latent)


@relaxed
@given(st.integers(0, 2**32), cells_of, activities)
def test_the_chosen_scales_cost_the_fewest_bits(
    seed: int, cells: tuple[int, int], activity: float
) -> None:
    symbols = sample_latent(np.random.default_rng(seed), cells, activity).symbols
    bits = load_scale_tables().bits.astype(np.float64)
    chosen = choose_scale_index(symbols)
    for group, row, column in np.ndindex(*chosen.shape):
        part = symbols[4 * group :][:4, 4 * row :][:, :4, 4 * column :][:, :, :4]
        costs = bits[:, np.abs(part.astype(int))].sum(axis=(1, 2, 3))
        if part.any():
            assert chosen[group, row, column] > 0
            assert costs[chosen[group, row, column]] <= costs[1:].min() + 1e-3
        else:
            assert chosen[group, row, column] == 0


def test_a_still_scene_is_predicted_from_the_frame_before() -> None:
    frame = sample_latent(np.random.default_rng(3), (16, 16), 0.5)
    tables = choose_difference_tables([frame.scale_index] * 5)
    first = encode_latent(frame, tables, None)
    second = encode_latent(frame, tables, frame.scale_index)
    assert first[0] == Predictor.LEFT
    assert second[0] == Predictor.PREVIOUS
    assert len(second) < len(first)


def test_sizes_are_near_the_entropy() -> None:
    rng = np.random.default_rng(4)
    frame = sample_latent(rng, (32, 32), 0.5)
    tables = load_scale_tables()
    spread = frame.scale_index.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    bits = tables.bits[spread, np.abs(frame.symbols.astype(int))][spread > 0].sum()
    differences = choose_difference_tables([frame.scale_index, frame.scale_index])
    data = encode_latent(frame, differences, frame.scale_index)
    groups = frame.scale_index.size
    assert bits / 8 < len(data) < bits / 8 + groups * 12 / 8 + 16


def test_a_reader_written_from_the_format_page_decodes_the_same() -> None:
    rng = np.random.default_rng(8)
    weights = load_scale_tables().weights.tolist()
    frames = [sample_latent(rng, (5, 6), share) for share in (1.0, 0.5, 0.4)]
    frames.append(frames[-1])
    tables = choose_difference_tables([frame.scale_index for frame in frames])
    previous, predictors = None, set()
    for frame in frames:
        data = encode_latent(frame, tables, previous)
        predictors.add(data[0])
        symbols, scale_index = reference_coder.decode(data, (5, 6), tables, previous, weights)
        assert_same(Latent(symbols, scale_index), frame)
        previous = frame.scale_index
    assert predictors == {0, 1}


def coded_sample() -> tuple[bytes, tuple[int, ...], Latent]:
    frame = sample_latent(np.random.default_rng(1), (8, 9), 0.4)
    tables = choose_difference_tables([frame.scale_index])
    return encode_latent(frame, tables, None), tables, frame


def test_every_flipped_byte_is_noticed() -> None:
    data, tables, frame = coded_sample()
    noticed = 0
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        try:
            decoded = decode_latent(bytes(damaged), (8, 9), tables, frame.scale_index)
        except (BitstreamError, UnsupportedError):
            noticed += 1
        else:
            # The last word may hold bits that decide nothing.
            assert at >= len(data) - 4
            assert_same(decoded, frame)
    assert noticed >= len(data) - 4


def test_garbage_of_any_length_is_an_error() -> None:
    rng = np.random.default_rng(0)
    _, tables, _ = coded_sample()
    for length in range(1, 400):
        data = bytes([length & 1]) + rng.bytes(length - 1)
        with pytest.raises(BitstreamError):
            decode_latent(data, (8, 9), tables, np.zeros(index_shape(8, 9), np.uint8))


def test_a_panic_of_the_coder_is_a_bitstream_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """Stands for pyo3's, which cannot be imported."""

    class Panicking:
        def __init__(self, words: Any) -> None:
            pass

        def decode(self, model: Any, count: int) -> None:
            raise PanicException("attempt to divide by zero")

    data, tables, _ = coded_sample()
    monkeypatch.setattr(constriction.stream.queue, "RangeDecoder", Panicking)
    with pytest.raises(BitstreamError, match="divide by zero"):
        decode_latent(data, (8, 9), tables, None)


def test_a_shape_over_the_limit_is_refused_before_it_is_allocated() -> None:
    with pytest.raises(BitstreamError, match="allowed"):
        decode_latent(b"", (1 << 20, 1 << 20), (0,) * 16, None)
    with pytest.raises(BitstreamError, match="allowed"):
        decode_latent(b"", (8, 8), (0,) * 16, None, Limits(max_symbols_per_frame=64 * 64 - 1))


def test_a_missing_previous_frame_and_a_later_flag_are_named() -> None:
    _, tables, frame = coded_sample()
    still = encode_latent(frame, tables, frame.scale_index)
    assert still[0] == Predictor.PREVIOUS
    with pytest.raises(BitstreamError, match="there is none"):
        decode_latent(still, (8, 9), tables, None)
    with pytest.raises(UnsupportedError, match="0x02"):
        decode_latent(b"\x02" + still[1:], (8, 9), tables, frame.scale_index)


def test_the_encoder_refuses_what_it_could_not_code() -> None:
    _, tables, frame = coded_sample()
    with pytest.raises(ValueError, match="not zero"):
        encode_latent(Latent(frame.symbols, frame.scale_index * 0), tables, None)
    with pytest.raises(ValueError, match="difference table is 0"):
        encode_latent(frame, (0,) * 16, None)
    with pytest.raises(ValueError, match="-127"):
        encode_latent(Latent(np.full_like(frame.symbols, -128), frame.scale_index), tables, None)
    with pytest.raises(ValueError, match="previous scale index"):
        encode_latent(frame, tables, frame.scale_index[:, :1])
