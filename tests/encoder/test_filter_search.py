"""Filters of scenes: found where they help, smaller where bits are dear, the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.filter_search import search_filter
from edgecodec.encoder.filter_statistics import (
    PlaneStatistics,
    chosen_frames,
    gather,
    quarters_lacking,
)
from edgecodec.encoder.quality import PlanePsnr, psnr
from edgecodec.runtime.base import decode_base, round_to_8_bit
from edgecodec.runtime.chunks import Codec
from edgecodec.runtime.filter_taps import Around, look
from edgecodec.runtime.filtering import filtered
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.scene_filter import (
    CLASSES,
    PlaneFilter,
    SceneFilter,
    kinds_of,
    pack_scene_filter,
    taps_of,
)

from .demo_crops import demo_scene

MANY_BITS = 10**9
ALIKE = PlanePsnr(36.0, 36.0, 36.0)


@dataclass(frozen=True, eq=False)
class Coded:
    """Frames of 8 bits, their base in ten, and the base's bits."""

    sources: tuple[Planes, ...]
    deep: tuple[Planes, ...]
    bits: int

    @property
    def scores(self) -> list[PlanePsnr]:
        pairs = zip(self.sources, self.deep, strict=True)
        return [psnr(source, round_to_8_bit(planes), 8) for source, planes in pairs]

    def statistics(self) -> tuple[PlaneStatistics, ...]:
        return gather(self.sources, iter(self.deep), self.scores, 8, as_it_is)

    def with_filter(self, scene: SceneFilter | None) -> PlanePsnr:
        """What the frames score on average, filtered as players filter them."""
        made = self.deep if scene is None else filter_all(self.deep, scene)
        pairs = zip(self.sources, made, strict=True)
        scores = [psnr(source, round_to_8_bit(planes), 8) for source, planes in pairs]
        y, u, v = np.mean([(each.y, each.u, each.v) for each in scores], axis=0)
        return PlanePsnr(float(y), float(u), float(v))


def as_it_is(planes: Planes) -> Planes:
    """These bases have the video's size and ten bits."""
    return planes


def filter_all(deep: Sequence[Planes], scene: SceneFilter) -> list[Planes]:
    looks = [look(planes) for planes in deep]
    last = len(deep) - 1
    return [
        filtered(planes, scene, Around(looks[max(at - 1, 0)], looks[at], looks[min(at + 1, last)]))
        for at, planes in enumerate(deep)
    ]


@cache
def coded(width: int = 192, height: int = 128, frames: int = 4, crf: float = 34.0) -> Coded:
    """A crop of the demo clip in H.264."""
    scene = demo_scene(width, height, frames)
    settings = BaseSettings(crf, scene.format, scene.frame_rate, scene.color, 8, "fast", 1)
    base = encoder_for(Codec.H264).encode(scene.frames, settings)
    shown = decode_base(base, scene.format, frames=frames, max_pixels=1 << 20)
    deep = [
        (y.astype(np.uint16) * 4, u.astype(np.uint16) * 4, v.astype(np.uint16) * 4)
        for y, u, v in shown
    ]
    return Coded(scene.frames, tuple(deep), 8 * sum(len(each.data) for each in base.packets))


@cache
def usual_statistics() -> tuple[PlaneStatistics, ...]:
    """Of the usual crop."""
    return coded().statistics()


def bits_of(scene: SceneFilter | None) -> int:
    return 0 if scene is None else 8 * len(pack_scene_filter(scene))


def test_a_filter_brings_real_pictures_nearer_to_their_source() -> None:
    known = coded()
    found = search_filter(usual_statistics(), 40 * known.bits)
    assert found is not None
    assert all(plane is not None for plane in found.planes)
    before, after = known.with_filter(None), known.with_filter(found)
    assert after.y > before.y + 0.1
    assert after.u > before.u
    assert after.v > before.v


