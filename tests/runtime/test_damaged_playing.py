"""Damaged streams through the whole player: they end, or raise an error of the tree."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import (
    BitstreamError,
    EdgecodecError,
    Limits,
    PictureFormat,
    prior,
    push,
    video,
)
from edgecodec.runtime.container import Codec, StrategyId
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.payloads import ClassicalBody
from edgecodec.runtime.records import NETW, RecordFile
from edgecodec.runtime.scene_code import SceneCode
from edgecodec.runtime.scenes import latent_shape
from edgecodec.runtime.sessions import NetworkPool

from . import mutations
from .prior_samples import CONTINUED_TREE, body_with_priors, nano_priors, slow_symbols
from .streams import (
    CHAIN,
    LATENT_MODELS,
    PYRAMID,
    Scene,
    classical,
    hybrid,
    latents,
    stream_of,
    title_weights,
)

SMALL = PictureFormat(96, 64)
LIMITS = Limits(max_pixels=1 << 16, max_symbols_per_frame=1 << 16)
MUTATIONS = 300
Draw = Callable[..., tuple[Planes, ...]]


def classical_scenes(draw: Draw) -> list[Scene]:
    planes = draw(SMALL, 12)
    return [classical(planes[3 * n : 3 * n + 3], SMALL, codec) for n, codec in enumerate(Codec)]


def hybrid_scenes(draw: Draw) -> list[Scene]:
    planes = draw(SMALL, 6)
    flags = (True, False, True)
    code = SceneCode((70, 50) * 32, (128, 140) * 32)
    return [
        hybrid(planes[:3], SMALL, flags, code),
        hybrid(planes[3:], SMALL, (True, True, True), title=1),
    ]


def continued(seed: int) -> Scene:
    frames = slow_symbols(CONTINUED_TREE, latent_shape(SMALL), seed=seed)
    body = body_with_priors(frames, LATENT_MODELS, nano_priors())
    return Scene(body, len(frames), StrategyId.SEMANTIC_LATENT)


STREAMS: dict[str, Callable[[Draw], list[Scene]]] = {
    "classical": classical_scenes,
    "hybrid_semantic": hybrid_scenes,
    "semantic_latent": lambda _: [latents(SMALL, CHAIN, seed) for seed in (1, 2)],
    "continued": lambda _: [continued(seed) for seed in (1, 2)],
    "i_frame_interpolation": lambda _: [latents(SMALL, PYRAMID, seed) for seed in (1, 2)],
}


@pytest.fixture(scope="module")
def shared_networks() -> NetworkPool:
    return NetworkPool(threads=1)


def play(data: bytes) -> Counter[str]:
    """What became of a stream; any other exception than the tree's escapes."""
    seen: Counter[str] = Counter()
    try:
        with runtime.open(io.BytesIO(data), threads=1, on_damage="skip", limits=LIMITS) as opened:
            try:
                for frame in opened:
                    seen["frames"] += 1
                    assert frame.planes[0].shape == (frame.format.height, frame.format.width)
            finally:
                seen["damaged"] += bool(opened.damage)
            seen["played"] += 1
    except EdgecodecError as error:
        seen[type(error).__name__] += 1
    return seen


@pytest.mark.timeout(120)
@pytest.mark.parametrize("strategy", STREAMS)
def test_mutated_streams_end_or_raise_an_error_of_the_tree(
    draw_planes: Draw,
    shared_networks: NetworkPool,
    monkeypatch: pytest.MonkeyPatch,
    strategy: str,
) -> None:
    # One pool for all, so that networks are loaded once and not a thousand times.
    monkeypatch.setattr(video, "NetworkPool", lambda *_: shared_networks)
    priors = {prior.prior_id: prior for prior in nano_priors()}
    monkeypatch.setattr(prior, "packaged_priors", lambda: priors)
    scenes, pts = STREAMS[strategy](draw_planes), [2 * n for n in range(12)]
    titles = [title_weights(), title_weights(seed=8)] if strategy == "hybrid_semantic" else []
    data = stream_of(scenes, SMALL, pts=pts, titles=titles)
    assert play(data)["damaged"] == 0
    random = np.random.default_rng(7)
    total: Counter[str] = Counter()
    for number in range(MUTATIONS):
        if number % 2:
            mutated = mutations.repaired(random, data)
        else:
            mutated = mutations.RAW[number // 2 % len(mutations.RAW)](random, data)
        total += play(mutated)
    # The mutations reached every outcome, and most of them only cost a part.
    assert total["damaged"] >= MUTATIONS // 3
    assert total["played"] >= MUTATIONS // 2
    assert total["BitstreamError"] + total["UnsupportedError"] >= 5
    assert total["frames"] >= MUTATIONS
    assert "edgecodec-prefetch" not in [thread.name for thread in threading.enumerate()]


def test_without_its_title_weights_a_scene_is_played_by_the_generic_network(
    draw_planes: Draw,
) -> None:
    planes, flags = draw_planes(SMALL, 3), (True, False, True)
    titles = [title_weights(), title_weights(seed=8)]
    data = stream_of([hybrid(planes, SMALL, flags, title=1)], SMALL, titles=titles)
    plain = stream_of([hybrid(planes, SMALL, flags)], SMALL)
    places = RecordFile(io.BytesIO(data)).walk(0)
    _, second = [each for each in places if getattr(each, "kind", b"") == NETW]
    at = second.offset + 100
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    def frames(stream: bytes) -> tuple[list[Planes], int]:
        with runtime.open(io.BytesIO(stream), threads=1, on_damage="skip") as opened:
            return [frame.planes for frame in opened], len(opened.damage)

    (titled, none), (generic, one), (wanted, _) = frames(data), frames(damaged), frames(plain)
    assert (none, one) == (0, 1)
    for number, flag in enumerate(flags):
        assert all(map(np.array_equal, generic[number], wanted[number]))
        assert all(map(np.array_equal, generic[number], titled[number])) != flag
    with (
        runtime.open(io.BytesIO(damaged), threads=1) as opened,
        pytest.raises(BitstreamError, match=f"NETW record at byte {second.offset}: its checksum"),
    ):
        next(opened)


def test_the_list_of_scenes_that_do_not_decode_is_bounded(
    draw_planes: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = classical(draw_planes(SMALL, 1), SMALL, Codec.H264)
    assert isinstance(scene.body, ClassicalBody)
    packets = tuple(replace(packet, data=b"junk" * 8) for packet in scene.body.base.packets)
    junk = replace(scene, body=ClassicalBody(replace(scene.body.base, packets=packets)))
    data = stream_of([junk] * 5, SMALL)
    for module in (video, push):
        monkeypatch.setattr(module, "MAX_LISTED_DAMAGE", 3)
    with runtime.open(io.BytesIO(data), on_damage="skip") as opened:
        assert list(opened) == []
        assert len(opened.damage) == 3
    with runtime.PushDecoder(on_damage="skip") as decoder:
        decoder.send(data)
        decoder.finish()
        assert decoder.receive() is None
        assert len(decoder.damage) == 3
