"""Scenes with detail that is damaged, or whose prior does not suit, or is not there."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from edgecodec import runtime
from edgecodec.runtime import (
    BitstreamError,
    EdgecodecError,
    Limits,
    ModelError,
    motion_tables,
    prior,
    video,
)
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.prior import Prior

from . import mutations
from .detail_samples import detail_prior
from .detail_scenes import (
    CELLS,
    SCENES,
    SMALL,
    TABLES,
    Pool,
    assert_same,
    find_prior,
    known_priors,
    play,
    scene_of,
    wanted_of,
    with_packet,
)
from .motion_samples import prior_of
from .prior_samples import DETAIL_DESIGN, WIDE_WHOLE, nano_priors
from .streams import Scene, stream_of


def test_limits_hold_for_detail() -> None:
    body = scene_of("tree").body
    most = 96 * 4 * CELLS[0] * CELLS[1]
    assert len(list(play(body, limits=Limits(max_symbols_per_frame=most)))) == 6
    with pytest.raises(BitstreamError, match=f"1 to {most - 1} symbols"):
        list(play(body, limits=Limits(max_symbols_per_frame=most - 1)))


UNSUITED = {
    "fewer channels": replace(DETAIL_DESIGN, groups=(4, 12, 79)),
    "more channels": replace(DETAIL_DESIGN, groups=(4, 12, 81)),
    "whole": replace(DETAIL_DESIGN, whole=1),
    "sees nothing": replace(DETAIL_DESIGN, previous=0),
    "gated": replace(DETAIL_DESIGN, previous=2),
}


@pytest.mark.parametrize("scene", ["tree", "hierarchy"])
@pytest.mark.parametrize("name", UNSUITED)
def test_a_prior_that_codes_no_detail_is_damage(name: str, scene: str) -> None:
    """Where frames have some, and where they have none."""
    other = prior_of(UNSUITED[name])
    found = {**known_priors(), other.prior_id: other}
    body = replace(scene_of(scene).body, detail=other.prior_id)
    without = tuple(replace(packet, detail=b"") for packet in body.packets)
    for each in (body, replace(body, packets=without)):
        with pytest.raises(BitstreamError, match="codes no detail of I frames with latents of 97"):
            list(play(each, priors=found.__getitem__))


def test_networks_of_few_latents_draw_no_frames_with_detail() -> None:
    design = replace(WIDE_WHOLE, groups=(4, 91))
    found = {each.prior_id: each for each in (*nano_priors(design), detail_prior())}
    i, p, b, c = (each.prior_id for each in nano_priors(design))
    body = replace(scene_of("tree").body, priors=(i, p, b, c))
    with pytest.raises(BitstreamError, match="no detail of I frames with latents of 96 channels"):
        list(play(body, priors=found.__getitem__, channels=96))
    scaled = replace(body, priors=(None,) * 4, packets=body.packets[:1])
    with pytest.raises(BitstreamError, match="no detail of I frames with latents of 64 channels"):
        list(play(scaled, priors=found.__getitem__, channels=64))


def test_a_prior_that_is_not_there_is_a_model_error() -> None:
    def find(prior_id: str) -> Prior:
        return find_prior(prior_id) if prior_id in named else prior.find_prior(prior_id)

    body = scene_of("tree").body
    named = body.priors
    with pytest.raises(ModelError, match=f"needs prior {body.detail}, which is not installed"):
        list(play(body, priors=find))


@pytest.mark.parametrize("name", ["chain", "moving chain"])
def test_damage_costs_what_rests_on_it(name: str) -> None:
    scene = scene_of(name)
    data = bytearray(scene.body.packets[2].detail)
    data[5] ^= 1
    body = with_packet(scene.body, 2, detail=bytes(data))
    shown = play(body)
    assert_same([next(shown), next(shown)], wanted_of(scene)[:2])
    with pytest.raises(BitstreamError, match="checksum"):
        next(shown)


def test_damaged_detail_of_frames_that_nothing_shown_rests_on_is_not_seen() -> None:
    scene = scene_of("tree")
    body = with_packet(scene.body, 0, detail=b"\xff")
    for first in range(4):
        with pytest.raises(BitstreamError, match="detail is damaged: it begins with 255"):
            list(play(body, first))
    assert_same(play(body, 4), wanted_of(scene)[4:])


def played(data: bytes) -> Counter[str]:
    """What became of a stream; any other exception than the tree's escapes."""
    seen: Counter[str] = Counter()
    limits = Limits(max_pixels=1 << 16, max_symbols_per_frame=1 << 16)
    try:
        with runtime.open(io.BytesIO(data), threads=1, on_damage="skip", limits=limits) as opened:
            seen["frames"] += sum(1 for _ in opened)
            seen["damaged"] += bool(opened.damage)
            seen["played"] += 1
    except EdgecodecError as error:
        seen[type(error).__name__] += 1
    return seen


def test_whole_streams_find_installed_priors_and_survive_damage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(video, "NetworkPool", lambda *_: Pool())
    named = known_priors()
    monkeypatch.setattr(prior, "packaged_priors", lambda: named)
    monkeypatch.setattr(motion_tables, "packaged_motion", lambda: {"wide": TABLES})
    names = "tree", "mixed"
    scenes = [
        Scene(scene_of(name).body, len(SCENES[name][0]), StrategyId.SEMANTIC_LATENT)
        for name in names
    ]
    data = stream_of(scenes, SMALL, pts=list(range(15)))
    assert played(data) == {"frames": 15, "played": 1, "damaged": 0}
    random = np.random.default_rng(5)
    total: Counter[str] = Counter()
    for _ in range(30):
        total += played(mutations.repaired(random, data))
    assert total["damaged"] >= 5
    assert total["played"] >= 15
    del named[detail_prior().prior_id]
    assert played(data)["frames"] == 0
