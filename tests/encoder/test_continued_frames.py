"""Continued frames: coded knowing the symbols before them, drawn like I-frames."""

from __future__ import annotations

import dataclasses
from copy import copy

import numpy as np
import pytest
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.latent_kinds import frame_kinds
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_body import FrameSymbols, latent_body
from edgecodec.encoder.strategies.latent_order import PlannedFrame, continued_order, known_frames
from edgecodec.encoder.strategies.latent_scene import code_scene, coded_frames
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.errors import BitstreamError, ModelError
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.payloads import FrameKind, LatentBody, pack_body, parse_body
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.scenes import SceneContext, decode_scene
from torch import Tensor, nn

from .fakes import scene_of
from .prior_samples import CHANNELS, continued_priors, prior_of

SMALL = PictureFormat(96, 64)
ODD = PictureFormat(97, 65)
SEMANTIC = StrategyId.SEMANTIC_LATENT
PRIORS = continued_priors()
# What networks of 64 latents take with a whole brightness in two of them.
WHOLE = continued_priors(CHANNELS - 1, whole=True)


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


@pytest.fixture(scope="module")
def coder(resources: Resources) -> LatentCoder:
    """Without filters (`test_latent_filter.py`)."""
    return LatentCoder("nano", "cpu", resources.networks, priors=PRIORS, adaptation=Adaptation.NONE)


