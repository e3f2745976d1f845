"""Frames as PyAV's and as RGB."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from edgecodec.runtime import ColorInfo, Frame, PictureFormat, UnsupportedError
from edgecodec.runtime.av_planes import view_planes

# Kr and Kb of ITU-R BT.709, BT.601 and BT.2020 by their ISO/IEC 23091-2 code point.
MATRICES = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}

ODD = PictureFormat(17, 9)
# FFmpeg has other code for whole vectors of samples.
WIDE = PictureFormat(64, 32)


def shapes(picture: PictureFormat) -> tuple[tuple[int, int], ...]:
    return (picture.height, picture.width), picture.chroma_shape, picture.chroma_shape


def solid(
    yuv: tuple[int, int, int], bit_depth: int, color: ColorInfo, picture: PictureFormat = ODD
) -> Frame:
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    y, u, v = (np.full(s, value, dtype) for s, value in zip(shapes(picture), yuv, strict=True))
    return Frame((y, u, v), replace(picture, bit_depth=bit_depth), 0, Fraction(1, 25), color)


def exact_rgb(yuv: tuple[int, int, int], bit_depth: int, color: ColorInfo) -> list[float]:
    """The textbook's conversion, in real numbers, 0 to 255."""
    step = 1 << (bit_depth - 8)
    red, blue = MATRICES[color.matrix]
    top = 256 * step - 1
    black, luma, chroma = (0, top, top) if color.full_range else (16 * step, 219 * step, 224 * step)
    y, u, v = (yuv[0] - black) / luma, *((c - 128 * step) / chroma for c in yuv[1:])
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return [min(255.0, max(0.0, 255 * value)) for value in (r, g, b)]


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("picture", [ODD, WIDE], ids=["odd", "wide"])
def test_rgb_is_the_textbook_conversion(
    picture: PictureFormat, matrix: int, full_range: bool, bit_depth: int
) -> None:
    color = ColorInfo(matrix=matrix, full_range=full_range)
    step = 1 << (bit_depth - 8)
    for yuv in ((235, 128, 128), (16, 128, 128), (120, 90, 200), (60, 180, 100), (200, 110, 140)):
        samples = tuple(value * step for value in yuv)
        rgb = solid(samples, bit_depth, color, picture).to_rgb()
        assert rgb.shape == (picture.height, picture.width, 3)
        assert rgb.dtype == np.uint8
        # 8 bit is rounded to the nearest; FFmpeg's fixed-point for 10 bit is another half off.
        assert np.abs(rgb - np.array(exact_rgb(samples, bit_depth, color))).max() < 1.2


def test_rgb_without_a_matrix_is_bt709() -> None:
    yuv = (120, 90, 200)
    named, unnamed = ColorInfo(matrix=1), ColorInfo()
    assert np.array_equal(solid(yuv, 8, named).to_rgb(), solid(yuv, 8, unnamed).to_rgb())


def test_a_matrix_that_cannot_be_undone_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="colour matrix 14"):
        solid((120, 90, 200), 8, ColorInfo(matrix=14)).to_rgb()


@pytest.mark.parametrize(("bit_depth", "name"), [(8, "yuv420p"), (10, "yuv420p10le")])
def test_a_pyav_frame_has_the_samples_the_time_and_the_colour(bit_depth: int, name: str) -> None:
    random = np.random.default_rng(3)
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    y, u, v = (random.integers(0, 1 << bit_depth, s).astype(dtype) for s in shapes(ODD))
    picture = PictureFormat(17, 9, bit_depth)
    made = Frame((y, u, v), picture, 77, Fraction(1, 600), ColorInfo(9, 16, 9, True)).to_av()
    assert (made.width, made.height, made.format.name) == (17, 9, name)
    assert (made.pts, made.time_base) == (77, Fraction(1, 600))
    assert (made.color_primaries, made.color_trc, made.colorspace, made.color_range) == (
        9,
        16,
        9,
        2,
    )
    for got, given in zip(view_planes(made, bit_depth, 17, 9), (y, u, v), strict=True):
        assert np.array_equal(got, given)


def test_a_pyav_frame_is_a_copy() -> None:
    frame = solid((10, 20, 30), 8, ColorInfo())
    made = frame.to_av()
    frame.planes[0][:] = 99
    assert view_planes(made, 8, 17, 9)[0].max() == 10


def test_time_is_pts_in_seconds() -> None:
    frame = solid((0, 0, 0), 8, ColorInfo())
    later = Frame(frame.planes, frame.format, 90, Fraction(1001, 30000))
    assert later.time == pytest.approx(3.003)
    assert PictureFormat(17, 9).chroma_shape == (5, 9)
