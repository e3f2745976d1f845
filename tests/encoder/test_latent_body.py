"""Bodies of latents: kinds with a prior and kinds without, as players read them again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from edgecodec.encoder.between_coding import between_frame
from edgecodec.encoder.detail_coding import Detail
from edgecodec.encoder.moved_coding import Moved, moved_frame
from edgecodec.encoder.reference import Reference
from edgecodec.encoder.strategies.latent_body import FrameSymbols, latent_body
from edgecodec.encoder.strategies.latent_order import (
    interpolated_order,
    moved_order,
    predicted_order,
)
from edgecodec.runtime.between_frames import Between, decode_between
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.detail import decode_detail, seen_before
from edgecodec.runtime.moved_frames import Shown, decode_moved
from edgecodec.runtime.payloads import NO_PRIORS, FrameKind, LatentBody, pack_body, parse_body
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import decode_with_prior
from edgecodec.runtime.symbols import ScaleIndex, decode_latent

from ..runtime.motion_samples import cosine_tables
from .moving_pictures import first_frame, texture, wanted_of
from .prior_samples import CHANNELS, prior_of, smooth_symbols

SHAPE = (5, 7)
MODELS = ("0123456789abcdef",)
I, P, B, C = FrameKind  # noqa: E741 (the kinds' own names)


def scene(order, *, channels: int = CHANNELS, brightness: int = 0) -> list[FrameSymbols]:
    return [
        FrameSymbols(
            frame, 40 - number, smooth_symbols((channels, *SHAPE), number, brightness=brightness)
        )
        for number, frame in enumerate(order)
    ]


def decoded(body: LatentBody, priors: dict[FrameKind, Prior]) -> list[np.ndarray]:
    """As `runtime.scenes` decodes them: each kind from the frame of its kind before."""
    named = {prior.prior_id: prior for prior in priors.values()}
    symbols: dict[FrameKind, np.ndarray] = {}
    scales: dict[FrameKind, ScaleIndex] = {}
    made = []
    for packet in body.packets:
        kind, prior_id = packet.kind, body.priors[packet.kind]
        if prior_id is None:
            tables = body.difference_tables[kind]
            latent = decode_latent(packet.data, SHAPE, tables, scales.get(kind))
            scales[kind] = latent.scale_index
            symbols[kind] = latent.symbols.astype(np.int16)
        else:
            prior = named[prior_id]
            symbols[kind] = decode_with_prior(
                packet.data, SHAPE, packet.quality, prior, symbols.get(kind)
            )
        made.append(symbols[kind])
    return made


ALL = {
    I: prior_of(seed=1),
    P: prior_of(previous=True, seed=2),
    B: prior_of(previous=True, seed=3),
}


@pytest.mark.parametrize("kinds", [(), (I,), (P,), (I, P), (I, P, B), (B,)], ids=str)
@pytest.mark.parametrize("order", [predicted_order(5), interpolated_order(18)], ids=["P", "B"])
def test_players_read_the_symbols_that_went_in(order, kinds: tuple[FrameKind, ...]) -> None:
    frames = scene(order)
    priors = {kind: ALL[kind] for kind in kinds}
    body = latent_body(frames, MODELS, priors)
    there = {frame.kind for frame in order}
    wanted = [
        priors[kind].prior_id if kind in priors and kind in there else None for kind in FrameKind
    ]
    assert list(body.priors) == wanted
    strategy = StrategyId.SEMANTIC_LATENT
    body = parse_body(strategy, pack_body(body), len(frames))
    assert isinstance(body, LatentBody)
    assert [packet.quality for packet in body.packets] == [each.quality for each in frames]
    for each, symbols in zip(frames, decoded(body, priors), strict=True):
        assert np.array_equal(each.symbols, symbols)


def test_without_priors_a_body_names_none() -> None:
    frames = scene(predicted_order(3))
    body = latent_body(frames, MODELS, {})
    assert body.priors == NO_PRIORS
    assert any(body.difference_tables[I])


def test_a_kind_with_a_prior_has_no_difference_tables() -> None:
    body = latent_body(scene(predicted_order(3)), MODELS, {P: ALL[P]})
    assert any(body.difference_tables[I])
    assert not any(body.difference_tables[P])


def test_a_frame_before_of_its_kind_changes_the_bytes_of_one_that_sees_it() -> None:
    frames = scene(predicted_order(3))
    together = latent_body(frames, MODELS, ALL).packets[2].data
    alone = latent_body([frames[0], frames[2]], MODELS, ALL).packets[1].data
    assert together != alone


def test_whole_brightness_needs_its_prior() -> None:
    prior = prior_of(whole=True)
    frames = scene(predicted_order(1), brightness=120)
    frames = [FrameSymbols(each.frame, each.quality, each.symbols) for each in frames]
    frames[0].symbols[0] += 300
    body = latent_body(frames, MODELS, {I: prior})
    (symbols,) = decoded(body, {I: prior})
    assert np.array_equal(symbols, frames[0].symbols)
    with pytest.raises(ValueError, match="-127 to 127"):
        latent_body(frames, MODELS, {})


def test_zeros_need_no_bytes_with_a_prior_or_without() -> None:
    nothing = [
        FrameSymbols(frame, 20, np.zeros((CHANNELS, *SHAPE), np.int16))
        for frame in predicted_order(2)
    ]
    for priors in ({}, ALL):
        body = latent_body(nothing, MODELS, priors)
        assert [packet.data for packet in body.packets] == [b"", b""]


DETAIL = prior_of(96, previous=True, seed=8)
DETAIL_LATENT = np.random.default_rng(3).integers(0, 256, (1, 97, *SHAPE)).astype(np.uint8)


def detail_of(seed: int, spread: float, *, keeps: bool = True) -> Detail:
    random = np.random.default_rng(seed)
    symbols = np.rint(random.laplace(0, 0.5, (96, 10, 14)) * spread).astype(np.int16)
    return Detail(30, symbols, seen_before(DETAIL_LATENT, 40), keeps)


def test_players_read_the_detail_that_went_in() -> None:
    first, second, third = scene(predicted_order(3))
    # What P frames have is refused when they are packed; here it is about the bytes.
    frames = [
        replace(first, detail=detail_of(1, 1)),
        replace(second, detail=detail_of(2, 0, keeps=False)),
        third,
    ]
    body = latent_body(frames, MODELS, ALL, detail=DETAIL)
    assert body.detail == DETAIL.prior_id
    packets = [packet.detail for packet in body.packets]
    assert packets[1:] == [b"\x5e", b""]
    samples = decode_detail(packets[0], DETAIL_LATENT, 40, DETAIL)
    np.testing.assert_array_equal(samples, detail_of(1, 1).samples)
    plain = latent_body(scene(predicted_order(3)), MODELS, ALL)
    assert [packet.data for packet in body.packets] == [packet.data for packet in plain.packets]
    alone = latent_body(frames[:1], MODELS, ALL, detail=DETAIL)
    assert parse_body(StrategyId.SEMANTIC_LATENT, pack_body(alone), 1) == alone


def test_a_body_names_no_prior_of_detail_where_no_frame_has_any() -> None:
    frames = scene(predicted_order(3))
    plain = latent_body(frames, MODELS, ALL)
    assert plain.detail is None
    assert latent_body(frames, MODELS, ALL, detail=DETAIL) == plain
    nothing = [replace(each, detail=detail_of(1, 0)) for each in frames]
    assert latent_body(nothing, MODELS, ALL, detail=DETAIL) == plain
    # One byte is enough.
    nothing[0] = replace(frames[0], detail=detail_of(1, 0, keeps=False))
    assert latent_body(nothing, MODELS, ALL, detail=DETAIL).detail == DETAIL.prior_id


def test_detail_needs_its_prior() -> None:
    frames = [replace(each, detail=detail_of(1, 1)) for each in scene(predicted_order(1))]
    with pytest.raises(ValueError, match="detail needs a prior"):
        latent_body(frames, MODELS, ALL)


MOVED_CHANNELS = 12
TABLES = cosine_tables(MOVED_CHANNELS)
MOVING = {
    I: prior_of(MOVED_CHANNELS, whole=True, seed=4),
    B: prior_of(MOVED_CHANNELS, previous=True, seed=6),
    C: prior_of(MOVED_CHANNELS, previous=True, seed=5),
}
QUALITIES = (40, 32, 30, 28)


def moving_scene(reach: int = 1) -> tuple[Shown, list[FrameSymbols]]:
    """What is shown of an I-frame, and what is sent of it and of three that move on."""
    wide = texture(64, 128)
    views = [np.ascontiguousarray(wide[:, at : at + 96]) for at in (0, 4, 8, 12)]
    first, *order = moved_order(len(views), None, reach)
    shown = first_frame(views[0], TABLES, QUALITIES[0])
    seen = {0: Reference(shown, TABLES)}
    symbols = np.rint(wanted_of(views[0], TABLES, QUALITIES[0])).astype(np.int16)
    sent = [FrameSymbols(first, QUALITIES[0], symbols)]
    for frame, quality in zip(order, QUALITIES[1:], strict=True):
        luma = views[frame.position]
        wanted, how = wanted_of(luma, TABLES, quality), {"price_of_vectors": 50.0}
        away = [abs(frame.position - each) for each in frame.references]
        others = [seen[each] for each in frame.references]
        moved: Moved
        if frame.kind is B:
            pair, apart = (others[0], others[1]), (away[0], away[1])
            moved = between_frame(wanted, luma, pair, apart, quality, MOVING[B], TABLES, **how)
        else:
            moved = moved_frame(
                wanted, luma, others[0], quality, MOVING[C], TABLES, span=away[0], **how
            )
        seen[frame.position] = Reference(moved.shown, TABLES)
        sent.append(FrameSymbols(frame, quality, moved.symbols, moved))
    return shown, sent


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_players_read_frames_that_move(reach: int) -> None:
    first_shown, frames = moving_scene(reach)
    body = latent_body(frames, MODELS, MOVING, TABLES)
    assert body.motion == TABLES.motion_id
    between = None if reach == 1 else MOVING[B].prior_id
    assert body.priors == (MOVING[I].prior_id, None, between, MOVING[C].prior_id)
    assert not any(map(any, body.difference_tables))
    parsed = parse_body(StrategyId.SEMANTIC_LATENT, pack_body(body), len(frames))
    assert parsed == body
    first, *others = body.packets
    read = decode_with_prior(first.data, (4, 6), QUALITIES[0], MOVING[I], None)
    assert np.array_equal(read, frames[0].symbols)
    shown = {0: first_shown}
    for packet, each in zip(others, frames[1:], strict=True):
        assert (packet.kind, packet.quality) == (each.frame.kind, each.quality)
        assert packet.references == each.frame.references
        before, *after = packet.references
        how = packet.quality, MOVING[packet.kind], TABLES
        if packet.kind is B:
            away = packet.position - before, after[0] - packet.position
            pair = Between(shown[before], shown[after[0]], *away)
            made = decode_between(packet.data, pair, *how)
        else:
            made = decode_moved(packet.data, shown[before], *how, span=packet.position - before)
        shown[packet.position] = made
        assert each.moved is not None
        assert made.vectors.any()
        assert np.array_equal(made.vectors, each.moved.shown.vectors)
        assert np.array_equal(made.levels, each.moved.shown.levels)


def test_a_body_names_no_tables_where_no_frame_has_moved() -> None:
    _, frames = moving_scene()
    assert latent_body(frames[:1], MODELS, MOVING, TABLES).motion is None
    continued = [replace(each, moved=None) for each in frames]
    priors = {I: MOVING[I], C: prior_of(MOVED_CHANNELS, whole=True, gated=True)}
    assert latent_body(continued, MODELS, priors, TABLES).motion is None
    assert latent_body(scene(predicted_order(3)), MODELS, ALL, TABLES).motion is None
    assert latent_body(scene(interpolated_order(9)), MODELS, ALL, TABLES).motion is None
    # One is enough.
    assert latent_body(frames, MODELS, MOVING, TABLES).motion is not None
