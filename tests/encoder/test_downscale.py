"""Half-size pictures lie where the player's upsampler expects them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from edgecodec.encoder.downscale import downscale, half_size
from edgecodec.encoder.quality import psnr
from edgecodec.runtime.av_planes import view_planes
from edgecodec.runtime.frames import PictureFormat, Planes
from edgecodec.runtime.upsample import Upsampling, upsample

CLIP = Path(__file__).parents[2] / "examples" / "media" / "bbb_720p.mp4"
Draw = Callable[..., tuple[Planes, ...]]


@pytest.mark.parametrize(
    "picture",
    [
        PictureFormat(96, 64),
        PictureFormat(97, 65),
        PictureFormat(94, 67, 10),
        PictureFormat(1, 1),
        PictureFormat(2, 5, 10),
    ],
)
def test_sides_are_halved_upwards(draw_planes: Draw, picture: PictureFormat) -> None:
    (planes,) = draw_planes(picture, 1)
    half = half_size(picture)
    y, u, v = downscale(planes, picture)
    assert half == PictureFormat(
        (picture.width + 1) // 2, (picture.height + 1) // 2, picture.bit_depth
    )
    assert y.shape == (half.height, half.width)
    assert u.shape == v.shape == half.chroma_shape
    assert {plane.dtype for plane in (y, u, v)} == {planes[0].dtype}
    assert [plane.shape for plane in upsample((y, u, v), Upsampling.EIGHT_TAP, picture)] == [
        plane.shape for plane in planes
    ]


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_ends_of_the_range_stay(bit_depth: int) -> None:
    picture = PictureFormat(40, 40, bit_depth)
    top, dtype = (1 << bit_depth) - 1, np.uint8 if bit_depth == 8 else np.uint16
    edge = np.zeros((40, 40), dtype)
    edge[:, 20:] = top
    half, _, _ = downscale((edge, edge[:20, :20], edge[:20, :20]), picture)
    assert half[:, :7].max() == 0
    assert half[:, 13:].min() == top
    assert (np.diff(half[0, 9:11].astype(int)) > top // 2).all()


def test_samples_lie_midway_between_pairs_and_return_to_their_place() -> None:
    """A slope of 4 levels a sample: a shift by an eighth of a sample would be half a level."""
    picture = PictureFormat(64, 64, 10)
    slope = np.tile((4 * np.arange(64) + 300).astype(np.uint16), (64, 1))
    planes: Planes = (slope, slope[:32, :32], slope[:32, :32])
    half = downscale(planes, picture)
    inner = slice(4, -4)
    assert np.array_equal(half[0][:, inner], (slope[::2, ::2] + 2)[:, inner])
    assert np.array_equal(half[1][:, inner], (slope[:32:2, :32:2] + 2)[:, inner])
    full = upsample(half, Upsampling.EIGHT_TAP, picture)
    inner = slice(12, -12)
    for plane, source in zip(full, planes, strict=True):
        error = plane[:, inner].astype(int) - source[:, inner]
        assert abs(error).max() <= 1


def test_detail_survives_better_than_with_averages_and_cubic_curves() -> None:
    with av.open(str(CLIP)) as container:
        frame = next(container.decode(video=0))
        picture = PictureFormat(frame.width, frame.height)
        planes = view_planes(frame, 8, frame.width, frame.height)
    ours = upsample(downscale(planes, picture), Upsampling.EIGHT_TAP, picture)

    def resized(plane: np.ndarray) -> np.ndarray:
        rows, columns = plane.shape
        small = cv2.resize(plane, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC)

    y, u, v = (resized(plane) for plane in planes)
    assert psnr(planes, ours).weighted > psnr(planes, (y, u, v)).weighted + 0.3
