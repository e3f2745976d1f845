"""Scenes whose B and C frames move: what networks are given of them, from any frame on."""

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
from edgecodec.runtime.between_frames import decode_between
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
from .streams import LATENT_MODELS, NANO, PYRAMID, Scene, stream_of

SMALL = PictureFormat(96, 64)
CELLS = latent_shape(SMALL)
TABLES = cosine_tables(NANO_CHANNELS)
# (kind, position, references) in decoding order.
HIERARCHY: Order = (
    (0, 0, ()),
    (3, 8, (0,)),
    (2, 4, (0, 8)),
    (2, 2, (0, 4)),
    (2, 1, (0, 2)),
    (2, 3, (2, 4)),
    (2, 6, (4, 8)),
    (2, 5, (4, 6)),
    (2, 7, (6, 8)),
)
# 5 continues a later frame, so that its vectors point forwards.
UNEVEN: Order = (
    (0, 0, ()),
    (0, 7, ()),
    (3, 5, (7,)),
    (2, 1, (0, 5)),
    (2, 4, (1, 7)),
    (2, 2, (0, 4)),
    (2, 3, (2, 5)),
    (2, 6, (5, 7)),
)
MIXED: Order = (
    (0, 0, ()),
    (3, 1, (0,)),
    (1, 2, (1,)),
    (3, 5, (1,)),
    (2, 4, (1, 5)),
    (2, 3, (1, 4)),
    (1, 6, (3,)),
)
EVERY_KIND: Order = ((0, 0, ()), (3, 2, (0,)), (2, 1, (0, 2)), (1, 3, (2,)))
ORDERS: dict[str, Order] = {
    "chain": CONTINUED_CHAIN,
    "tree": CONTINUED_TREE,
    "pyramid": PYRAMID,
    "hierarchy": HIERARCHY,
    "uneven": UNEVEN,
    "mixed": MIXED,
}


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


@pytest.mark.parametrize("name", ["tree", "hierarchy"])
def test_frames_that_move_are_drawn_as_i_frames(name: str) -> None:
    scene = moving(ORDERS[name])
    pool = NetworkPool(threads=1)
    network = pool.network(NANO.network("iframe_decoder").model_id)
    alone = replace(scene.body, models=LATENT_MODELS[:1])
    for position, planes in enumerate(play(alone, pool)):
        frame, _ = network.run({"latent": scene.latents[position]})
        assert all(map(np.array_equal, planes, unpack(frame, SMALL)))


