"""Hybrid scenes: what networks see of a base, and how their residuals are added to it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.container import Chunk, Codec
from edgecodec.runtime.errors import BitstreamError, ModelError
from edgecodec.runtime.frames import PictureFormat, Plane, Planes
from edgecodec.runtime.packing import pack, unpack
from edgecodec.runtime.payloads import BaseStream, HybridBody, pack_body
from edgecodec.runtime.scene_code import SceneCode, identity_code
from edgecodec.runtime.scenes import (
    SceneContext,
    add_residual,
    condition_planes,
    decode_scene,
    deep_base,
    enhance,
    full_size,
    packed_frame,
    unmended,
)
from edgecodec.runtime.sessions import Network, NetworkPool
from edgecodec.runtime.title import TitleWeights
from edgecodec.runtime.upsample import Upsampling, half_size, upsample
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from .streams import (
    ENHANCER,
    GENERATOR_UP,
    LATENT_MODELS,
    Scene,
    code_base,
    hybrid,
    stream_of,
    title_weights,
)

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
DEEP = PictureFormat(96, 64, 10)
LIMIT = 1 << 20
HALF, FULL = Upsampling.EIGHT_TAP, Upsampling.NONE
# Of the base, then of the video.
DEPTHS = [(8, 8), (10, 8), (10, 10)]
CODE = SceneCode((90, 20) * 32, (100, 150) * 32)
Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture(scope="module")
def pool() -> NetworkPool:
    return NetworkPool(threads=1)


def decode(
    scene: Scene,
    picture: PictureFormat,
    pool: NetworkPool,
    titles: dict[int, TitleWeights] | None = None,
    threads: int = 1,
) -> list[Planes]:
    chunk = Chunk(0, 0, scene.strategy, tuple(range(scene.frames)), pack_body(scene.body))
    context = SceneContext(picture, pool, threads, titles=titles or {})
    return list(decode_scene(chunk, context))


def same(a: Planes, b: Planes) -> bool:
    return all(
        one.dtype == other.dtype and np.array_equal(one, other)
        for one, other in zip(a, b, strict=True)
    )


def all_same(a: list[Planes], b: list[Planes]) -> bool:
    return len(a) == len(b) and all(same(one, other) for one, other in zip(a, b, strict=True))


def body_of(scene: Scene) -> HybridBody:
    assert isinstance(scene.body, HybridBody)
    return scene.body


def scene_of(
    draw: Draw,
    picture: PictureFormat,
    base_bits: int,
    upsampling: Upsampling,
    enhanced: tuple[bool, ...],
) -> Scene:
    """A scene whose base has its own depth, and half the size with upsampling."""
    coded = replace(picture if upsampling is FULL else half_size(picture), bit_depth=base_bits)
    base = code_base(draw(coded, len(enhanced)), coded, crf=36)
    scene = hybrid(draw(SMALL, 1), SMALL, (True,))
    model = ENHANCER if upsampling is FULL else GENERATOR_UP
    return replace(
        scene,
        body=HybridBody(base, model, enhanced, upsampling=upsampling),
        frames=len(enhanced),
    )


def summed(base: Plane, residual: NDArray[np.uint8], bits: int) -> Plane:
    """The format's sum, sample by sample, in whole numbers."""
    ten_bits = base.astype(np.int64) + residual.astype(np.int64) - 128
    ten_bits = np.where(ten_bits < 0, 0, np.where(ten_bits > 1023, 1023, ten_bits))
    if bits == 10:
        return ten_bits.astype(np.uint16)
    return np.minimum(255, (ten_bits + 2) >> 2).astype(np.uint8)


