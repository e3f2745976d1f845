"""Scenes with filters: what is shown is the base at full size, filtered, and what networks add."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.chunks import Chunk, Codec, StrategyId
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.fields import parse_fields
from edgecodec.runtime.filter_taps import Around, look, look_at_residual
from edgecodec.runtime.filtering import filtered
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.packing import unpack
from edgecodec.runtime.payloads import ClassicalBody, HybridBody, pack_body
from edgecodec.runtime.scene_filter import SceneFilter
from edgecodec.runtime.scenes import (
    SceneContext,
    add_residual,
    condition_planes,
    decode_scene,
    packed_frame,
)
from edgecodec.runtime.sessions import NetworkPool
from edgecodec.runtime.upsample import Upsampling, half_size, upsample

from ..conftest import draw
from .filter_samples import random_filter
from .reference_filter import slowly_filtered
from .streams import ENHANCER, GENERATOR_UP, code_base, hybrid, stream_of

ODD = PictureFormat(97, 65)
HALF, FULL = Upsampling.EIGHT_TAP, Upsampling.NONE
LIMIT = 1 << 20
# Of the base, then of the video.
DEPTHS = [(8, 8), (10, 8), (10, 10)]
LAYERS = pytest.mark.parametrize("upsampling", [FULL, HALF], ids=["full size", "half size"])
Body = ClassicalBody | HybridBody


@pytest.fixture(scope="module")
def pool() -> NetworkPool:
    return NetworkPool(threads=1)


def body_of(
    picture: PictureFormat,
    base_bits: int,
    upsampling: Upsampling,
    flags: tuple[bool, ...] | None = None,
    frames: int = 4,
    scene_filter: SceneFilter | None = None,
    codec: Codec = Codec.H264,
) -> Body:
    """A scene with a filter; `hybrid_semantic` if there are flags."""
    coded = replace(picture if upsampling is FULL else half_size(picture), bit_depth=base_bits)
    base = code_base(draw(coded, frames), coded, codec, crf=36)
    scene_filter = scene_filter or random_filter(1, most=9)
    if flags is None:
        return ClassicalBody(base, upsampling, scene_filter)
    model = ENHANCER if upsampling is FULL else GENERATOR_UP
    return HybridBody(base, model, flags, upsampling=upsampling, filter=scene_filter)


def play(
    body: Body, picture: PictureFormat, pool: NetworkPool, *, first: int = 0, threads: int = 1
) -> list[Planes]:
    frames = len(body.base.packets)
    hybrid = isinstance(body, HybridBody)
    strategy = StrategyId.HYBRID_SEMANTIC if hybrid else StrategyId.CLASSICAL
    chunk = Chunk(0, 0, strategy, tuple(range(frames)), pack_body(body))
    context = SceneContext(picture, pool, threads)
    return list(decode_scene(chunk, context, first=first))


def coded_frames(body: Body, picture: PictureFormat) -> list[Planes]:
    """The base's own pictures."""
    coded = picture if body.upsampling is FULL else half_size(picture)
    coded = replace(coded, bit_depth=body.base.bit_depth)
    frames = len(body.base.packets)
    return list(decode_base(body.base, coded, frames=frames, max_pixels=LIMIT))


def in_ten_bits(body: Body, picture: PictureFormat) -> list[Planes]:
    """The base at full size; a level of 8 bits counts four times."""
    depth = body.base.bit_depth
    made = []
    for planes in coded_frames(body, picture):
        if body.upsampling is HALF:
            planes = upsample(planes, HALF, replace(picture, bit_depth=depth))
        y, u, v = (plane.astype(np.uint16) * (4 if depth == 8 else 1) for plane in planes)
        made.append((y, u, v))
    return made


def around(deep: list[Planes], at: int) -> list[Planes]:
    return [deep[max(at - 1, 0)], deep[at], deep[min(at + 1, len(deep) - 1)]]


def filtered_frames(body: Body, picture: PictureFormat) -> list[Planes]:
    """Of ten bits."""
    assert body.filter is not None
    deep = in_ten_bits(body, picture)
    return [filtered_frame(body, deep, at) for at in range(len(deep))]


def filtered_frame(body: Body, deep: list[Planes], at: int, added: Planes | None = None) -> Planes:
    """The filter also sees what a network adds."""
    assert body.filter is not None
    prev, cur, after = map(look, around(deep, at))
    residual = None if added is None else look_at_residual(added, cur.cells)
    return filtered(deep[at], body.filter, Around(prev, cur, after, residual))


def rounded(planes: Planes, bits: int) -> Planes:
    if bits == 10:
        return planes
    y, u, v = (np.minimum(255, (plane + 2) >> 2).astype(np.uint8) for plane in planes)
    return y, u, v


def same(one: Planes, other: Planes) -> list[bool]:
    """Of Y, U and V."""
    return [a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True)]


