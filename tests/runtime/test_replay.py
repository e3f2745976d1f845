"""Replays: what a stream decodes to, noted frame by frame and run by run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import edgecodec.runtime
import numpy as np
import pytest
from edgecodec.runtime import motion_tables, prior
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.errors import BitstreamError, ModelError
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.payloads import HybridBody
from edgecodec.runtime.replay import FrameDifference, Recording, SceneReplay, Variant, replay
from edgecodec.runtime.scene_code import SceneCode
from edgecodec.runtime.scenes import latent_shape
from edgecodec.runtime.sessions import Optimization

from .motion_samples import NANO_CHANNELS, cosine_tables, moving_priors, moving_scene
from .streams import (
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
FRAME_BYTES = 96 * 64 * 3 // 2
REFERENCE = Variant("cpu", threads=1)
CODE = SceneCode((70,) * 64, (120,) * 64)
Draw = Callable[..., tuple[Planes, ...]]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory, draw_planes: Draw) -> Path:
    """P frames, B frames, a mended base with a title and a code, and a plain one: 17 frames."""
    planes = draw_planes(SMALL, 4)
    flags = (False, True, False, True)
    scenes = [
        latents(SMALL),
        latents(SMALL, PYRAMID, seed=2),
        hybrid(planes, SMALL, flags, CODE, title=0),
        classical(planes, SMALL),
    ]
    path = tmp_path_factory.mktemp("replay") / "all.ecv"
    path.write_bytes(stream_of(scenes, SMALL, titles=[title_weights()]))
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, stream: Path) -> Path:
    path = tmp_path_factory.mktemp("replay") / "samples"
    path.touch()
    assert all(not each.differences for each in replayed(stream, path, write=True))
    return path


def replayed(
    stream: Path, samples: Path, *, write: bool = False, frames: int = 0
) -> list[SceneReplay]:
    return list(replay(stream, REFERENCE, frames=frames, recording=Recording(samples, write)))


def test_what_is_recorded_is_what_players_show(stream: Path, samples: Path) -> None:
    with edgecodec.runtime.open(stream, threads=1) as video:
        shown = [plane.tobytes() for frame in video for plane in frame.planes]
    assert samples.read_bytes() == b"".join(shown)


def test_every_scene_is_told_with_its_runs_and_its_hash(stream: Path, samples: Path) -> None:
    scenes = replayed(stream, samples)
    assert [(each.strategy, each.start_frame, each.frames) for each in scenes] == [
        ("semantic_latent", 0, 4),
        ("i_frame_interpolation", 4, 5),
        ("hybrid_semantic", 9, 4),
        ("classical", 13, 4),
    ]
    assert [len(each.symbols) for each in scenes] == [4, 5, 2, 0]
    assert [each.feeds_references for each in scenes] == [True, True, False, False]
    recorded = samples.read_bytes()
    for scene in scenes:
        start = scene.start_frame * FRAME_BYTES
        part = recorded[start : start + scene.frames * FRAME_BYTES]
        assert scene.pixels_sha256 == hashlib.sha256(part).hexdigest()
        assert scene.samples == len(part)
        assert set(scene.differences) == {FrameDifference(0, 0, 0)}


def test_frames_that_move_feed_no_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B frames between others are drawn from their own latents; P frames still are not."""
    priors = {each.prior_id: each for each in moving_priors()}
    monkeypatch.setattr(prior, "packaged_priors", lambda: priors)
    tables = cosine_tables(NANO_CHANNELS)
    monkeypatch.setattr(motion_tables, "packaged_motion", lambda: {"nano": tables})
    between = ((0, 0, ()), (3, 2, (0,)), (2, 1, (0, 2)))
    scenes = [
        Scene(moving_scene(order, latent_shape(SMALL), LATENT_MODELS).body, len(order), strategy)
        for order in (between, (*between, (1, 3, (1,))))
        for strategy in (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)
    ]
    path = tmp_path / "moving.ecv"
    path.write_bytes(stream_of(scenes, SMALL))
    found = list(replay(path, REFERENCE))
    assert [each.feeds_references for each in found] == [False, False, True, True]
    assert [len(each.symbols) for each in found] == [3, 3, 4, 4]


def test_a_difference_is_counted_where_it_is(stream: Path, samples: Path, tmp_path: Path) -> None:
    other = bytearray(samples.read_bytes())
    at = 5 * FRAME_BYTES + 96 * 64 + 7  # in U of the second frame of the second scene
    other[at] = other[at] - 3 if other[at] > 2 else other[at] + 3
    other[5 * FRAME_BYTES] ^= 1
    (tmp_path / "other").write_bytes(other)
    scenes = replayed(stream, tmp_path / "other")
    found = {
        (scene.start_frame, number): difference
        for scene in scenes
        for number, difference in enumerate(scene.differences)
        if difference.differing
    }
    assert found == {(4, 1): FrameDifference(2, 3, 4)}


