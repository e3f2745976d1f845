"""Coding with priors: exact round trips, a second reader that agrees, damage that is noticed."""

from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.container import Limits
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import (
    coding_tables,
    decode_with_prior,
    encode_with_prior,
    network_symbols,
    prior_bits,
)
from edgecodec.runtime.scale_tables import load_scale_tables
from hypothesis import given, settings
from hypothesis import strategies as st

from . import reference_prior
from .prior_samples import (
    BOTH,
    DESIGNS,
    GATED,
    GATED_WHOLE,
    PLAIN,
    WHOLE,
    WITH_PREVIOUS,
    Design,
    fixed_arrays,
    from_digest,
    prior_arrays,
    prior_symbols,
)

relaxed = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32)
cells_of = st.tuples(st.integers(1, 40), st.integers(1, 40))
spreads = st.sampled_from([0.0, 0.05, 1.0, 20.0, 1000.0])


@st.composite
def designs(draw: st.DrawFn) -> Design:
    groups = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    means = draw(st.lists(st.integers(0, 1), min_size=len(groups), max_size=len(groups)))
    steps = draw(st.lists(st.integers(0, 9), min_size=1, max_size=12))
    return Design(
        groups=tuple(groups),
        means=tuple(means),
        whole=draw(st.integers(0, 1)),
        signed=draw(st.integers(0, sum(groups))),
        previous=draw(st.integers(0, 2)),
        hidden=draw(st.integers(1, 9)),
        waves=draw(st.integers(0, 4)),
        sizes=(0, *np.minimum(63, np.cumsum(steps)).tolist()),
        wild=draw(st.booleans()),
    )


def sample(design: Design, cells: tuple[int, int], seed: int = 5) -> tuple[Prior, np.ndarray]:
    prior = Prior.from_arrays(prior_arrays(seed, design))
    return prior, prior_symbols(seed, design, cells)


@relaxed
@given(designs(), seeds, cells_of, spreads, st.integers(0, 63), st.booleans())
def test_symbols_round_trip(
    design: Design,
    seed: int,
    cells: tuple[int, int],
    spread: float,
    quality: int,
    has_previous: bool,
) -> None:
    prior = Prior.from_arrays(prior_arrays(seed, design))
    symbols = prior_symbols(seed, design, cells, spread)
    previous = None
    if has_previous or design.previous == 2:
        previous = prior_symbols(seed + 1, design, cells, spread)
    data = encode_with_prior(symbols, quality, prior, previous)
    decoded = decode_with_prior(data, cells, quality, prior, previous)
    assert decoded.dtype == np.int16
    np.testing.assert_array_equal(decoded, symbols)
    expected = previous if design.previous == 2 else np.zeros_like(symbols)
    assert (data == b"") == np.array_equal(symbols, expected)


def with_groups(
    symbols: np.ndarray, count: int, arrays: dict[str, np.ndarray], previous: np.ndarray | None
) -> np.ndarray:
    """`symbols` with channels of no more than `count` groups that are not as expected."""
    coded = int(arrays["groups"][:count].sum())
    others = arrays["order"][coded:]
    fewer = symbols.copy()
    is_gated = arrays["config"][4] == 2
    fewer[others] = previous[others] if is_gated and previous is not None else 0
    return fewer


@settings(deadline=None, max_examples=40)
@given(
    designs(),
    seeds,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.integers(0, 63),
    st.integers(1, 3),
)
def test_a_reader_written_from_the_format_page_decodes_the_same(
    design: Design, seed: int, cells: tuple[int, int], quality: int, groups: int
) -> None:
    arrays = prior_arrays(seed, design)
    symbols = prior_symbols(seed, design, cells, 1 + seed % 30)
    previous = None
    if seed % 3 or design.previous == 2:
        previous = prior_symbols(seed + 1, design, cells, 2.0)
    symbols = with_groups(symbols, groups, arrays, previous)
    prior = Prior.from_arrays(arrays)
    data = encode_with_prior(symbols, quality, prior, previous)
    decoded = decode_with_prior(data, cells, quality, prior, previous)
    np.testing.assert_array_equal(decoded, symbols)
    if data:
        weights = load_scale_tables().weights.tolist()
        found = reference_prior.decode(data, cells, quality, arrays, previous, weights)
        np.testing.assert_array_equal(found, symbols)