def expected_frames(
    body: HybridBody, picture: PictureFormat, network: Network, code: SceneCode
) -> list[Planes]:
    """The frames as the format describes them, from the base on."""
    base, half = body.base, body.upsampling is HALF
    coded = half_size(picture) if half else picture
    coded = replace(coded, bit_depth=base.bit_depth)
    frames = list(decode_base(base, coded, frames=len(body.enhanced), max_pixels=LIMIT))
    plain = list(
        decode_base(
            base,
            picture,
            frames=len(body.enhanced),
            max_pixels=LIMIT,
            upsampling=body.upsampling,
        )
    )
    packed = []
    for planes in frames:
        levels = planes
        if base.bit_depth == 10:
            levels = tuple(  # type: ignore[assignment]
                np.minimum((plane.astype(np.int64) + 2) >> 2, 255).astype(np.uint8)
                for plane in planes
            )
        packed.append(pack(levels, 2 if half else 4))
    condition = condition_planes(base, *packed[0].shape[2:])
    made = []
    for t, flag in enumerate(body.enhanced):
        if not flag:
            made.append(plain[t])
            continue
        (residual,) = network.run(
            {
                "prev": packed[max(0, t - 1)],
                "cur": packed[t],
                "next": packed[min(len(frames) - 1, t + 1)],
                "condition": condition,
                **code.ports(),
            }
        )
        full = frames[t]
        if half:
            full = upsample(full, HALF, replace(picture, bit_depth=base.bit_depth))
        scale = 4 if base.bit_depth == 8 else 1
        changes = unpack(residual, picture)
        y, u, v = (
            summed(plane.astype(np.int64) * scale, change, picture.bit_depth)
            for plane, change in zip(full, changes, strict=True)
        )
        made.append((y, u, v))
    return made


@pytest.mark.parametrize("upsampling", [FULL, HALF], ids=["full size", "half size"])
@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize("size", [SMALL, ODD], ids=["whole blocks", "odd"])
@pytest.mark.parametrize("flags", [(1, 0, 1, 1, 0), (0, 0, 0, 0, 1), (1, 1, 1, 1, 1)])
def test_flagged_frames_are_mended_and_the_others_the_bases(
    draw_planes: Draw,
    pool: NetworkPool,
    size: PictureFormat,
    depths: tuple[int, int],
    upsampling: Upsampling,
    flags: tuple[int, ...],
) -> None:
    picture = replace(size, bit_depth=depths[1])
    scene = scene_of(draw_planes, picture, depths[0], upsampling, tuple(map(bool, flags)))
    body = replace(body_of(scene), scene_code=CODE, title=0)
    title = title_weights("enhancer" if upsampling is FULL else "generator_up")
    decoded = decode(replace(scene, body=body), picture, pool, {0: title})
    network = pool.network(body.enhancer, title)
    assert all_same(decoded, expected_frames(body, picture, network, CODE))
    assert not any(plane.flags.writeable for planes in decoded for plane in planes)
    plain = decode(replace(scene, body=replace(body, enhanced=(False,) * 5)), picture, pool)
    assert [same(one, other) for one, other in zip(decoded, plain, strict=True)] == [
        not flag for flag in flags
    ]


@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize("upsampling", [FULL, HALF], ids=["full size", "half size"])
def test_a_scene_without_flags_is_what_classical_gives_and_needs_no_network(
    draw_planes: Draw, pool: NetworkPool, depths: tuple[int, int], upsampling: Upsampling
) -> None:
    picture = replace(ODD, bit_depth=depths[1])
    scene = scene_of(draw_planes, picture, depths[0], upsampling, (False,) * 3)
    body = replace(body_of(scene), enhancer="0" * 16)
    base = decode_base(body.base, picture, frames=3, max_pixels=LIMIT, upsampling=body.upsampling)
    assert all_same(decode(replace(scene, body=body), picture, pool), list(base))


@pytest.mark.parametrize("upsampling", [FULL, HALF], ids=["full size", "half size"])
def test_videos_of_ten_bits_are_mended_in_the_player(
    draw_planes: Draw, pool: NetworkPool, upsampling: Upsampling
) -> None:
    scene = scene_of(draw_planes, DEEP, 10, upsampling, (True, False, True))
    scene = replace(scene, body=replace(body_of(scene), scene_code=CODE, title=0))
    title = title_weights("enhancer" if upsampling is FULL else "generator_up")
    data = stream_of([scene], DEEP, titles=[title])
    with runtime.open(io.BytesIO(data), threads=1) as video:
        frames = list(video)
    assert all_same([frame.planes for frame in frames], decode(scene, DEEP, pool, {0: title}))
    assert all(frame.format == DEEP for frame in frames)
    assert frames[0].planes[0].dtype == np.uint16


