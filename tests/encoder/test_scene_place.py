"""A scene is found again in its video, from its place alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.encoder.media import SourceVideo, open_source
from edgecodec.encoder.scene import Scene, scenes_of
from edgecodec.encoder.scene_file import SceneFile, write_scene
from edgecodec.encoder.scene_place import ScenePlace, place_of, read_scene, scene_file_at
from edgecodec.runtime.errors import UnsupportedError
from edgecodec.runtime.frames import PictureFormat


def scenes_in(video: Path, folder: Path) -> list[SceneFile]:
    folder.mkdir()
    with open_source(video) as source:
        return [write_scene(scene, folder) for scene in scenes_of(source)]


def same(one: Scene, other: Scene) -> bool:
    pairs = zip(one.frames, other.frames, strict=True)
    equal = all((a == b).all() for p, q in pairs for a, b in zip(p, q, strict=True))
    return equal and replace(one, frames=()) == replace(other, frames=())


@pytest.fixture
def second(cut_clip, tmp_path: Path) -> SceneFile:
    """The second scene of a clip with two."""
    return scenes_in(cut_clip.path, tmp_path / "sent")[1]


@pytest.mark.parametrize(
    "clip", ["cut_clip", "variable_rate_clip", "odd_clip", "deep_clip", "subtitle_clip"]
)
def test_a_scene_is_read_as_it_was(
    clip: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    video = request.getfixturevalue(clip).path
    for sent in scenes_in(video, tmp_path / "sent"):
        found = read_scene(video, place_of(sent), tmp_path)
        assert found.digest == sent.digest
        assert same(found.open(), sent.open())
        assert scene_file_at(place_of(sent), found.path) == found


def test_what_lies_before_a_scene_is_not_read(
    make_clip, draw_planes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FFV1, which odd sizes are written in, has a key frame every 12.
    odd = PictureFormat(97, 65)
    clip = make_clip(tmp_path / "odd.mkv", odd, draw_planes(odd, 60, cut_at=30))
    sent = scenes_in(clip.path, tmp_path / "sent")[-1]
    decoded: list[int] = []
    frames = SourceVideo.frames

    def spy(self, from_pts=None):
        for frame in frames(self, from_pts):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(SourceVideo, "frames", spy)
    found = read_scene(clip.path, place_of(sent), tmp_path)
    assert found.digest == sent.digest
    assert sent.start == 30
    assert len(sent.pts) <= len(decoded) < len(sent.pts) + 12


def test_a_file_without_timestamps_is_read_from_its_beginning(
    make_clip, draw_planes, tmp_path: Path
) -> None:
    picture = PictureFormat(96, 64)
    video = make_clip(tmp_path / "plain.h264", picture, draw_planes(picture, 60, cut_at=30)).path
    last = scenes_in(video, tmp_path / "sent")[-1]
    assert last.start == 30
    assert same(read_scene(video, place_of(last), tmp_path).open(), last.open())


def test_another_video_is_refused(
    small_clip, deep_clip, second: SceneFile, cut_clip, tmp_path: Path
) -> None:
    place = place_of(second)

    def refused(video: Path, place: ScenePlace) -> str:
        with pytest.raises(UnsupportedError) as caught:
            read_scene(video, place, tmp_path)
        return str(caught.value)

    assert "there are no such 30 frames" in refused(small_clip.path, place)
    assert "format, frame rate and colour" in refused(deep_clip.path, place)
    wrong = replace(place, digest="0" * 40)
    assert f"the hash {second.digest} here, {'0' * 40} there" in refused(cut_clip.path, wrong)
    assert "there are no such" in refused(cut_clip.path, replace(place, pts=(5, 7)))
    assert "longer than any" in refused(cut_clip.path, replace(place, pts=tuple(range(9999))))


def test_a_scenes_file_is_known_to_be_whole(second: SceneFile) -> None:
    assert second.is_whole()
    data = bytearray(second.path.read_bytes())
    data[-1] ^= 1
    second.path.write_bytes(data)
    assert not second.is_whole()
    second.path.unlink()
    assert not second.is_whole()