@pytest.mark.parametrize("cells", [(1, 1), (17, 33), (40, 3), (3, 40)])
def test_the_second_reader_agrees_at_all_levels_and_edges(cells: tuple[int, int]) -> None:
    weights = load_scale_tables().weights.tolist()
    for design in (WHOLE, BOTH, GATED, GATED_WHOLE):
        arrays = prior_arrays(7, design)
        symbols = prior_symbols(8, design, cells)
        previous = prior_symbols(9, design, cells)
        data = encode_with_prior(symbols, 12, Prior.from_arrays(arrays), previous)
        found = reference_prior.decode(data, cells, 12, arrays, previous, weights)
        np.testing.assert_array_equal(found, symbols)


GOLDEN = {
    "PLAIN": "3db2e4cda5ef7b52",
    "WHOLE": "dc77cf00bcd08434",
    "WITH_PREVIOUS": "f22efa139f994bc8",
    "BOTH": "df38e809f40b8729",
    "GATED": "1589a003c7b1ef4e",
    "GATED_WHOLE": "d236d78713d3f027",
}


def test_streams_of_this_version_stay_as_they_are() -> None:
    found = {}
    for name, design in zip(GOLDEN, DESIGNS, strict=True):
        prior, shape = Prior.from_arrays(fixed_arrays(design)), (design.channels, 19, 21)
        symbols, previous = (from_digest(each, shape, 4).astype(np.int16) for each in "sp")
        data = encode_with_prior(symbols, 40, prior, previous)
        found[name] = hashlib.sha256(data).hexdigest()[:16]
    assert found == GOLDEN


@pytest.mark.parametrize("design", DESIGNS)
def test_only_groups_that_are_needed_are_coded(design: Design) -> None:
    arrays, cells = prior_arrays(5, design), (20, 30)
    prior, previous = Prior.from_arrays(arrays), prior_symbols(6, design, cells)
    all_groups = prior_symbols(5, design, cells)
    sizes = []
    for groups in range(1, len(prior.groups) + 1):
        symbols = with_groups(all_groups, groups, arrays, previous)
        data = encode_with_prior(symbols, 20, prior, previous)
        assert data[6] == groups
        assert prior_bits(symbols, 20, prior, previous) <= 8 * len(data)
        decoded = decode_with_prior(data, cells, 20, prior, previous)
        np.testing.assert_array_equal(decoded, symbols)
        sizes.append(len(data))
    assert sizes == sorted(sizes)


def test_a_prior_that_sees_no_frame_before_is_given_any() -> None:
    prior, symbols = sample(PLAIN, (4, 4))
    symbols[prior.order[prior.groups[0] :]] = 0
    other = np.zeros((1, 2, 3), np.int16)
    data = encode_with_prior(symbols, 20, prior, other)
    assert data == encode_with_prior(symbols, 20, prior, None)
    np.testing.assert_array_equal(decode_with_prior(data, (4, 4), 20, prior, other), symbols)


@pytest.mark.parametrize("groups", [0, 4, 255])
def test_groups_that_the_prior_does_not_have_are_damage(groups: int) -> None:
    prior, symbols = sample(WHOLE, (4, 4))
    assert len(prior.groups) < 4
    data = bytearray(encode_with_prior(symbols, 20, prior, None))
    data[6] = groups
    with pytest.raises(BitstreamError, match=f"{groups} coded groups"):
        decode_with_prior(bytes(data), (4, 4), 20, prior, None)


@pytest.mark.parametrize("design", DESIGNS)
def test_bits_are_those_of_the_coder(design: Design) -> None:
    prior, symbols = sample(design, (20, 30))
    before = prior_symbols(6, design, (20, 30))
    for previous in (before,) if design.previous == 2 else (None, before):
        data = encode_with_prior(symbols, 20, prior, previous)
        bits = prior_bits(symbols, 20, prior, previous)
        assert bits <= 8 * len(data) <= bits + 3 * 32
    assert prior_bits(before if design.previous == 2 else 0 * before, 20, prior, before) == 0


