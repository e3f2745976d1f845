"""Filters of scenes in latents: what they are fitted to, and that players show what was counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
import pytest
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.effort import Effort
from edgecodec.encoder.latent_filter import apply_filter, fit_filter
from edgecodec.encoder.media import open_source
from edgecodec.encoder.quality import psnr
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies import LatentTrial
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_scene import code_scene
from edgecodec.encoder.ways import ways
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Plane, Planes
from edgecodec.runtime.payloads import LatentBody, pack_body, parse_body
from edgecodec.runtime.scene_filter import SceneFilter
from edgecodec.runtime.scenes import SceneContext, decode_scene

from .fakes import SMALL, scene_of
from .moving_pictures import panned, texture

CLIP = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"
SEMANTIC, INTERPOLATED = StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION
WHOLE, ODD = PictureFormat(128, 96), PictureFormat(193, 129)
FRAMES = 4
MANY_BITS = 1 << 20


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


@cache
def clip(picture: PictureFormat = ODD) -> Scene:
    """A part of the demo clip's first frames."""
    with open_source(CLIP) as video:
        frames = tuple(_part(frame.planes, picture) for frame in islice(video.frames(), FRAMES))
    return Scene(0, 0, frames, tuple(range(FRAMES)), picture, Fraction(25), ColorInfo())


def _part(planes: Planes, picture: PictureFormat) -> Planes:
    (rows, columns), (luma, *chroma) = picture.chroma_shape, planes
    u, v = (plane[112 : 112 + rows, 200 : 200 + columns] for plane in chroma)
    return luma[224 : 224 + picture.height, 400 : 400 + picture.width], u, v


def played(
    body: LatentBody,
    strategy: StrategyId,
    resources: Resources,
    scene: Scene,
    first: int = 0,
    threads: int = 1,
) -> list[Planes]:
    chunk = Chunk(0, 0, strategy, scene.pts, pack_body(body))
    context = SceneContext(scene.format, resources.networks, threads)
    return list(decode_scene(chunk, context, first=first))


def scores(sources: Sequence[Planes], shown: Sequence[Planes]) -> list[float]:
    return [psnr(*pair).weighted for pair in zip(sources, shown, strict=True)]


# Tier, strategy, quality, how far I-frames are apart, and how far others reach.
Way = tuple[str, StrategyId, int, int | None, int | None]
WAYS: dict[str, Way] = {
    "moved": ("edge", SEMANTIC, 40, None, None),
    "moved, with detail": ("edge", SEMANTIC, 75, None, None),
    "chain, with detail": ("edge", SEMANTIC, 80, None, 1),
    "alone, with detail": ("edge", SEMANTIC, 75, 1, None),
    "predicted": ("nano", SEMANTIC, 40, None, None),
    "interpolated": ("nano", INTERPOLATED, 40, None, None),
    "interpolated, coarse": ("nano", INTERPOLATED, 5, None, None),
}


Code = Callable[[str, Adaptation], tuple[LatentBody, list[float]]]


@pytest.fixture(scope="module")
def code(resources: Resources) -> Code:
    """Codes the clip in one of `WAYS`."""

    @cache
    def coded(name: str, adapt: Adaptation) -> tuple[LatentBody, list[float]]:
        tier, strategy, quality, interval, reach = WAYS[name]
        coder = resources.latent_coder(tier, "cpu", adapt=adapt)
        return code_scene(coder, strategy, clip(), quality, interval, reach)

    return coded


@pytest.mark.parametrize("name", WAYS)
def test_players_show_what_the_encoder_counted_from_any_frame_on(
    resources: Resources, code: Code, name: str
) -> None:
    body, quality_db = code(name, Adaptation.FILTER)
    strategy, scene = WAYS[name][1], clip()
    assert body.filter is not None
    assert (body.detail is not None) == ("detail" in name)
    assert parse_body(strategy, pack_body(body), FRAMES) == body
    for first in range(FRAMES):
        shown = played(body, strategy, resources, scene, first)
        assert scores(scene.frames[first:], shown) == quality_db[first:]
    threaded = played(body, strategy, resources, scene, threads=3)
    assert scores(scene.frames, threaded) == quality_db


@pytest.mark.parametrize("name", [name for name in WAYS if "detail" not in name])
def test_a_filter_brings_quality_and_leaves_the_symbols_alone(code: Code, name: str) -> None:
    plain, plain_db = code(name, Adaptation.NONE)
    body, quality_db = code(name, Adaptation.FILTER)
    assert plain.filter is None
    assert body.filter is not None
    assert replace(body, filter=None) == plain
    assert fmean(quality_db) > fmean(plain_db) + 0.3
    # Twice the bits usually halve the error.
    more = len(pack_body(body)) / len(pack_body(plain))
    assert more < 10 ** ((fmean(quality_db) - fmean(plain_db)) / 10)