def assert_same(made: list[Planes], wanted: list[Planes]) -> None:
    assert [same(*pair) for pair in zip(made, wanted, strict=True)] == [[True] * 3] * len(wanted)


def mended(body: HybridBody, picture: PictureFormat, pool: NetworkPool) -> list[Planes]:
    """Every frame as the filter has it that sees what the network adds, and with that."""
    coded, made = coded_frames(body, picture), []
    network = pool.network(body.enhancer)
    packed = [packed_frame(planes, body.base, body.upsampling) for planes in coded]
    codes = {name: np.full((1, 64, 1, 1), value, np.uint8) for name, value in IDENTITY.items()}
    condition = condition_planes(body.base, *packed[0].shape[2:])
    deep = in_ten_bits(body, picture)
    for at in range(len(deep)):
        frames = {
            "prev": packed[max(at - 1, 0)],
            "cur": packed[at],
            "next": packed[min(at + 1, len(packed) - 1)],
        }
        (residual,) = network.run({**frames, "condition": condition, **codes})
        filtered_too = filtered_frame(body, deep, at, unpack(residual, picture))
        made.append(add_residual(filtered_too, residual, picture))
    return made


IDENTITY = {"gain": 64, "bias": 128}


@LAYERS
@pytest.mark.parametrize("depths", DEPTHS)
def test_a_classical_scene_is_its_base_filtered_at_full_size(
    pool: NetworkPool, depths: tuple[int, int], upsampling: Upsampling
) -> None:
    picture = replace(ODD, bit_depth=depths[1])
    body = body_of(picture, depths[0], upsampling)
    shown = play(body, picture, pool)
    wanted = [rounded(planes, depths[1]) for planes in filtered_frames(body, picture)]
    assert_same(shown, wanted)
    assert not any(plane.flags.writeable for planes in shown for plane in planes)
    plain = play(replace(body, filter=None), picture, pool)
    assert not any(any(same(*pair)) for pair in zip(shown, plain, strict=True))


def test_what_is_shown_is_what_plain_integers_make(pool: NetworkPool) -> None:
    small = PictureFormat(34, 22)
    body = body_of(small, 8, FULL, frames=3)
    assert body.filter is not None
    deep = in_ten_bits(body, small)
    for at, shown in enumerate(play(body, small, pool)):
        slow = slowly_filtered(around(deep, at), body.filter)
        for plane, rows in zip(shown, slow, strict=True):
            np.testing.assert_array_equal(plane, np.minimum(255, (np.array(rows) + 2) >> 2))


def test_ten_bits_are_kept(pool: NetworkPool) -> None:
    """A filter makes levels between those of eight."""
    deep = replace(ODD, bit_depth=10)
    for planes in play(body_of(deep, 10, FULL, codec=Codec.H265), deep, pool):
        assert all(set(np.unique(plane % 4)) == {0, 1, 2, 3} for plane in planes)


@LAYERS
@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize("flags", [(1, 0, 1, 1), (0, 0, 0, 1), (1, 1, 1, 1)])
def test_a_networks_residual_is_added_to_what_is_filtered(
    pool: NetworkPool, depths: tuple[int, int], upsampling: Upsampling, flags: tuple[int, ...]
) -> None:
    picture = replace(ODD, bit_depth=depths[1])
    body = body_of(picture, depths[0], upsampling, tuple(map(bool, flags)))
    assert isinstance(body, HybridBody)
    together = mended(body, picture, pool)
    alone = [rounded(planes, depths[1]) for planes in filtered_frames(body, picture)]
    assert not any(all(same(*pair)) for pair in zip(together, alone, strict=True))
    wanted = [
        (one if flag else other) for one, other, flag in zip(together, alone, flags, strict=True)
    ]
    shown = play(body, picture, pool)
    assert_same(shown, wanted)
    assert not any(plane.flags.writeable for planes in shown for plane in planes)


@LAYERS
@pytest.mark.parametrize("planes", [(True, False, False), (False, True, True)])
def test_planes_that_the_network_is_not_for_are_those_of_the_filter(
    pool: NetworkPool, upsampling: Upsampling, planes: tuple[bool, bool, bool]
) -> None:
    body = body_of(ODD, 10, upsampling, (True, True, False, True))
    assert isinstance(body, HybridBody)
    together = mended(body, ODD, pool)
    alone = [rounded(each, 8) for each in filtered_frames(body, ODD)]
    wanted = []
    for with_it, without, flag in zip(together, alone, body.enhanced, strict=True):
        y, u, v = (with_it[n] if flag and taken else without[n] for n, taken in enumerate(planes))
        wanted.append((y, u, v))
    assert_same(play(replace(body, planes=planes), ODD, pool), wanted)


