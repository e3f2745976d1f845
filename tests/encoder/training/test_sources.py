"""Segments from clips, folders of frames, and stills."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from edgecodec.encoder.training.sources import (
    Scales,
    find_sources,
    is_sequence,
    read_segments,
)
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.frames import PictureFormat


def write_picture(path: Path, width: int = 400, height: int = 320, shift: int = 0) -> Path:
    y, x = np.mgrid[0:height, 0:width]
    columns = np.sin((x + shift) / 9)[..., None] * 60
    rows = np.cos(y[..., None] / np.array([7, 11, 13])) * 60
    cv2.imwrite(str(path), (columns + rows + 128).astype(np.uint8))
    return path


@pytest.fixture
def folder(tmp_path: Path, small_clip) -> Path:
    """A clip, a still, a folder of numbered frames, and what is neither."""
    (tmp_path / "deep" / "frames").mkdir(parents=True)
    (tmp_path / "clip.mp4").write_bytes(small_clip.path.read_bytes())
    write_picture(tmp_path / "deep" / "still.jpg")
    for number in range(6):
        write_picture(tmp_path / "deep" / "frames" / f"{number:04d}.png", 203, 151, number)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_clips_stills_and_folders_of_frames_are_found(folder: Path) -> None:
    found = [path.relative_to(folder).as_posix() for path in find_sources(folder)]
    assert found == ["clip.mp4", "deep/frames", "deep/still.jpg"]


def test_a_folder_without_any_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EdgecodecError, match="no clips and no stills below it") as raised:
        find_sources(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_only_numbered_frames_are_a_sequence(folder: Path) -> None:
    frames = folder / "deep" / "frames"
    assert is_sequence(frames)
    assert not is_sequence(folder / "deep")
    write_picture(frames / "cover.png")
    assert not is_sequence(frames)


@pytest.mark.parametrize("name", ["clip.mp4", "deep/frames", "deep/still.jpg"])
def test_segments_have_the_frames_asked_for_at_aligned_sizes(folder: Path, name: str) -> None:
    segments = list(read_segments(folder / name, 3, 5, np.random.default_rng(0)))
    assert len(segments) == 3
    for segment in segments:
        assert segment.name == Path(name).stem
        assert len(segment.frames) == 5
        picture = segment.format
        assert picture.width % 8 == picture.height % 8 == 0
        assert min(picture.width, picture.height) >= 128
        shapes = [(picture.height, picture.width), *[picture.chroma_shape] * 2]
        for planes in segment.frames:
            assert [plane.shape for plane in planes] == shapes
            assert all(plane.dtype == np.uint8 for plane in planes)
        assert not np.array_equal(segment.frames[0][0], segment.frames[4][0])


@pytest.mark.parametrize("kind", ["still", "sequence"])
def test_colours_are_those_of_the_picture(tmp_path: Path, kind: str) -> None:
    """Blue, green, red = 200, 60, 30 by BT.601: Y 74, U 194, V 105."""
    blue = np.full((320, 400, 3), (200, 60, 30), np.uint8)
    source = tmp_path / "blue.png"
    cv2.imwrite(str(source), blue)
    if kind == "sequence":
        source = tmp_path / "frames"
        source.mkdir()
        for number in range(2):
            cv2.imwrite(str(source / f"{number}.png"), blue)
    (segment,) = read_segments(source, 1, 2, np.random.default_rng(0))
    for plane, level in zip(segment.frames[1], (74, 194, 105), strict=True):
        # The mean: a still may be under grain.
        assert plane.mean() == pytest.approx(level, abs=1)


def test_the_same_seed_gives_the_same_segments(folder: Path) -> None:
    def first(seed: int) -> np.ndarray:
        still = folder / "deep" / "still.jpg"
        return next(read_segments(still, 1, 3, np.random.default_rng(seed))).frames[2][0]

    assert np.array_equal(first(1), first(1))
    assert not np.array_equal(first(1), first(2))


def test_a_clip_that_is_too_short_or_too_deep_gives_none(folder: Path, deep_clip) -> None:
    assert not list(read_segments(folder / "clip.mp4", 3, 11, np.random.default_rng(0)))
    assert not list(read_segments(deep_clip.path, 3, 2, np.random.default_rng(0)))


def test_clips_lose_at_least_half_their_size(draw_planes, make_clip, tmp_path: Path) -> None:
    """What the clip's own compression took away must not become the target."""
    picture = PictureFormat(320, 256)
    clip = make_clip(tmp_path / "own.mp4", picture, draw_planes(picture, 3))
    sizes = {
        (segment.format.width, segment.format.height)
        for segment in read_segments(clip.path, 20, 3, np.random.default_rng(0))
    }
    # 0.4 and 0.5, but crops need 128.
    assert sizes == {(160, 128), (128, 128)}


def test_at_native_scales_clips_keep_most_of_their_size(
    draw_planes, make_clip, tmp_path: Path
) -> None:
    picture = PictureFormat(320, 256)
    clip = make_clip(tmp_path / "own.mp4", picture, draw_planes(picture, 3))
    random = np.random.default_rng(0)
    widths = {s.format.width for s in read_segments(clip.path, 20, 3, random, Scales.NATIVE)}
    assert max(widths) == 320
    assert min(widths) >= 0.65 * 320


def test_a_still_moves_and_half_of_them_have_grain(tmp_path: Path) -> None:
    still = write_picture(tmp_path / "still.png", 900, 800)
    noise = []
    for segment in read_segments(still, 12, 3, np.random.default_rng(1)):
        assert segment.format == PictureFormat(256, 256)
        y = segment.frames[1][0].astype(float)
        noise.append(np.abs(np.diff(y, 2, axis=1)).mean())
    assert max(noise) > 2 * min(noise)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(EdgecodecError, match=r"broken\.png: not an image"):
        list(read_segments(tmp_path / "broken.png", 1, 2, np.random.default_rng(0)))