def test_the_more_a_scene_costs_the_more_a_filter_may() -> None:
    statistics = usual_statistics()
    found = [search_filter(statistics, bits) for bits in (10**3, 10**5, 10**7, 10**9)]
    assert found[0] is None
    assert found[-1] is not None
    costs = [bits_of(each) for each in found]
    assert costs == sorted(costs)
    assert costs[0] < costs[1] < costs[-1]
    gains = [gain_of(each, statistics) for each in found]
    assert 0 < gains[1] < gains[-1]
    # Where bits are nearly nothing, the search's last steps may end anywhere.
    assert all(more > 0.999 * less for less, more in pairwise(gains))


def gain_of(scene: SceneFilter | None, statistics: Sequence[PlaneStatistics]) -> float:
    """What a filter takes off the squared error, by what it was fitted to."""
    gained = 0.0
    for known, plane in zip(
        statistics, (None,) * 3 if scene is None else scene.planes, strict=True
    ):
        if plane is None:
            continue
        weights = (plane.coefficients / 2.0**plane.shift)[list(plane.filters)]
        squared = np.einsum("ck,ckl,cl->", weights, known.products, weights)
        gained += 2 * (weights * known.lacking).sum() - squared
    return gained


def test_a_filter_is_worth_its_bits() -> None:
    """In octaves: twice the bits halve the error."""
    statistics = usual_statistics()
    for bits in (10**5, 10**6):
        found = search_filter(statistics, bits)
        assert gain_of(found, statistics) > bits_of(found) / bits


