"""Scene filters: bytes and back, and what is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.range_coder import encode_runs
from edgecodec.runtime.scene_filter import (
    CLASSES,
    PlaneFilter,
    SceneFilter,
    pack_scene_filter,
    pairs_of,
    parse_scene_filter,
    runs_of,
    taps_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .filter_samples import ALL, fixed_filter, random_filter, scene_filters
from .mutations import RAW
from .reference_filter import PAIRS

FIRST = (0,) * CLASSES
ZEROS = np.zeros((1, taps_of(0)), np.int8)
PLAIN = PlaneFilter(7, ZEROS, FIRST)


def only_luma(plane: PlaneFilter) -> SceneFilter:
    return SceneFilter((plane, None, None))


@settings(deadline=None, max_examples=100)
@given(scene_filters())
def test_filters_round_trip(scene: SceneFilter) -> None:
    packed = pack_scene_filter(scene)
    found = parse_scene_filter(packed, "body")
    assert found == scene
    assert hash(found) == hash(scene)
    for plane in found.planes:
        assert plane is None or plane.coefficients.dtype == np.int8
    assert parse_scene_filter(memoryview(packed), "body") == scene


def test_filters_differ_by_what_they_hold() -> None:
    scene = fixed_filter()
    luma, *chroma = scene.planes
    assert luma is not None
    other = luma.coefficients.copy()
    other[2, 5] += 1
    for plane in (
        None,
        replace(luma, shift=7),
        replace(luma, coefficients=other),
        replace(luma, filters=luma.filters[::-1]),
    ):
        changed = SceneFilter((plane, *chroma))
        assert changed != scene
        assert parse_scene_filter(pack_scene_filter(changed), "body") == changed


def test_the_bytes_of_a_filter_stay_as_they_are() -> None:
    packed = pack_scene_filter(fixed_filter())
    assert packed[:4].hex() == "0706032e"
    assert (
        hashlib.sha256(packed).hexdigest()
        == "58a8c0aef907286d513ce98d24e00721d4a7c7750282f234a1ca9fa81ec97faf"
    )


def test_taps_are_those_of_a_diamond_and_of_luma_in_chroma() -> None:
    assert [list(pairs_of(plane)) for plane in range(3)] == PAIRS
    assert [taps_of(plane) for plane in range(3)] == [32, 38, 38]
    for plane in range(3):
        taps = [tap for kind in runs_of(plane) for tap in range(taps_of(plane))[kind]]
        assert taps == list(range(taps_of(plane)))


def test_zeros_cost_a_few_bytes() -> None:
    planes = [PlaneFilter(7, np.zeros((1, taps_of(plane)), np.int8), FIRST) for plane in range(3)]
    scene = SceneFilter((planes[0], planes[1], planes[2]))
    assert len(pack_scene_filter(scene)) == 1 + 7 + 2 * 10
    assert parse_scene_filter(pack_scene_filter(scene), "body") == scene


def test_small_coefficients_cost_about_their_entropy() -> None:
    random = np.random.default_rng(0)
    coefficients = np.rint(random.laplace(size=(64, 32)) * 1.5).astype(np.int8)
    packed = pack_scene_filter(only_luma(PlaneFilter(7, coefficients, FIRST)))
    # Laplace of scale 1.5: log2(2e * 1.5) bits a symbol; a word or two may be lost at the end.
    assert 8 * len(packed) < coefficients.size * np.log2(3 * np.e) * 1.05 + 8 * 8 + 64


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (SceneFilter((None, None, None)), "planes 0x0: 1 to 7"),
        (only_luma(replace(PLAIN, coefficients=ZEROS[:, 1:])), r"plane 0: \(1, 31\) coefficients"),
        (only_luma(replace(PLAIN, coefficients=ZEROS[0])), r"plane 0: \(32,\) coefficients"),
        (SceneFilter((None, PLAIN, None)), r"plane 1: \(1, 32\) .* \[filters, 38\] and 120"),
        (only_luma(replace(PLAIN, filters=FIRST[1:])), "119 classes"),
        (only_luma(replace(PLAIN, filters=(*FIRST, 0))), "121 classes"),
        (only_luma(replace(PLAIN, filters=(1, *FIRST[1:]))), "a filter that is not there, of 1"),
        (only_luma(replace(PLAIN, filters=(-1, *FIRST[1:]))), "a filter that is not there, of 1"),
        (only_luma(replace(PLAIN, filters=(128, *FIRST[1:]))), "too far apart"),
        (only_luma(replace(PLAIN, shift=13)), "13 is not below 13"),
        (only_luma(replace(PLAIN, shift=-1)), "-1"),
        (only_luma(replace(PLAIN, coefficients=ZEROS.repeat(65, 0))), "65 is not below 65"),
        (only_luma(replace(PLAIN, coefficients=ZEROS[:0])), "a plane without filters"),
        (only_luma(replace(PLAIN, coefficients=ZEROS.astype(np.int16))), "cannot hold"),
        (only_luma(replace(PLAIN, coefficients=np.full_like(ZEROS, -128))), "plane 0|cannot hold"),
    ],
)
def test_what_no_reader_would_take_is_not_written(scene: SceneFilter, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack_scene_filter(scene)


def steps(*filters: int) -> bytes:
    """The words of a map that begins with these filters, by table 30, and goes on with the
    last."""
    padded = (*filters, *filters[-1:] * (CLASSES - len(filters)))
    return encode_runs([(30, np.diff(padded, prepend=0).astype(np.int8))])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "1 bytes wanted, 0 are left"),
        (b"\x00", "planes 0x0: 1 to 7 are wanted"),
        (b"\x08\x07\x01\0\0\0\0", "planes 0x8: 1 to 7 are wanted"),
        (b"\xff\x07\x01\0\0\0\0", "planes 0xff: 1 to 7 are wanted"),
        (b"\x01", "cut off"),
        (b"\x01\x0d\x01\0\0\0\0", "13 is not below 13"),
        (b"\x01\x07\x41\0\0\0\0", "65 is not below 65"),
        (b"\x01\x07\x00\0\0\0\0\0", "a plane without filters"),
        (b"\x01\x07\x01\0\0\0\0", "5 bytes wanted, 4 are left"),
        (b"\x02\x07\x01\0\0\0\0", "8 bytes wanted, 4 are left"),
        (b"\x01\x07\x01\0\x40\0\0\0", r"tables \[0, 64, 0, 0, 0\]: 0 to 63 are wanted"),
        (b"\x01\x07\x01\0\0\0\0\xff", r"tables \[0, 0, 0, 0, 255\]: 0 to 63 are wanted"),
        (b"\x03\x07\x01\0\0\0\0\0", "cut off"),
        (b"\x01\x07\x01\0\0\0\0\0abc", "coefficients: 3 bytes of symbols, a multiple of 4"),
        (b"\x01\x07\x02\0\0\0\0\x1e" + steps(0, 1, 2), "a filter that is not there, of 2"),
        (b"\x01\x07\x02\0\0\0\0\x1e" + steps(1, 0, -1), "a filter that is not there, of 2"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message) as raised:
        parse_scene_filter(data, "the body")
    assert "the body, scene filter" in str(raised.value)


def test_what_is_just_not_damage_is_a_filter() -> None:
    """The same map with one filter more."""
    luma, *chroma = parse_scene_filter(b"\x01\x0c\x03\0\0\0\0\x1e" + steps(0, 1, 2), "").planes
    assert luma == PlaneFilter(12, ZEROS.repeat(3, 0), (0, 1, *(2,) * (CLASSES - 2)))
    assert chroma == [None, None]


def is_a_filter(data: bytes) -> bool:
    """Or refused."""
    try:
        scene = parse_scene_filter(data, "body")
    except BitstreamError:
        return False
    assert parse_scene_filter(pack_scene_filter(scene), "body") == scene
    return True


@pytest.mark.parametrize("seed", range(2))
def test_what_is_cut_off_is_refused_or_another_filter(seed: int) -> None:
    """The range coder reads zeros beyond its words."""
    packed = pack_scene_filter(random_filter(seed, planes=(True, seed == 0, True)))
    found = [is_a_filter(packed[:length]) for length in range(len(packed))]
    heads = 1 + 7 * (3 - seed)
    assert not any(found[:heads])
    whole_words = range(heads, len(packed), 4)
    assert not any(found[at] for at in range(heads, len(packed)) if at not in whole_words)


def test_mutated_filters_are_filters_or_refused() -> None:
    random = np.random.default_rng(5)
    # Where only some of sixty-four filters are used, a damaged map often names others there are.
    packed = []
    for planes in (ALL, (True, False, False), (False, True, True)):
        small = random_filter(3, planes=planes)
        packed.append(pack_scene_filter(small))
    packed.append(b"\x01\x07\x40\x05\x05\x05\x05\0" + random.bytes(40))
    outcomes = {True: 0, False: 0}
    for number in range(800):
        mutate = RAW[number % len(RAW)]
        outcomes[is_a_filter(mutate(random, packed[number % len(packed)]))] += 1
    assert min(outcomes.values()) >= 50


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), st.integers(1, 7), st.integers(0, 63))
def test_arbitrary_bytes_are_filters_or_refused(data: bytes, planes: int, table: int) -> None:
    is_a_filter(data)
    head = bytes([7, 64, table, table, table, table, 0])
    is_a_filter(bytes([planes]) + head * planes.bit_count() + data)
