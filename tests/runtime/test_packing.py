"""Space-to-depth and back, for any size."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.runtime import PictureFormat
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.packing import pack, padded_size, unpack
from hypothesis import given, settings
from hypothesis import strategies as st

SIDES = st.integers(1, 75)

relaxed = settings(deadline=None, max_examples=60)


def noise(picture: PictureFormat, seed: int = 0) -> Planes:
    random = np.random.default_rng(seed)
    y, u, v = (
        random.integers(0, 256, shape).astype(np.uint8)
        for shape in ((picture.height, picture.width), picture.chroma_shape, picture.chroma_shape)
    )
    return y, u, v


@relaxed
@given(SIDES, SIDES, st.sampled_from([(4, None), (4, 16), (8, None), (8, 16)]))
def test_unpack_inverts_pack(width: int, height: int, packing: tuple[int, int | None]) -> None:
    picture = PictureFormat(width, height)
    planes = noise(picture)
    block, multiple = packing
    packed = pack(planes, block, multiple)
    padded_width, padded_height = padded_size(width, height, multiple or block)
    channels = 6 * block * block // 4
    assert packed.shape == (1, channels, padded_height // block, padded_width // block)
    assert packed.dtype == np.uint8
    for got, given_ in zip(unpack(packed, picture), planes, strict=True):
        assert np.array_equal(got, given_)


@relaxed
@given(SIDES, SIDES, st.sampled_from([(2, None), (4, None), (4, 16), (8, None), (8, 16)]))
def test_the_layout_in_memory_changes_no_value(
    width: int, height: int, packing: tuple[int, int | None]
) -> None:
    picture = PictureFormat(width, height)
    planes = noise(picture)
    block, multiple = packing
    plain = pack(planes, block, multiple)
    by_places = pack(planes, block, multiple, channels_last=True)
    assert plain.flags.c_contiguous
    assert by_places.transpose(0, 2, 3, 1).flags.c_contiguous
    np.testing.assert_array_equal(by_places, plain)
    for packed in (plain, by_places):
        for got, given_ in zip(unpack(packed, picture), planes, strict=True):
            np.testing.assert_array_equal(got, given_)


def test_rows_may_lie_apart_in_memory_and_samples_too() -> None:
    picture = PictureFormat(24, 16)
    y, u, v = noise(PictureFormat(30, 20))
    apart = y[:16, :24], u[:8, :12], v[:8, :12]
    strewn = y[:16, 1:25].repeat(2, 1)[:, ::2], u[:8, ::-1][:, :12], v[:8, ::-1][:, :12]
    for planes in (apart, strewn):
        packed = pack(planes, 4, channels_last=True)
        for got, given_ in zip(unpack(packed, picture), planes, strict=True):
            np.testing.assert_array_equal(got, given_)


@relaxed
@given(SIDES, SIDES, st.integers(1, 64))
def test_a_padded_size_is_the_smallest_multiple(width: int, height: int, multiple: int) -> None:
    for side, padded in zip((width, height), padded_size(width, height, multiple), strict=True):
        assert padded % multiple == 0
        assert 0 <= padded - side < multiple


@pytest.mark.parametrize("block", [4, 8])
def test_channels_run_row_by_row_through_a_block(block: int) -> None:
    picture = PictureFormat(5 * block, 3 * block)
    y, u, v = noise(picture)
    packed = pack((y, u, v), block)[0]
    half = block // 2
    for plane, size, start in (
        (y, block, 0),
        (u, half, block * block),
        (v, half, block * block + half * half),
    ):
        for dy in range(size):
            for dx in range(size):
                channel = packed[start + dy * size + dx]
                assert np.array_equal(channel, plane[dy::size, dx::size])


def test_the_edge_is_repeated_into_the_padding() -> None:
    picture = PictureFormat(5, 6)
    planes = noise(picture)
    grown = unpack(pack(planes, 8, 16), PictureFormat(16, 16))
    for samples, given_ in zip(grown, planes, strict=True):
        rows, columns = given_.shape
        assert np.array_equal(
            samples[:rows, columns:], np.repeat(given_[:, -1:], samples.shape[1] - columns, 1)
        )
        assert np.array_equal(
            samples[rows:], np.repeat(samples[rows - 1 : rows], len(samples) - rows, 0)
        )
