"""Scene filters at work: equal to plain integers, whatever the picture and the coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from edgecodec.runtime.filter_taps import TURNS, Around, look, look_at_residual, turned
from edgecodec.runtime.filtering import classify, filtered
from edgecodec.runtime.frames import Planes
from edgecodec.runtime.scene_filter import (
    CLASSES,
    PlaneFilter,
    SceneFilter,
    kinds_of,
    pairs_of,
    taps_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .filter_samples import changed, random_filter, random_planes, scene_filters
from .reference_filter import cells, frames_of, slowly_filtered

seeds = st.integers(0, 1 << 32)


def three_frames(seed: int, height: int, width: int) -> tuple[Planes, Planes, Planes]:
    random = np.random.default_rng(seed)
    cur = random_planes(random, height, width)
    return changed(random, cur), cur, changed(random, cur)


def around_of(frames: Sequence[Planes], added: Planes | None = None) -> Around:
    prev, cur, after = map(look, frames)
    residual = None if added is None else look_at_residual(added, cur.cells)
    return Around(prev, cur, after, residual)


def residual_for(planes: Planes, seed: int) -> Planes:
    """What a network might add to a picture: any bytes in parts, in others hardly anything."""
    random = np.random.default_rng(seed)
    y, u, v = (
        np.where(
            random.random(plane.shape) < random.choice([0.1, 0.9]),
            random.integers(0, 256, plane.shape),
            random.integers(126, 131, plane.shape),
        ).astype(np.uint8)
        for plane in planes
    )
    return y, u, v


def assert_equal(made: Sequence[object], wanted: Sequence[object]) -> None:
    for one, other in zip(made, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 21), st.integers(1, 30), scene_filters(most_filters=20), seeds)
def test_samples_are_those_of_plain_integers(
    height: int, width: int, scene: SceneFilter, seed: int
) -> None:
    frames = three_frames(seed, height, width)
    added = None if seed % 3 == 0 else residual_for(frames[1], seed)
    made = filtered(frames[1], scene, around_of(frames, added))
    assert_equal(made, slowly_filtered(frames, scene, added))
    for plane, samples in zip(made, frames[1], strict=True):
        assert plane.dtype == np.uint16
        assert plane.shape == samples.shape
        assert not plane.flags.writeable


@pytest.mark.parametrize(
    ("plane", "tap"), [(plane, tap) for plane in range(3) for tap in range(taps_of(plane))]
)
def test_a_filter_of_one_tap_is_turned_like_any_other(plane: int, tap: int) -> None:
    """In turned cells, a tap that has no coefficient of its own has that of another."""
    frames = three_frames(0, 21, 30)
    added = residual_for(frames[1], 0)
    assert len(set(classify(around_of(frames)).turns.ravel().tolist())) == TURNS
    coefficients = np.zeros((1, taps_of(plane)), np.int8)
    coefficients[0, tap] = 90
    only: list[PlaneFilter | None] = [None, None, None]
    only[plane] = PlaneFilter(7, coefficients, (0,) * CLASSES)
    scene = SceneFilter((only[0], only[1], only[2]))
    made = filtered(frames[1], scene, around_of(frames, added))
    assert_equal(made, slowly_filtered(frames, scene, added))
    assert not np.array_equal(made[plane], frames[1][plane])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("shift", [0, 1, 5, 12])
def test_the_largest_sums_are_exact(sign: int, shift: int) -> None:
    """Of samples that are as far from their neighbours, and from frame to frame, as can be."""
    size = (21, 30), (11, 15), (11, 15)
    y, u, v = (np.indices(shape).sum(axis=0) % 2 * 1023 for shape in size)
    dark = y.astype(np.uint16), u.astype(np.uint16), v.astype(np.uint16)
    light: Planes = (1023 - dark[0], 1023 - dark[1], 1023 - dark[2])
    planes = []
    for number in range(3):
        coefficients = np.full((1, taps_of(number)), sign * 127, np.int8)
        planes.append(PlaneFilter(shift, coefficients, (0,) * CLASSES))
    scene = SceneFilter((planes[0], planes[1], planes[2]))
    most: Planes = tuple(np.where(plane > 0, 255, 0).astype(np.uint8) for plane in dark)  # type: ignore[assignment]
    for frames in ((light, dark, light), (dark, light, dark), (dark, dark, light)):
        made = filtered(frames[1], scene, around_of(frames, most))
        assert_equal(made, slowly_filtered(frames, scene, most))
        if not shift:
            assert set(np.unique(made[0])) <= {0, 1023}


@pytest.mark.parametrize("seed", range(4))
def test_both_ends_are_clipped_to(seed: int) -> None:
    frames = three_frames(seed, 24, 33)
    made = filtered(frames[1], random_filter(seed, most=127, shift=0), around_of(frames))
    assert all((plane.min(), plane.max()) == (0, 1023) for plane in made)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_classes_and_turns_are_those_of_plain_integers(height: int, width: int, seed: int) -> None:
    frames = three_frames(seed, height, width)
    found = classify(around_of(frames))
    wanted = cells(frames_of(frames, 0))
    assert found.classes.tolist() == [[cell.number for cell in row] for row in wanted]
    assert found.turns.tolist() == [[cell.turn for cell in row] for row in wanted]
    assert found.classes.min() >= 0
    assert found.classes.max() < CLASSES


def test_such_pictures_have_cells_of_many_classes_and_all_turns() -> None:
    """Or the tests here show little."""
    found = [classify(around_of(three_frames(seed, 64, 64))) for seed in range(8)]
    assert len(np.unique([each.classes for each in found])) > 50
    assert set(np.unique([each.turns for each in found])) == set(range(TURNS))


@pytest.mark.parametrize("height", [63, 64, 65, 75, 131])
def test_tall_pictures_are_filtered_without_seams(height: int) -> None:
    """They are done in strips of rows."""
    frames = three_frames(height, height, 9)
    scene = random_filter(height, most=20)
    added = residual_for(frames[1], height)
    made = filtered(frames[1], scene, around_of(frames, added))
    assert_equal(made, slowly_filtered(frames, scene, added))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_zeros_change_nothing(height: int, width: int, seed: int) -> None:
    frames = three_frames(seed, height, width)
    scene = random_filter(seed, most=0, shift=seed % 13)
    around = around_of(frames, residual_for(frames[1], seed))
    assert_equal(filtered(frames[1], scene, around), frames[1])


def test_a_network_that_adds_nothing_is_none() -> None:
    frames = three_frames(5, 30, 41)
    y, u, v = (np.full(plane.shape, 128, np.uint8) for plane in frames[1])
    scene = random_filter(1, most=20)
    without = filtered(frames[1], scene, around_of(frames))
    assert_equal(filtered(frames[1], scene, around_of(frames, (y, u, v))), without)


def test_what_a_network_adds_to_a_plane_counts_in_that_plane_only() -> None:
    """So a plane may have it or not, whatever the others have."""
    frames = three_frames(6, 30, 41)
    scene, added = random_filter(1, most=20), residual_for(frames[1], 6)
    plain = filtered(frames[1], scene, around_of(frames))
    for number in range(3):
        own = [np.full_like(plane, 128) for plane in added]
        own[number] = added[number]
        made = filtered(frames[1], scene, around_of(frames, (own[0], own[1], own[2])))
        same = [np.array_equal(*pair) for pair in zip(made, plain, strict=True)]
        assert same == [other != number for other in range(3)]


@pytest.mark.parametrize(
    "planes", [(True, False, False), (False, True, False), (False, True, True)]
)
def test_planes_without_filters_stay(planes: tuple[bool, bool, bool]) -> None:
    frames = three_frames(7, 30, 41)
    around, scene = around_of(frames), random_filter(1, most=20)
    everything = filtered(frames[1], scene, around)
    made = filtered(frames[1], random_filter(1, most=20, planes=planes), around)
    for plane, after, before, wanted in zip(made, everything, frames[1], planes, strict=True):
        np.testing.assert_array_equal(plane, after if wanted else before)
        assert not np.array_equal(after, before)
        assert not plane.flags.writeable


def test_a_flat_picture_that_stands_still_stays_whatever_the_filter() -> None:
    flat: Planes = tuple(np.full((17, 22), 300, np.uint16) for _ in range(3))  # type: ignore[assignment]
    flat = flat[0], flat[1][:9, :11], flat[2][:9, :11]
    scene = random_filter(2, most=127, shift=3)
    assert_equal(filtered(flat, scene, around_of((flat, flat, flat))), flat)


def test_only_taps_in_time_look_at_the_frames_around() -> None:
    frames = three_frames(3, 33, 30)
    other = three_frames(4, 33, 30)
    scene = random_filter(5, most=20)
    # Whatever the motion, so that classes do not matter.
    same = [
        replace(plane, filters=tuple(each // 8 // 3 for each in range(CLASSES)))
        for plane in scene.planes
        if plane is not None
    ]
    in_time = SceneFilter((same[0], same[1], same[2]))
    in_space = []
    for number, plane in enumerate(same):
        coefficients = plane.coefficients.copy()
        coefficients[:, kinds_of(number).times] = 0
        if number:
            coefficients[:, kinds_of(number).beside.stop - 2] = 0
            coefficients[:, kinds_of(number).beside.stop - 1] = 0
        in_space.append(replace(plane, coefficients=coefficients))
    still = SceneFilter((in_space[0], in_space[1], in_space[2]))
    results = [
        [
            filtered(frames[1], scene, around_of((prev, frames[1], after)))
            for scene in (still, in_time)
        ]
        for prev, after in ((frames[0], frames[2]), (other[0], other[2]))
    ]
    assert_equal(results[0][0], results[1][0])
    for before, after in zip(results[0][1], results[1][1], strict=True):
        assert not np.array_equal(before, after)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), seeds)
def test_the_frames_before_and_after_count_alike(height: int, width: int, seed: int) -> None:
    prev, cur, after = three_frames(seed, height, width)
    scene = random_filter(seed, most=20)
    forwards = filtered(cur, scene, around_of((prev, cur, after)))
    assert_equal(filtered(cur, scene, around_of((after, cur, prev))), forwards)


def symmetric(scene: SceneFilter) -> SceneFilter:
    """The same with one coefficient for each pair and the pair it becomes when transposed, and
    blind to luma in chroma: its samples lie on the left of two columns, but between two rows."""
    planes = []
    for number, plane in enumerate(scene.planes):
        assert plane is not None
        pairs = pairs_of(number)
        others = []
        for down, right in pairs:
            across = (right, down)
            others.append(pairs.index(across if across in pairs else (-right, -down)))
        first = np.minimum(np.arange(len(pairs)), others)
        order = [*first, *first + len(pairs), *range(2 * len(pairs), taps_of(number))]
        coefficients = plane.coefficients[:, order]
        coefficients[:, kinds_of(number).times.stop :] = 0
        planes.append(replace(plane, coefficients=coefficients))
    return SceneFilter((planes[0], planes[1], planes[2]))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_symmetric_filters_filter_a_transposed_picture_alike(
    height: int, width: int, seed: int
) -> None:
    frames = three_frames(seed, height, width)
    scene = symmetric(random_filter(seed, most=20))
    made = filtered(frames[1], scene, around_of(frames))
    on_the_side: list[Planes] = [(y.T, u.T, v.T) for y, u, v in frames]
    turned_back = [plane.T for plane in filtered(on_the_side[1], scene, around_of(on_the_side))]
    assert_equal(turned_back, made)


def test_classes_do_not_change_when_a_picture_is_transposed_but_turns_of_straight_ones_do() -> None:
    frames = three_frames(11, 64, 48)
    found = classify(around_of(frames))
    other = classify(around_of([(y.T, u.T, v.T) for y, u, v in frames]))
    np.testing.assert_array_equal(other.classes.T, found.classes)
    slanted = found.turns == 2
    assert slanted.any()
    np.testing.assert_array_equal(other.turns.T[slanted], found.turns[slanted])
    assert (other.turns.T[found.turns == 1] == 0).all()


def test_turning_twice_is_not_turning() -> None:
    for number in range(3):
        for turn in turned(number):
            assert [turn[tap] for tap in turn] == list(range(taps_of(number)))
        assert turned(number)[0] == list(range(taps_of(number)))