def rested_on(order: Order, first: int) -> list[int]:
    """The frames from `first` on that move, and those that they rest on, in decoding order."""
    found: set[int] = set()
    for _, position, references in reversed(order):
        if position >= first or position in found:
            found.update((position, *references))
    return [position for kind, position, _ in order if kind in (2, 3) and position in found]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The packets of frames that move, as they are decoded."""
    packets: list[bytes] = []

    def noted(decode: Callable[..., Shown]) -> Callable[..., Shown]:
        def call(data: bytes, *arguments: object, **named: object) -> Shown:
            packets.append(data)
            return decode(data, *arguments, **named)

        return call

    monkeypatch.setattr(_symbols, "decode_moved", noted(decode_moved))
    monkeypatch.setattr(_symbols, "decode_between", noted(decode_between))
    return packets


@pytest.mark.parametrize("name", ["tree", "pyramid", "hierarchy", "uneven"])
def test_from_a_later_frame_on_only_what_it_rests_on_is_decoded(
    decoded: list[bytes], name: str
) -> None:
    order = ORDERS[name]
    scene = moving(order)
    data = {packet.position: packet.data for packet in scene.body.packets}
    assert len(set(data.values())) == len(order)
    for first in range(len(order)):
        decoded.clear()
        shown = [position for _, position, _ in order if position >= first]
        assert_same(given(scene.body, first), [scene.latents[position] for position in shown])
        assert decoded == [data[position] for position in rested_on(order, first)]


def test_what_frames_rest_on_is_little() -> None:
    """What the test above counts, told by hand."""
    # 3 rests on 0, 2 on 1 and that on 0, 4 on 5.
    tree = [len(rested_on(CONTINUED_TREE, first)) for first in range(6)]
    assert tree == [4, 4, 4, 2, 1, 0]
    # 5 and 7 rest on 6, that on 4, and all on 8.
    assert rested_on(HIERARCHY, 8) == [8]
    assert rested_on(HIERARCHY, 7) == [8, 4, 6, 7]
    assert rested_on(HIERARCHY, 5) == rested_on(HIERARCHY, 4) == [8, 4, 6, 5, 7]
    assert rested_on(HIERARCHY, 3) == [8, 4, 2, 3, 6, 5, 7]
    assert rested_on(UNEVEN, 6) == [5, 6]


@pytest.mark.parametrize("first", range(7))
def test_other_kinds_may_be_made_from_frames_that_move(decoded: list[bytes], first: int) -> None:
    scene = moving(MIXED)
    data = {packet.position: packet.data for packet in scene.body.packets}
    # P frames need the features of 1 and 3; of 0 and 5 only levels are needed.
    needed: tuple[int, ...] = ((), (), (1,), (), (3,), (3,), (3,))[first]
    drawn = [position for _, position, _ in MIXED if position >= first or position in needed]
    assert_same(given(scene.body, first), [scene.latents[position] for position in drawn])
    assert decoded == [data[position] for position in rested_on(MIXED, first)]


def test_what_skipped_frames_are_made_from_is_not_decoded(decoded: list[bytes]) -> None:
    """The symbols of P frames may be needed by later ones; the frames that these refer to not."""
    scene = moving([*EVERY_KIND, (0, 4, ()), (3, 5, (4,))])
    assert_same(given(scene.body, 4), [scene.latents[4], scene.latents[5]])
    assert decoded == [scene.body.packets[5].data]


def test_frames_of_each_kind_are_drawn_by_its_network() -> None:
    recorder = Recorder()
    play(moving(MIXED).body, recorder)
    names = Counter(name for name, _ in recorder.given)
    assert names == {"iframe_decoder": 5, "generator_p": 2}


def test_b_frames_need_a_generator_only_where_they_do_not_move() -> None:
    body = moving(PYRAMID).body
    alone = replace(body, models=LATENT_MODELS[:1])
    assert_same(given(alone), given(body))
    with pytest.raises(BitstreamError, match="names no generator_b"):
        given(replace(alone, motion=None))


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


def test_a_b_packet_without_bytes_is_the_mean_of_both() -> None:
    """Those of a hierarchy, too: the mean of means."""
    scene = moving(PYRAMID)
    body = scene.body
    qualities = {2: 17, 1: 40, 3: 63}
    for number, position in ((2, 2), (3, 1), (4, 3)):
        assert body.packets[number].position == position
        body = with_packet(body, number, data=b"", quality=qualities[position])
    found = given(body)
    assert_same(found[:2], [scene.latents[0], scene.latents[4]])
    levels = {position: scene.shown[position].levels.astype(int) for position in (0, 4)}
    for position, references in ((2, (0, 4)), (1, (0, 2)), (3, (2, 4))):
        total = levels[references[0]] + levels[references[1]]
        levels[position] = np.where(total < 0, -(-total // 2), total // 2)
    wanted = [latent_of(levels[at].astype(np.int16), qualities[at]) for at in (2, 1, 3)]
    assert_same(found[2:], wanted)


@pytest.mark.parametrize("name", ["chain", "pyramid"])
def test_an_i_frame_beyond_levels_is_drawn_as_it_is_and_continued_within_them(name: str) -> None:
    scene = moving(ORDERS[name], qualities=(0,), brightness=120)
    latents = given(scene.body)
    assert_same(latents, [scene.latents[position] for _, position, _ in ORDERS[name]])
    assert {0, 255} <= set(latents[0][:, :1].ravel().tolist())
    for shown in scene.shown.values():
        assert np.abs(shown.levels[0]).max() <= 508


def test_levels_are_kept_only_until_they_are_continued() -> None:
    chain = [(0, 0, ()), *((3, at, (at - 1,)) for at in range(1, 9))]
    assert len(given(moving(chain).body, limits=Limits(max_frames_held=1))) == 9


def test_levels_are_kept_only_as_long_as_frames_between_need_them() -> None:
    """Of a hierarchy, a frame of each level waits."""
    body = moving(HIERARCHY).body
    with pytest.raises(BitstreamError, match="4 frames are yet to be continued, at most 3 may"):
        given(body, limits=Limits(max_frames_held=3))
    assert len(given(body, limits=Limits(max_frames_held=4))) == 9
    # Past the frame in the middle, there is a level less.
    assert len(given(body, first=4, limits=Limits(max_frames_held=3))) == 5


def test_levels_of_frames_that_others_are_only_made_from_are_not_kept() -> None:
    """P frames need features of 0 and 1, C frames levels of 2 and 3."""
    order = [
        *((0, at, ()) for at in range(4)),
        (3, 4, (2,)),
        (3, 5, (3,)),
        (1, 6, (0,)),
        (1, 7, (1,)),
    ]
    assert len(given(moving(order).body, limits=Limits(max_frames_held=2))) == 8


def test_a_scene_of_frames_between_that_hoards_levels_is_stopped() -> None:
    """Each lies between the one before and the last, and all wait for others at the end."""
    start = [(0, 0, ()), (3, 20, (0,)), *((2, at, (at - 2, 20)) for at in range(2, 20, 2))]
    order = [*start, *((2, at, (at - 1, at + 1)) for at in range(1, 20, 2))]
    body = moving(order).body
    with pytest.raises(BitstreamError, match="11 frames are yet to be continued, at most 10 may"):
        given(body, limits=Limits(max_frames_held=10))
    assert len(given(body, limits=Limits(max_frames_held=11))) == 21


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


def test_chunks_without_frames_that_move_may_name_tables() -> None:
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
        "C frames' prior .* does not suit motion tables .* of 63 channels",
    ),
    "C of a whole brightness": (
        {FrameKind.C: prior_of(replace(NANO_WHOLE, previous=1))},
        TABLES.motion_id,
        "C frames' prior .* does not suit motion tables",
    ),
    "C that sees nothing": (
        {FrameKind.C: prior_of(replace(NANO_MOVED, previous=0))},
        TABLES.motion_id,
        "C frames' prior .* does not suit motion tables",
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
    "B of fewer channels": (
        {FrameKind.B: prior_of(NARROW)},
        TABLES.motion_id,
        "B frames' prior .* does not suit motion tables .* of 63 channels",
    ),
    "B of a whole brightness": (
        {FrameKind.B: prior_of(replace(NANO_WHOLE, previous=1))},
        TABLES.motion_id,
        "B frames' prior .* does not suit motion tables",
    ),
    "B that sees nothing": (
        {FrameKind.B: prior_of(replace(NANO_MOVED, previous=0))},
        TABLES.motion_id,
        "B frames' prior .* does not suit motion tables",
    ),
    "B with gates": (
        {FrameKind.B: prior_of(replace(NANO_MOVED, previous=2))},
        TABLES.motion_id,
        "of B frames is gated",
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
    "I, B and C of fewer channels than the tables": (
        {
            FrameKind.I: prior_of(replace(NANO_WHOLE, groups=(4, 58))),
            FrameKind.B: prior_of(NARROW, 14),
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
    body = replace(moving(EVERY_KIND).body, priors=(i, p, b, c), motion=motion)
    with pytest.raises(BitstreamError, match=message):
        given(body, priors=found.__getitem__)


@pytest.mark.parametrize("name", ["B of fewer channels", "I without a whole brightness"])
def test_a_prior_that_does_not_suit_is_damage_where_no_frame_is_continued(name: str) -> None:
    changed, motion, message = UNSUITED[name]
    priors = list(moving_priors())
    for kind, other in changed.items():
        priors[kind] = other
    found = {each.prior_id: each for each in priors}
    i, _, b, _ = (each.prior_id for each in priors)
    body = replace(moving(PYRAMID).body, priors=(i, None, b, None), motion=motion)
    with pytest.raises(BitstreamError, match=message):
        given(body, priors=found.__getitem__)


@pytest.mark.parametrize("name", ["chain", "pyramid"])
def test_tables_of_other_channels_are_damage(name: str) -> None:
    for channels in (NANO_CHANNELS - 1, NANO_CHANNELS + 1):
        other = MotionTables.from_arrays(cosine_arrays(channels))
        body = replace(moving(ORDERS[name]).body, motion=other.motion_id)
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


def test_damage_to_a_frame_between_costs_what_rests_on_it() -> None:
    """In a hierarchy frames 1 and 3 rest on 2, those from 4 on do not."""
    scene = moving(HIERARCHY)
    data = bytearray(scene.body.packets[3].data)
    data[-9] ^= 1
    body = with_packet(scene.body, 3, data=bytes(data))
    for first in (0, 1, 3):
        with pytest.raises(BitstreamError, match="latents"):
            given(body, first)
    shown = [position for _, position, _ in HIERARCHY if position >= 4]
    assert_same(given(body, 4), [scene.latents[position] for position in shown])


@pytest.mark.parametrize(("number", "references"), [(3, (0, 8)), (4, (0, 4)), (8, (4, 8))])
def test_other_frames_around_are_noticed(number: int, references: tuple[int, int]) -> None:
    body = with_packet(moving(HIERARCHY).body, number, references=references)
    with pytest.raises(BitstreamError, match=r"latents|motion"):
        given(body)


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
        Scene(moving(order, seed=seed).body, len(order), StrategyId.SEMANTIC_LATENT)
        for seed, order in ((1, CONTINUED_TREE), (2, HIERARCHY))
    ]
    data = stream_of(scenes, SMALL, pts=list(range(15)))
    assert played(data) == {"frames": 15, "played": 1, "damaged": 0}
    random = np.random.default_rng(5)
    total: Counter[str] = Counter()
    for _ in range(100):
        total += played(mutations.repaired(random, data))
    assert total["damaged"] >= 20
    assert total["played"] >= 50
    monkeypatch.setattr(motion_tables, "packaged_motion", dict)
    assert played(data)["frames"] == 0