class _WithoutLast(nn.Module):
    """An analysis network whose last latent is left out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, frame: Tensor, quality: Tensor) -> Tensor:
        latents: Tensor = self._network(frame, quality)
        return latents[:, :-1]


@pytest.fixture(scope="module")
def whole_coder(resources: Resources) -> LatentCoder:
    coder = LatentCoder("nano", "cpu", resources.networks, priors=WHOLE, adaptation=Adaptation.NONE)
    plain = coder.analysis(FrameKind.I)
    coder.analysis = lambda kind: _WithoutLast(plain)  # type: ignore[method-assign, assignment]
    return coder


def shown(body: LatentBody, resources: Resources, picture: PictureFormat) -> list[Planes]:
    """By the player, which finds `PRIORS` and `WHOLE`."""
    named: dict[str, Prior] = {p.prior_id: p for p in (*PRIORS.values(), *WHOLE.values())}
    context = SceneContext(picture, resources.networks, 1, priors=named.__getitem__)
    pts = tuple(range(len(body.packets)))
    return list(decode_scene(Chunk(0, 0, SEMANTIC, pts, pack_body(body)), context))


def test_every_frame_but_the_first_continues_the_one_before() -> None:
    order = continued_order(5)
    assert [frame.position for frame in order] == [0, 1, 2, 3, 4]
    assert order[0] == PlannedFrame(FrameKind.I, 0)
    assert {frame.kind for frame in order[1:]} == {FrameKind.C}
    assert all(frame.references == (frame.position - 1,) for frame in order[1:])
    assert not any(frame.drawn_from for frame in order)
    assert known_frames(order) == [None, 0, 1, 2, 3]
    assert continued_order(1) == [PlannedFrame(FrameKind.I, 0)]


def test_priors_of_other_kinds_know_the_frame_of_their_kind() -> None:
    kinds = [FrameKind.I, FrameKind.P, FrameKind.I, FrameKind.P, FrameKind.P]
    order = [PlannedFrame(kind, position) for position, kind in enumerate(kinds)]
    assert known_frames(order) == [None, None, 0, 1, 3]


@pytest.mark.parametrize("kind", [FrameKind.I, FrameKind.C])
def test_a_tier_needs_both_priors(kind: FrameKind) -> None:
    assert frame_kinds(SEMANTIC, PRIORS) == (FrameKind.I, FrameKind.C)
    assert frame_kinds(SEMANTIC, {kind: PRIORS[kind]}) == (FrameKind.I, FrameKind.P)
    assert frame_kinds(SEMANTIC, {}) == (FrameKind.I, FrameKind.P)
    interpolated = frame_kinds(StrategyId.I_FRAME_INTERPOLATION, PRIORS)
    assert interpolated == (FrameKind.I, FrameKind.B)


@pytest.mark.parametrize("picture", [SMALL, ODD], ids=["whole blocks", "odd"])
@pytest.mark.parametrize("quality", [5, 50])
@pytest.mark.parametrize("name", ["coder", "whole_coder"])
def test_players_show_what_the_encoder_saw(
    request: pytest.FixtureRequest,
    resources: Resources,
    draw_planes,
    name: str,
    quality: int,
    picture: PictureFormat,
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    scene = scene_of(draw_planes(picture, 5), picture)
    body, quality_db = code_scene(coder, SEMANTIC, scene, quality)
    parsed = parse_body(SEMANTIC, pack_body(body), 5)
    assert parsed == body
    assert [packet.kind for packet in body.packets] == [FrameKind.I, *[FrameKind.C] * 4]
    assert {packet.quality for packet in body.packets} == {quality}
    priors = coder.priors
    assert body.priors == (
        priors[FrameKind.I].prior_id,
        None,
        None,
        priors[FrameKind.C].prior_id,
    )
    assert coder.motion is None
    assert body.motion is None
    # One network draws them all.
    assert body.models == (coder.light(FrameKind.I).entry.model_id,)
    coded = [each.planes for _, _, each in coded_frames(coder, SEMANTIC, scene, quality)]
    decoded = shown(body, resources, picture)
    for source, one, other, measured in zip(scene.frames, coded, decoded, quality_db, strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))
        assert psnr(source, other).weighted == measured


@pytest.mark.parametrize("name", ["coder", "whole_coder"])
def test_a_still_scene_takes_next_to_nothing_after_its_first_frame(
    request: pytest.FixtureRequest, resources: Resources, draw_planes, name: str
) -> None:
    coder: LatentCoder = request.getfixturevalue(name)
    (planes,) = draw_planes(SMALL, 1)
    body, quality_db = code_scene(coder, SEMANTIC, scene_of([planes] * 4), 40)
    first, *others = (packet.data for packet in body.packets)
    assert len(first) > 200
    assert others == [b"", b"", b""]
    assert len(set(quality_db)) == 1
    frames = shown(body, resources, SMALL)
    assert all((a == b).all() for a, b in zip(frames[0], frames[3], strict=True))


def test_nothing_stays_of_a_picture_that_has_gone(whole_coder: LatentCoder, draw_planes) -> None:
    """Symbols that are kept from frame to frame are never far from the latents."""
    one, other = (draw_planes(SMALL, 9)[at] for at in (0, 8))
    # The other picture comes in by and by.
    mixed = [_mixed(one, other, share) for share in np.linspace(0, 1, 12)]
    _, changing = code_scene(whole_coder, SEMANTIC, scene_of(mixed), 45)
    _, alone = code_scene(whole_coder, SEMANTIC, scene_of([mixed[-1]]), 45)
    assert changing[-1] > alone[0] - 1.0


def _mixed(one: Planes, other: Planes, share: float) -> Planes:
    y, u, v = (
        np.rint(a + (b.astype(float) - a) * share).astype(np.uint8)
        for a, b in zip(one, other, strict=True)
    )
    return y, u, v


def test_continued_frames_cannot_be_coded_without_their_prior(draw_planes) -> None:
    symbols = np.zeros((CHANNELS, 4, 6), np.int16)
    sent = [FrameSymbols(frame, 30, symbols) for frame in continued_order(2)]
    with pytest.raises(ValueError, match="prior"):
        latent_body(sent, ("0123456789abcdef",), {FrameKind.I: PRIORS[FrameKind.I]})


def test_a_player_without_the_prior_says_so(
    coder: LatentCoder, resources: Resources, draw_planes
) -> None:
    body, _ = code_scene(coder, SEMANTIC, scene_of(draw_planes(SMALL, 2)), 30)
    chunk = Chunk(0, 0, SEMANTIC, (0, 1), pack_body(body))
    with pytest.raises(ModelError, match="prior"):
        list(decode_scene(chunk, SceneContext(SMALL, resources.networks, 1)))


def test_priors_that_do_not_fit_together_are_refused_by_players(
    coder: LatentCoder, resources: Resources, draw_planes
) -> None:
    body, _ = code_scene(coder, SEMANTIC, scene_of(draw_planes(SMALL, 2)), 30)
    for wrong in (prior_of(seed=7), prior_of(CHANNELS - 1, gated=True, seed=7)):
        named = {wrong.prior_id: wrong, **{p.prior_id: p for p in PRIORS.values()}}
        i, _, _, _ = body.priors
        changed = dataclasses.replace(body, priors=(i, None, None, wrong.prior_id))
        context = SceneContext(SMALL, resources.networks, 1, priors=named.__getitem__)
        chunk = Chunk(0, 0, SEMANTIC, (0, 1), pack_body(changed))
        with pytest.raises(BitstreamError, match="C frames"):
            list(decode_scene(chunk, context))


def test_analysis_and_decoder_are_loaded_once_for_both_kinds(coder: LatentCoder) -> None:
    assert coder.analysis(FrameKind.I) is coder.analysis(FrameKind.C)
    assert coder.light(FrameKind.I) is coder.light(FrameKind.C)


@pytest.mark.parametrize("picture", ["ramp", "grey"])
def test_what_is_too_contrasty_for_the_finest_quality_gets_the_finest_that_shows_it(
    resources: Resources, picture: str
) -> None:
    """Tier edge: from black to white there are more steps of brightness than can be sent."""
    # With detail latents of what stands still are coarser anyway.
    coder = copy(resources.latent_coder("edge", "cpu"))
    coder.detail = None
    luma = np.linspace(0, 255, 256 * 64).reshape(256, 64).T.astype(np.uint8)
    if picture == "grey":
        luma = luma // 4 + 96
    chroma = np.full((32, 128), 128, np.uint8)
    scene = scene_of(((luma, chroma, chroma),) * 2, PictureFormat(256, 64))
    found = list(coded_frames(coder, SEMANTIC, scene, 63))
    finest, after = (used for _, used, _ in found)
    assert 40 < finest < 63 if picture == "ramp" else finest == 63
    # Only frames that move are coarser.
    assert after == finest
    for _, _, coded in found:
        off = coded.planes[0].astype(int) - luma
        assert np.abs(off).max() < 16
