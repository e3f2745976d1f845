"""Scenes whose frames are predicted by motion, as tier edge codes them, and as any tier might."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import pytest
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.between_coding import BetweenFrame
from edgecodec.encoder.moved_coding import MovedFrame
from edgecodec.encoder.priors import Priors
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.reference import Reference
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import latent_scene as latent_module
from edgecodec.encoder.strategies.latent import CodedFrame, LatentCoder
from edgecodec.encoder.strategies.latent_order import PlannedFrame, moved_order
from edgecodec.encoder.strategies.latent_scene import REACH, code_scene, coded_frames
from edgecodec.runtime.between_frames import Between
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.drawing import drawn
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.frame_levels import latent_of, levels_of
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.moved_frames import Shown
from edgecodec.runtime.packing import pack
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body, parse_body
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.scenes import SceneContext, decode_scene
from torch import Tensor, nn

from ..runtime.motion_samples import NANO_CHANNELS, cosine_tables, finder
from .fakes import scene_of
from .moving_pictures import panned
from .prior_samples import prior_of

PICTURE = PictureFormat(128, 96)
ODD = PictureFormat(97, 65)
SEMANTIC, INTERPOLATED = StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION
STEP = 3
COARSER = latent_module._MOVED_QUALITY_OFFSET
COARSER_BY_DEPTH = latent_module._REACHING_QUALITY_OFFSETS
COSINES = cosine_tables(NANO_CHANNELS)
SYNTHETIC = {
    FrameKind.I: prior_of(NANO_CHANNELS, whole=True, seed=1),
    FrameKind.C: prior_of(NANO_CHANNELS, previous=True, seed=2),
}
WITH_BETWEEN = {**SYNTHETIC, FrameKind.B: prior_of(NANO_CHANNELS, previous=True, seed=3)}


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


@pytest.fixture(scope="module")
def edge(resources: Resources) -> LatentCoder:
    """What is installed, but for detail (`test_detailed_scenes.py`) and filters
    (`test_latent_filter.py`)."""
    coder = copy(resources.latent_coder("edge", "cpu", adapt=Adaptation.NONE))
    coder.detail = None
    return coder


class _WithoutLast(nn.Module):
    """An analysis network whose last latent is left out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, frame: Tensor, quality: Tensor) -> Tensor:
        latents: Tensor = self._network(frame, quality)
        return latents[:, :-1]


def nano_coder(resources: Resources, priors: Priors) -> LatentCoder:
    """The networks of tier nano, with tables and priors that know nothing of them, and without
    filters."""
    coder = LatentCoder(
        "nano",
        "cpu",
        resources.networks,
        priors=priors,
        motion=COSINES,
        adaptation=Adaptation.NONE,
    )
    plain = coder.analysis(FrameKind.I)
    coder.analysis = lambda kind: _WithoutLast(plain)  # type: ignore[method-assign, assignment]
    return coder


@pytest.fixture(scope="module")
def synthetic(resources: Resources) -> LatentCoder:
    """Without a prior for frames between others."""
    return nano_coder(resources, SYNTHETIC)


@pytest.fixture(scope="module")
def synthetic_between(resources: Resources) -> LatentCoder:
    """With one."""
    return nano_coder(resources, WITH_BETWEEN)


@dataclass(frozen=True)
class Coded:
    """A scene's body, the quality that the encoder counted, and what it saw of the frames before
    they are sent, by their positions."""

    body: LatentBody
    quality_db: list[float]
    planned: dict[int, PlannedFrame]
    frames: dict[int, CodedFrame]


def coded(
    coder: LatentCoder,
    scene: Scene,
    quality: int,
    interval: int | None = None,
    reach: int | None = None,
) -> Coded:
    how = coder, SEMANTIC, scene, quality, interval, reach
    body, quality_db = code_scene(*how)
    made = [(planned, each) for planned, _, each in coded_frames(*how)]
    planned = {each.position: each for each, _ in made}
    return Coded(body, quality_db, planned, {each.position: frame for each, frame in made})


def panning(picture: PictureFormat = PICTURE, count: int = 5) -> Scene:
    """A camera that moves by whole samples."""
    frames = [panned(picture.height, picture.width, STEP * number) for number in range(count)]
    return scene_of(frames, picture)