def test_the_frame_before_and_the_quality_make_a_difference() -> None:
    prior, symbols = sample(WITH_PREVIOUS, (20, 30))
    before = prior_symbols(6, WITH_PREVIOUS, (20, 30))
    plain = encode_with_prior(symbols, 20, prior, None)
    assert encode_with_prior(symbols, 20, prior, before) != plain
    assert encode_with_prior(symbols, 50, prior, None) != plain
    # A prior that does not look at it is not disturbed by it, whatever its shape.
    prior, symbols = sample(PLAIN, (20, 30))
    odd = np.ones((1, 2, 3), np.int16)
    data = encode_with_prior(symbols, 20, prior, odd)
    assert data == encode_with_prior(symbols, 20, prior, None)
    np.testing.assert_array_equal(decode_with_prior(data, (20, 30), 20, prior, odd), symbols)


def test_the_highest_brightness_can_be_coded() -> None:
    prior, symbols = sample(WHOLE, (20, 30))
    symbols[0] = 2**15 - 1 - np.arange(600).reshape(20, 30) % 3
    data = encode_with_prior(symbols, 20, prior, None)
    np.testing.assert_array_equal(decode_with_prior(data, (20, 30), 20, prior, None), symbols)


@pytest.mark.parametrize("low", [-(2**15), -300, 0, 2**15 - 255])
def test_a_whole_brightness_has_255_levels_anywhere(low: int) -> None:
    prior, symbols = sample(WHOLE, (20, 30))
    symbols[0] = low + np.arange(600).reshape(20, 30) * 7 % 255
    data = encode_with_prior(symbols, 20, prior, None)
    np.testing.assert_array_equal(decode_with_prior(data, (20, 30), 20, prior, None), symbols)
    symbols[0, 3, 4] = low - 1 if low > -(2**15) else low + 255
    with pytest.raises(ValueError, match="255 levels"):
        encode_with_prior(symbols, 20, prior, None)


def test_a_smooth_brightness_costs_little() -> None:
    arrays = prior_arrays(3, WHOLE)
    for name in list(arrays):
        if name[0] in "wb" and name[1].isdigit():
            arrays[name][:] = 0
    prior = Prior.from_arrays(arrays)
    rows, columns = np.indices((32, 48))
    symbols = np.zeros((4, 32, 48), np.int16)
    symbols[0] = 200 + rows // 16 + columns // 16
    # All tables are 0, for which anything but zero is rare.
    assert len(encode_with_prior(symbols, 20, prior, None)) < 400


@pytest.mark.parametrize("design", DESIGNS)
def test_every_flipped_byte_is_noticed(design: Design) -> None:
    prior, symbols = sample(design, (8, 9))
    data = encode_with_prior(symbols, 20, prior, symbols)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        try:
            decoded = decode_with_prior(bytes(damaged), (8, 9), 20, prior, symbols)
        except BitstreamError:
            continue
        # The last word may hold bits that decide nothing, as may the lowest brightness.
        assert at >= len(data) - 4 or (design.whole and at == 4)
        np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("design", DESIGNS)
def test_garbage_of_any_length_is_an_error(design: Design) -> None:
    random = np.random.default_rng(0)
    prior, symbols = sample(design, (8, 9))
    for length in range(1, 300):
        with pytest.raises(BitstreamError):
            decode_with_prior(random.bytes(length), (8, 9), 20, prior, symbols)


def test_a_lowest_brightness_that_none_can_be_is_damage() -> None:
    prior, symbols = sample(WHOLE, (8, 9))
    data = encode_with_prior(symbols, 20, prior, None)
    high = data[:4] + (2**15 - 254).to_bytes(2, "little") + data[6:]
    with pytest.raises(BitstreamError, match="brightness"):
        decode_with_prior(high, (8, 9), 20, prior, None)
    prior, symbols = sample(PLAIN, (8, 9))
    data = encode_with_prior(symbols, 20, prior, None)
    assert data[4:6] == b"\0\0"
    with pytest.raises(BitstreamError, match="brightness"):
        decode_with_prior(data[:4] + b"\1\0" + data[6:], (8, 9), 20, prior, None)


