"""A decoded picture and its geometry."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import UnsupportedError

if TYPE_CHECKING:
    import av

Plane = NDArray[np.uint8] | NDArray[np.uint16]
Planes = tuple[Plane, Plane, Plane]


@dataclass(frozen=True)
class ColorInfo:
    """How to read the samples: ISO/IEC 23091-2 code points, 2 meaning unspecified."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool = False


@dataclass(frozen=True)
class PictureFormat:
    """Geometry of a 4:2:0 picture.

    `width` and `height` are luma samples, 1 or more and odd ones allowed: chroma planes have
    half of that, rounded up. `bit_depth` is 8 (planes of uint8) or 10 (uint16, 0 to 1023).
    """

    width: int
    height: int
    bit_depth: int = 8

    @property
    def chroma_shape(self) -> tuple[int, int]:
        """(rows, columns) of U and of V."""
        return (self.height + 1) // 2, (self.width + 1) // 2


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    `planes` are Y [height, width], U and V [ceil(height/2), ceil(width/2)]. They are the
    decoder's own buffers, not copies, and read-only. `pts` counts `time_base` seconds, `number`
    frames of the stream from 0; it is None where frames come from elsewhere.
    """

    planes: Planes
    format: PictureFormat
    pts: int
    time_base: Fraction
    color: ColorInfo = ColorInfo()
    number: int | None = None

    @property
    def time(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    def to_av(self) -> av.VideoFrame:
        """A copy as a PyAV frame (`yuv420p` or `yuv420p10le`) with timestamps and colour set."""
        from .av_planes import to_video_frame

        frame = to_video_frame(self.planes, self.format.bit_depth)
        frame.pts = self.pts
        frame.time_base = self.time_base
        frame.color_primaries = self.color.primaries
        frame.color_trc = self.color.transfer
        frame.colorspace = self.color.matrix
        frame.color_range = 2 if self.color.full_range else 1
        return frame

    def to_rgb(self) -> NDArray[np.uint8]:
        """A copy as RGB [height, width, 3] uint8, by the stream's matrix, BT.709 if it has none.

        Raises UnsupportedError for a matrix that FFmpeg cannot undo.
        """
        from av.error import FFmpegError
        from av.video.reformatter import Colorspace, Interpolation

        frame = self.to_av()
        if self.color.matrix == 2:
            frame.colorspace = Colorspace.ITU709
        # Without these, FFmpeg's shortcuts are up to 4 levels off, and 10-bit white is not white.
        exact = Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
        try:
            rgb = frame.reformat(format="rgb24", interpolation=Interpolation.BILINEAR | exact)
        except FFmpegError as error:
            raise UnsupportedError(
                f"FFmpeg has no conversion to RGB for colour matrix {self.color.matrix}: "
                "convert the planes yourself"
            ) from error
        return rgb.to_ndarray().astype(np.uint8, copy=False)