@pytest.mark.parametrize("upsampling", [FULL, HALF], ids=["full size", "half size"])
def test_threads_change_nothing(
    draw_planes: Draw, pool: NetworkPool, upsampling: Upsampling
) -> None:
    scene = scene_of(draw_planes, ODD, 10, upsampling, (True, False, True))
    assert all_same(decode(scene, ODD, pool), decode(scene, ODD, pool, threads=3))


def test_the_identity_is_no_code_and_another_code_is_not(
    draw_planes: Draw, pool: NetworkPool
) -> None:
    planes = draw_planes(ODD, 3)
    without, identity, other = (
        decode(hybrid(planes, ODD, (True,) * 3, code), ODD, pool)
        for code in (None, identity_code(64), CODE)
    )
    assert all_same(without, identity)
    assert not any(same(a, b) for a, b in zip(without, other, strict=True))


@pytest.mark.parametrize("upsampling", [FULL, HALF])
@pytest.mark.parametrize("planes", [(True, False, False), (False, True, True)])
def test_planes_that_are_not_taken_are_as_classical_has_them(
    draw_planes: Draw,
    pool: NetworkPool,
    upsampling: Upsampling,
    planes: tuple[bool, bool, bool],
) -> None:
    scene = scene_of(draw_planes, SMALL, 10, upsampling, (True, True))
    code = replace(body_of(scene), scene_code=CODE)
    mended = decode(replace(scene, body=code), SMALL, pool)
    simple = decode(replace(scene, body=replace(code, enhanced=(False, False))), SMALL, pool)
    made = decode(replace(scene, body=replace(code, planes=planes)), SMALL, pool)
    for got, after, before in zip(made, mended, simple, strict=True):
        expected = [(after if taken else before)[n] for n, taken in enumerate(planes)]
        assert all(np.array_equal(one, other) for one, other in zip(got, expected, strict=True))
        assert not all(np.array_equal(one, other) for one, other in zip(after, before, strict=True))


def test_a_code_for_another_network_is_damage(draw_planes: Draw, pool: NetworkPool) -> None:
    scene = hybrid(draw_planes(SMALL, 2), SMALL, (True, False), identity_code(96))
    with pytest.raises(BitstreamError, match=r"scene code of 96 channels, .* has 64"):
        decode(scene, SMALL, pool)


def test_title_weights_of_zero_are_the_generic_network_and_others_are_not(
    draw_planes: Draw, pool: NetworkPool
) -> None:
    titles = {4: title_weights(spread=0.0), 9: title_weights(spread=2.0)}
    planes = draw_planes(ODD, 3)
    generic = decode(hybrid(planes, ODD, (True,) * 3), ODD, pool)
    zero = decode(hybrid(planes, ODD, (True,) * 3, title=4), ODD, pool, titles)
    other = decode(hybrid(planes, ODD, (True,) * 3, title=9), ODD, pool, titles)
    assert all_same(generic, zero)
    assert not any(same(a, b) for a, b in zip(generic, other, strict=True))


def test_title_weights_mend_half_size_bases_too(draw_planes: Draw, pool: NetworkPool) -> None:
    scene = scene_of(draw_planes, ODD, 10, HALF, (True, True))
    titled = replace(scene, body=replace(body_of(scene), title=0))
    with_title = decode(titled, ODD, pool, {0: title_weights("generator_up")})
    assert not any(same(a, b) for a, b in zip(decode(scene, ODD, pool), with_title, strict=True))


def test_a_title_that_is_missing_plays_the_generic_network(
    draw_planes: Draw, pool: NetworkPool
) -> None:
    planes = draw_planes(SMALL, 2)
    generic = decode(hybrid(planes, SMALL, (True, True)), SMALL, pool)
    missing = decode(
        hybrid(planes, SMALL, (True, True), title=1), SMALL, pool, {0: title_weights()}
    )
    assert all_same(generic, missing)


def test_a_title_of_another_network_is_damage(draw_planes: Draw, pool: NetworkPool) -> None:
    scene = hybrid(draw_planes(SMALL, 2), SMALL, (True, True), title=0)
    with pytest.raises(BitstreamError, match=f"title weights of network {GENERATOR_UP}"):
        decode(scene, SMALL, pool, {0: title_weights("generator_up")})
    short = replace(title_weights(), deltas=title_weights().deltas[:3])
    with pytest.raises(BitstreamError, match="of 3 tensors"):
        decode(scene, SMALL, pool, {0: short})


