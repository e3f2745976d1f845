"""Scenes as their strategies say: what the networks are given, and what is made of their output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.chunks import pack_chunk, parse_chunk
from edgecodec.runtime.container import Chunk, Limits, StrategyId
from edgecodec.runtime.errors import BitstreamError, ModelError, UnsupportedError
from edgecodec.runtime.fields import pack_fields, pack_unsigned
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.latents import dequantize
from edgecodec.runtime.packing import unpack
from edgecodec.runtime.payloads import FrameKind, LatentBody, LatentPacket, pack_body
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.scenes import (
    SceneContext,
    decode_scene,
    latent_shape,
)
from edgecodec.runtime.sessions import NetworkPool

from .ecv_samples import decode_latents
from .prior_samples import WHOLE, body_with_priors, nano_priors, prior_arrays
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


def scene_with_priors(order: tuple[tuple[int, int, tuple[int, ...]], ...]) -> LatentBody:
    """The symbols of `latents(SMALL, order)`, coded with priors."""
    body = latents(SMALL, order).body
    assert isinstance(body, LatentBody)
    symbols = [each.symbols.astype(np.int16) for each in decode_latents(body, latent_shape(SMALL))]
    frames = [
        (packet.kind, packet.position, packet.references, each)
        for packet, each in zip(body.packets, symbols, strict=True)
    ]
    return body_with_priors(frames, LATENT_MODELS, nano_priors())


def decode_body(
    body: LatentBody, pool: NetworkPool, find: Callable[[str], Prior], first: int = 0
) -> list[Planes]:
    count = len(body.packets)
    chunk = Chunk(0, 0, StrategyId.SEMANTIC_LATENT, tuple(range(count)), pack_body(body))
    context = SceneContext(SMALL, pool, threads=1, priors=find)
    return list(decode_scene(chunk, context, first=first))


def find_nano(prior_id: str) -> Prior:
    return {prior.prior_id: prior for prior in nano_priors()}[prior_id]


@pytest.mark.parametrize("order", [CHAIN, PYRAMID], ids=["P", "B"])
def test_frames_with_priors_are_those_of_the_same_symbols(
    pool: NetworkPool, order: tuple[tuple[int, int, tuple[int, ...]], ...]
) -> None:
    body = scene_with_priors(order)
    scaled = latents(SMALL, order).body
    assert isinstance(scaled, LatentBody)
    packets = tuple(replace(packet, quality=17) for packet in scaled.packets)
    wanted = decode(
        Scene(replace(scaled, packets=packets), len(order), StrategyId.SEMANTIC_LATENT), SMALL, pool
    )
    decoded = decode_body(body, pool, find_nano)
    assert all(same(*pair) for pair in zip(decoded, wanted, strict=True))
    later = decode_body(body, pool, find_nano, first=2)
    assert all(same(*pair) for pair in zip(later, wanted[2:], strict=True))


def test_a_prior_of_one_kind_leaves_the_others_their_scales(pool: NetworkPool) -> None:
    body, scaled = scene_with_priors(CHAIN), latents(SMALL, CHAIN).body
    assert isinstance(scaled, LatentBody)
    packets = (body.packets[0], *(replace(each, quality=17) for each in scaled.packets[1:]))
    mixed = replace(scaled, packets=packets, priors=(body.priors[0], None, None, None))
    decoded = decode_body(mixed, pool, find_nano)
    wanted = decode_body(body, pool, find_nano)
    assert all(same(*pair) for pair in zip(decoded, wanted, strict=True))


def test_a_prior_that_is_not_installed_asks_for_an_update(pool: NetworkPool) -> None:
    body = scene_with_priors(CHAIN)
    chunk = Chunk(0, 0, StrategyId.SEMANTIC_LATENT, tuple(range(4)), pack_body(body))
    with pytest.raises(ModelError, match=f"prior {body.priors[0]}.*update edgecodec"):
        list(decode_scene(chunk, SceneContext(SMALL, pool, threads=1)))


def test_a_prior_of_other_channels_than_the_network_is_damage(pool: NetworkPool) -> None:
    body = scene_with_priors(CHAIN)
    small = Prior.from_arrays(prior_arrays(1, WHOLE))
    with pytest.raises(BitstreamError, match=r"latents of 5 channels.*iframe_decoder takes 64"):
        decode_body(body, pool, lambda _: small)


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


def test_latents_refuse_ten_bits(pool: NetworkPool) -> None:
    with pytest.raises(UnsupportedError, match="8 bits a sample, this one 10"):
        decode(latents(SMALL, CHAIN), DEEP, pool)


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
