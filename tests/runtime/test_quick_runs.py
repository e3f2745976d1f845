"""The quicker decoder gives what the plain one gives, whatever the symbols or the bytes."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.quick_runs import QuickRunDecoder, short_tables
from edgecodec.runtime.range_coder import RunDecoder, encode_runs
from edgecodec.runtime.scale_tables import load_scale_tables
from hypothesis import given, settings
from hypothesis import strategies as st

relaxed = settings(deadline=None, max_examples=40)
runs_of = st.lists(st.tuples(st.integers(0, 63), st.integers(1, 10_000)), min_size=1, max_size=4)


def laplace(random: np.random.Generator, table: int, count: int, spread: float) -> np.ndarray:
    deviation = spread * 0.08 * 600 ** (table / 63)
    drawn = np.rint(random.laplace(0, deviation / np.sqrt(2), count))
    return np.clip(drawn, -127, 127).astype(np.int8)


@relaxed
@given(runs_of, st.integers(0, 2**32), st.sampled_from([0.0, 1.0, 1.0, 1.3, 30.0]))
def test_runs_round_trip(runs: list[tuple[int, int]], seed: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    coded = [(table, laplace(random, table, count, spread)) for table, count in runs]
    decoder = QuickRunDecoder(encode_runs(coded), "symbols")
    for table, symbols in coded:
        found = decoder.decode(table, len(symbols))
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, symbols)


@relaxed
@given(st.integers(0, 20), st.lists(st.integers(0, 9_999), max_size=5), st.integers(0, 2**32))
def test_symbols_beyond_a_short_table_are_found(table: int, places: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    symbols = laplace(random, table, 10_000, 0.5)
    symbols[places] = random.choice((-127, -9, -3, -2, 2, 3, 8, 127), len(places))
    decoder = QuickRunDecoder(encode_runs([(table, symbols), (40, symbols[:9])]), "symbols")
    np.testing.assert_array_equal(decoder.decode(table, 10_000), symbols)
    np.testing.assert_array_equal(decoder.decode(40, 9), symbols[:9])


def outcome(decoder: RunDecoder, table: int) -> list[int] | str:
    try:
        return decoder.decode(table, 6_000).tolist() + decoder.decode(table, 600).tolist()
    except BitstreamError as error:
        return str(error)


@relaxed
@given(st.integers(0, 40), st.binary(max_size=400), st.booleans())
def test_bytes_that_none_wrote_give_the_same_or_the_same_error(
    table: int, noise: bytes, is_behind_zeros: bool
) -> None:
    start = encode_runs([(table, np.zeros(9_000, np.int8))]) if is_behind_zeros else b""
    words = start + noise[: len(noise) // 4 * 4]
    quick = outcome(QuickRunDecoder(words, "symbols"), table)
    assert quick == outcome(RunDecoder(words, "symbols"), table)


def test_short_tables_share_the_probabilities_of_the_whole_ones() -> None:
    random = np.random.default_rng(0)
    known = [(table, short) for table, short in enumerate(short_tables()) if short is not None]
    assert [table for table, _ in known] == list(range(len(known)))
    assert 30 <= len(known) < 64
    assert [short.reach for _, short in known] == sorted(short.reach for _, short in known)
    weights = load_scale_tables().weights.astype(int) + 1
    for table, short in known:
        beyond = weights[table, : 127 - short.reach].sum()
        assert 2 * beyond * 4096 * 8 <= 2**24
        symbols = random.integers(-short.reach, short.reach + 1, 5_000).astype(np.int8)
        decoder = QuickRunDecoder(encode_runs([(table, symbols)]), "symbols")
        np.testing.assert_array_equal(decoder.decode(table, 5_000), symbols)


def test_words_outweighing_a_run_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long packets of many short runs would take time that grows with the square of their size."""
    decoder = QuickRunDecoder(bytes(4 << 20), "symbols")
    monkeypatch.setattr(decoder, "_block", None)
    assert decoder.decode(0, 60_000).size == 60_000
    with pytest.raises(TypeError):
        decoder.decode(0, 70_000)
