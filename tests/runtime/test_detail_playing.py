"""Scenes with detail: what is shown is what networks draw and detail, from any frame on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from edgecodec.runtime.detail import decode_detail
from edgecodec.runtime.fields import Limits
from edgecodec.runtime.packing import unpack
from edgecodec.runtime.scenes import _detail

from .detail_samples import detailed_scene
from .detail_scenes import (
    CELLS,
    SCENES,
    SMALL,
    assert_same,
    draw,
    play,
    scene_of,
    wanted_of,
    with_packet,
)
from .prior_samples import CONTINUED_CHAIN
from .streams import LATENT_MODELS


@pytest.mark.parametrize("name", SCENES)
def test_what_is_shown_is_what_networks_draw_and_detail(name: str) -> None:
    scene = scene_of(name)
    shown = list(play(scene.body))
    assert_same(shown, wanted_of(scene))
    assert not any(plane.flags.writeable for planes in shown for plane in planes)
    without = [replace(packet, detail=b"") for packet in scene.body.packets]
    plain = list(play(replace(scene.body, packets=tuple(without))))
    assert_same(play(replace(scene.body, packets=tuple(without), detail=None)), plain)
    zeros = {at: np.zeros_like(each) for at, each in scene.samples.items()}
    assert_same(plain, wanted_of(replace(scene, samples=zeros)))


@pytest.mark.parametrize("name", SCENES)
def test_scenes_keep_some_detail_and_some_not(name: str) -> None:
    """Or the tests here show little."""
    scene = scene_of(name)
    alone = [packet for packet in scene.body.packets if scene.body.drawn_alone(packet.kind)]
    kept = [packet.position for packet in alone if packet.references and not packet.detail]
    assert kept
    share = np.mean([scene.samples[position].any(axis=0).mean() for position in kept])
    assert 0.05 < share < 0.95


@pytest.mark.parametrize("name", SCENES)
def test_from_any_frame_on_the_same_is_shown(name: str) -> None:
    scene = scene_of(name, seed=1)
    wanted = wanted_of(scene)
    for first in range(1, len(wanted)):
        assert_same(play(scene.body, first), wanted[first:])


@pytest.mark.parametrize("motion", [False, True])
def test_a_scene_that_stands_still_keeps_the_detail_of_its_first_frame(motion: bool) -> None:
    scene = detailed_scene(CONTINUED_CHAIN, CELLS, LATENT_MODELS, motion=motion, moves=0)
    first, *others = scene.body.packets
    assert not any(packet.data for packet in others)
    without = [replace(packet, detail=b"") for packet in others]
    body = replace(scene.body, packets=(first, *without))
    shown = list(play(body))
    assert_same(shown[:1], wanted_of(scene)[:1])
    drawn = [draw({"latent": scene.latents[at]})[0] for at in range(4)]
    wanted = [each + scene.samples[0] for each in drawn]
    assert scene.samples[0].any()
    assert_same(shown, [unpack(each.clip(0, 255).astype(np.uint8)[None], SMALL) for each in wanted])
    for at in range(4):
        assert_same(play(body, at), shown[at:])


@pytest.mark.parametrize("name", ["tree", "moving tree"])
def test_only_detail_that_shown_frames_rest_on_is_decoded(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    decoded: list[bytes] = []

    def noted(data: bytes, *arguments: Any) -> object:
        decoded.append(data)
        return decode_detail(data, *arguments)

    monkeypatch.setattr(_detail, "decode_detail", noted)
    body = scene_of(name).body
    # 3 rests on 0, 2 on 1 and that on 0, 4 on 5.
    for first, positions in enumerate(
        ([0, 3, 1, 2, 5, 4], [0, 3, 1, 2, 5, 4], [0, 3, 1, 2, 5, 4], [0, 3, 5, 4], [5, 4], [5])
    ):
        decoded.clear()
        assert len(list(play(body, first))) == 6 - first
        packets = {packet.position: packet for packet in body.packets}
        assert decoded == [packets[position].detail for position in positions]


@pytest.mark.parametrize("name", ["chain", "moving chain"])
def test_detail_is_kept_only_until_nothing_refers_to_it(name: str) -> None:
    scene = scene_of(name)
    assert_same(play(scene.body, limits=Limits(max_frames_held=1)), wanted_of(scene))


def test_what_is_kept_of_another_frame_is_other_detail() -> None:
    scene = scene_of("moving chain")
    body = with_packet(scene.body, 0, detail=b"")
    pairs = zip(play(body), wanted_of(scene), strict=True)
    different = [not np.array_equal(one[0], other[0]) for one, other in pairs]
    # The third after it keeps nothing.
    assert different == [True, True, True] + [False] * 7
