"""Upsampling against whole numbers, and scenes whose base has half the size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Chunk, Limits, StrategyId
from edgecodec.runtime.errors import BitstreamError, ModelError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_unsigned
from edgecodec.runtime.frames import PictureFormat, Plane, Planes
from edgecodec.runtime.payloads import BaseStream, ClassicalBody, HybridBody, pack_body, parse_body
from edgecodec.runtime.scenes import SceneContext, decode_scene
from edgecodec.runtime.sessions import NetworkPool
from edgecodec.runtime.upsample import Upsampling, half_size, upsample, upsampled
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from .ecv_samples import CODE
from .mutations import RAW, inside_fields
from .streams import GENERATOR_UP, code_base

FULL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
LIMIT = 1 << 20
TAPS = (-1, 2, -4, 15, 62, -15, 8, -3)
# Of the base, then of the video.
DEPTHS = [(8, 8), (10, 8), (10, 10)]
Draw = Callable[..., tuple[Planes, ...]]


def doubled_rows(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """The format's sum for every row of the result, in 64ths."""
    rows = len(samples)
    result = np.zeros((2 * rows, samples.shape[1]), np.int64)
    for row in range(rows):
        for place, tap in enumerate(TAPS):
            result[2 * row] += tap * samples[min(max(row - 4 + place, 0), rows - 1)]
            result[2 * row + 1] += tap * samples[min(max(row + 4 - place, 0), rows - 1)]
    return result


def reference(samples: Plane, shape: tuple[int, int], depths: tuple[int, int]) -> Plane:
    """One plane in whole numbers, as the format says."""
    sums = doubled_rows(doubled_rows(samples.astype(np.int64)).T).T
    shift = 12 + depths[0] - depths[1]
    rounded = (sums + (1 << shift - 1)) >> shift
    result = rounded.clip(0, (1 << depths[1]) - 1)[: shape[0], : shape[1]]
    return result.astype(np.uint8 if depths[1] == 8 else np.uint16)


def references(planes: Planes, picture: PictureFormat, source_bits: int) -> Planes:
    depths = (source_bits, picture.bit_depth)
    y, u, v = planes
    return (
        reference(y, (picture.height, picture.width), depths),
        reference(u, picture.chroma_shape, depths),
        reference(v, picture.chroma_shape, depths),
    )


def same(a: Planes, b: Planes) -> bool:
    return all(
        one.dtype == other.dtype and np.array_equal(one, other)
        for one, other in zip(a, b, strict=True)
    )


def noise(half: PictureFormat, seed: int, *, extreme: bool) -> Planes:
    """Samples anywhere in the range, or only at its two ends, where sums are largest."""
    random = np.random.default_rng(seed)
    top = (1 << half.bit_depth) - 1
    dtype = np.uint8 if half.bit_depth == 8 else np.uint16

    def plane(shape: tuple[int, int]) -> Plane:
        if extreme:
            return (random.integers(0, 2, shape) * top).astype(dtype)
        return random.integers(0, top + 1, shape).astype(dtype)

    return plane((half.height, half.width)), plane(half.chroma_shape), plane(half.chroma_shape)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.sampled_from(DEPTHS),
    st.integers(0, 2**32),
    st.booleans(),
    st.sampled_from([1, 2, 3]),
)
def test_samples_are_those_of_whole_numbers(
    width: int, height: int, depths: tuple[int, int], seed: int, extreme: bool, threads: int
) -> None:
    picture = PictureFormat(width, height, depths[1])
    planes = noise(half_size(picture, depths[0]), seed, extreme=extreme)
    (made,) = upsampled([planes], Upsampling.EIGHT_TAP, picture, threads)
    assert same(made, references(planes, picture, depths[0]))


@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize(("width", "height"), [(1283, 131), (30, 515)])
def test_seams_between_blocks_do_not_show(width: int, height: int, depths: tuple[int, int]) -> None:
    picture = PictureFormat(width, height, depths[1])
    for extreme in (False, True):
        planes = noise(half_size(picture, depths[0]), 5, extreme=extreme)
        made = upsample(planes, Upsampling.EIGHT_TAP, picture)
        assert same(made, references(planes, picture, depths[0]))


