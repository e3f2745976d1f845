"""PyAV's picture buffers as numpy arrays, and back."""

from __future__ import annotations

import av
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from .frames import Plane, Planes

PIXEL_FORMATS = {8: "yuv420p", 10: "yuv420p10le"}


def view_plane(plane: VideoPlane, bit_depth: int) -> Plane:
    """The samples of a plane, without a copy, the padding at the end of the rows included.

    The array keeps the frame's buffer alive, so it stays valid when the decoder goes on.
    """
    rows = np.frombuffer(memoryview(plane), dtype=np.uint8)
    rows = rows.reshape(plane.height, abs(plane.line_size))
    if plane.line_size < 0:
        rows = rows[::-1]
    if bit_depth == 8:
        return rows
    words: NDArray[np.uint16] = rows.view(np.dtype("<u2"))
    return words


def view_planes(frame: av.VideoFrame, bit_depth: int, width: int, height: int) -> Planes:
    """Y, U and V of a planar 4:2:0 frame, cropped to `width` x `height`: read-only, no copies."""
    rows, columns = (height + 1) // 2, (width + 1) // 2
    y, u, v = frame.planes
    return frozen(
        (
            view_plane(y, bit_depth)[:height, :width],
            view_plane(u, bit_depth)[:rows, :columns],
            view_plane(v, bit_depth)[:rows, :columns],
        )
    )


def frozen(planes: Planes) -> Planes:
    """The same planes, set to read-only."""
    for samples in planes:
        samples.flags.writeable = False
    return planes


def to_video_frame(planes: Planes, bit_depth: int) -> av.VideoFrame:
    """A copy as a planar 4:2:0 frame of PyAV, without timestamps and colour."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, PIXEL_FORMATS[bit_depth])
    for plane, samples in zip(frame.planes, planes, strict=True):
        rows, columns = samples.shape
        view_plane(plane, bit_depth)[:rows, :columns] = samples
    return frame


def pad_planes(planes: Planes, width: int, height: int) -> Planes:
    """The picture grown to `width` x `height`, both even, by repeating its last column and row."""

    def grow(samples: Plane, rows: int, columns: int) -> Plane:
        missing = ((0, rows - samples.shape[0]), (0, columns - samples.shape[1]))
        if missing == ((0, 0), (0, 0)):
            return samples
        if samples.dtype == np.uint8:
            return np.pad(samples.astype(np.uint8, copy=False), missing, mode="edge")
        return np.pad(samples.astype(np.uint16, copy=False), missing, mode="edge")

    y, u, v = planes
    return (
        grow(y, height, width),
        grow(u, height // 2, width // 2),
        grow(v, height // 2, width // 2),
    )
