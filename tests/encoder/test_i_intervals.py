"""How far apart the I-frames of a scene are whose frames move, and how far these reach back."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from edgecodec.encoder import Effort
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import LatentTrial, latent_trial
from edgecodec.encoder.strategies import latent_scene as latent_module
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_order import continued_order, moved_order
from edgecodec.encoder.strategies.latent_scene import code_scene
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body, parse_body
from edgecodec.runtime.scenes import SceneContext, decode_scene

from .fakes import scene_of
from .moving_pictures import panned

PICTURE = PictureFormat(64, 48)
SEMANTIC = StrategyId.SEMANTIC_LATENT
TRIAL = LatentTrial(SEMANTIC, "edge", "cpu", Effort.NORMAL)
QUALITY = 30
SETTING = float(TRIAL.finest_quality - QUALITY)


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


def panning(count: int, jump_at: int) -> Scene:
    """A camera that moves, and from one frame on is somewhere else."""
    frames = [panned(48, 64, 2 * n, seed=n >= jump_at) for n in range(count)]
    return scene_of(frames, PICTURE)


def pausing(count: int) -> Scene:
    """A camera that moves once: whatever comes after that is there already."""
    return scene_of([panned(48, 64, 2 * (n > 0)) for n in range(count)], PICTURE)


def i_frames(body: LatentBody) -> list[int]:
    return [each.position for each in body.packets if each.kind is FrameKind.I]


def test_frames_continue_the_one_before_up_to_the_next_i_frame() -> None:
    assert [each.position for each in continued_order(5)] == [0, 1, 2, 3, 4]
    assert [each.kind for each in continued_order(5)].count(FrameKind.I) == 1
    order = continued_order(7, 3)
    assert [each.kind.name for each in order] == ["I", "C", "C", "I", "C", "C", "I"]
    assert [each.references for each in order] == [(), (0,), (1,), (), (3,), (4,), ()]


def test_the_way_that_brings_most_for_its_bits_is_taken(
    monkeypatch: pytest.MonkeyPatch, resources: Resources
) -> None:
    ways = ((0, 1), (0, 4), (6, 4))
    monkeypatch.setitem(latent_trial._MOVED, Effort.NORMAL, ways)
    coder = resources.latent_coder("edge", "cpu")
    taken = set()
    for scene in (pausing(8), panning(8, jump_at=6)):
        worth = {}
        for interval, reach in ways:
            body, quality_db = code_scene(coder, SEMANTIC, scene, QUALITY, interval or None, reach)
            packed = pack_body(body)
            worth[packed] = fmean(quality_db) - 3 * math.log2(len(packed))
        assert len(worth) == len(ways)
        (made,) = TRIAL.encode(scene, SETTING, resources)
        assert made.read_body() == max(worth, key=lambda body: worth[body])
        body = parse_body(SEMANTIC, made.read_body(), 8)
        assert isinstance(body, LatentBody)
        taken.add(tuple(i_frames(body)))
        shown = list(
            decode_scene(
                Chunk(0, 0, SEMANTIC, scene.pts, made.read_body()),
                SceneContext(PICTURE, resources.networks, 1),
            )
        )
        assert len(shown) == 8
    assert taken == {(0,), (0, 6)}


Way = tuple[int | None, int | None]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Way]:
    """The ways in which scenes were coded: of each only the first frame is."""
    found: list[Way] = []

    def first_of(
        coder: LatentCoder, strategy: StrategyId, scene: Scene, quality: int, *way: int | None
    ) -> tuple[LatentBody, list[float]]:
        interval, reach = way
        found.append((interval, reach))
        return code_scene(coder, strategy, scene_of(scene.frames[:1], PICTURE), quality)

    monkeypatch.setattr(latent_module, "code_scene", first_of)
    return found


@pytest.mark.parametrize("has_between", [True, False])
@pytest.mark.parametrize("count", [2, 3, 9, 10, 40])
@pytest.mark.parametrize("effort", Effort)
def test_ways_that_are_the_same_in_a_short_scene_are_tried_once(
    monkeypatch: pytest.MonkeyPatch,
    resources: Resources,
    tried: list[Way],
    effort: Effort,
    count: int,
    has_between: bool,
) -> None:
    monkeypatch.setattr(LatentCoder, "has_between", has_between)
    trial = replace(TRIAL, effort=effort)
    monkeypatch.setattr(latent_trial, "_REFINEMENT", dict.fromkeys(Effort, 0))
    trial.encode(panning(count, count), SETTING, resources)
    assert tried
    assert len({tuple(moved_order(count, *way)) for way in tried}) == len(tried)
    for interval, reach in tried:
        assert interval is None or interval < count
        assert reach is not None
        assert reach == 1 or (has_between and reach < count)
    # The whole scene after one I-frame is always one of them.
    assert any(interval is None for interval, _ in tried)


def test_fast_encodes_and_still_scenes_have_one(resources: Resources) -> None:
    (fast,) = replace(TRIAL, effort=Effort.FAST).encode(panning(14, 12), SETTING, resources)
    still = scene_of([panned(48, 64, 0)] * 14, PICTURE)
    (unmoved,) = replace(TRIAL, effort=Effort.HIGH).encode(still, SETTING, resources)
    for made in (fast, unmoved):
        body = parse_body(SEMANTIC, made.read_body(), 14)
        assert isinstance(body, LatentBody)
        assert i_frames(body) == [0]


@pytest.mark.parametrize("reach", [None, 1, 2])
def test_frames_after_a_second_i_frame_can_be_shown_alone(
    resources: Resources, reach: int | None
) -> None:
    # A filter looks at the frame before, too.
    coder = resources.latent_coder("edge", "cpu", adapt=Adaptation.NONE)
    scene = panning(9, jump_at=4)
    body, _ = code_scene(coder, SEMANTIC, scene, QUALITY, 4, reach)
    assert i_frames(body) == [0, 4, 8]
    assert any(each.kind is FrameKind.B for each in body.packets) == (reach != 1)
    chunk = Chunk(0, 0, SEMANTIC, scene.pts, pack_body(body))
    context = SceneContext(PICTURE, resources.networks, 1)
    whole = list(decode_scene(chunk, context))
    for first in (4, 5, 8):
        late = list(decode_scene(chunk, context, first=first))
        for one, other in zip(whole[first:], late, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    # Nothing before the I-frame is asked for: damage there does no harm.
    hurt = [
        replace(each, data=b"\xff" * 9 if each.position < 4 else each.data) for each in body.packets
    ]
    chunk = replace(chunk, body=pack_body(replace(body, packets=tuple(hurt))))
    for one, other in zip(whole[4:], decode_scene(chunk, context, first=4), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
