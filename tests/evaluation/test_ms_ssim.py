from __future__ import annotations

import numpy as np
import pytest
import torch
from edgecodec.evaluation.ms_ssim import LumaMsSsim, window_size
from edgecodec.runtime.frames import Plane
from pytorch_msssim import ms_ssim


def picture(rows: int, columns: int, bit_depth: int = 8) -> Plane:
    y, x = np.mgrid[0:rows, 0:columns]
    noise = np.random.default_rng(1).normal(0, 0.05, (rows, columns))
    samples = 0.5 + 0.3 * np.sin(x / 9) * np.cos(y / 7) + noise
    top = (1 << bit_depth) - 1
    return np.clip(samples * top, 0, top).astype(np.uint8 if bit_depth == 8 else np.uint16)


def worsened(plane: Plane, share: float, bit_depth: int = 8) -> Plane:
    top = (1 << bit_depth) - 1
    noise = np.random.default_rng(2).normal(0, share * top, plane.shape)
    return np.clip(plane + noise, 0, top).astype(plane.dtype)


def of_library(source: Plane, decoded: Plane, window: int, bit_depth: int = 8) -> float:
    one, other = (
        torch.from_numpy(plane.astype(np.float64))[None, None] for plane in (source, decoded)
    )
    return float(ms_ssim(one, other, data_range=(1 << bit_depth) - 1, win_size=window))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
@pytest.mark.parametrize(("rows", "columns", "window"), [(192, 256, 11), (144, 176, 9)])
def test_it_is_what_a_library_computes(rows: int, columns: int, window: int, share: float) -> None:
    source = picture(rows, columns)
    decoded = worsened(source, share)
    assert window_size(min(rows, columns)) == window
    expected = of_library(source, decoded, window)
    assert LumaMsSsim().add(source, decoded) == pytest.approx(expected, abs=1e-5)


def test_deep_samples_count_against_their_own_peak() -> None:
    source = picture(192, 192, bit_depth=10)
    decoded = worsened(source, 0.05, bit_depth=10)
    expected = of_library(source, decoded, 11, bit_depth=10)
    assert LumaMsSsim(10).add(source, decoded) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [(192, 192), (165, 163), (64, 96), (17, 40), (1, 1)])
def test_every_size_has_a_value_and_equal_pictures_have_one(size: tuple[int, int]) -> None:
    source = picture(*size)
    quality = LumaMsSsim()
    assert quality.add(source, source) == pytest.approx(1.0)
    worse = quality.add(source, worsened(source, 0.2))
    assert 0 <= worse < 1
    assert quality.mean == pytest.approx((1 + worse) / 2)


def test_the_opposite_picture_is_not_alike_at_all() -> None:
    source = picture(192, 192)
    assert LumaMsSsim().add(source, 255 - source) == 0.0


def test_the_window_is_the_largest_that_five_scales_leave_room_for() -> None:
    sizes = {33: 3, 64: 3, 65: 5, 96: 5, 97: 7, 129: 9, 160: 9, 161: 11, 2160: 11}
    assert {side: window_size(side) for side in sizes} == sizes
    for side, window in sizes.items():
        assert -(-side // 16) >= window


def test_pictures_of_different_shape_or_depth_are_refused() -> None:
    quality = LumaMsSsim()
    with pytest.raises(ValueError, match="cannot be compared"):
        quality.add(picture(64, 64), picture(64, 66))
    with pytest.raises(ValueError, match="cannot be compared"):
        quality.add(picture(64, 64), picture(64, 64, bit_depth=10))
    with pytest.raises(ValueError, match="no frame"):
        _ = quality.mean