@pytest.mark.parametrize("name", [name for name in WAYS if "detail" in name])
def test_where_frames_have_detail_latents_are_the_same_too(code: Code, name: str) -> None:
    plain, plain_db = code(name, Adaptation.NONE)
    body, quality_db = code(name, Adaptation.FILTER)
    assert plain.filter is None
    assert body.filter is not None
    assert plain.packets[0].detail
    # Of frames alone those are chosen that cost least with their detail and filter.
    if name != "alone, with detail":
        assert [each.data for each in body.packets] == [each.data for each in plain.packets]
    assert fmean(quality_db) > fmean(plain_db)


def test_filters_are_fitted_to_what_networks_draw_without_detail(
    resources: Resources, code: Code
) -> None:
    tier, strategy, quality, interval, reach = WAYS["moved, with detail"]
    body, _ = code("moved, with detail", Adaptation.FILTER)
    plain = copy(resources.latent_coder(tier, "cpu"))
    plain.detail = None
    without, _ = code_scene(plain, strategy, clip(), quality, interval, reach)
    assert without.detail is None
    assert [each.data for each in body.packets] == [each.data for each in without.packets]
    drawn = [replace(each, detail=b"") for each in body.packets]
    unfiltered = replace(body, packets=tuple(drawn), detail=None, filter=None)
    frames = played(unfiltered, strategy, resources, clip())
    bits = 8 * len(pack_body(unfiltered))
    assert body.filter == without.filter == fit_filter(clip().frames, frames, ODD, bits)


@pytest.mark.parametrize("strategy", [SEMANTIC, INTERPOLATED])
def test_scenes_of_one_frame_may_have_a_filter(resources: Resources, strategy: StrategyId) -> None:
    scene = scene_of(clip().frames[:1], ODD)
    coder = resources.latent_coder("nano", "cpu")
    body, quality_db = code_scene(coder, strategy, scene, 40)
    assert body.filter is not None
    assert scores(scene.frames, played(body, strategy, resources, scene)) == quality_db
    plain = resources.latent_coder("nano", "cpu", adapt=Adaptation.NONE)
    assert code_scene(plain, strategy, scene, 40)[1] < quality_db


def test_single_frames_with_detail_are_what_players_show(resources: Resources) -> None:
    scene = scene_of(clip().frames[:1], ODD)
    made = {}
    for adapt in (Adaptation.NONE, Adaptation.FILTER):
        coder = resources.latent_coder("edge", "cpu", adapt=adapt)
        for quality in (30, 84):
            body, quality_db = code_scene(coder, SEMANTIC, scene, quality)
            assert scores(scene.frames, played(body, SEMANTIC, resources, scene)) == quality_db
            made[adapt, quality] = body
    assert made[Adaptation.NONE, 84].filter is None
    assert made[Adaptation.FILTER, 84].filter is not None
    assert made[Adaptation.FILTER, 84].detail is not None


def test_where_bits_are_few_there_is_no_filter(resources: Resources) -> None:
    """It would take too large a share of them."""
    scene = clip(WHOLE)
    coder = resources.latent_coder("edge", "cpu", adapt=Adaptation.NONE)
    body, _ = code_scene(coder, SEMANTIC, scene, 5)
    drawn = played(body, SEMANTIC, resources, scene)
    found = [fit_filter(scene.frames, drawn, scene.format, bits) for bits in (60, 60_000)]
    assert found[0] is None
    assert found[1] is not None