def test_a_shape_over_the_limit_is_refused_before_it_is_allocated() -> None:
    prior, _ = sample(PLAIN, (8, 9))
    tracemalloc.start()
    try:
        with pytest.raises(BitstreamError, match="allowed"):
            decode_with_prior(b"", (1 << 20, 1 << 20), 20, prior, None)
        with pytest.raises(BitstreamError, match="allowed"):
            decode_with_prior(bytes(10), (8, 8), 20, prior, None, Limits(max_symbols_per_frame=319))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_symbols_that_cannot_be_coded_are_refused() -> None:
    prior, symbols = sample(PLAIN, (8, 9))
    for wrong in (symbols.astype(np.int32), symbols[1:], symbols[0], symbols[:, :0]):
        with pytest.raises(ValueError, match="symbols"):
            encode_with_prior(wrong, 20, prior, None)
    for value in (128, -128, -(2**15)):
        beyond = symbols.copy()
        beyond[2, 3, 4] = value
        with pytest.raises(ValueError, match="127"):
            encode_with_prior(beyond, 20, prior, None)
        with pytest.raises(ValueError, match="127"):
            prior_bits(beyond, 20, prior, None)
    for design in (WITH_PREVIOUS, GATED, GATED_WHOLE):
        prior, symbols = sample(design, (8, 9))
        beyond = symbols.copy()
        beyond[-1, 3, 4] = -128
        for wrong in (symbols[:, 1:], symbols.astype(np.int32), beyond):
            with pytest.raises(ValueError, match="frame before"):
                encode_with_prior(symbols, 20, prior, wrong)
            with pytest.raises(ValueError, match="frame before"):
                decode_with_prior(b"", (8, 9), 20, prior, wrong)


def test_a_gated_prior_needs_a_frame_before() -> None:
    prior, symbols = sample(GATED, (8, 9))
    data = encode_with_prior(symbols, 20, prior, symbols[:, ::-1])
    for call in (
        lambda: encode_with_prior(symbols, 20, prior, None),
        lambda: decode_with_prior(data, (8, 9), 20, prior, None),
        lambda: decode_with_prior(b"", (8, 9), 20, prior, None),
        lambda: prior_bits(symbols, 20, prior, None),
        lambda: coding_tables(symbols, 20, prior, None),
    ):
        with pytest.raises(ValueError, match="frame before"):
            call()


@pytest.mark.parametrize("design", [GATED, GATED_WHOLE])
def test_of_a_frame_that_stays_nothing_is_sent(design: Design) -> None:
    prior, symbols = sample(design, (8, 9))
    assert encode_with_prior(symbols, 20, prior, symbols.copy()) == b""
    decoded = decode_with_prior(b"", (8, 9), 20, prior, symbols)
    np.testing.assert_array_equal(decoded, symbols)
    assert not np.shares_memory(decoded, symbols)
    # One that is all zeros after another that is not has to be sent.
    zeros = np.zeros_like(symbols)
    data = encode_with_prior(zeros, 20, prior, symbols)
    assert data
    np.testing.assert_array_equal(decode_with_prior(data, (8, 9), 20, prior, symbols), zeros)


def test_an_open_gate_expects_what_was_there() -> None:
    arrays = prior_arrays(3, GATED)
    for name in list(arrays):
        if name[0] in "wb" and name[1].isdigit():
            arrays[name][:] = 0
        if name.startswith("b3"):
            arrays[name][-1] = 64 << 7
    prior = Prior.from_arrays(arrays)
    before = prior_symbols(6, GATED, (20, 30), 20.0)
    symbols = before.copy()
    symbols[1, 2, 3] = -symbols[1, 2, 3] - 1
    tables, numbers = coding_tables(symbols, 20, prior, before)
    assert not tables.any()
    assert np.argwhere(numbers).tolist() == [[1, 2, 3]]
    # All tables are 0, for which anything but zero is rare.
    assert len(encode_with_prior(symbols, 20, prior, before)) < 60


def test_networks_take_a_whole_brightness_in_two_channels() -> None:
    prior, symbols = sample(WHOLE, (4, 128))
    symbols[0] = np.arange(-510, 510).repeat(2)[:512].reshape(4, 128)
    symbols[0, 3] = np.arange(382, 510)
    given = network_symbols(symbols, prior)
    assert given.dtype == np.int8
    assert given.shape == (5, 4, 128)
    np.testing.assert_array_equal(4 * given[0].astype(int) + given[1], symbols[0])
    assert (given[1].min(), given[1].max()) == (-2, 1)
    np.testing.assert_array_equal(given[2:], symbols[1:])
    for beyond in (510, -511):
        symbols[0, 0, 0] = beyond
        with pytest.raises(BitstreamError, match="brightness"):
            network_symbols(symbols, prior)
    prior, symbols = sample(replace(PLAIN, groups=(5,), means=(0,)), (4, 5))
    np.testing.assert_array_equal(network_symbols(symbols, prior), symbols)
