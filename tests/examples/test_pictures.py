"""What is drawn is what was decoded, and the original beside it is of the same time."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pygame
import pytest
from edgecodec import runtime
from edgecodec.runtime import PictureFormat
from edgecodec.runtime.frames import Planes
from numpy.typing import NDArray
from player.original import Original
from player.picture import Layout, Shape, draw_shot, surface_of
from player.source import Shot

from ..conftest import BT709, DEEP, ODD, Clip
from ..runtime.streams import classical, stream_of
from .conftest import SMALL, Desk, all_frames

SitDown = Callable[..., Desk]
Draw = Callable[..., tuple[Planes, ...]]
WHOLE = Shape(Fraction(96, 64))


def pixels(surface: pygame.Surface) -> NDArray[np.uint8]:
    """As `Frame.to_rgb` has them: [height, width, 3]."""
    return pygame.surfarray.array3d(surface).swapaxes(0, 1)


def clip_shot(clip: Clip, number: int) -> Shot:
    """A frame of a clip with that frame of the clip as its original."""
    frame = runtime.Frame(
        clip.planes[number], clip.format, clip.pts[number], clip.time_base, BT709, number
    )
    with Original(clip.path) as original:
        return Shot(frame, original.at(frame.time), None)


@pytest.mark.parametrize("picture", [SMALL, ODD, DEEP], ids=["8 bit", "odd", "10 bit"])
def test_a_picture_in_its_own_size_is_the_runtimes(
    draw_planes: Draw, picture: PictureFormat
) -> None:
    (planes,) = draw_planes(picture, 1)
    for color in (runtime.ColorInfo(), BT709, runtime.ColorInfo(6, 6, 6, full_range=True)):
        frame = runtime.Frame(planes, picture, 0, Fraction(1, 25), color)
        drawn = surface_of(frame, (picture.width, picture.height), 0)
        assert np.array_equal(pixels(drawn), frame.to_rgb())


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_picture_is_turned_clockwise(draw_planes: Draw, rotation: int) -> None:
    (planes,) = draw_planes(SMALL, 1)
    frame = runtime.Frame(planes, SMALL, 0, Fraction(1, 25), BT709)
    size = (96, 64) if rotation == 180 else (64, 96)
    drawn = surface_of(frame, size, rotation)
    assert np.array_equal(pixels(drawn), np.rot90(frame.to_rgb(), -rotation // 90))


@pytest.mark.parametrize(
    ("sample_aspect", "rotation", "area", "fitted"),
    [
        (1, 0, (960, 640), (960, 640)),
        (1, 0, (1000, 64), (96, 64)),
        (1, 90, (960, 960), (640, 960)),
        (2, 0, (600, 600), (600, 200)),
        (0, 0, (96, 64), (96, 64)),
    ],
)
def test_a_picture_keeps_its_shape(
    sample_aspect: int, rotation: int, area: tuple[int, int], fitted: tuple[int, int]
) -> None:
    data = stream_of([], SMALL, rotation=rotation, sample_aspect=Fraction(sample_aspect or 1))
    with runtime.open(io.BytesIO(data)) as video:
        place = Shape.of(video.info).fitted(pygame.Rect((0, 0), area))
    assert place.size == fitted
    assert abs(place.centerx - area[0] // 2) <= 1


def test_side_by_side_the_original_is_to_the_left(small_clip: Clip) -> None:
    shot = clip_shot(small_clip, 4)
    other = Shot(clip_shot(small_clip, 0).frame, shot.original, None)
    target = pygame.Surface((192, 64))
    draw_shot(target, target.get_rect(), other, WHOLE, Layout.BESIDE, 0.5)
    assert np.array_equal(pixels(target)[:, :96], shot.frame.to_rgb())
    assert np.array_equal(pixels(target)[:, 96:], other.frame.to_rgb())


@pytest.mark.parametrize("split", [0.0, 0.25, 1.0])
def test_split_shows_as_much_of_the_original_as_is_asked(small_clip: Clip, split: float) -> None:
    shot = clip_shot(small_clip, 4)
    other = Shot(clip_shot(small_clip, 0).frame, shot.original, None)
    target = pygame.Surface((96, 64))
    draw_shot(target, target.get_rect(), other, WHOLE, Layout.SPLIT, split)
    seam = round(96 * split)
    assert np.array_equal(pixels(target)[:, :seam], shot.frame.to_rgb()[:, :seam])
    assert np.array_equal(pixels(target)[:, seam + 1 :], other.frame.to_rgb()[:, seam + 1 :])


def test_alone_or_without_an_original_the_stream_has_it_all(small_clip: Clip) -> None:
    shot = clip_shot(small_clip, 4)
    lone = Shot(shot.frame, None, None)
    for each, layout in ((shot, Layout.ALONE), (lone, Layout.BESIDE), (lone, Layout.SPLIT)):
        target = pygame.Surface((96, 64))
        draw_shot(target, target.get_rect(), each, WHOLE, layout, 0.5)
        assert np.array_equal(pixels(target), shot.frame.to_rgb())


@pytest.mark.parametrize("name", ["small_clip", "variable_rate_clip", "deep_clip", "odd_clip"])
def test_the_original_gives_the_frame_on_screen_at_a_time(
    name: str, request: pytest.FixtureRequest
) -> None:
    clip: Clip = request.getfixturevalue(name)
    times = [float(pts * clip.time_base) for pts in clip.pts]
    forth, back = range(len(times)), range(len(times) - 1, -1, -1)
    with Original(clip.path) as original:
        for number in (*forth, *back, 3, 3, 0, len(times) - 1):
            frame = original.at(times[number])
            assert frame is not None
            assert frame.time == pytest.approx(times[number], abs=0.001)
            assert all(map(np.array_equal, frame.planes, clip.planes[number]))
            assert (frame.format, frame.color) == (clip.format, BT709)
        first = original.at(-5.0)
        assert first is not None
        assert first.time == pytest.approx(times[0], abs=0.001)
        last = original.at(1e6)
        assert last is not None
        assert last.time == pytest.approx(times[-1], abs=0.001)


def test_a_shot_has_the_original_of_its_time(
    sit_down: SitDown, cut_clip: Clip, tmp_path: Path
) -> None:
    def write(planes: Sequence[Planes]) -> Path:
        path = tmp_path / "cut.ecv"
        scenes = [classical(planes[start : start + 20], SMALL) for start in (0, 20, 40)]
        path.write_bytes(stream_of(scenes, SMALL, time_base=Fraction(1, 30)))
        return path

    desk = sit_down(write(cut_clip.planes), cut_clip.path)
    desk.until_shown(0)
    for number in (31, 29, 30, 59, 0, 45):
        desk.playback.seek_frame(number)
        desk.until_shown(number)
        assert desk.playback.shown is not None
        original = desk.playback.shown.original
        assert original is not None
        assert all(map(np.array_equal, original.planes, cut_clip.planes[number]))


def test_an_original_that_is_no_video_is_a_problem_and_no_more(
    sit_down: SitDown, film: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.mp4"
    wrong.write_bytes(b"no video at all")
    for path in (wrong, tmp_path / "none.mp4"):
        desk = sit_down(film, path)
        desk.until_shown(0)
        assert desk.playback.decoder.problems[0].startswith("the original: ")
        assert path.name in desk.playback.decoder.problems[0]
        desk.playback.seek_frame(9)
        assert np.array_equal(desk.until_shown(9).planes[0], all_frames(film)[9].planes[0])
