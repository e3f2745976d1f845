"""Scenes in latents with a filter: networks' frames are filtered, and then detail is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from edgecodec.runtime.chunks import StrategyId
from edgecodec.runtime.detail import decode_detail
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.fields import Limits, pack_fields
from edgecodec.runtime.filter_taps import Around, look
from edgecodec.runtime.filtering import filtered
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.packing import pack, unpack
from edgecodec.runtime.payloads import LatentBody, pack_body, parse_body
from edgecodec.runtime.scene_filter import (
    CLASSES,
    PlaneFilter,
    SceneFilter,
    pack_scene_filter,
    taps_of,
)
from edgecodec.runtime.scenes import _detail

from .detail_samples import DetailedScene
from .detail_scenes import SCENES, SMALL, assert_same, play, scene_of, wanted_of
from .filter_samples import fixed_filter, random_filter

SEMANTIC = StrategyId.SEMANTIC_LATENT
FILTER_FIELD = 0x8009
FILTERS = {
    "all planes": fixed_filter(),
    "random": random_filter(3, most=9),
    "luma": random_filter(4, planes=(True, False, False)),
    "chroma": random_filter(5, planes=(False, False, True), most=12, shift=6),
}


def without_detail(scene: DetailedScene) -> list[Planes]:
    """What networks draw of each frame."""
    zeros = {at: np.zeros_like(each) for at, each in scene.samples.items()}
    return wanted_of(replace(scene, samples=zeros))


def filtered_frames(frames: Sequence[Planes], scene: SceneFilter) -> list[Planes]:
    """Frames of 8 bits, all of a scene, filtered."""
    deep = [_planes([plane.astype(np.uint16) * 4 for plane in planes]) for planes in frames]
    looked = [look(planes) for planes in deep]
    made = []
    for at, planes in enumerate(deep):
        before, after = looked[max(at - 1, 0)], looked[min(at + 1, len(deep) - 1)]
        shown = filtered(planes, scene, Around(before, looked[at], after))
        rounded = [(plane.astype(np.int32) + 2) // 4 for plane in shown]
        made.append(_planes([np.minimum(plane, 255).astype(np.uint8) for plane in rounded]))
    return made


def with_details(frames: Sequence[Planes], scene: DetailedScene) -> list[Planes]:
    """Frames with the samples that detail adds to them."""
    made = []
    for at, planes in enumerate(frames):
        packed = pack(planes, 8, 16) + scene.samples[at]
        made.append(unpack(packed.clip(0, 255).astype(np.uint8), SMALL))
    return made


def _planes(planes: Sequence[Any]) -> Planes:
    y, u, v = planes
    return y, u, v


def plain_body(scene: DetailedScene) -> LatentBody:
    """A scene's body without detail."""
    packets = tuple(replace(packet, detail=b"") for packet in scene.body.packets)
    return replace(scene.body, packets=packets, detail=None)


