"""The priors that are installed: each earns its place on a clip that none was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import fmean

import pytest
from edgecodec.encoder import priors as tier_module
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.media import open_source
from edgecodec.encoder.priors import tier_motion, tier_priors
from edgecodec.encoder.resources import Resources
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.strategies.latent import LatentCoder
from edgecodec.encoder.strategies.latent_scene import code_scene
from edgecodec.runtime.chunks import Chunk, StrategyId
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes
from edgecodec.runtime.motion_tables import MotionTables, packaged_motion
from edgecodec.runtime.moved_frames import suits_motion
from edgecodec.runtime.payloads import FrameKind, pack_body
from edgecodec.runtime.prior import Prior, packaged_priors
from edgecodec.runtime.scenes import SceneContext, decode_scene

from ..runtime.motion_samples import cosine_tables
from .prior_samples import prior_of

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "examples" / "media" / "bbb_720p.mp4"
PRIORS = ROOT / "runtime" / "priors"
PICTURE = PictureFormat(480, 272)
FRAMES = 9


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The middle of the demo clip's first frames."""
    with open_source(CLIP) as video:
        frames = tuple(_middle(frame.planes) for frame in islice(video.frames(), FRAMES))
    return Scene(0, 0, frames, tuple(range(FRAMES)), PICTURE, Fraction(25), ColorInfo())


def _middle(planes: Planes) -> Planes:
    y, u, v = planes
    rows, columns = slice(224, 224 + PICTURE.height), slice(400, 400 + PICTURE.width)
    half_rows, half_columns = (slice(each.start // 2, each.stop // 2) for each in (rows, columns))
    return y[rows, columns], u[half_rows, half_columns], v[half_rows, half_columns]


@pytest.fixture(scope="module")
def resources() -> Resources:
    return Resources(threads=1)


@pytest.mark.parametrize("quality", [6, 30, 58])
@pytest.mark.parametrize("strategy", [StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION])
def test_every_kind_of_frame_takes_fewer_bytes_and_looks_the_same(
    resources: Resources, scene: Scene, strategy: StrategyId, quality: int
) -> None:
    sizes: list[dict[FrameKind, int]] = []
    qualities = []
    for priors in ({}, tier_priors("nano")):
        # Filters are as many as are worth their share of a scene's bits.
        coder = LatentCoder(
            "nano", "cpu", resources.networks, priors=priors, adaptation=Adaptation.NONE
        )
        body, quality_db = code_scene(coder, strategy, scene, quality)
        qualities.append(quality_db)
        sizes.append(dict.fromkeys(FrameKind, 0))
        for packet in body.packets:
            sizes[-1][packet.kind] += len(packet.data)
    assert qualities[0] == qualities[1]
    for kind, size in sizes[0].items():
        assert not size or sizes[1][kind] < 0.97 * size, kind


def test_players_show_what_the_encoder_saw(resources: Resources, scene: Scene) -> None:
    coder = resources.latent_coder("nano", "cpu", adapt=Adaptation.NONE)
    strategy = StrategyId.I_FRAME_INTERPOLATION
    with_priors, _ = code_scene(coder, strategy, scene, 40)
    plain = LatentCoder("nano", "cpu", resources.networks, priors={}, adaptation=Adaptation.NONE)
    with_scales, _ = code_scene(plain, strategy, scene, 40)
    assert with_priors.priors[FrameKind.I] is not None
    context = SceneContext(PICTURE, resources.networks, 1)
    shown = [
        list(decode_scene(Chunk(0, 0, strategy, scene.pts, pack_body(body)), context))
        for body in (with_priors, with_scales)
    ]
    for one, other in zip(*shown, strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_each_has_its_card_and_its_curve() -> None:
    card = (PRIORS / "README.md").read_text(encoding="utf-8")
    assert packaged_priors()
    for name, prior in packaged_priors().items():
        assert f"`{name}`" in card
        assert f"`{prior.prior_id}`" in card
        curve = json.loads((PRIORS / f"{name}.curve.json").read_text())
        assert curve["steps"] > 0
        # Single points are of a few hundred crops each.
        losses = [loss for _, loss, _ in curve["points"]]
        half = len(losses) // 2
        assert fmean(losses[half:]) < fmean(losses[:half])


CHANNELS = 12
TABLES = cosine_tables(CHANNELS)
SEEN = prior_of(CHANNELS, previous=True)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, MotionTables]:
    """What stands for the installed tables, by tier."""
    tables: dict[str, MotionTables] = {}
    monkeypatch.setattr(tier_module, "packaged_motion", lambda: tables)
    return tables


@pytest.mark.parametrize(
    "priors",
    [
        {},
        {FrameKind.I: prior_of(CHANNELS, whole=True), FrameKind.P: SEEN},
        {FrameKind.C: prior_of(CHANNELS, gated=True)},
        {FrameKind.C: prior_of(CHANNELS, whole=True, gated=True)},
    ],
    ids=["none", "other kinds", "gated", "gated, whole"],
)
def test_frames_that_are_not_continued_by_motion_need_no_tables(
    installed: dict[str, MotionTables], priors: Mapping[FrameKind, Prior]
) -> None:
    assert tier_motion("any", priors) is None
    installed["any"] = TABLES
    assert tier_motion("any", priors) is None


def test_frames_that_are_continued_by_motion_have_the_tables_of_their_tier(
    installed: dict[str, MotionTables],
) -> None:
    installed.update(any=TABLES, other=cosine_tables(CHANNELS + 1))
    assert tier_motion("any", {FrameKind.C: SEEN}) is TABLES


@pytest.mark.parametrize(
    ("prior", "tables"),
    [
        (SEEN, {}),
        (SEEN, {"other": TABLES}),
        (SEEN, {"any": cosine_tables(CHANNELS + 1)}),
        (prior_of(CHANNELS, whole=True, previous=True), {"any": TABLES}),
        (prior_of(CHANNELS), {"any": TABLES}),
    ],
    ids=["none", "of another tier", "other channels", "whole", "sees nothing"],
)
def test_tables_that_are_missing_or_do_not_suit_are_an_error_that_says_what_to_do(
    installed: dict[str, MotionTables], prior: Prior, tables: dict[str, MotionTables]
) -> None:
    installed.update(tables)
    with pytest.raises(ModelError, match=r"edgecodec\.encoder\.training\.motion") as raised:
        tier_motion("any", {FrameKind.C: prior})
    for part in (prior.prior_id, "tier any", f"{CHANNELS} channels"):
        assert part in str(raised.value)


def test_a_coder_says_so_before_it_codes(
    resources: Resources, installed: dict[str, MotionTables]
) -> None:
    with pytest.raises(ModelError, match="motion tables"):
        LatentCoder("edge", "cpu", resources.networks)


def test_what_is_installed_fits_together(resources: Resources) -> None:
    assert tier_motion("nano", tier_priors("nano")) is None
    assert LatentCoder("nano", "cpu", resources.networks).motion is None
    priors = tier_priors("edge")
    tables = tier_motion("edge", priors)
    assert tables is not None
    assert tables is packaged_motion()["edge"]
    assert suits_motion(priors[FrameKind.C], tables)
    assert suits_motion(priors[FrameKind.B], tables)
    assert priors[FrameKind.I].channels == tables.channels
    assert LatentCoder("edge", "cpu", resources.networks).motion is tables
    assert LatentCoder("edge", "cpu", resources.networks).has_between
    assert not LatentCoder("nano", "cpu", resources.networks).has_between
    # Those who bring priors bring tables as well.
    assert LatentCoder("edge", "cpu", resources.networks, priors=priors).motion is None