def played(
    body: LatentBody, coder: LatentCoder, resources: Resources, picture: PictureFormat, first: int
) -> list[Planes]:
    """By a player that has the coder's priors and tables."""
    named: dict[str, Prior] = {each.prior_id: each for each in coder.priors.values()}
    context = SceneContext(picture, resources.networks, 1, priors=named.__getitem__)
    if coder.motion is not None:
        context = replace(context, motion=finder(coder.motion))
    pts = tuple(range(len(body.packets)))
    return list(decode_scene(Chunk(0, 0, SEMANTIC, pts, pack_body(body)), context, first=first))


def same(one: Planes, other: Planes) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def bytes_after_the_first(body: LatentBody) -> int:
    return sum(len(packet.data) for packet in body.packets[1:])


def assert_shown_from_any_frame_on(
    made: Coded, coder: LatentCoder, resources: Resources, scene: Scene
) -> None:
    count = len(scene.frames)
    assert parse_body(SEMANTIC, pack_body(made.body), count) == made.body
    coder = coder.suited_to(scene)
    for first in range(count):
        shown = played(made.body, coder, resources, scene.format, first)
        assert len(shown) == count - first
        for at, planes in enumerate(shown, start=first):
            assert same(planes, made.frames[at].planes)
            assert psnr(scene.frames[at], planes).weighted == made.quality_db[at]


