"""Scenes of tier edge with detail: players show what the encoder counted, from any frame on."""

from __future__ import annotations

from copy import copy

import pytest
from edgecodec.encoder.detail_quality import FINEST_QUALITY, FIRST_QUALITY
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_scene import code_scene
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.packing import unpack
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body, parse_body
from edgecodec.runtime.scenes import SceneContext, decode_scene

from .detail_pictures import detail_prior, grainy
from .fakes import SMALL, scene_of
from .moving_pictures import panned

SEMANTIC = StrategyId.SEMANTIC_LATENT
ODD = PictureFormat(97, 65)


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


@pytest.fixture(scope="module")
def edge(resources: Resources) -> LatentCoder:
    """What is installed."""
    return resources.latent_coder("edge", "cpu")


@pytest.fixture(scope="module")
def plain(edge: LatentCoder) -> LatentCoder:
    """The same without detail."""
    other = copy(edge)
    other.detail = None
    return other


def panning(count: int, picture: PictureFormat = SMALL) -> Scene:
    frames = [panned(picture.height, picture.width, 3 * number) for number in range(count)]
    return scene_of(frames, picture)


def still(count: int, picture: PictureFormat = SMALL) -> Scene:
    return scene_of([panned(picture.height, picture.width, 0)] * count, picture)


def played(body: LatentBody, resources: Resources, scene: Scene, first: int = 0) -> list[Planes]:
    chunk = Chunk(0, 0, SEMANTIC, scene.pts, pack_body(body))
    context = SceneContext(scene.format, resources.networks, 1)
    return list(decode_scene(chunk, context, first=first))


def details(body: LatentBody) -> list[int]:
    """How many bytes each frame has, in decoding order."""
    return [len(packet.detail) for packet in body.packets]


SCENES = {
    "one": (panning(1), None),
    "panning": (panning(4), None),
    "odd": (panning(4, ODD), None),
    "chain": (panning(3), 1),
    "still": (still(3, ODD), None),
}


@pytest.mark.parametrize("quality", [FIRST_QUALITY + 3, 63, 75, FINEST_QUALITY])
@pytest.mark.parametrize("name", SCENES)
def test_players_show_what_the_encoder_counted_from_any_frame_on(
    resources: Resources, edge: LatentCoder, name: str, quality: int
) -> None:
    scene, reach = SCENES[name]
    body, quality_db = code_scene(edge, SEMANTIC, scene, quality, reach=reach)
    assert parse_body(SEMANTIC, pack_body(body), len(scene.frames)) == body
    if quality >= 75:
        assert body.detail == detail_prior().prior_id
        assert details(body)[0] > 0
    for first in range(len(scene.frames)):
        shown = played(body, resources, scene, first)
        found = [psnr(*each).weighted for each in zip(scene.frames[first:], shown, strict=True)]
        assert found == quality_db[first:]


@pytest.mark.parametrize("name", SCENES)
def test_detail_goes_on_where_latents_end(edge: LatentCoder, plain: LatentCoder, name: str) -> None:
    scene, reach = SCENES[name]
    without, plain_db = code_scene(plain, SEMANTIC, scene, FINEST_QUALITY, reach=reach)
    _, finest_db = code_scene(edge, SEMANTIC, scene, FINEST_QUALITY, reach=reach)
    assert without.detail is None
    assert not any(details(without))
    assert finest_db[0] > plain_db[0] + 2
    assert all(one >= other for one, other in zip(finest_db, plain_db, strict=True))
    _, coarser_db = code_scene(edge, SEMANTIC, scene, 70, reach=reach)
    assert finest_db[0] > coarser_db[0]


def test_what_stands_still_has_detail_in_its_first_frame_alone(
    resources: Resources, edge: LatentCoder
) -> None:
    scene = still(4)
    body, quality_db = code_scene(edge, SEMANTIC, scene, 70)
    first, *others = details(body)
    assert first > 0
    assert others == [0, 0, 0]
    assert len(set(quality_db)) == 1
    assert [packet.kind for packet in body.packets[1:]] == [FrameKind.C] * 3


def test_frames_between_others_have_their_own(edge: LatentCoder) -> None:
    body, _ = code_scene(edge, SEMANTIC, panning(4), FINEST_QUALITY)
    between = [packet for packet in body.packets if packet.kind is FrameKind.B]
    assert len(between) == 2
    assert all(len(packet.detail) > 1 for packet in between)


def test_frames_that_nothing_refers_to_have_the_latents_that_cost_least(
    edge: LatentCoder, plain: LatentCoder
) -> None:
    """Of a picture of fine grain: coarser ones, and detail that makes more of it up."""
    scene = scene_of([unpack(grainy(), SMALL)], SMALL)
    body, quality_db = code_scene(edge, SEMANTIC, scene, 60)
    without, plain_db = code_scene(plain, SEMANTIC, scene, 60)
    assert without.packets[0].quality == 60
    assert body.packets[0].quality < 60
    assert body.packets[0].detail[0] == 60 - FIRST_QUALITY
    assert quality_db[0] > plain_db[0]
    several = scene_of(scene.frames * 2, SMALL)
    alone, _ = code_scene(edge, SEMANTIC, several, 60, interval=1)
    assert [packet.data for packet in alone.packets] == [body.packets[0].data] * 2
    # A filter of both frames' own is what detail is added to.
    assert all(packet.detail[0] == 60 - FIRST_QUALITY for packet in alone.packets)


def test_coarse_scenes_have_no_detail(edge: LatentCoder, plain: LatentCoder) -> None:
    for scene, reach in SCENES.values():
        made = code_scene(edge, SEMANTIC, scene, FIRST_QUALITY - 14, reach=reach)
        assert made == code_scene(plain, SEMANTIC, scene, FIRST_QUALITY - 14, reach=reach)
        assert made[0].detail is None


@pytest.mark.parametrize(("quality", "latents"), [(5, 5), (8, 8), (40, 24), (63, 35)])
def test_latents_of_what_stands_still_get_finer_half_as_fast(
    edge: LatentCoder, plain: LatentCoder, quality: int, latents: int
) -> None:
    body, _ = code_scene(edge, SEMANTIC, still(3), quality)
    assert {packet.quality for packet in body.packets} == {latents}
    without, _ = code_scene(plain, SEMANTIC, still(3), quality)
    assert {packet.quality for packet in without.packets} == {quality}
