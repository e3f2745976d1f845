"""Going over a source: each scene once a pass, few of them at hand."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from edgecodec.encoder.passes import ScenePasses
from edgecodec.encoder.scene_file import SceneFile


def lengths(scene: SceneFile) -> tuple[int, int, int]:
    opened = scene.open()
    return scene.index, scene.start, len(opened.frames)


def anything(_: int) -> bool:
    return True


def nothing(_: SceneFile) -> None:
    pass


def test_every_scene_is_worked_on_once_in_every_pass(cut_clip, tmp_path: Path) -> None:
    passes = ScenePasses(cut_clip.path, tmp_path, 1, None)
    told: list[int] = []
    first = passes.each(lengths, anything, lambda scene: told.append(scene.index))
    assert sorted(first) == [0, 1]
    assert told == [0, 1]
    frames = [first[number][2] for number in (0, 1)]
    assert [first[number][1] for number in (0, 1)] == [0, frames[0]]
    assert passes.each(lengths, lambda number: number == 1, nothing) == {1: first[1]}


@pytest.mark.parametrize("at_once", [1, 2])
def test_few_scenes_are_on_disk_at_a_time(cut_clip, tmp_path: Path, at_once: int) -> None:
    passes = ScenePasses(cut_clip.path, tmp_path, at_once, None)
    most: list[int] = []
    passes.each(lambda _: most.append(len(list(tmp_path.glob("*.raw")))), anything, nothing)
    assert max(most) <= at_once + 1
    assert len(list(tmp_path.glob("*.raw"))) <= at_once


def test_scenes_at_hand_are_not_decoded_again(
    cut_clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = ScenePasses(cut_clip.path, tmp_path, 2, None)
    first = passes.each(lengths, anything, nothing)
    monkeypatch.setattr("edgecodec.encoder.passes.open_source", None)
    assert passes.each(lengths, anything, nothing) == first


def test_the_first_frames_only(cut_clip, tmp_path: Path) -> None:
    passes = ScenePasses(cut_clip.path, tmp_path, 1, 3)
    assert passes.each(lengths, anything, nothing) == {0: (0, 0, 3)}


def test_scenes_are_worked_on_side_by_side(cut_clip, tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=30)
    passes = ScenePasses(cut_clip.path, tmp_path, 2, None)
    assert sorted(passes.each(lambda _: together.wait(), anything, nothing)) == [0, 1]


def test_what_goes_wrong_comes_out(cut_clip, tmp_path: Path) -> None:
    def fail(scene: SceneFile) -> None:
        raise ArithmeticError(scene.index)

    with pytest.raises(ArithmeticError):
        ScenePasses(cut_clip.path, tmp_path, 2, None).each(fail, anything, nothing)


def test_a_pass_that_is_cut_off_ends_what_is_waited_for(cut_clip, tmp_path: Path) -> None:
    ended = threading.Event()
    passes = ScenePasses(cut_clip.path, tmp_path, 2, None, ended.set)

    def work(scene: SceneFile) -> bool:
        if scene.index == 0:
            raise ArithmeticError
        return ended.wait(60)

    with pytest.raises(ArithmeticError):
        passes.each(work, anything, nothing)
    assert ended.is_set()
