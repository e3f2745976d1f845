"""What stands still, and what only looks as if it did."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.encoder.scene import Scene
from edgecodec.encoder.stillness import stands_still
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes

SIZE = (96, 160)


def scene_of(*lumas: np.ndarray) -> Scene:
    height, width = lumas[0].shape
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    frames: tuple[Planes, ...] = tuple((luma, grey, grey) for luma in lumas)
    picture = PictureFormat(width, height)
    return Scene(0, 0, frames, tuple(range(len(frames))), picture, 25, ColorInfo())


def page(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, SIZE).astype(np.uint8)


def typed(luma: np.ndarray, letters: int) -> np.ndarray:
    after = luma.copy()
    for letter in range(letters):
        after[16 : 16 + 8, 16 * letter : 16 * letter + 8] ^= 255
    return after


def test_a_picture_that_never_changes_stands_still() -> None:
    assert stands_still(scene_of(page(), page(), page()))
    assert stands_still(scene_of(page()))


def test_typing_stands_still_and_a_tenth_of_the_page_is_the_bound() -> None:
    first = page()
    # Six by ten blocks.
    assert stands_still(scene_of(first, typed(first, 5)))
    assert not stands_still(scene_of(first, typed(first, 7)))


def test_one_level_of_noise_does_not_stand_still() -> None:
    noise = np.random.default_rng(2).integers(0, 2, SIZE).astype(np.uint8)
    assert not stands_still(scene_of(page() // 2, page() // 2 + noise))


def test_frames_that_are_shown_twice_do_not_count() -> None:
    moving = [np.roll(page(), 2 * n, axis=1) for n in range(3)]
    assert not stands_still(scene_of(*(each for each in moving for _ in range(2))))
    assert not stands_still(scene_of(*(each for each in moving for _ in range(8))))


@pytest.mark.parametrize("size", [(8, 8), (17, 33)])
def test_small_pictures_are_taken(size: tuple[int, int]) -> None:
    luma = np.zeros(size, np.uint8)
    assert stands_still(scene_of(luma, luma.copy()))