def test_a_network_of_the_wrong_kind_is_damage(draw_planes: Draw, pool: NetworkPool) -> None:
    full = scene_of(draw_planes, SMALL, 8, FULL, (True, False))
    half = scene_of(draw_planes, SMALL, 8, HALF, (True, False))
    for scene, model, name in (
        (full, LATENT_MODELS[0], "iframe_decoder, enhancer"),
        (full, GENERATOR_UP, "generator_up, enhancer"),
        (half, ENHANCER, "enhancer, generator_up"),
    ):
        wrong = replace(scene, body=replace(body_of(scene), enhancer=model))
        with pytest.raises(BitstreamError, match=f"is the network {name} is wanted"):
            decode(wrong, SMALL, pool)


def test_a_network_that_is_nowhere_is_named(draw_planes: Draw, pool: NetworkPool) -> None:
    scene = hybrid(draw_planes(SMALL, 2), SMALL, (True, False))
    foreign = replace(scene, body=replace(body_of(scene), enhancer="0" * 16))
    with pytest.raises(ModelError, match="needs network 0000000000000000"):
        decode(foreign, SMALL, pool)


@pytest.mark.parametrize("upsampling", [FULL, HALF], ids=["full size", "half size"])
def test_a_base_of_fewer_bits_than_the_video_is_damage(
    draw_planes: Draw, pool: NetworkPool, upsampling: Upsampling
) -> None:
    scene = scene_of(draw_planes, SMALL, 8, upsampling, (True, True))
    with pytest.raises(BitstreamError, match="8 bits a sample, the video 10"):
        decode(scene, DEEP, pool)


def test_a_scene_of_one_frame_stands_in_for_its_neighbours(
    draw_planes: Draw, pool: NetworkPool
) -> None:
    assert len(decode(hybrid(draw_planes(SMALL, 1), SMALL, (True,)), SMALL, pool)) == 1


def test_enhancing_holds_at_most_three_frames(pool: NetworkPool, draw_planes: Draw) -> None:
    """A frame comes out as soon as the next one is in."""
    planes = draw_planes(SMALL, 4)
    asked = 0

    def source() -> Iterator[Planes]:
        nonlocal asked
        for each in planes:
            asked += 1
            yield each

    body = body_of(hybrid(planes, SMALL, (True,) * 4))
    made = enhance(source(), (True,) * 4, body.base, SMALL, pool.network(ENHANCER))
    for expected in (2, 3, 4, 4):
        next(made)
        assert asked == expected
    assert list(made) == []


def test_more_frames_than_flags_are_damage(pool: NetworkPool, draw_planes: Draw) -> None:
    planes = draw_planes(SMALL, 3)
    base = body_of(hybrid(planes, SMALL, (True,) * 3)).base
    with pytest.raises(BitstreamError, match="more frames than the scene's 2"):
        list(enhance(iter(planes), (True, True), base, SMALL, pool.network(ENHANCER)))


@pytest.mark.parametrize(
    ("codec", "level"), [(Codec.AV1, 0), (Codec.H265, 85), (Codec.H264, 170), (Codec.VVC, 255)]
)
def test_the_enhancer_is_told_the_quantiser_and_the_codec(codec: Codec, level: int) -> None:
    told = condition_planes(BaseStream(codec, 96, 64, 8, 77, b"", ()), 3, 5)
    assert told.shape == (1, 2, 3, 5)
    assert (told[:, 0] == 77).all()
    assert (told[:, 1] == level).all()


# The pieces that encoder and training share


def stream_with(bits: int) -> BaseStream:
    return BaseStream(Codec.AV1, 8192, 4352, bits, 100, b"", ())