def test_symbols_stay_where_pixels_change(tmp_path: Path, fast_models: Path) -> None:
    """Other roundings between the layers; the entropy decoder does not see them."""
    picture = PictureFormat(192, 128)
    path, samples = tmp_path / "b.ecv", tmp_path / "samples"
    path.write_bytes(stream_of([latents(picture, PYRAMID, seed=1)], picture))
    samples.touch()
    (ours,) = replayed(path, samples, write=True)
    variant = Variant("cpu", Optimization.OFF, 2)
    (other,) = replay(path, variant, fast_models, recording=Recording(samples, False))
    assert other.symbols == ours.symbols
    assert other.pixels_sha256 != ours.pixels_sha256
    assert max(frame.largest for frame in other.differences) > 0


def test_symbols_tell_streams_codes_and_titles_apart(tmp_path: Path, draw_planes: Draw) -> None:
    planes = draw_planes(SMALL, 1)
    titles = [title_weights(), title_weights(seed=4)]
    scenes = [
        hybrid(planes, SMALL, (True,), code, title=title)
        for code in (None, CODE)
        for title in (None, 0, 1)
    ]
    scenes += [latents(SMALL, ((0, 0, ()),), seed=seed) for seed in (0, 1)]
    path = tmp_path / "many.ecv"
    path.write_bytes(stream_of(scenes, SMALL, titles=titles))
    found = [each.symbols for each in replay(path, REFERENCE)]
    assert len(set(found)) == len(scenes)


def test_a_limit_counts_frames_that_networks_make_for_each_kind_of_scene(
    tmp_path: Path, draw_planes: Draw
) -> None:
    planes = draw_planes(SMALL, 4)
    mended = hybrid(planes, SMALL, (False, True, False, True))
    scenes = [latents(SMALL), latents(SMALL, seed=5), mended, mended, classical(planes, SMALL)]
    path, samples = tmp_path / "long.ecv", tmp_path / "samples"
    path.write_bytes(stream_of(scenes, SMALL))
    samples.touch()
    every = {each.start_frame: each for each in replayed(path, samples, write=True)}
    for limit, wanted in (
        (1, {0: (1, 1), 8: (2, 1), 16: (1, 0)}),
        (3, {0: (3, 3), 8: (4, 2), 12: (2, 1), 16: (3, 0)}),
        (6, {0: (4, 4), 4: (2, 2), 8: (4, 2), 12: (4, 2), 16: (4, 0)}),
    ):
        some = replayed(path, samples, frames=limit)
        assert {each.start_frame: (each.frames, len(each.symbols)) for each in some} == wanted
        for each in some:
            assert each.symbols == every[each.start_frame].symbols[: len(each.symbols)]
            assert set(each.differences) == {FrameDifference(0, 0, 0)}


def test_deep_samples_are_compared_as_such(tmp_path: Path, draw_planes: Draw) -> None:
    deep = PictureFormat(96, 64, bit_depth=10)
    path, samples = tmp_path / "deep.ecv", tmp_path / "samples"
    path.write_bytes(stream_of([classical(draw_planes(deep, 2), deep)], deep))
    samples.touch()
    replayed(path, samples, write=True)
    other = np.fromfile(samples, np.uint16)
    assert other.size == 2 * FRAME_BYTES
    other[0] += 300
    other.tofile(samples)
    (scene,) = replayed(path, samples)
    assert scene.differences == (FrameDifference(1, 300, 300), FrameDifference(0, 0, 0))


def test_a_damaged_stream_and_a_missing_network_are_errors(
    stream: Path, tmp_path: Path, draw_planes: Draw
) -> None:
    data = stream.read_bytes()
    cut = tmp_path / "cut.ecv"
    cut.write_bytes(data[:-40])
    with pytest.raises(BitstreamError, match="only a whole stream"):
        list(replay(cut, REFERENCE))
    unknown = tmp_path / "unknown.ecv"
    scene = hybrid(draw_planes(SMALL, 1), SMALL, (True,))
    assert isinstance(scene.body, HybridBody)
    body = replace(scene.body, enhancer="0" * 16)
    unknown.write_bytes(stream_of([replace(scene, body=body)], SMALL))
    with pytest.raises(ModelError, match="needs network 0000000000000000"):
        list(replay(unknown, REFERENCE))
