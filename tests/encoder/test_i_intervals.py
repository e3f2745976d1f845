"""How far apart the I-frames of a scene are whose frames continue one another."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from edgecodec.encoder import Effort
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import LatentTrial
from edgecodec.encoder.strategies.latent import code_scene
from edgecodec.encoder.strategies.latent_order import continued_order
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body, parse_body
from edgecodec.runtime.scenes import SceneContext, decode_scene

from .fakes import scene_of
from .moving_pictures import panned

PICTURE = PictureFormat(64, 48)
SEMANTIC = StrategyId.SEMANTIC_LATENT
TRIAL = LatentTrial(SEMANTIC, "edge", "cpu", Effort.NORMAL)
SETTING, QUALITY = 33.0, 30


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


def test_the_interval_that_brings_most_for_its_bits_is_taken(resources: Resources) -> None:
    coder = resources.latent_coder("edge", "cpu")
    taken = set()
    for scene in (pausing(14), panning(14, jump_at=12)):
        worth = {}
        for interval in (None, 12):
            body, quality_db = code_scene(coder, SEMANTIC, scene, QUALITY, interval)
            packed = pack_body(body)
            worth[packed] = fmean(quality_db) - 3 * math.log2(len(packed))
        (made,) = TRIAL.encode(scene, SETTING, resources)
        assert made.read_body() == max(worth, key=lambda body: worth[body])
        body = parse_body(SEMANTIC, made.read_body(), 14)
        assert isinstance(body, LatentBody)
        taken.add(tuple(i_frames(body)))
        shown = list(
            decode_scene(
                Chunk(0, 0, SEMANTIC, scene.pts, made.read_body()),
                SceneContext(PICTURE, resources.networks, 1),
            )
        )
        assert len(shown) == 14
    assert taken == {(0,), (0, 12)}


def test_fast_encodes_and_still_scenes_have_one(resources: Resources) -> None:
    (fast,) = replace(TRIAL, effort=Effort.FAST).encode(panning(14, 12), SETTING, resources)
    still = scene_of([panned(48, 64, 0)] * 14, PICTURE)
    (unmoved,) = replace(TRIAL, effort=Effort.HIGH).encode(still, SETTING, resources)
    for made in (fast, unmoved):
        body = parse_body(SEMANTIC, made.read_body(), 14)
        assert isinstance(body, LatentBody)
        assert i_frames(body) == [0]


def test_frames_after_a_second_i_frame_can_be_shown_alone(resources: Resources) -> None:
    coder = resources.latent_coder("edge", "cpu")
    scene = panning(7, jump_at=3)
    body, _ = code_scene(coder, SEMANTIC, scene, QUALITY, 3)
    chunk = Chunk(0, 0, SEMANTIC, scene.pts, pack_body(body))
    context = SceneContext(PICTURE, resources.networks, 1)
    whole = list(decode_scene(chunk, context))
    late = list(decode_scene(chunk, context, first=4))
    for one, other in zip(whole[4:], late, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