@LAYERS
def test_a_hybrid_scene_without_flags_is_a_classical_one(
    pool: NetworkPool, upsampling: Upsampling
) -> None:
    body = body_of(ODD, 10, upsampling, (False,) * 4)
    assert isinstance(body, HybridBody)
    simple = ClassicalBody(body.base, upsampling, body.filter)
    shown = play(replace(body, enhancer="0" * 16), ODD, pool)
    assert_same(shown, play(simple, ODD, pool))


@pytest.mark.parametrize("flags", [None, (True, False, True)])
def test_planes_without_filters_are_those_of_the_base(
    pool: NetworkPool, flags: tuple[bool, ...] | None
) -> None:
    only_chroma = random_filter(2, most=9, planes=(False, True, False))
    body = body_of(ODD, 8, FULL, flags, frames=3, scene_filter=only_chroma)
    shown, plain = play(body, ODD, pool), play(replace(body, filter=None), ODD, pool)
    pairs = zip(shown, plain, strict=True)
    assert [same(*pair) for pair in pairs] == [[True, False, True]] * 3


@pytest.mark.parametrize("flags", [None, (True, False, True, True, False, True)])
@LAYERS
def test_from_any_frame_on_the_same_is_shown(
    pool: NetworkPool, upsampling: Upsampling, flags: tuple[bool, ...] | None
) -> None:
    body = body_of(ODD, 10, upsampling, flags, frames=6)
    wanted = play(body, ODD, pool)
    for first in range(1, 6):
        assert_same(play(body, ODD, pool, first=first), wanted[first:])


@pytest.mark.parametrize("flags", [None, (True, False, True, True, False, True)])
@LAYERS
def test_threads_change_nothing(
    pool: NetworkPool, upsampling: Upsampling, flags: tuple[bool, ...] | None
) -> None:
    body = body_of(ODD, 10, upsampling, flags, frames=6)
    assert_same(play(body, ODD, pool, threads=4), play(body, ODD, pool))


def test_the_public_player_shows_and_seeks_scenes_with_filters(pool: NetworkPool) -> None:
    bodies = [
        body_of(ODD, 10, FULL, (True, False, True), frames=3),
        body_of(ODD, 8, FULL, frames=4),
        body_of(ODD, 10, HALF, frames=3),
    ]
    wanted = [planes for body in bodies for planes in play(body, ODD, pool)]
    plain = hybrid(draw(ODD, 1), ODD, (True,))
    scenes = [
        replace(
            plain,
            body=body,
            frames=len(body.base.packets),
            strategy=plain.strategy if isinstance(body, HybridBody) else StrategyId.CLASSICAL,
        )
        for body in bodies
    ]
    data = stream_of(scenes, ODD)
    for threads in (1, 4):
        with runtime.open(io.BytesIO(data), threads=threads) as video:
            assert_same([frame.planes for frame in video], wanted)
            for number in (9, 4, 1, 6, 3):
                video.seek_frame(number)
                assert_same([next(video).planes], wanted[number : number + 1])


@pytest.mark.parametrize("upsampling", [FULL, HALF])
def test_one_frame_stands_in_for_its_neighbours(pool: NetworkPool, upsampling: Upsampling) -> None:
    body = body_of(ODD, 10, upsampling, frames=1)
    (wanted,) = filtered_frames(body, ODD)
    assert_same(play(body, ODD, pool), [rounded(wanted, 8)])


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_tiny_pictures_are_filtered(pool: NetworkPool, size: tuple[int, int]) -> None:
    tiny = PictureFormat(*size)
    coded = PictureFormat(16, 16)
    base = code_base(draw(coded, 2), coded, crf=36)
    body = ClassicalBody(base, filter=random_filter(3, most=40))
    wanted = [rounded(planes, 8) for planes in filtered_frames(body, tiny)]
    assert_same(play(body, tiny, pool), wanted)


def test_a_base_of_more_frames_than_its_scene_is_damage(pool: NetworkPool) -> None:
    body = body_of(ODD, 8, FULL, frames=3)
    chunk = Chunk(0, 0, StrategyId.CLASSICAL, (0, 1, 2), pack_body(body))
    cut = replace(chunk, pts=(0, 1))
    with pytest.raises(BitstreamError):
        list(decode_scene(cut, SceneContext(ODD, pool, 1)))


@pytest.mark.parametrize("flags", [None, (True, False)])
def test_a_reader_that_knows_no_filters_refuses_them(flags: tuple[bool, ...] | None) -> None:
    """Which it would else play as if they had none."""
    body = body_of(ODD, 8, FULL, flags, frames=2)
    older = (0x8001, 0x8002, 0x8003, 0x0004, 0x8005, 0x0006, 0x8007)
    parse_fields(pack_body(replace(body, filter=None)), older, "the body")
    with pytest.raises(UnsupportedError, match=r"the body: .*format version"):
        parse_fields(pack_body(body), older, "the body")
