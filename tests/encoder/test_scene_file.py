"""Scenes in files: the same samples, known by their content."""

from __future__ import annotations

import pickle
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.scene_file import write_scene
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes


def scene(picture: PictureFormat, frames: int = 3, seed: int = 0, index: int = 0) -> Scene:
    random = np.random.default_rng(seed)
    dtype = np.uint8 if picture.bit_depth == 8 else np.uint16

    def planes() -> Planes:
        shapes = ((picture.height, picture.width), *[picture.chroma_shape] * 2)
        y, u, v = (random.integers(0, 1 << picture.bit_depth, s).astype(dtype) for s in shapes)
        return y, u, v

    made = tuple(planes() for _ in range(frames))
    pts = tuple(range(100, 100 + frames))
    return Scene(index, 7, made, pts, picture, Fraction(25), ColorInfo())


@pytest.mark.parametrize("picture", [PictureFormat(96, 64), PictureFormat(33, 17, 10)], ids=str)
def test_a_scene_comes_back_from_its_file_in_any_process(
    tmp_path: Path, picture: PictureFormat
) -> None:
    original = scene(picture)
    written = pickle.loads(pickle.dumps(write_scene(original, tmp_path)))
    again = written.open()
    assert replace(again, frames=()) == replace(original, frames=(), digest=written.digest)
    for back, planes in zip(again.frames, original.frames, strict=True):
        for copy, plane in zip(back, planes, strict=True):
            np.testing.assert_array_equal(copy, plane)
            assert not copy.flags.writeable
    assert [path.suffix for path in tmp_path.iterdir()] == [".raw"]


def test_views_that_are_no_whole_arrays_are_written_as_they_look(tmp_path: Path) -> None:
    wide = scene(PictureFormat(192, 64))
    halves = tuple((y[:, ::2], u[:, ::2], v[:, ::2]) for y, u, v in wide.frames)
    cut = replace(wide, frames=halves, format=PictureFormat(96, 64))
    back = write_scene(cut, tmp_path).open()
    np.testing.assert_array_equal(back.frames[1][0], halves[1][0])


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    picture = PictureFormat(96, 64)
    first = write_scene(scene(picture), tmp_path)
    assert write_scene(scene(picture, index=5), tmp_path).digest == first.digest
    others = [
        scene(picture, seed=1),
        scene(picture, frames=2),
        replace(scene(picture), frame_rate=Fraction(30)),
        replace(scene(picture), color=ColorInfo(full_range=True)),
    ]
    digests = {write_scene(each, tmp_path).digest for each in others}
    assert len(digests | {first.digest}) == 5


def test_a_head_is_another_scene_and_no_name_stays_none(tmp_path: Path) -> None:
    whole = write_scene(scene(PictureFormat(96, 64)), tmp_path).open()
    assert len({whole.digest, whole.head(1).digest, whole.head(2).digest}) == 3
    assert scene(PictureFormat(96, 64)).head(1).digest == ""
