"""A source cut into scenes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from edgecodec.encoder import scene as scene_module
from edgecodec.encoder.media import open_source
from edgecodec.encoder.scene import longest_scene, scenes_of
from edgecodec.runtime.frames import PictureFormat


def test_scenes_follow_the_cut_and_hold_every_frame(cut_clip) -> None:
    with open_source(cut_clip.path) as source:
        scenes = list(scenes_of(source))
        time_base = source.info.time_base
    assert [(each.index, each.start, len(each.frames)) for each in scenes] == [
        (0, 0, 30),
        (1, 30, 30),
    ]
    frames = [planes for each in scenes for planes in each.frames]
    for got, drawn in zip(frames, cut_clip.planes, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(got, drawn, strict=True))
    times = [pts * time_base for each in scenes for pts in each.pts]
    assert times == [Fraction(n, 30) for n in range(60)]
    assert all(each.format == cut_clip.format and each.duration_s == 1.0 for each in scenes)


def test_a_long_shot_is_split_into_scenes_that_follow_each_other(
    small_clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_module, "longest_scene", lambda _: 4)
    with open_source(small_clip.path) as source:
        scenes = list(scenes_of(source))
    assert [each.index for each in scenes] == [0, 1, 2]
    ends = [each.start + len(each.frames) for each in scenes]
    assert [each.start for each in scenes] == [0, *ends[:-1]]
    assert ends[-1] == 10
    assert all(len(each.frames) <= 4 for each in scenes)


@pytest.mark.parametrize("frames", [1, 29, 30, 45, 99])
def test_the_first_frames_are_cut_as_a_shorter_source_would_be(cut_clip, frames: int) -> None:
    with open_source(cut_clip.path) as source:
        scenes = list(scenes_of(source, frames))
    lengths = [len(each.frames) for each in scenes]
    assert lengths == [min(30, frames), *([min(60, frames) - 30] if frames > 30 else [])]
    assert [each.start for each in scenes] == [0, 30][: len(scenes)]


def test_the_head_is_a_scene_of_the_first_frames(small_clip) -> None:
    with open_source(small_clip.path) as source:
        (scene,) = scenes_of(source)
    head = scene.head(3)
    assert head.frames == scene.frames[:3]
    assert head.pts == scene.pts[:3]
    assert head.duration_s == pytest.approx(0.1)
    assert (head.format, head.frame_rate, head.color) == (
        scene.format,
        scene.frame_rate,
        scene.color,
    )
    assert scene.head(99) == scene


def test_how_long_a_scene_may_be_depends_on_what_a_frame_takes() -> None:
    assert longest_scene(PictureFormat(640, 360)) == 250
    for picture in (PictureFormat(3840, 2160), PictureFormat(1920, 1080, 10)):
        held = longest_scene(picture)
        samples = picture.width * picture.height * 3 // 2 * (picture.bit_depth + 7 >> 3)
        assert 8 < held < 250
        assert held * samples <= 768 << 20 < (held + 1) * samples
    assert longest_scene(PictureFormat(30000, 20000)) == 8