@pytest.mark.parametrize("picture", [PICTURE, ODD], ids=["whole blocks", "odd"])
@pytest.mark.parametrize("quality", [5, 40, 63])
@pytest.mark.parametrize("name", ["edge", "synthetic", "synthetic_between"])
def test_players_show_what_the_encoder_counted_from_any_frame_on(
    request: pytest.FixtureRequest,
    resources: Resources,
    name: str,
    quality: int,
    picture: PictureFormat,
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    scene = panning(picture)
    made = coded(coder, scene, quality)
    assert made.body.motion is not None
    assert_shown_from_any_frame_on(made, coder, resources, scene)


@pytest.mark.parametrize("count", [1, 2, 3, REACH + 1, REACH + 2])
@pytest.mark.parametrize("name", ["edge", "synthetic_between"])
def test_scenes_of_any_length_are_shown_from_any_frame_on(
    request: pytest.FixtureRequest, resources: Resources, name: str, count: int
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    scene = panning(ODD, count)
    made = coded(coder, scene, 30)
    kinds = [packet.kind for packet in made.body.packets]
    assert kinds.count(FrameKind.I) == 1
    assert kinds.count(FrameKind.C) == min(count - 1, 1 + (count - 2) // REACH)
    assert kinds.count(FrameKind.B) == count - 1 - kinds.count(FrameKind.C)
    assert_shown_from_any_frame_on(made, coder, resources, scene)


@pytest.mark.parametrize(("interval", "reach"), [(None, 1), (None, 3), (4, 8), (5, 2), (1, None)])
@pytest.mark.parametrize("name", ["edge", "synthetic_between"])
def test_however_far_frames_reach_they_are_shown_from_any_frame_on(
    request: pytest.FixtureRequest,
    resources: Resources,
    name: str,
    interval: int | None,
    reach: int | None,
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    scene = panning(count=8)
    made = coded(coder, scene, 30, interval, reach)
    order = moved_order(8, interval, reach or REACH)
    assert list(made.planned.values()) == order
    assert [each.position for each in made.body.packets] == [each.position for each in order]
    assert_shown_from_any_frame_on(made, coder, resources, scene)


@pytest.mark.parametrize("name", ["edge", "synthetic_between"])
def test_motion_that_is_not_even_is_shown_from_any_frame_on(
    request: pytest.FixtureRequest, resources: Resources, name: str
) -> None:
    """Noise, a flash and a cut within the scene: little is between two frames."""
    coder: LatentCoder = request.getfixturevalue(name)
    random = np.random.default_rng(8)
    frames = [panned(PICTURE.height, PICTURE.width, 7 * n % 23, seed=n > 4) for n in range(7)]
    frames[2] = tuple(random.integers(0, 256, each.shape, np.uint8) for each in frames[2])
    frames[3] = tuple(np.full_like(each, 255) for each in frames[3])
    scene = scene_of(frames, PICTURE)
    for quality in (0, 30, 63):
        made = coded(coder, scene, quality)
        assert_shown_from_any_frame_on(made, coder, resources, scene)


@pytest.mark.parametrize("quality", [3, 30])
@pytest.mark.parametrize("name", ["edge", "synthetic"])
def test_a_body_says_what_its_frames_need(
    request: pytest.FixtureRequest, name: str, quality: int
) -> None:
    """Where all frames continue the one before."""
    coder: LatentCoder = request.getfixturevalue(name)
    made = coded(coder, panning(), quality, reach=1)
    assert coder.motion is not None
    assert made.body.motion == coder.motion.motion_id
    first, *others = made.body.packets
    assert (first.kind, first.quality) == (FrameKind.I, quality)
    for at, packet in enumerate(others, start=1):
        assert packet.kind is FrameKind.C
        assert packet.references == (at - 1,)
        assert packet.quality == max(0, quality - COARSER)
    i, c = (coder.priors[kind].prior_id for kind in (FrameKind.I, FrameKind.C))
    assert made.body.priors == (i, None, None, c)
    # One network draws them all.
    assert made.body.models == (coder.light(FrameKind.I).entry.model_id,)


@pytest.mark.parametrize("quality", [3, 30])
@pytest.mark.parametrize("name", ["edge", "synthetic_between"])
def test_a_body_says_what_frames_between_others_need(
    request: pytest.FixtureRequest, name: str, quality: int
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    made = coded(coder, panning(count=REACH + 2), quality)
    assert coder.motion is not None
    assert made.body.motion == coder.motion.motion_id
    order = moved_order(REACH + 2, None, REACH)
    deepest = len(COARSER_BY_DEPTH) - 1
    for frame, packet in zip(order, made.body.packets, strict=True):
        assert (packet.kind, packet.position) == (frame.kind, frame.position)
        assert packet.references == frame.references
        coarser = COARSER_BY_DEPTH[min(frame.depth, deepest)] if frame.references else 0
        assert packet.quality == max(0, quality - coarser)
    kinds = FrameKind.I, FrameKind.B, FrameKind.C
    i, b, c = (coder.priors[kind].prior_id for kind in kinds)
    assert made.body.priors == (i, None, b, c)
    assert not any(map(any, made.body.difference_tables))
    # The network of I-frames draws them all.
    assert made.body.models == (coder.light(FrameKind.I).entry.model_id,)


def test_what_more_frames_rest_on_is_finer() -> None:
    assert list(COARSER_BY_DEPTH) == sorted(COARSER_BY_DEPTH)


def test_without_a_prior_for_them_no_frames_lie_between_others(synthetic: LatentCoder) -> None:
    assert not synthetic.has_between
    chain = code_scene(synthetic, SEMANTIC, panning(), 30, reach=1)
    assert code_scene(synthetic, SEMANTIC, panning(), 30) == chain
    assert code_scene(synthetic, SEMANTIC, panning(), 30, reach=4) == chain


def test_frames_lie_between_others_where_there_is_a_prior_for_them(
    edge: LatentCoder, synthetic_between: LatentCoder
) -> None:
    for coder in (edge, synthetic_between):
        assert coder.has_between
        usual, _ = code_scene(coder, SEMANTIC, panning(), 30)
        assert usual == code_scene(coder, SEMANTIC, panning(), 30, reach=REACH)[0]
        assert usual != code_scene(coder, SEMANTIC, panning(), 30, reach=1)[0]
    still = scene_of([panned(PICTURE.height, PICTURE.width, 0)] * 3, PICTURE)
    assert not edge.suited_to(still).has_between


@pytest.mark.parametrize("name", ["edge", "synthetic"])
def test_frames_move_from_what_the_one_before_shows(
    request: pytest.FixtureRequest, name: str
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    made = coded(coder, panning(), 40, reach=1)
    first, *others = made.frames.values()
    assert first.moved is None
    before = Shown.still(levels_of(first.latent))
    for packet, frame in zip(made.body.packets[1:], others, strict=True):
        assert isinstance(frame.moved, MovedFrame)
        assert frame.symbols is frame.moved.symbols
        np.testing.assert_array_equal(frame.moved.vectors_before, before.vectors)
        assert packet.data == frame.moved.packet(40 - COARSER, coder.priors[FrameKind.C])
        before = frame.moved.shown
        np.testing.assert_array_equal(frame.latent, latent_of(before.levels, 40 - COARSER))


@pytest.mark.parametrize("name", ["edge", "synthetic_between"])
def test_frames_between_others_move_from_what_both_show(
    request: pytest.FixtureRequest, name: str
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    made = coded(coder, panning(count=7), 40)
    assert made.frames[0].moved is None
    shown = {0: Shown.still(levels_of(made.frames[0].latent))}
    for packet in made.body.packets[1:]:
        at, frame = packet.position, made.frames[packet.position]
        assert frame.moved is not None
        assert frame.symbols is frame.moved.symbols
        past, *future = packet.references
        assert frame.moved.shown.span == at - past
        if packet.kind is FrameKind.B:
            assert isinstance(frame.moved, BetweenFrame)
            between = Between(shown[past], shown[future[0]], at - past, future[0] - at)
            foretold = between.vectors_before()
        else:
            assert isinstance(frame.moved, MovedFrame)
            foretold = shown[past].vectors
        np.testing.assert_array_equal(frame.moved.vectors_before, foretold)
        assert packet.data == frame.moved.packet(packet.quality, coder.priors[packet.kind])
        shown[at] = frame.moved.shown
        latent = latent_of(shown[at].levels, packet.quality)
        np.testing.assert_array_equal(frame.latent, latent)


@pytest.mark.parametrize("quality", [10, 30, 50])
def test_a_camera_that_moves_is_found(edge: LatentCoder, quality: int) -> None:
    for reach in (1, None):
        made = coded(edge, panning(), quality, reach=reach)
        for packet in made.body.packets[1:]:
            moved = made.frames[packet.position].moved
            assert moved is not None
            assert moved.shown.span == packet.position - packet.references[0]
            down, across = moved.shown.vectors
            assert np.median(down) == 0
            assert abs(np.median(across) - 2 * STEP * moved.shown.span) <= 1


@pytest.mark.parametrize("quality", [5, 20, 35])
def test_what_moves_takes_less_than_half_of_frames_of_their_own(
    edge: LatentCoder, quality: int
) -> None:
    scene = panning()
    alone = [
        code_scene(edge, SEMANTIC, scene_of([planes], PICTURE), quality)[0]
        for planes in scene.frames[1:]
    ]
    moved = bytes_after_the_first(code_scene(edge, SEMANTIC, scene, quality)[0])
    assert moved < 0.5 * sum(len(body.packets[0].data) for body in alone)


@pytest.mark.parametrize("quality", [5, 20, 35])
def test_a_camera_that_jumps_takes_more(edge: LatentCoder, quality: int) -> None:
    jumping = [panned(PICTURE.height, PICTURE.width, at) for at in (0, 55, 8, 63, 16)]
    steady, jumpy = (
        bytes_after_the_first(code_scene(edge, SEMANTIC, scene, quality)[0])
        for scene in (panning(), scene_of(jumping, PICTURE))
    )
    assert steady < 0.75 * jumpy


@pytest.mark.parametrize("quality", [0, 8, 20, 40, 63])
def test_a_still_scene_takes_nothing_after_its_first_frame(
    edge: LatentCoder, resources: Resources, quality: int
) -> None:
    scene = scene_of([panned(PICTURE.height, PICTURE.width, 0)] * 4, PICTURE)
    made = coded(edge, scene, quality)
    assert made.body.motion is None
    for packet in made.body.packets[1:]:
        assert packet.kind is FrameKind.C
        assert packet.data == b""
        assert made.frames[packet.position].moved is None
    first, *others = played(made.body, edge.suited_to(scene), resources, PICTURE, 0)
    assert all(same(first, each) for each in others)


@pytest.mark.parametrize("quality", [0, 8, 20, 40, 63])
def test_where_a_moving_scene_pauses_frames_take_next_to_nothing(
    edge: LatentCoder, resources: Resources, quality: int
) -> None:
    planes = panned(PICTURE.height, PICTURE.width, 0)
    moved = panned(PICTURE.height, PICTURE.width, 2 * STEP)
    made = coded(edge, scene_of([planes, planes, planes, moved], PICTURE), quality, reach=1)
    assert made.body.motion is not None
    for packet in made.body.packets[1:3]:
        assert len(packet.data) < 24
        frame = made.frames[packet.position]
        assert frame.moved is not None
        assert not frame.moved.shown.vectors.any()
    first, second, third, _ = played(made.body, edge, resources, PICTURE, 0)
    assert same(second, third)
    # Brightness is given to the network in other parts at another quality: not the same picture.
    assert np.abs(first[0].astype(int) - third[0]).max() <= 8
    assert min(made.quality_db[1:3]) > made.quality_db[0] - 0.3


@pytest.mark.parametrize("quality", [0, 8, 20, 40, 63])
def test_between_frames_of_a_pause_frames_take_next_to_nothing(
    edge: LatentCoder, quality: int
) -> None:
    planes = panned(PICTURE.height, PICTURE.width, 0)
    moved = panned(PICTURE.height, PICTURE.width, 2 * STEP)
    made = coded(edge, scene_of([planes] * 5 + [moved], PICTURE), quality, reach=4)
    assert made.body.motion is not None
    assert [each.kind for each in made.body.packets].count(FrameKind.B) == 3
    for packet in made.body.packets[1:-1]:
        assert len(packet.data) < 24
        frame = made.frames[packet.position].moved
        assert frame is not None
        assert not frame.shown.vectors.any()
    assert min(made.quality_db[1:-1]) > made.quality_db[0] - 0.3


def test_only_scenes_that_stand_still_go_without_motion(edge: LatentCoder) -> None:
    still = edge.suited_to(scene_of([panned(PICTURE.height, PICTURE.width, 0)] * 3, PICTURE))
    assert edge.suited_to(panning()) is edge
    assert still.motion is None
    assert still.priors[FrameKind.C].shape.is_gated
    assert not edge.priors[FrameKind.C].shape.is_gated
    assert still.suited_to(panning()) is still


@pytest.mark.parametrize("quality", [20, 40])
def test_only_what_moves_has_vectors(edge: LatentCoder, quality: int) -> None:
    start, moved = (panned(PICTURE.height, PICTURE.width, at) for at in (0, 2 * STEP))
    parts = []
    for one, other in zip(start, moved, strict=True):
        middle = one.shape[1] // 2
        parts.append(np.concatenate([one[:, :middle], other[:, middle:]], axis=1))
    scene = scene_of([start, (parts[0], parts[1], parts[2])], PICTURE)
    second = coded(edge, scene, quality).frames[1]
    assert second.moved is not None
    vectors = second.moved.shown.vectors
    assert not vectors[:, :, :3].any()
    assert np.median(vectors[1, :, 5:]) == 4 * STEP


def test_tables_draw_what_the_encoder_saw(edge: LatentCoder) -> None:
    """Motion is looked for in what the tables draw of levels: they have to belong to the analysis
    network."""
    planes = panned(PICTURE.height, PICTURE.width, 0)
    packed = pack(planes, 8, 16)
    frame = edge.code(packed, PICTURE, FrameKind.I, (), 40)
    assert edge.motion is not None
    picture = drawn(levels_of(frame.latent), edge.motion)
    error = picture.luma / 2 + 128 - planes[0]
    assert np.sqrt(np.mean(np.square(error))) < 8


def test_frames_that_are_interpolated_do_not_move(resources: Resources) -> None:
    priors = {FrameKind.I: prior_of(seed=1)}
    coder = LatentCoder("nano", "cpu", resources.networks, priors=priors, motion=COSINES)
    plain = LatentCoder("nano", "cpu", resources.networks, priors=priors)
    scene = panning()
    body, quality_db = code_scene(coder, INTERPOLATED, scene, 40)
    assert body.motion is None
    assert (body, quality_db) == code_scene(plain, INTERPOLATED, scene, 40)
    assert all(each.moved is None for _, _, each in coded_frames(coder, INTERPOLATED, scene, 40))


def test_a_player_without_the_tables_says_so(synthetic: LatentCoder, resources: Resources) -> None:
    body, _ = code_scene(synthetic, SEMANTIC, panning(count=2), 30)
    named = {each.prior_id: each for each in SYNTHETIC.values()}
    context = SceneContext(PICTURE, resources.networks, 1, priors=named.__getitem__)
    with pytest.raises(ModelError, match=f"motion tables {COSINES.motion_id}"):
        list(decode_scene(Chunk(0, 0, SEMANTIC, (0, 1), pack_body(body)), context))


def test_the_same_scene_gives_the_same_bytes(edge: LatentCoder) -> None:
    one, other = (code_scene(edge, SEMANTIC, panning(count=3), 33) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("away", [(1,), (1, 1)], ids=["continued", "between"])
def test_below_the_coarsest_quality_bits_are_dearer(
    edge: LatentCoder, away: tuple[int, ...]
) -> None:
    views = [pack(panned(PICTURE.height, PICTURE.width, 0, seed=at), 8, 16) for at in range(3)]
    assert edge.motion is not None
    references = [
        Reference(
            Shown.still(levels_of(edge.code(packed, PICTURE, FrameKind.I, (), 30).latent)),
            edge.motion,
        )
        for packed in (views[0], views[2])[: len(away)]
    ]
    prior = edge.priors[FrameKind.C if len(away) == 1 else FrameKind.B]
    sizes = []
    for quality in (0, -10, -20):
        moved = edge.code_moved(views[1], PICTURE, references, away, quality).moved
        assert moved is not None
        sizes.append(len(moved.packet(0, prior)))
    assert sizes[0] > 1.15 * sizes[1] > 1.15 * sizes[2]
