"""Flicker of synthetic frames, whose figures are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from edgecodec.evaluation.flicker import Flicker, FlickerMeter, measure_flicker, total
from edgecodec.runtime.frames import Planes

FRAMES = 6


def picture(seed: int, height: int = 32, width: int = 48, top: int = 255) -> Planes:
    random = np.random.default_rng(seed)
    dtype = np.uint8 if top == 255 else np.uint16

    def plane(rows: int, columns: int) -> np.ndarray:
        return random.integers(top // 4, 3 * top // 4, (rows, columns)).astype(dtype)

    half = (height + 1) // 2, (width + 1) // 2
    return plane(height, width), plane(*half), plane(*half)


def shifted(planes: Planes, luma: int, u: int = 0, v: int = 0) -> Planes:
    y, first, second = (
        (plane.astype(np.int32) + step).astype(plane.dtype)
        for plane, step in zip(planes, (luma, u, v), strict=True)
    )
    return y, first, second


def test_a_picture_that_is_only_wrong_does_not_flicker() -> None:
    still = [picture(1)] * FRAMES
    wrong = [shifted(picture(1), 9, -5, 3)] * FRAMES
    found = measure_flicker(still, wrong)
    assert (found.luma, found.chroma, found.static_share) == (0.0, 0.0, 1.0)


def test_an_error_that_comes_and_goes_is_its_change() -> None:
    still = [picture(1)] * FRAMES
    blinking = [shifted(picture(1), 3 * (t % 2), 4 * (t % 2), -2 * (t % 2)) for t in range(FRAMES)]
    found = measure_flicker(still, blinking)
    assert found.luma == pytest.approx(3.0)
    assert found.chroma == pytest.approx(math.sqrt((16 + 4) / 2))


def test_noise_that_is_new_in_every_frame_counts_twice() -> None:
    random = np.random.default_rng(5)
    still = [picture(1, 128, 128)] * FRAMES
    noisy: list[Planes] = []
    for y, u, v in still:
        noise = random.integers(-2, 3, y.shape)  # a variance of 2
        noisy.append(((y + noise).astype(np.uint8), u, v))
    found = measure_flicker(still, noisy)
    assert found.luma == pytest.approx(2.0, rel=0.02)
    assert found.chroma == 0.0


@pytest.mark.parametrize(("flickers", "luma"), [("left", 0.0), ("right", 7.0)])
def test_only_what_stands_still_counts(flickers: str, luma: float) -> None:
    """The left half of the source moves, the right half stands still."""
    half = slice(None, 24) if flickers == "left" else slice(24, None)
    frames: list[Planes] = []
    decoded: list[Planes] = []
    for t in range(FRAMES):
        y, u, v = (plane.copy() for plane in picture(1))
        y[:, :24] = picture(t + 10)[0][:, :24]
        wrong = y.copy()
        wrong[:, half] += np.uint8(7 * (t % 2))
        frames.append((y, u, v))
        decoded.append((wrong, u, v))
    found = measure_flicker(frames, decoded)
    assert found.static_share == 0.5
    assert found.luma == luma


def test_a_change_of_less_than_a_level_is_still() -> None:
    first = picture(1)
    slow = [first, shifted(first, 0)]
    slow[1][0][::2] += 1  # half a level in the mean
    assert measure_flicker(slow, slow).static_share == 1.0
    fast = [first, shifted(first, 1)]
    found = measure_flicker(fast, fast)
    assert (found.static_share, found.luma, found.chroma) == (0.0, None, None)


def test_the_change_of_an_enhancement_is_measured_against_its_base() -> None:
    still = [picture(1)] * FRAMES
    base = [shifted(picture(1), 4 * (t % 2)) for t in range(FRAMES)]
    mended = [shifted(picture(1), 1 * (t % 2)) for t in range(FRAMES)]
    assert measure_flicker(still, base).luma == pytest.approx(4.0)
    assert measure_flicker(still, mended).luma == pytest.approx(1.0)
    assert measure_flicker(still, mended, against=base).luma == pytest.approx(3.0)


def test_ten_bits_are_measured_in_levels_of_eight() -> None:
    still = [picture(1, top=1023)] * FRAMES
    blinking = [shifted(picture(1, top=1023), 6 * (t % 2), 4 * (t % 2)) for t in range(FRAMES)]
    found = measure_flicker(still, blinking, bit_depth=10)
    assert found.luma == pytest.approx(1.5)
    assert found.chroma == pytest.approx(math.sqrt(0.5))
    moving = [still[0], shifted(still[0], 3)]
    assert measure_flicker(moving, moving, bit_depth=10).static_share == 1.0
    assert measure_flicker(moving, moving, bit_depth=8).static_share == 0.0


def test_what_is_beyond_whole_blocks_does_not_count() -> None:
    frames = [picture(1, 31, 47)] * 2
    y, u, v = (plane.copy() for plane in frames[1])
    for plane in (y, u, v):
        plane[-1], plane[:, -1] = 0, 0
    found = measure_flicker(frames, [frames[0], (y, u, v)])
    assert (found.luma, found.chroma) == (0.0, 0.0)
    assert found.blocks == 3 * 5


def test_scenes_add_up_by_their_static_blocks() -> None:
    large, small = picture(1, 32, 32), picture(2, 16, 16)
    one = measure_flicker([large] * 2, [large, shifted(large, 2)])
    two = measure_flicker([small] * 2, [small, shifted(small, 6)])
    both = total([one, two])
    assert both == one + two
    assert both.luma == pytest.approx(math.sqrt((16 * 4 + 4 * 36) / 20))
    assert total([]) == Flicker()
    assert FlickerMeter().flicker.luma is None


def test_sequences_must_match() -> None:
    frames = [picture(1)] * 3
    with pytest.raises(ValueError, match="zip"):
        measure_flicker(frames, frames[:2])
    with pytest.raises(ValueError, match=r"\[32, 48\] and \[16, 48\]"):
        measure_flicker([picture(1, 16)] * 3, frames)
