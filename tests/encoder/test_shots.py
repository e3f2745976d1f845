"""Shots follow one another, end at cuts, and are never too long."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from edgecodec.encoder.media import open_source
from edgecodec.encoder.shots import Shot, ShotDetector, find_shots
from edgecodec.runtime.frames import PictureFormat

SMALL = PictureFormat(96, 64)
RATE = Fraction(30)


def still(count, value=90):
    luma = np.full((64, 96), value, np.uint8)
    chroma = np.full((32, 48), 128, np.uint8)
    return [(luma, chroma, chroma)] * count


def test_a_hard_cut_is_found_where_it_is(cut_clip):
    with open_source(cut_clip.path) as source:
        planes = (frame.planes for frame in source.frames())
        assert list(find_shots(planes, source.info.frame_rate)) == [Shot(0, 30), Shot(30, 30)]


def test_ten_bits_are_judged_as_eight_are(draw_planes):
    planes = draw_planes(PictureFormat(96, 64, 10), 40, cut_at=20)
    assert list(find_shots(planes, RATE)) == [Shot(0, 20), Shot(20, 20)]


def test_motion_alone_is_no_cut(draw_planes):
    assert list(find_shots(draw_planes(SMALL, 40), RATE)) == [Shot(0, 40)]


@pytest.mark.parametrize(
    "form", [PictureFormat(1, 1), PictureFormat(2000, 3), PictureFormat(3, 900)]
)
def test_any_shape_of_picture(draw_planes, form):
    assert list(find_shots(draw_planes(form, 4), RATE)) == [Shot(0, 4)]


def test_no_frames_have_no_shots():
    assert list(find_shots([], RATE)) == []


@pytest.mark.parametrize(
    ("count", "longest", "lengths"),
    [
        (10, 10, [10]),
        (11, 10, [5, 6]),
        (19, 10, [9, 10]),
        (20, 10, [10, 10]),
        (27, 10, [10, 8, 9]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_long_shots_are_split(count, longest, lengths):
    shots = list(find_shots(still(count), RATE, longest))
    assert [shot.frames for shot in shots] == lengths
    assert [shot.start for shot in shots] == [sum(lengths[:i]) for i in range(len(lengths))]


def test_shots_come_early_enough_to_bound_what_waits():
    detector = ShotDetector(RATE, max_frames=10)
    ended = 0
    for pushed, planes in enumerate(still(200), start=1):
        ended += sum(shot.frames for shot in detector.push(planes))
        assert pushed - ended < 20
    assert ended + sum(shot.frames for shot in detector.finish()) == 200


def test_a_cut_starts_a_new_count(draw_planes):
    planes = [*draw_planes(SMALL, 60, cut_at=25)]
    shots = list(find_shots(planes, RATE, 30))
    assert shots[0] == Shot(0, 25)
    assert [shot.frames for shot in shots[1:]] == [17, 18]


def test_a_shot_needs_a_frame():
    with pytest.raises(ValueError, match="at least one"):
        ShotDetector(RATE, max_frames=0)
