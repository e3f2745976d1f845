"""Scenes as their strategies say: what the networks are given, and what is made of their output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.base import decode_base
from edgecodec.runtime.chunks import pack_chunk, parse_chunk
from edgecodec.runtime.container import Chunk, Codec, Limits, StrategyId
from edgecodec.runtime.errors import BitstreamError, ModelError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_unsigned
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.latents import dequantize
from edgecodec.runtime.packing import pack, unpack
from edgecodec.runtime.payloads import FrameKind, HybridBody, LatentBody, LatentPacket, pack_body
from edgecodec.runtime.scenes import (
    SceneContext,
    condition_planes,
    decode_scene,
    enhance,
    latent_shape,
)
from edgecodec.runtime.sessions import NetworkPool

from .ecv_samples import decode_latents
from .streams import CHAIN, LATENT_MODELS, NANO, PYRAMID, Scene, hybrid, latents

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
DEEP = PictureFormat(96, 64, 10)
Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture(scope="module")
def pool() -> NetworkPool:
    return NetworkPool(threads=1)


def decode(scene: Scene, picture: PictureFormat, pool: NetworkPool) -> list[Planes]:
    chunk = Chunk(0, 0, scene.strategy, tuple(range(scene.frames)), pack_body(scene.body))
    return list(decode_scene(chunk, SceneContext(picture, pool, threads=1)))


def same(a: Planes, b: Planes) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("picture", [SMALL, ODD], ids=["whole blocks", "odd"])
@pytest.mark.parametrize(
    "enhanced", [(1, 0, 1, 1, 0), (0, 0, 0, 0, 1), (1, 1, 1, 1, 1), (0, 0, 0, 0, 0)]
)
def test_flagged_frames_are_the_networks_and_the_others_the_bases(
    draw_planes: Draw, pool: NetworkPool, picture: PictureFormat, enhanced: tuple[int, ...]
) -> None:
    scene = hybrid(draw_planes(picture, 5), picture, tuple(map(bool, enhanced)))
    body = scene.body
    assert isinstance(body, HybridBody)
    base = list(decode_base(body.base, picture, frames=5, max_pixels=1 << 20))
    network = pool.network(body.enhancer)
    packed = [pack(planes, 4) for planes in base]
    condition = np.empty((1, 2, *packed[0].shape[2:]), np.uint8)
    condition[:, 0], condition[:, 1] = round(255 * 40 / 51), 170
    decoded = decode(scene, picture, pool)
    assert len(decoded) == 5
    for t, planes in enumerate(decoded):
        expected = base[t]
        if enhanced[t]:
            (mended,) = network.run(
                {
                    "prev": packed[max(0, t - 1)],
                    "cur": packed[t],
                    "next": packed[min(4, t + 1)],
                    "condition": condition,
                }
            )
            expected = unpack(mended, picture)
        assert same(planes, expected)
        assert not any(plane.flags.writeable for plane in planes)


def test_a_scene_of_one_frame_stands_in_for_its_neighbours(
    draw_planes: Draw, pool: NetworkPool
) -> None:
    scene = hybrid(draw_planes(SMALL, 1), SMALL, (True,))
    assert len(decode(scene, SMALL, pool)) == 1


def test_enhancing_holds_at_most_three_frames(pool: NetworkPool, draw_planes: Draw) -> None:
    """A frame comes out as soon as the next one is in."""
    planes = draw_planes(SMALL, 4)
    asked = 0

    def source() -> Iterator[Planes]:
        nonlocal asked
        for each in planes:
            asked += 1
            yield each

    scene = hybrid(planes, SMALL, (True,) * 4)
    assert isinstance(scene.body, HybridBody)
    network = pool.network(scene.body.enhancer)
    made = enhance(source(), (True,) * 4, scene.body.base, SMALL, network)
    for expected in (2, 3, 4, 4):
        next(made)
        assert asked == expected
    assert list(made) == []


def test_more_frames_than_flags_are_damage(pool: NetworkPool, draw_planes: Draw) -> None:
    planes = draw_planes(SMALL, 3)
    scene = hybrid(planes, SMALL, (True,) * 3)
    assert isinstance(scene.body, HybridBody)
    network = pool.network(scene.body.enhancer)
    with pytest.raises(BitstreamError, match="more frames than the scene's 2"):
        list(enhance(iter(planes), (True, True), scene.body.base, SMALL, network))


@pytest.mark.parametrize(
    ("codec", "level"), [(Codec.AV1, 0), (Codec.H265, 85), (Codec.H264, 170), (Codec.VVC, 255)]
)
def test_the_enhancer_is_told_the_quantiser_and_the_codec(
    draw_planes: Draw, codec: Codec, level: int
) -> None:
    scene = hybrid(draw_planes(SMALL, 1), SMALL, (True,))
    assert isinstance(scene.body, HybridBody)
    told = condition_planes(replace(scene.body.base, codec=codec, quantizer=77), 3, 5)
    assert told.shape == (1, 2, 3, 5)
    assert (told[:, 0] == 77).all()
    assert (told[:, 1] == level).all()


def test_latents_cover_the_padded_picture() -> None:
    assert latent_shape(SMALL) == (4, 6)
    assert latent_shape(ODD) == (5, 7)
    assert latent_shape(PictureFormat(1, 1)) == (1, 1)


@pytest.mark.parametrize("order", [CHAIN, PYRAMID], ids=["P", "B"])
@pytest.mark.parametrize("picture", [SMALL, ODD], ids=["whole blocks", "odd"])
def test_frames_in_latents_are_what_the_networks_make_of_them(
    pool: NetworkPool, picture: PictureFormat, order: tuple[tuple[int, int, tuple[int, ...]], ...]
) -> None:
    scene = latents(picture, order, seed=4)
    body = scene.body
    assert isinstance(body, LatentBody)
    names = {FrameKind.I: "iframe_decoder", FrameKind.P: "generator_p", FrameKind.B: "generator_b"}
    features = {}
    expected = {}
    for packet, latent in zip(
        body.packets, decode_latents(body, latent_shape(picture)), strict=True
    ):
        inputs = {"latent": dequantize(latent.symbols, packet.quality)}
        for port, reference in zip(("past", "future"), packet.references, strict=False):
            inputs[port] = features[reference]
        network = pool.network(NANO.network(names[packet.kind]).model_id)
        frame, features[packet.position] = network.run(inputs)
        expected[packet.position] = unpack(frame, picture)
    decoded = decode(scene, picture, pool)
    assert len(decoded) == len(order)
    assert all(same(planes, expected[n]) for n, planes in enumerate(decoded))
    assert not any(plane.flags.writeable for planes in decoded for plane in planes)


def test_a_body_that_names_too_few_networks_is_damaged(pool: NetworkPool) -> None:
    scene = latents(SMALL, CHAIN)
    assert isinstance(scene.body, LatentBody)
    short = replace(scene, body=replace(scene.body, models=LATENT_MODELS[:1]))
    with pytest.raises(BitstreamError, match="names no generator_p"):
        decode(short, SMALL, pool)


def test_networks_that_no_frame_needs_are_not_missed(pool: NetworkPool) -> None:
    scene = latents(SMALL, CHAIN[:1])
    assert isinstance(scene.body, LatentBody)
    alone = replace(scene, body=replace(scene.body, models=LATENT_MODELS[:1]))
    assert len(decode(alone, SMALL, pool)) == 1


def test_an_enhancer_that_is_another_network_is_damage(
    draw_planes: Draw, pool: NetworkPool
) -> None:
    scene = hybrid(draw_planes(SMALL, 2), SMALL, (True, False))
    assert isinstance(scene.body, HybridBody)
    wrong = replace(scene, body=replace(scene.body, enhancer=LATENT_MODELS[0]))
    with pytest.raises(BitstreamError, match="is the network iframe_decoder"):
        decode(wrong, SMALL, pool)


def test_a_network_that_is_nowhere_is_named(draw_planes: Draw, pool: NetworkPool) -> None:
    scene = hybrid(draw_planes(SMALL, 2), SMALL, (True, False))
    assert isinstance(scene.body, HybridBody)
    foreign = replace(scene, body=replace(scene.body, enhancer="0" * 16))
    with pytest.raises(ModelError, match="needs network 0000000000000000"):
        decode(foreign, SMALL, pool)


def test_networks_refuse_ten_bits(pool: NetworkPool, draw_planes: Draw) -> None:
    deep = hybrid(draw_planes(DEEP, 2), DEEP, (True, True))
    for scene in (deep, latents(SMALL, CHAIN)):
        with pytest.raises(UnsupportedError, match="8 bits a sample, this one 10"):
            decode(scene, DEEP, pool)


def test_limits_reach_every_strategy(pool: NetworkPool, draw_planes: Draw) -> None:
    for scene, limits in (
        (hybrid(draw_planes(SMALL, 2), SMALL, (True, True)), Limits(max_pixels=96 * 64 - 1)),
        (latents(SMALL, CHAIN), Limits(max_symbols_per_frame=64 * 24 - 1)),
    ):
        chunk = Chunk(0, 0, scene.strategy, tuple(range(scene.frames)), pack_body(scene.body))
        with pytest.raises(BitstreamError, match="allowed"):
            list(decode_scene(chunk, SceneContext(SMALL, pool, 1, limits)))


def test_a_scene_that_hoards_frames_is_stopped(pool: NetworkPool) -> None:
    """All frames before the first one: without a bound they would all be held."""
    backwards = tuple(LatentPacket(FrameKind.I, 5 - n, (), 0, b"") for n in range(6))
    body = LatentBody(LATENT_MODELS, ((0,) * 16,) * 3, backwards)
    chunk = Chunk(0, 0, StrategyId.SEMANTIC_LATENT, tuple(range(6)), pack_body(body))
    few, enough = Limits(max_frames_held=4), Limits(max_frames_held=6)
    with pytest.raises(BitstreamError, match="5 frames wait for frame 0, at most 4 may"):
        list(decode_scene(chunk, SceneContext(SMALL, pool, 1, few)))
    assert len(list(decode_scene(chunk, SceneContext(SMALL, pool, 1, enough)))) == 6


@pytest.mark.parametrize("strategy", StrategyId)
def test_a_body_of_a_later_version_asks_for_an_update(
    pool: NetworkPool, strategy: StrategyId
) -> None:
    required_in_version_2 = pack_fields([(0x8000 | 1 << 10 | 1, b"")])
    chunk = Chunk(0, 0, strategy, (0,), required_in_version_2)
    with pytest.raises(UnsupportedError, match="update edgecodec"):
        list(decode_scene(chunk, SceneContext(SMALL, pool)))


def test_a_strategy_of_a_later_version_asks_for_an_update() -> None:
    first, *others = list(StrategyId)
    known = pack_chunk(Chunk(0, 0, first, (0,), b""))
    place = known.index(pack_unsigned(first), 6)
    later = known[:place] + pack_unsigned(max(others) + 1) + known[place + 1 :]
    assert parse_chunk(known, Limits(), "chunk").strategy is first
    with pytest.raises(UnsupportedError, match=r"has no strategy \d+, .*update edgecodec"):
        parse_chunk(later, Limits(), "chunk")