def idle_filter() -> SceneFilter:
    """One that changes nothing."""
    y, u, v = (
        PlaneFilter(6, np.zeros((2, taps_of(number)), np.int8), (0, 1) * (CLASSES // 2))
        for number in range(3)
    )
    return SceneFilter((y, u, v))


def different(one: Sequence[Planes], other: Sequence[Planes], plane: int) -> bool:
    """Whether a plane of every frame differs."""
    pairs = zip(one, other, strict=True)
    return all(not np.array_equal(a[plane], b[plane]) for a, b in pairs)


@pytest.mark.parametrize("which", FILTERS)
@pytest.mark.parametrize("name", SCENES)
def test_bodies_with_a_filter_round_trip(name: str, which: str) -> None:
    body = scene_of(name).body
    own = replace(body, filter=FILTERS[which])
    packed = pack_body(own)
    assert parse_body(SEMANTIC, packed, len(body.packets)) == own
    field = pack_fields([(FILTER_FIELD, pack_scene_filter(FILTERS[which]))])
    assert packed == pack_body(body) + field


def test_a_damaged_filter_is_named() -> None:
    body = pack_body(scene_of("tree").body)
    data = pack_scene_filter(fixed_filter())
    count = len(scene_of("tree").body.packets)
    for damaged in (
        b"",
        data[:1],
        data[:5],
        b"\0" + data[1:],
        b"\x08" + data[1:],
        data + b"\0" * 9,
    ):
        with pytest.raises(BitstreamError, match="semantic_latent body, scene filter"):
            parse_body(SEMANTIC, body + pack_fields([(FILTER_FIELD, damaged)]), count)
    twice = pack_fields([(FILTER_FIELD, data)] * 2)
    with pytest.raises(BitstreamError, match="occurs 2 times"):
        parse_body(SEMANTIC, body + twice, count)


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_any_damage_to_a_filter_is_an_error_or_another_filter(at: int) -> None:
    body = scene_of("chain").body
    data = bytearray(pack_scene_filter(fixed_filter()))
    data[at % len(data)] ^= 1 << at % 8
    packed = pack_body(body) + pack_fields([(FILTER_FIELD, bytes(data))])
    try:
        parsed = parse_body(SEMANTIC, packed, len(body.packets))
    except BitstreamError as error:
        said = str(error)
    else:
        said = "scene filter"
        assert isinstance(parsed, LatentBody)
        assert replace(parsed, filter=None) == body
        assert parsed.filter is not None
    assert "scene filter" in said


@pytest.mark.parametrize("which", FILTERS)
@pytest.mark.parametrize("name", SCENES)
def test_what_networks_draw_is_filtered_with_the_frames_beside_it(name: str, which: str) -> None:
    body = plain_body(scene_of(name))
    plain = list(play(body))
    shown = list(play(replace(body, filter=FILTERS[which])))
    assert_same(shown, filtered_frames(plain, FILTERS[which]))
    assert not any(plane.flags.writeable for planes in shown for plane in planes)
    for number, plane in enumerate(FILTERS[which].planes):
        if plane is None:
            assert_same(
                [_planes([each[number]] * 3) for each in shown],
                [_planes([each[number]] * 3) for each in plain],
            )
        else:
            assert different(shown, plain, number)


@pytest.mark.parametrize("which", FILTERS)
@pytest.mark.parametrize("name", SCENES)
def test_detail_is_added_to_what_is_filtered(name: str, which: str) -> None:
    scene = scene_of(name)
    own = FILTERS[which]
    wanted = with_details(filtered_frames(without_detail(scene), own), scene)
    shown = list(play(replace(scene.body, filter=own)))
    assert_same(shown, wanted)
    assert not any(plane.flags.writeable for planes in shown for plane in planes)
    # That is not what filters make of frames with detail.
    other = filtered_frames(wanted_of(scene), own)
    assert not all(
        np.array_equal(a[number], b[number])
        for a, b in zip(shown, other, strict=True)
        for number in range(3)
    )


@pytest.mark.parametrize("detailed", [False, True], ids=["plain", "detail"])
@pytest.mark.parametrize("name", SCENES)
def test_from_any_frame_on_the_same_is_shown(name: str, detailed: bool) -> None:
    scene = scene_of(name, seed=1)
    body = scene.body if detailed else plain_body(scene)
    body = replace(body, filter=FILTERS["random"])
    whole = list(play(body))
    for first in range(1, len(whole)):
        assert_same(play(body, first), whole[first:])


@pytest.mark.parametrize("threads", [0, 2, 3, 16])
@pytest.mark.parametrize("name", ["moving chain", "mixed"])
def test_threads_do_not_matter(name: str, threads: int) -> None:
    body = replace(scene_of(name).body, filter=FILTERS["all planes"])
    whole = list(play(body))
    for first in (0, 3):
        assert_same(play(body, first, threads=threads), whole[first:])


def test_one_may_stop_at_any_frame() -> None:
    body = replace(scene_of("mixed").body, filter=FILTERS["all planes"])
    whole = list(play(body))
    for threads in (1, 3):
        for count in (1, len(whole) - 2):
            frames = play(body, threads=threads)
            assert_same([next(frames) for _ in range(count)], whole[:count])
            frames.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", SCENES)
def test_a_filter_that_does_nothing_changes_nothing(name: str) -> None:
    scene = scene_of(name)
    assert_same(play(replace(scene.body, filter=idle_filter())), wanted_of(scene))
    assert_same(
        play(replace(plain_body(scene), filter=idle_filter())), list(play(plain_body(scene)))
    )


def test_frames_alone_are_their_own_neighbours() -> None:
    scene = scene_of("chain")
    body = replace(plain_body(scene), packets=plain_body(scene).packets[:1])
    (drawn,) = play(body)
    own = FILTERS["all planes"]
    assert_same(play(replace(body, filter=own)), filtered_frames([drawn], own))


@pytest.mark.parametrize("name", ["chain", "moving chain"])
def test_a_filter_needs_no_more_frames_to_wait(name: str) -> None:
    body = replace(scene_of(name).body, filter=FILTERS["luma"])
    assert_same(play(body, limits=Limits(max_frames_held=1)), list(play(body)))


@pytest.mark.parametrize("name", ["tree", "moving tree"])
def test_of_what_comes_before_only_the_frame_beside_is_drawn(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    decoded: list[bytes] = []

    def noted(data: bytes, *arguments: Any) -> object:
        decoded.append(data)
        return decode_detail(data, *arguments)

    monkeypatch.setattr(_detail, "decode_detail", noted)
    plain = scene_of(name).body
    for first in range(len(plain.packets)):
        decoded.clear()
        list(play(plain, max(first - 1, 0)))
        wanted = list(decoded)
        decoded.clear()
        assert len(list(play(replace(plain, filter=FILTERS["luma"]), first))) == 6 - first
        assert decoded == wanted


def test_damaged_symbols_are_an_error_with_a_filter_too() -> None:
    body = replace(plain_body(scene_of("chain")), filter=FILTERS["luma"])
    packets = list(body.packets)
    packets[4] = replace(packets[4], data=b"\xff" * 40)
    damaged = replace(body, packets=tuple(packets))
    whole = list(play(body))
    for threads in (1, 3):
        frames = play(damaged, threads=threads)
        # Frames are shown once the one after is there.
        assert_same([next(frames) for _ in range(3)], whole[:3])
        with pytest.raises(BitstreamError, match="40 bytes of latents"):
            list(frames)