@pytest.mark.parametrize("depths", DEPTHS)
def test_the_largest_sums_of_either_sign_are_exact(depths: tuple[int, int]) -> None:
    """Each sample is at an end of the range, as the sign of its weight says, but for a little."""
    picture = PictureFormat(32, 32, depths[1])
    top, dtype = (1 << depths[0]) - 1, np.uint8 if depths[0] == 8 else np.uint16
    rows, columns = np.meshgrid(TAPS, TAPS, indexing="ij")
    for wanted in (1, -1):
        luma = np.full((16, 16), top // 2, np.int64)
        luma[4:12, 4:12] = np.where(rows * columns * wanted > 0, top, 0)
        for less in range(0, top, 37):
            # Brings the sum for sample (16, 16) back into the range with many fractions.
            luma[8, 8] = top - less if wanted > 0 else less
            flat = np.full((8, 8), less, dtype)
            planes: Planes = (luma.astype(dtype), flat, flat)
            made = upsample(planes, Upsampling.EIGHT_TAP, picture)
            assert same(made, references(planes, picture, depths[0]))


@pytest.mark.parametrize("depths", DEPTHS)
def test_flat_pictures_stay_as_they_are(depths: tuple[int, int]) -> None:
    picture = PictureFormat(37, 21, depths[1])
    half = half_size(picture, depths[0])
    dtype = np.uint8 if depths[0] == 8 else np.uint16
    for level in range(1 << depths[0]):
        planes: Planes = (
            np.full((half.height, half.width), level, dtype),
            np.full(half.chroma_shape, level, dtype),
            np.full(half.chroma_shape, level, dtype),
        )
        shift = depths[0] - depths[1]
        expected = min((1 << depths[1]) - 1, (level + (1 << shift >> 1)) >> shift)
        for plane in upsample(planes, Upsampling.EIGHT_TAP, picture):
            assert plane.min() == plane.max() == expected


def test_a_mirrored_picture_becomes_a_mirrored_picture() -> None:
    picture = PictureFormat(92, 140)
    y, u, v = noise(half_size(picture), 3, extreme=False)
    made = upsample((y, u, v), Upsampling.EIGHT_TAP, picture)
    mirrored = upsample(
        (y[::-1, ::-1], u[::-1, ::-1], v[::-1, ::-1]), Upsampling.EIGHT_TAP, picture
    )
    for one, other in zip(made, mirrored, strict=True):
        assert np.array_equal(one, other[::-1, ::-1])


def test_frames_come_one_by_one_and_are_read_only() -> None:
    picture = PictureFormat(40, 40)
    asked: list[int] = []

    def source() -> object:
        for number in range(3):
            asked.append(number)
            yield noise(half_size(picture), number, extreme=False)

    for threads in (1, 2):
        asked.clear()
        frames = upsampled(source(), Upsampling.EIGHT_TAP, picture, threads)  # type: ignore[arg-type]
        for number in range(3):
            planes = next(frames)
            assert asked == list(range(number + 1))
            with pytest.raises(ValueError, match="read-only"):
                planes[0][0, 0] = 1


def test_planes_that_are_no_half_are_refused() -> None:
    picture = PictureFormat(40, 40)
    y, u, v = noise(half_size(picture), 0, extreme=False)
    deep = noise(half_size(picture, 10), 0, extreme=False)
    for wrong in ((y[1:], u, v), (y, u[:, 1:], v), (y, u, y), (y, u, deep[2])):
        with pytest.raises(ValueError, match="do not become 40x40 of 8 bits"):
            upsample(wrong, Upsampling.EIGHT_TAP, picture)
    with pytest.raises(ValueError, match="do not become 40x40 of 10 bits"):
        upsample((y, u, v), Upsampling.EIGHT_TAP, PictureFormat(40, 40, 10))
    with pytest.raises(ValueError, match="NONE is no filter"):
        upsample((y, u, v), Upsampling.NONE, picture)


def decode(base: BaseStream, picture: PictureFormat, **others: int) -> list[Planes]:
    return list(
        decode_base(
            base,
            picture,
            frames=len(base.packets),
            max_pixels=LIMIT,
            upsampling=Upsampling.EIGHT_TAP,
            **others,
        )
    )


@pytest.mark.parametrize("picture", [FULL, ODD, PictureFormat(96, 64, 10)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_base_of_half_the_size_fills_the_picture(
    draw_planes: Draw, picture: PictureFormat, threads: int
) -> None:
    half = half_size(picture)
    base = code_base(draw_planes(half, 3), half)
    assert (base.width, base.height) == (half.width + half.width % 2, half.height + half.height % 2)
    coded = decode_base(base, half, frames=3, max_pixels=LIMIT)
    made = decode(base, picture, threads=threads)
    for planes, frame in zip(made, coded, strict=True):
        assert same(planes, references(frame, picture, half.bit_depth))


def test_a_deep_base_of_a_shallow_video_is_rounded_once(draw_planes: Draw) -> None:
    deep = half_size(FULL, 10)
    base = code_base(draw_planes(deep, 2), deep)
    coded = decode_base(base, deep, frames=2, max_pixels=LIMIT)
    for planes, frame in zip(decode(base, FULL), coded, strict=True):
        assert same(planes, references(frame, FULL, 10))


def test_a_base_below_half_the_size_or_the_depth_is_refused(draw_planes: Draw) -> None:
    half = half_size(FULL)
    base = code_base(draw_planes(half, 1), half)
    for larger in (PictureFormat(97, 64), PictureFormat(96, 65)):
        with pytest.raises(BitstreamError, match="smaller than the video needs"):
            decode(base, larger)
    with pytest.raises(BitstreamError, match="8 bits a sample, the video 10"):
        decode(base, PictureFormat(96, 64, 10))


def chunk_of(body: ClassicalBody | HybridBody) -> Chunk:
    hybrid = isinstance(body, HybridBody)
    strategy = StrategyId.HYBRID_SEMANTIC if hybrid else StrategyId.CLASSICAL
    return Chunk(0, 0, strategy, tuple(range(len(body.base.packets))), pack_body(body))


@pytest.fixture(scope="module")
def pool() -> NetworkPool:
    return NetworkPool(threads=1)


@pytest.fixture(scope="module")
def half_base(draw_planes: Draw) -> BaseStream:
    half = half_size(FULL)
    return code_base(draw_planes(half, 3), half)


def test_both_strategies_decode_at_full_size(half_base: BaseStream, pool: NetworkPool) -> None:
    base = decode(half_base, FULL)
    classical = ClassicalBody(half_base, Upsampling.EIGHT_TAP)
    frames = list(decode_scene(chunk_of(classical), SceneContext(FULL, pool, 1)))
    assert all(same(a, b) for a, b in zip(frames, base, strict=True))

    flags = (False, False, False)
    hybrid = HybridBody(half_base, GENERATOR_UP, flags, upsampling=Upsampling.EIGHT_TAP)
    frames = list(decode_scene(chunk_of(hybrid), SceneContext(FULL, pool, 1)))
    assert all(same(a, b) for a, b in zip(frames, base, strict=True))


def test_bodies_name_the_filter(half_base: BaseStream) -> None:
    for body in (
        ClassicalBody(half_base, Upsampling.EIGHT_TAP),
        HybridBody(half_base, GENERATOR_UP, (True,) * 3, CODE, Upsampling.EIGHT_TAP, 7),
    ):
        chunk = chunk_of(body)
        assert parse_body(chunk.strategy, chunk.body, 3) == body
        without = replace(body, upsampling=Upsampling.NONE)
        plain = chunk_of(without)
        assert parse_body(plain.strategy, plain.body, 3) == without
        assert len(chunk.body) == len(plain.body) + 7


def test_a_filter_of_a_later_version_is_named(half_base: BaseStream) -> None:
    chunk = chunk_of(ClassicalBody(half_base))
    later = chunk.body + pack_fields([(0x8005, pack_unsigned(2))])
    with pytest.raises(UnsupportedError, match="no upsampling 2"):
        parse_body(StrategyId.CLASSICAL, later, 3)
    for broken in (b"", b"\x01\x00", b"\xff" * 10):
        with pytest.raises(BitstreamError):
            parse_body(StrategyId.CLASSICAL, chunk.body + pack_fields([(0x8005, broken)]), 3)


def test_mutated_bodies_end_or_raise_an_error_of_the_tree(
    half_base: BaseStream, pool: NetworkPool
) -> None:
    random = np.random.default_rng(11)
    limits = Limits(max_pixels=1 << 16)
    packed = {
        StrategyId.CLASSICAL: pack_body(ClassicalBody(half_base, Upsampling.EIGHT_TAP)),
        StrategyId.HYBRID_SEMANTIC: pack_body(
            HybridBody(
                half_base, GENERATOR_UP, (False, True, False), upsampling=Upsampling.EIGHT_TAP
            )
        ),
    }
    outcomes = {"frames": 0, "errors": 0}
    for number in range(300):
        strategy = list(packed)[number % 2]
        mutate = inside_fields if number % 3 else RAW[number // 6 % len(RAW)]
        chunk = Chunk(0, 0, strategy, (0, 1, 2), mutate(random, packed[strategy]))
        try:
            for planes in decode_scene(chunk, SceneContext(FULL, pool, 1 + number % 2, limits)):
                assert planes[0].shape == (64, 96)
                outcomes["frames"] += 1
        except (BitstreamError, ModelError, UnsupportedError):
            outcomes["errors"] += 1
    assert min(outcomes.values()) >= 50