def noise(picture: PictureFormat, seed: int) -> Planes:
    random = np.random.default_rng(seed)
    top = 1 << picture.bit_depth
    dtype = np.uint8 if picture.bit_depth == 8 else np.uint16
    shapes = ((picture.height, picture.width), picture.chroma_shape, picture.chroma_shape)
    y, u, v = (
        # Mostly near the ends, where sums are clipped.
        (random.choice([0, 1, 2, 3, top // 2, top - 3, top - 2, top - 1], shape)).astype(dtype)
        for shape in shapes
    )
    return y, u, v


sizes = st.integers(1, 60)
seeds = st.integers(0, 2**32)


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, st.sampled_from([8, 10]), st.sampled_from([8, 10]), seeds)
def test_residuals_are_added_in_ten_bits_and_rounded_once(
    width: int, height: int, base_bits: int, bits: int, seed: int
) -> None:
    picture = PictureFormat(width, height, bits)
    base = noise(replace(picture, bit_depth=base_bits), seed)
    full = full_size(base, stream_with(base_bits), FULL, picture)
    scale = 4 if base_bits == 8 else 1
    for plane, samples in zip(full, base, strict=True):
        assert plane.dtype == np.uint16
        np.testing.assert_array_equal(plane, samples.astype(np.int64) * scale)
    random = np.random.default_rng(seed + 1)
    shape = (1, 24, -(-height // 4), -(-width // 4))
    residual = random.choice([0, 1, 126, 127, 128, 129, 130, 255], shape).astype(np.uint8)
    made = add_residual(full, residual, picture)
    changes = unpack(residual, picture)
    for plane, samples, change in zip(made, full, changes, strict=True):
        wanted = summed(samples, change, bits)
        assert plane.dtype == wanted.dtype
        np.testing.assert_array_equal(plane, wanted)
        assert not plane.flags.writeable


@settings(deadline=None, max_examples=40)
@given(sizes, sizes, st.sampled_from(DEPTHS), st.sampled_from([FULL, HALF]), seeds)
def test_a_residual_of_zero_changes_nothing_but_what_upsampling_rounds(
    width: int, height: int, depths: tuple[int, int], upsampling: Upsampling, seed: int
) -> None:
    picture = PictureFormat(width, height, depths[1])
    coded = replace(picture if upsampling is FULL else half_size(picture), bit_depth=depths[0])
    base, stream = noise(coded, seed), stream_with(depths[0])
    zero = np.full((1, 24, -(-height // 4), -(-width // 4)), 128, np.uint8)
    mended = add_residual(full_size(base, stream, upsampling, picture), zero, picture)
    plain = unmended(base, stream, upsampling, picture)
    if upsampling is HALF and depths == (10, 8):
        # Twice rounded, first to ten bits: at most a level away.
        for one, other in zip(mended, plain, strict=True):
            assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    else:
        assert same(mended, plain)


@settings(deadline=None, max_examples=40)
@given(sizes, sizes, st.sampled_from([8, 10]), st.sampled_from([FULL, HALF]), seeds)
def test_networks_see_a_quarter_of_the_size_in_eight_bits(
    width: int, height: int, bits: int, upsampling: Upsampling, seed: int
) -> None:
    picture = PictureFormat(width, height)
    coded = replace(picture if upsampling is FULL else half_size(picture), bit_depth=bits)
    base = noise(coded, seed)
    packed = packed_frame(base, stream_with(bits), upsampling)
    channels = 24 if upsampling is FULL else 6
    assert packed.shape == (1, channels, -(-height // 4), -(-width // 4))
    for plane, samples in zip(unpack(packed, coded), base, strict=True):
        levels = samples.astype(np.int64)
        wanted = levels if bits == 8 else np.minimum(255, (levels + 2) >> 2)
        np.testing.assert_array_equal(plane, wanted)


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("upsampling", [FULL, HALF], ids=["full size", "half size"])
def test_a_deep_base_is_the_codecs_own_picture(
    draw_planes: Draw, bits: int, upsampling: Upsampling
) -> None:
    body = body_of(scene_of(draw_planes, ODD, bits, upsampling, (True, True)))
    coded = replace(ODD if upsampling is FULL else half_size(ODD), bit_depth=bits)
    own = list(decode_base(body.base, coded, frames=2, max_pixels=LIMIT))
    deep = deep_base(body.base, ODD, upsampling, frames=2, max_pixels=LIMIT)
    assert all_same(list(deep), own)
