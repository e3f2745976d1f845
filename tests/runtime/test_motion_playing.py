"""Scenes whose C frames move: what networks are given of them, from any frame on."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import (
    BitstreamError,
    EdgecodecError,
    Limits,
    ModelError,
    PictureFormat,
    motion_tables,
    prior,
    video,
)
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.frame_levels import latent_of, levels_of
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.models import ModelEntry
from edgecodec.runtime.motion_tables import MotionTables, find_motion
from edgecodec.runtime.moved_frames import Shown, decode_moved
from edgecodec.runtime.packing import unpack
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.scenes import SceneContext, _symbols, decode_scene, latent_shape
from edgecodec.runtime.sessions import NetworkPool
from numpy.typing import NDArray

from . import mutations
from .motion_samples import (
    NANO_CHANNELS,
    NANO_MOVED,
    MovingScene,
    Order,
    cosine_arrays,
    cosine_tables,
    finder,
    moving_priors,
    moving_scene,
    prior_of,
)
from .prior_samples import CONTINUED_CHAIN, CONTINUED_TREE, NANO_WHOLE
from .streams import LATENT_MODELS, NANO, Scene, stream_of

SMALL = PictureFormat(96, 64)
CELLS = latent_shape(SMALL)
TABLES = cosine_tables(NANO_CHANNELS)
MIXED = ((0, 0, ()), (3, 1, (0,)), (1, 2, (1,)), (3, 5, (1,)), (2, 4, (2, 5)), (2, 3, (2, 4)))
ORDERS: dict[str, Order] = {"chain": CONTINUED_CHAIN, "tree": CONTINUED_TREE, "mixed": MIXED}


class Recorder:
    """Stands in for `NetworkPool`: keeps the latents that networks are given, and draws grey."""

    def __init__(self) -> None:
        self.given: list[tuple[str, NDArray[np.uint8]]] = []

    def network(self, model_id: str) -> Recorder.Network:
        [entry] = [entry for entry in NANO.networks if entry.model_id == model_id]
        return self.Network(entry, self.given)

    class Network:
        def __init__(self, entry: ModelEntry, given: list[tuple[str, NDArray[np.uint8]]]) -> None:
            self.entry = entry
            self._given = given

        def run(self, inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
            self._given.append((self.entry.name, inputs["latent"]))
            rows, columns = (2 * side for side in inputs["latent"].shape[2:])
            return [np.full((1, 96, rows, columns), 128, np.uint8)] * 2


def moving(order: Order = CONTINUED_CHAIN, **asked: object) -> MovingScene:
    return moving_scene(order, CELLS, LATENT_MODELS, **asked)  # type: ignore[arg-type]


def find_prior(prior_id: str) -> Prior:
    return {each.prior_id: each for each in moving_priors()}[prior_id]


def play(
    body: LatentBody,
    pool: Recorder | NetworkPool,
    first: int = 0,
    limits: Limits | None = None,
    priors: Callable[[str], Prior] = find_prior,
    motion: Callable[[str], MotionTables] | None = None,
) -> list[Planes]:
    times = tuple(range(len(body.packets)))
    chunk = Chunk(0, 0, StrategyId.SEMANTIC_LATENT, times, pack_body(body))
    motion = motion or finder(TABLES)
    context = SceneContext(SMALL, pool, 1, limits or Limits(), priors=priors, motion=motion)  # type: ignore[arg-type]
    return list(decode_scene(chunk, context, first=first))


def given(body: LatentBody, first: int = 0, **asked: object) -> list[NDArray[np.uint8]]:
    """What the networks are given, in decoding order."""
    recorder = Recorder()
    frames = play(body, recorder, first, **asked)  # type: ignore[arg-type]
    assert len(frames) == len(body.packets) - first
    return [latent for _, latent in recorder.given]


def assert_same(found: Sequence[NDArray[np.uint8]], wanted: Sequence[NDArray[np.uint8]]) -> None:
    assert len(found) == len(wanted)
    for each, other in zip(found, wanted, strict=True):
        assert each.dtype == np.uint8
        np.testing.assert_array_equal(each, other)


def with_packet(body: LatentBody, number: int, **changes: object) -> LatentBody:
    packets = list(body.packets)
    packets[number] = replace(packets[number], **changes)  # type: ignore[arg-type]
    return replace(body, packets=tuple(packets))


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("qualities", [(17,), (3, 40, 63, 20)], ids=["alike", "mixed"])
def test_networks_are_given_the_latents_that_were_sent(
    name: str, qualities: tuple[int, ...]
) -> None:
    order = ORDERS[name]
    scene = moving(order, qualities=qualities)
    wanted = [scene.latents[position] for _, position, _ in order]
    assert_same(given(scene.body), wanted)
    different = {latent.tobytes() for latent in wanted}
    assert len(different) == len(order)


def test_frames_that_move_are_drawn_as_i_frames() -> None:
    scene = moving(CONTINUED_TREE)
    pool = NetworkPool(threads=1)
    network = pool.network(NANO.network("iframe_decoder").model_id)
    alone = replace(scene.body, models=LATENT_MODELS[:1])
    for position, planes in enumerate(play(alone, pool)):
        frame, _ = network.run({"latent": scene.latents[position]})
        assert all(map(np.array_equal, planes, unpack(frame, SMALL)))


@pytest.mark.parametrize("first", range(6))
def test_from_a_later_frame_on_only_what_it_rests_on_is_decoded(
    monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    decoded = 0

    def counted(*arguments: object) -> Shown:
        nonlocal decoded
        decoded += 1
        return decode_moved(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(_symbols, "decode_moved", counted)
    scene = moving(CONTINUED_TREE)
    shown = [position for _, position, _ in CONTINUED_TREE if position >= first]
    assert_same(given(scene.body, first), [scene.latents[position] for position in shown])
    # 3 rests on 0, 2 on 1 and that on 0, 4 on 5.
    assert decoded == (4, 4, 4, 2, 1, 0)[first]


@pytest.mark.parametrize("first", range(6))
def test_other_kinds_may_be_made_from_frames_that_move(first: int) -> None:
    scene = moving(MIXED)
    # P and B frames need the features of 2, 1 and 5; 0 is only continued.
    needed: tuple[int, ...] = ((), (), (1,), (1, 2), (1, 2), ())[first]
    drawn = [position for _, position, _ in MIXED if position >= first or position in needed]
    assert_same(given(scene.body, first), [scene.latents[position] for position in drawn])


def test_a_packet_without_bytes_has_the_levels_before() -> None:
    scene = moving(CONTINUED_CHAIN)
    body = scene.body
    for number in (1, 2, 3):
        body = with_packet(body, number, data=b"", quality=(17, 17, 17, 40)[number])
    first, *others = given(body)
    assert_same([first], [scene.latents[0]])
    levels = levels_of(first)
    assert_same(others, [latent_of(levels, quality) for quality in (17, 17, 40)])
    for other in others:
        np.testing.assert_array_equal(levels_of(other), levels)


def test_an_i_frame_beyond_levels_is_drawn_as_it_is_and_continued_within_them() -> None:
    scene = moving(CONTINUED_CHAIN, qualities=(0,), brightness=120)
    latents = given(scene.body)
    assert_same(latents, [scene.latents[position] for position in range(4)])
    assert {0, 255} <= set(latents[0][:, :1].ravel().tolist())
    for shown in scene.shown.values():
        assert np.abs(shown.levels[0]).max() <= 508


def test_levels_are_kept_only_until_they_are_continued() -> None:
    chain = [(0, 0, ()), *((3, at, (at - 1,)) for at in range(1, 9))]
    assert len(given(moving(chain).body, limits=Limits(max_frames_held=1))) == 9


@pytest.mark.parametrize("kind", [0, 3])
def test_a_scene_that_hoards_levels_is_stopped(kind: int) -> None:
    """Frames of either kind that are all continued later."""
    start = [(0, at, ()) if kind == 0 else (3, at, (0,)) for at in range(1, 6)]
    order = [(0, 0, ()), *start, *((3, at, (at - 5,)) for at in range(6, 11))]
    body = moving(order).body
    with pytest.raises(BitstreamError, match="5 frames are yet to be continued, at most 4 may"):
        given(body, limits=Limits(max_frames_held=4))
    assert len(given(body, limits=Limits(max_frames_held=5))) == 11
    assert len(given(body, first=8, limits=Limits(max_frames_held=4))) == 3


def test_chunks_without_c_frames_may_name_tables() -> None:
    scene = moving([(0, 0, ()), (1, 1, (0,)), (0, 2, ())])
    assert_same(given(scene.body), [scene.latents[position] for position in range(3)])


def test_tables_that_are_not_there_are_a_model_error() -> None:
    body = moving().body
    with pytest.raises(ModelError, match="no motion tables 00ff00ff00ff00ff"):
        given(replace(body, motion="00ff00ff00ff00ff"))
    with pytest.raises(ModelError, match=f"motion tables {body.motion}.*update edgecodec"):
        given(body, motion=find_motion)


def test_a_prior_that_is_not_there_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="which is not installed"):
        given(moving().body, priors=prior.find_prior)


NARROW = replace(NANO_MOVED, groups=(4, 58))
UNSUITED: dict[str, tuple[dict[FrameKind, Prior], str | None, str]] = {
    "C of fewer channels": (
        {FrameKind.C: prior_of(NARROW)},
        TABLES.motion_id,
        "does not suit motion tables .* of 63 channels",
    ),
    "C of a whole brightness": (
        {FrameKind.C: prior_of(replace(NANO_WHOLE, previous=1))},
        TABLES.motion_id,
        "does not suit motion tables",
    ),
    "C that sees nothing": (
        {FrameKind.C: prior_of(replace(NANO_MOVED, previous=0))},
        TABLES.motion_id,
        "does not suit motion tables",
    ),
    "C with gates": (
        {FrameKind.C: prior_of(replace(NANO_MOVED, previous=2))},
        TABLES.motion_id,
        "of C frames is gated",
    ),
    "C with gates, of a whole brightness": (
        {FrameKind.C: prior_of(replace(NANO_WHOLE, previous=2))},
        TABLES.motion_id,
        "of C frames is gated",
    ),
    "I without a whole brightness": (
        {FrameKind.I: prior_of(replace(NANO_MOVED, previous=0))},
        TABLES.motion_id,
        "does not suit motion tables",
    ),
    "I of more channels": (
        {FrameKind.I: prior_of(replace(NANO_WHOLE, groups=(4, 60)))},
        TABLES.motion_id,
        "codes 63 channels and I frames'",
    ),
    "I with gates": (
        {FrameKind.I: prior_of(replace(NANO_WHOLE, previous=2))},
        TABLES.motion_id,
        "of I frames is gated",
    ),
    "P with gates": (
        {FrameKind.P: prior_of(replace(NANO_WHOLE, previous=2))},
        TABLES.motion_id,
        "of P frames is gated",
    ),
    "I and C of fewer channels than the tables": (
        {
            FrameKind.I: prior_of(replace(NANO_WHOLE, groups=(4, 58))),
            FrameKind.C: prior_of(NARROW),
        },
        TABLES.motion_id,
        "does not suit motion tables",
    ),
    "C without gates and motion": ({}, None, "of C frames is not gated"),
}


@pytest.mark.parametrize("name", UNSUITED)
def test_a_prior_that_does_not_suit_its_frames_is_damage(name: str) -> None:
    changed, motion, message = UNSUITED[name]
    priors = list(moving_priors())
    for kind, other in changed.items():
        priors[kind] = other
    found = {each.prior_id: each for each in priors}
    i, p, b, c = (each.prior_id for each in priors)
    body = replace(moving(MIXED[:3]).body, priors=(i, p, b, c), motion=motion)
    with pytest.raises(BitstreamError, match=message):
        given(body, priors=found.__getitem__)


def test_tables_of_other_channels_are_damage() -> None:
    for channels in (NANO_CHANNELS - 1, NANO_CHANNELS + 1):
        other = MotionTables.from_arrays(cosine_arrays(channels))
        body = replace(moving().body, motion=other.motion_id)
        with pytest.raises(BitstreamError, match=f"tables {other.motion_id} of {channels} channel"):
            given(body, motion=finder(other))


def test_networks_of_other_latents_are_damage() -> None:
    """Priors and tables that suit each other, but not the network."""
    priors = {
        FrameKind.I: prior_of(replace(NANO_WHOLE, groups=(4, 58))),
        FrameKind.C: prior_of(NARROW),
    }
    tables, found = cosine_tables(NANO_CHANNELS - 1), {p.prior_id: p for p in priors.values()}
    ids = (priors[FrameKind.I].prior_id, None, None, priors[FrameKind.C].prior_id)
    body = replace(moving().body, priors=ids, motion=tables.motion_id)
    with pytest.raises(BitstreamError, match="latents of 63 channels, and network iframe_decoder"):
        given(body, priors=found.__getitem__, motion=finder(tables))


def test_damage_costs_what_rests_on_it() -> None:
    scene = moving(CONTINUED_CHAIN)
    data = bytearray(scene.body.packets[2].data)
    data[-3] ^= 1
    body = with_packet(scene.body, 2, data=bytes(data))
    recorder = Recorder()
    times = tuple(range(4))
    chunk = Chunk(0, 0, StrategyId.SEMANTIC_LATENT, times, pack_body(body))
    motion = finder(TABLES)
    context = SceneContext(SMALL, recorder, 1, priors=find_prior, motion=motion)  # type: ignore[arg-type]
    shown = decode_scene(chunk, context)
    next(shown), next(shown)
    with pytest.raises(BitstreamError, match="latents"):
        next(shown)
    assert_same([latent for _, latent in recorder.given], [scene.latents[0], scene.latents[1]])


def test_another_frame_before_is_noticed() -> None:
    body = with_packet(moving(CONTINUED_CHAIN).body, 3, references=(0,))
    with pytest.raises(BitstreamError, match="latents"):
        given(body)


def played(data: bytes) -> Counter[str]:
    """What became of a stream; any other exception than the tree's escapes."""
    seen: Counter[str] = Counter()
    limits = Limits(max_pixels=1 << 16, max_symbols_per_frame=1 << 16)
    try:
        with runtime.open(io.BytesIO(data), threads=1, on_damage="skip", limits=limits) as opened:
            seen["frames"] += sum(1 for _ in opened)
            seen["damaged"] += bool(opened.damage)
            seen["played"] += 1
    except EdgecodecError as error:
        seen[type(error).__name__] += 1
    return seen


def test_whole_streams_find_installed_tables_and_survive_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = NetworkPool(threads=1)
    monkeypatch.setattr(video, "NetworkPool", lambda *_: pool)
    priors = {each.prior_id: each for each in moving_priors()}
    monkeypatch.setattr(prior, "packaged_priors", lambda: priors)
    monkeypatch.setattr(motion_tables, "packaged_motion", lambda: {"nano": TABLES})
    scenes = [
        Scene(moving(CONTINUED_TREE, seed=seed).body, 6, StrategyId.SEMANTIC_LATENT)
        for seed in (1, 2)
    ]
    data = stream_of(scenes, SMALL, pts=list(range(12)))
    assert played(data) == {"frames": 12, "played": 1, "damaged": 0}
    random = np.random.default_rng(5)
    total: Counter[str] = Counter()
    for _ in range(100):
        total += played(mutations.repaired(random, data))
    assert total["damaged"] >= 20
    assert total["played"] >= 50
    monkeypatch.setattr(motion_tables, "packaged_motion", dict)
    assert played(data)["frames"] == 0
