"""Scenes in latents: the order of frames, and that the encoder sees what the player will."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.effort import Effort
from edgecodec.encoder.priors import tier_priors
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies import LatentTrial
from edgecodec.encoder.strategies import latent as latent_module
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_order import (
    PlannedFrame,
    continued_order,
    interpolated_order,
    known_frames,
    moved_order,
    predicted_order,
)
from edgecodec.encoder.strategies.latent_scene import code_scene
from edgecodec.encoder.strategies.latent_trial import FINEST_QUALITY
from edgecodec.encoder.training.latent import price_of_bits
from edgecodec.runtime.chunks import Chunk, StrategyId, pack_chunk
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.frames import PictureFormat
from edgecodec.runtime.payloads import NO_PRIORS, FrameKind, LatentBody, pack_body, parse_body
from edgecodec.runtime.records import FRAMING_BYTES
from edgecodec.runtime.scenes import SceneContext, decode_scene
from edgecodec.runtime.sessions import NetworkPool
from hypothesis import given, settings
from hypothesis import strategies as st

from .fakes import scene_of
from .prior_samples import prior_of

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
STRATEGIES = (StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION)

relaxed = settings(deadline=None, max_examples=60)


def check_order(order: list[PlannedFrame], count: int) -> None:
    """Each position once, and references before their use."""
    assert sorted(frame.position for frame in order) == list(range(count))
    decoded: set[int] = set()
    for frame in order:
        assert decoded.issuperset(frame.references)
        assert len(frame.references) == frame.kind.references
        decoded.add(frame.position)


@relaxed
@given(st.integers(1, 300))
def test_predicted_frames_refer_to_the_one_before(count: int) -> None:
    order = predicted_order(count)
    check_order(order, count)
    assert [frame.kind for frame in order] == [FrameKind.I, *[FrameKind.P] * (count - 1)]
    assert all(frame.references == (frame.position - 1,) for frame in order[1:])


@relaxed
@given(st.integers(1, 300), st.integers(1, 40))
def test_interpolated_frames_lie_between_their_references(count: int, interval: int) -> None:
    order = interpolated_order(count, interval)
    check_order(order, count)
    intra = sorted(frame.position for frame in order if frame.kind is FrameKind.I)
    assert (intra[0], intra[-1]) == (0, count - 1)
    assert all(later - earlier <= interval for earlier, later in pairwise(intra))
    depth: dict[int, int] = {}
    for frame in order:
        assert frame.kind is not FrameKind.P
        depth[frame.position] = 1 + max((depth[each] for each in frame.references), default=-1)
        if frame.kind is FrameKind.B:
            past, future = frame.references
            assert past < frame.position < future
            # Nothing is interpolated across an I-frame.
            assert not any(past < position < future for position in intra)
    # A hierarchy: few frames feed many.
    assert max(depth.values()) <= math.ceil(math.log2(interval))
    assert {frame.position: frame.depth for frame in order} == depth
    assert not any(frame.moves for frame in order)


counts, reaches = st.integers(1, 70), st.integers(1, 16)
intervals = st.none() | st.integers(1, 40)


@settings(deadline=None, max_examples=300)
@given(counts, intervals, reaches)
def test_frames_that_move_reach_back_or_lie_between_two(
    count: int, interval: int | None, reach: int
) -> None:
    order = moved_order(count, interval, reach)
    check_order(order, count)
    starts = list(range(0, count, interval or count))
    assert sorted(each.position for each in order if each.kind is FrameKind.I) == starts
    # Every so many frames, and right before the scene ends, one that others may lie between.
    ends = [*starts[1:], count - 1]
    apart = {at for start, end in zip(starts, ends, strict=True) for at in range(start, end, reach)}
    apart |= {*starts, count - 1}
    assert {each.position for each in order if each.kind is not FrameKind.B} == apart
    depth: dict[int, int] = {}
    for frame in order:
        assert frame.kind is not FrameKind.P
        assert frame.moves == (frame.kind is not FrameKind.I)
        # The player draws each from its own latents.
        assert not frame.drawn_from
        depth[frame.position] = 0
        if frame.kind is FrameKind.C:
            (before,) = frame.references
            assert before == max(at for at in apart if at < frame.position)
        if frame.kind is FrameKind.B:
            past, future = frame.references
            assert past < frame.position < future
            assert future - past <= reach
            # The nearer half of the frames between two belongs to each.
            assert abs((frame.position - past) - (future - frame.position)) <= 1
            depth[frame.position] = 1 + max(depth[past], depth[future])
            # Nothing lies between frames across an I-frame.
            assert not any(past < start < future for start in starts)
        # From an I-frame on nothing before it is needed.
        start = max(each for each in starts if each <= frame.position)
        assert all(reference >= start for reference in frame.references)
    assert {frame.position: frame.depth for frame in order} == depth
    assert max(depth.values()) <= math.ceil(math.log2(reach))


@relaxed
@given(counts, intervals)
def test_frames_that_reach_back_by_one_continue_the_one_before(
    count: int, interval: int | None
) -> None:
    plain = continued_order(count, interval)
    for order in (moved_order(count, interval), moved_order(count, interval, 1)):
        for moved, continued in zip(order, plain, strict=True):
            assert replace(moved, moves=False) == continued


def test_frames_that_move_in_the_order_of_their_decoding() -> None:
    found = [
        (each.kind.name, each.position, each.references, each.depth)
        for each in moved_order(11, 9, 4)
    ]
    assert found == [
        ("I", 0, (), 0),
        ("C", 4, (0,), 0),
        ("B", 2, (0, 4), 1),
        ("B", 1, (0, 2), 2),
        ("B", 3, (2, 4), 2),
        ("C", 8, (4,), 0),
        ("B", 6, (4, 8), 1),
        ("B", 5, (4, 6), 2),
        ("B", 7, (6, 8), 2),
        ("I", 9, (), 0),
        ("C", 10, (9,), 0),
    ]
    # The last before an I-frame continues the one at its side, or lies before the I-frame itself.
    assert [each.position for each in moved_order(8, 6, 4)] == [0, 4, 2, 1, 3, 6, 5, 7]
    assert known_frames(moved_order(6, None, 4)) == [None, 0, None, 2, 1, 4]


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


def trial_of(strategy: StrategyId) -> LatentTrial:
    return LatentTrial(strategy, "nano", "cpu")


@pytest.mark.parametrize("picture", [SMALL, ODD], ids=["whole blocks", "odd"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_the_encoder_measured_is_what_the_player_shows(
    resources: Resources, draw_planes, strategy: StrategyId, picture: PictureFormat
) -> None:
    scene = scene_of(draw_planes(picture, 6), picture)
    for setting in (10.0, 50.0):
        (made,) = trial_of(strategy).encode(scene, setting, resources)
        assert (made.strategy, made.codec, made.setting) == (strategy, None, setting)
        assert made.trial == strategy.name.lower()
        chunk = Chunk(0, 0, strategy, scene.pts, made.read_body())
        assert made.bits == 8 * (len(pack_chunk(chunk)) + FRAMING_BYTES)
        shown = list(decode_scene(chunk, SceneContext(picture, NetworkPool(threads=1))))
        measured = [psnr(a, b).weighted for a, b in zip(scene.frames, shown, strict=True)]
        assert list(made.frame_psnr) == measured


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_lower_setting_costs_more_bits(
    resources: Resources, draw_planes, strategy: StrategyId
) -> None:
    trial = trial_of(strategy)
    scene = scene_of(draw_planes(SMALL, 3))
    lowest, highest = trial.settings
    assert lowest <= trial.usual_setting <= highest == FINEST_QUALITY
    sizes = [trial.encode(scene, setting, resources)[0].bits for setting in (lowest, 32, highest)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_the_bodies_follow_the_order_and_b_frames_are_coarser(
    resources: Resources, draw_planes
) -> None:
    scene = scene_of(draw_planes(SMALL, 6))
    for strategy, order in zip(
        STRATEGIES, (predicted_order(6), interpolated_order(6)), strict=True
    ):
        (made,) = trial_of(strategy).encode(scene, 20, resources)
        body = parse_body(strategy, made.read_body(), 6)
        assert isinstance(body, LatentBody)
        placed = [(p.kind, p.position, p.references) for p in body.packets]
        assert placed == [(each.kind, each.position, each.references) for each in order]
        for packet in body.packets:
            expected = FINEST_QUALITY - 20
            assert packet.quality == expected - (8 if packet.kind is FrameKind.B else 0)
    # At the coarse end there is nothing coarser.
    (made,) = trial_of(STRATEGIES[1]).encode(scene, FINEST_QUALITY, resources)
    assert {p.quality for p in parse_body(STRATEGIES[1], made.read_body(), 6).packets} == {0}


def test_i_frames_are_as_far_apart_as_costs_least(resources: Resources, draw_planes) -> None:
    strategy, scene = STRATEGIES[1], scene_of(draw_planes(SMALL, 10))
    coder = resources.latent_coder("nano", "cpu")
    costs = {}
    for interval in (4, 8, 9):
        body, quality_db = code_scene(coder, strategy, scene, 43, interval)
        bits = 8 * len(pack_body(body)) / (96 * 64 * 10)
        error = fmean(255.0**2 / 10 ** (each / 10) for each in quality_db)
        costs[pack_body(body)] = error + price_of_bits(43) * bits
    (made,) = replace(trial_of(strategy), effort=Effort.HIGH).encode(scene, 20, resources)
    assert len(costs) == 3
    assert made.read_body() == min(costs, key=lambda body: costs[body])
    (usual,) = trial_of(strategy).encode(scene, 20, resources)
    assert usual.read_body() == list(costs)[1]


def test_high_effort_refines_i_frames(resources: Resources, draw_planes) -> None:
    scene = scene_of(draw_planes(SMALL, 1))
    trial = trial_of(StrategyId.SEMANTIC_LATENT)
    (plain,) = trial.encode(scene, 20, resources)
    (refined,) = replace(trial, effort=Effort.HIGH).encode(scene, 20, resources)
    assert refined.read_body() != plain.read_body()


def test_a_scene_of_one_frame_is_an_i_frame(resources: Resources, draw_planes) -> None:
    scene = scene_of(draw_planes(SMALL, 1))
    for strategy in STRATEGIES:
        (made,) = trial_of(strategy).encode(scene, 30, resources)
        body = parse_body(strategy, made.read_body(), 1)
        (packet,) = body.packets
        assert packet.kind is FrameKind.I
        # No other network has a part in it.
        coder = resources.latent_coder("nano", "cpu")
        assert body.models == (coder.light(FrameKind.I).entry.model_id,)


def test_zero_symbols_are_a_picture_too(resources: Resources) -> None:
    coder = resources.latent_coder("nano", "cpu")
    coded = coder.reconstruct(np.zeros((64, 4, 6), np.int16), SMALL, FrameKind.I, [], 40)
    assert not coded.symbols.any()
    assert coded.planes[0].shape == (64, 96)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_priors_change_bytes_and_no_pixel(
    resources: Resources, draw_planes, strategy: StrategyId
) -> None:
    scene = scene_of(draw_planes(SMALL, 10))
    kinds = sorted({frame.kind for frame in predicted_order(2) + interpolated_order(3)})
    priors = {kind: prior_of(previous=bool(kind), seed=kind) for kind in kinds}
    made = {}
    for name, used in (("scales", {}), ("priors", priors)):
        # Filters are as many as are worth their share of a scene's bits.
        coder = LatentCoder(
            "nano", "cpu", resources.networks, priors=used, adaptation=Adaptation.NONE
        )
        made[name] = code_scene(coder, strategy, scene, 40)
    (scales, before), (learned, after) = made.values()
    assert before == after
    assert scales.priors == NO_PRIORS
    for kind in kinds:
        there = any(packet.kind is kind for packet in learned.packets)
        assert learned.priors[kind] == (priors[kind].prior_id if there else None)
    assert [packet.data for packet in scales.packets] != [p.data for p in learned.packets]


def test_a_tier_is_coded_with_the_priors_that_are_installed_for_it(resources: Resources) -> None:
    assert resources.latent_coder("nano", "cpu").priors == tier_priors("nano")
    assert set(tier_priors("nano")) == {FrameKind.I, FrameKind.P, FrameKind.B}
    assert {prior.channels for prior in tier_priors("nano").values()} == {64}
    assert tier_priors("no such tier") == {}


def test_a_tier_whose_analysis_was_not_trained_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    monkeypatch.setattr(
        latent_module,
        "weights_path",
        lambda name, tier, tune: tmp_path / f"{name}-{tier}.safetensors",
    )
    coder = Resources(threads=1).latent_coder("nano", "cpu")
    with pytest.raises(ModelError, match=r"analysis_i-nano\.safetensors: no such analysis network"):
        coder.analysis(FrameKind.I)


def test_a_coder_is_loaded_once_for_a_tier_and_device(resources: Resources) -> None:
    coder = resources.latent_coder("nano", "cpu")
    assert resources.latent_coder("nano", "cpu") is coder
    assert Resources(threads=1).latent_coder("nano", "cpu") is not coder


def test_settings_between_two_qualities_are_the_nearest(draw_planes, resources: Resources) -> None:
    scene = scene_of(draw_planes(SMALL, 2))
    trial = trial_of(StrategyId.SEMANTIC_LATENT)
    (whole,), (near,), (far,) = (trial.encode(scene, s, resources) for s in (30.0, 30.25, 30.75))
    assert near.read_body() == whole.read_body() != far.read_body()
    assert near.setting == 30.25