def test_the_same_is_found_every_time() -> None:
    one, other = usual_statistics(), coded().statistics()
    for a, b in zip(one, other, strict=True):
        for name in ("products", "lacking", "samples"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert search_filter(one, 10**7) == search_filter(other, 10**7)


def test_every_sample_of_a_small_scene_is_looked_at() -> None:
    found = coded(frames=3).statistics()
    assert [each.samples.sum() for each in found] == [
        3 * 192 * 128,
        3 * 96 * 64,
        3 * 96 * 64,
    ]
    assert [each.products.shape for each in found] == [
        (CLASSES, taps_of(plane), taps_of(plane)) for plane in range(3)
    ]
    for each in found:
        np.testing.assert_allclose(each.products, each.products.transpose(0, 2, 1), rtol=1e-5)


def test_a_base_that_lacks_nothing_has_no_filter() -> None:
    known = coded()
    sources = tuple(round_to_8_bit(planes) for planes in known.deep)
    perfect = replace(known, sources=sources)
    assert search_filter(perfect.statistics(), MANY_BITS) is None


@pytest.mark.parametrize("lacking", range(3))
def test_only_planes_that_gain_have_filters(lacking: int) -> None:
    known = coded()
    sources = []
    for source, deep in zip(known.sources, known.deep, strict=True):
        planes = list(round_to_8_bit(deep))
        planes[lacking] = source[lacking]
        sources.append((planes[0], planes[1], planes[2]))
    mixed = replace(known, sources=tuple(sources))
    found = search_filter(mixed.statistics(), MANY_BITS)
    assert found is not None
    assert [plane is not None for plane in found.planes] == [n == lacking for n in range(3)]


def known_filter() -> SceneFilter:
    """What smooths, sharpens and looks at other frames, in two ways."""
    planes = []
    for number in range(3):
        taps = taps_of(number)
        coefficients = np.zeros((2, taps), np.int8)
        coefficients[0, 0], coefficients[0, 2] = 14, -6
        coefficients[1, 1], coefficients[1, taps // 2], coefficients[1, -6] = -9, 8, 16
        filters = tuple(each // (CLASSES // 2) for each in range(CLASSES))
        planes.append(PlaneFilter(6, coefficients, filters))
    return SceneFilter((planes[0], planes[1], planes[2]))


def test_a_filter_that_made_the_target_is_found_again() -> None:
    known = coded()
    targets = filter_all(known.deep, known_filter())
    statistics = gather(targets, iter(known.deep), [ALIKE] * 4, 10, as_it_is)
    found = search_filter(statistics, MANY_BITS)
    assert found is not None
    made = filter_all(known.deep, found)
    for plane in range(3):
        off, was_off = (
            sum(
                np.square(one[plane].astype(np.int64) - other[plane]).sum()
                for one, other in zip(frames, targets, strict=True)
            )
            for frames in (made, known.deep)
        )
        # What rounding makes of it is not to be found.
        assert off < 0.1 * was_off + sum(frame[plane].size for frame in made) / 12
        assert off < 0.5 * was_off


def test_of_a_network_that_adds_too_much_a_filter_takes_some_back() -> None:
    """Half of what it adds."""
    known = coded()
    random = np.random.default_rng(1)
    deep: list[Planes] = []
    sources: list[Planes] = []
    residuals: dict[int, Planes] = {}
    for index, planes in enumerate(known.deep):
        base = [plane.clip(64, 959) for plane in planes]  # nothing is beyond black and white
        added = [random.integers(88, 169, plane.shape) for plane in planes]
        wanted = [plane + (more - 128) // 2 for plane, more in zip(base, added, strict=True)]
        deep.append((base[0], base[1], base[2]))
        sources.append(tuple(plane.astype(np.uint16) for plane in wanted))
        residuals[index] = tuple(plane.astype(np.uint8) for plane in added)
    statistics = gather(sources, iter(deep), [ALIKE] * len(deep), 10, as_it_is, residuals)
    found = search_filter(statistics, MANY_BITS)
    assert found is not None
    for number, plane in enumerate(found.planes):
        assert plane is not None
        used = plane.coefficients[sorted(set(plane.filters))] / 2.0**plane.shift
        at = kinds_of(number).mended.start
        np.testing.assert_allclose(used[:, at], -0.5, atol=0.02)


@pytest.mark.parametrize("size", [(192, 128, 1), (16, 16, 2), (16, 16, 1), (2, 2, 2)])
def test_small_scenes_have_filters_where_those_help(size: tuple[int, int, int]) -> None:
    known = coded(*size)
    statistics = known.statistics()
    assert search_filter(statistics, 1000) is None
    found = search_filter(statistics, MANY_BITS)
    assert (found is not None) == (size != (2, 2, 2))
    if found is not None:
        assert known.with_filter(found).weighted > known.with_filter(None).weighted


def test_other_frames_than_the_chosen_only_stand_beside_them() -> None:
    """All of them are read, those that nobody sees are not made ready."""
    frames = coded(16, 16, 40)
    ready, read = [], []

    def full_size(planes: Planes) -> Planes:
        ready.append(id(planes))
        return planes

    def base():
        for planes in frames.deep:
            read.append(id(planes))
            yield planes

    found = gather(frames.sources, base(), frames.scores, 8, full_size)
    chosen = set(chosen_frames(40))
    beside = {each + step for each in chosen for step in (-1, 0, 1)} & set(range(40))
    assert len(beside) < 40
    assert sorted(ready) == sorted(read[each] for each in beside)
    assert len(read) == 40
    assert found[0].samples.sum() == len(chosen) * 16 * 16


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 40, 1000])
def test_at_most_sixteen_frames_are_chosen(count: int) -> None:
    chosen = chosen_frames(count)
    assert chosen == chosen_frames(count)
    assert len(chosen) == min(count, 16)
    assert list(chosen) == sorted(set(chosen))
    assert chosen[0] >= 0
    assert chosen[-1] < count


def test_what_is_lacking_is_in_quarters_of_a_level_of_eight_bits() -> None:
    base = np.array([[0, 400, 1023, 512]], np.uint16)
    eight = np.array([[255, 100, 0, 128]], np.uint8)
    ten = np.array([[1023, 401, 0, 512]], np.uint16)
    added = np.array([[128, 129, 0, 255]], np.uint8)
    for source, network, depth, wanted in (
        (eight, None, 8, [1020, 0, -1023, 0]),
        (eight, added, 8, [1020, -1, -1023 + 128, -127]),
        (ten, None, 10, [1023, 1, -1023, 0]),
        (ten, added, 10, [1023, 0, -1023 + 128, -127]),
    ):
        found = quarters_lacking(source, base, network, depth)
        assert found.dtype == np.int16
        assert found.tolist() == [wanted]
    # Nothing of what is given was changed.
    assert (eight[0, 0], ten[0, 0], base[0, 0], added[0, 2]) == (255, 1023, 0, 0)