def test_the_same_scene_gives_the_same_bytes(resources: Resources) -> None:
    coder = resources.latent_coder("nano", "cpu")
    one, other = (code_scene(coder, SEMANTIC, clip(WHOLE), 33) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("level", [0, 16, 127, 255])
def test_flat_pictures_are_shown_as_counted(resources: Resources, level: int) -> None:
    """Hardly any bits, and hardly any error."""
    picture = PictureFormat(2, 2)
    single = np.full((1, 1), 128, np.uint8)
    frame: Planes = np.full((2, 2), level, np.uint8), single, single
    coder = resources.latent_coder("edge", "cpu")
    for count in (1, 2):
        scene = scene_of([frame] * count, picture)
        for quality in (0, 21, 84):
            body, quality_db = code_scene(coder, SEMANTIC, scene, quality)
            assert scores(scene.frames, played(body, SEMANTIC, resources, scene)) == quality_db


@cache
def soft_frames() -> tuple[tuple[Planes, ...], list[Planes]]:
    """Frames of fine grain that move, and the same with most of it gone."""
    sources = tuple(grainy(3 * number) for number in range(3))
    return sources, [_planes([cv2.GaussianBlur(p, (0, 0), 0.8) for p in each]) for each in sources]


def grainy(across: int) -> Planes:
    luma, u, v = panned(SMALL.height, SMALL.width, across)
    grain = texture(SMALL.height, SMALL.width + 64, seed=5, grain=2)[:, across : across + 96]
    return (luma // 2 + grain // 2).astype(np.uint8), u, v


def _planes(planes: Sequence[Plane]) -> Planes:
    y, u, v = planes
    return y, u, v


def soft_filter() -> SceneFilter:
    sources, drawn = soft_frames()
    own = fit_filter(sources, drawn, SMALL, MANY_BITS)
    assert own is not None
    return own


def test_a_fitted_filter_brings_back_what_was_lost() -> None:
    sources, drawn = soft_frames()
    shown = list(apply_filter(drawn, soft_filter(), SMALL))
    before, after = scores(sources, drawn), scores(sources, shown)
    assert all(one > other + 3 for one, other in zip(after, before, strict=True))
    for planes in shown:
        assert [plane.shape for plane in planes] == [plane.shape for plane in drawn[0]]
        assert all(plane.dtype == np.uint8 for plane in planes)


def test_frames_may_be_replaced_while_they_are_filtered() -> None:
    _, drawn = soft_frames()
    wanted = list(apply_filter(drawn, soft_filter(), SMALL))
    frames = list(drawn)
    for at, planes in enumerate(apply_filter(frames, soft_filter(), SMALL)):
        frames[at] = planes
    for one, other in zip(frames, wanted, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_filter_has_to_be_worth_its_bits() -> None:
    sources, drawn = soft_frames()
    assert fit_filter(sources, drawn, SMALL, 50) is None
    # Nothing is missing, or nothing that a filter would know of.
    assert fit_filter(sources, sources, SMALL, MANY_BITS) is None
    random = np.random.default_rng(2)
    noise = [_planes([_noisy(p, random) for p in planes]) for planes in drawn]
    assert fit_filter(noise, drawn, SMALL, 3000) is None


def _noisy(plane: Plane, random: np.random.Generator) -> Plane:
    noisy = plane + np.rint(random.normal(0, 3, plane.shape))
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("adapt", Adaptation)
def test_a_coder_filters_where_its_adaptation_has_filters(
    resources: Resources, adapt: Adaptation
) -> None:
    sources, drawn = soft_frames()
    coder = LatentCoder("nano", "cpu", resources.networks, adaptation=adapt)
    own = coder.filter_for(sources, drawn, SMALL, MANY_BITS)
    assert own == (None if adapt is Adaptation.NONE else soft_filter())


def test_resources_keep_a_coder_for_each_adaptation(resources: Resources) -> None:
    coders = [resources.latent_coder("nano", "cpu", adapt=each) for each in Adaptation]
    assert [coder.adaptation for coder in coders] == list(Adaptation)
    assert (
        resources.latent_coder("nano", "cpu") is coders[list(Adaptation).index(Adaptation.FILTER)]
    )


@pytest.mark.parametrize("strategy", [SEMANTIC, INTERPOLATED])
def test_trials_filter_as_they_are_told(resources: Resources, strategy: StrategyId) -> None:
    trial = LatentTrial(strategy, "nano", "cpu")
    assert trial.adapt is Adaptation.FILTER
    found = {}
    for adapt in (Adaptation.NONE, Adaptation.FILTER):
        (made,) = replace(trial, adapt=adapt).encode(clip(WHOLE), 23.0, resources)
        body = parse_body(strategy, made.read_body(), FRAMES)
        assert isinstance(body, LatentBody)
        assert (body.filter is None) == (adapt is Adaptation.NONE)
        shown = played(body, strategy, resources, clip(WHOLE))
        assert list(made.frame_psnr) == scores(clip(WHOLE).frames, shown)
        found[adapt] = made
    assert fmean(found[Adaptation.FILTER].frame_psnr) > fmean(found[Adaptation.NONE].frame_psnr)
    assert found[Adaptation.FILTER].bits > found[Adaptation.NONE].bits


@pytest.mark.parametrize("adapt", Adaptation)
def test_ways_filter_latents_where_filters_are_wanted(adapt: Adaptation) -> None:
    made = ways(
        ("semantic_latent", "i_frame_interpolation"),
        (),
        Effort.FAST,
        "nano",
        "cpu",
        WHOLE,
        (),
        adapt,
    )
    latent = [each for each in made.trials if isinstance(each, LatentTrial)]
    assert len(latent) == 2
    wanted = Adaptation.NONE if adapt is Adaptation.NONE else Adaptation.FILTER
    assert {each.adapt for each in latent} == {wanted}
