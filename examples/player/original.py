"""The file that a stream was made of, frame by frame beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.video.reformatter import ColorRange
from edgecodec.runtime import ColorInfo, Frame, PictureFormat
from edgecodec.runtime.av_planes import PIXEL_FORMATS, view_planes

# Timestamps that were rounded to another time base are still the same moment.
_TOLERANCE = 0.0006
# Further ahead than this, a seek is quicker than decoding on.
_SEEK_SECONDS = 2.0


class Original:
    """Frames of a video file by their time. One thread uses it.

    Raises FFmpegError if the file cannot be read and ValueError if it has no video.
    """

    def __init__(self, path: Path) -> None:
        self._container = av.open(str(path))
        if not self._container.streams.video:
            self._container.close()
            raise ValueError(f"{path} has no video to compare with")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._frames = self._decoded()
        self._shown: av.VideoFrame | None = None
        self._coming = next(self._frames, None)

    def at(self, seconds: float) -> Frame | None:
        """The frame on screen at that time, the first one before it begins. Raises FFmpegError."""
        frame = self._frame_at(seconds)
        return None if frame is None else _as_runtime(frame)

    def close(self) -> None:
        """Let the file go."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _frame_at(self, seconds: float) -> av.VideoFrame | None:
        if self._is_far(seconds):
            self._seek(seconds)
        while self._coming is not None and _time(self._coming) <= seconds + _TOLERANCE:
            self._shown, self._coming = self._coming, next(self._frames, None)
        return self._shown or self._coming

    def _is_far(self, seconds: float) -> bool:
        if self._shown is not None and seconds < _time(self._shown) - _TOLERANCE:
            return True
        return self._coming is not None and seconds > _time(self._coming) + _SEEK_SECONDS

    def _seek(self, seconds: float) -> None:
        time_base = self._stream.time_base
        assert time_base is not None, "a stream that was opened has a time base"
        self._container.seek(int((seconds + _TOLERANCE) / time_base), stream=self._stream)
        self._frames = self._decoded()
        self._shown, self._coming = None, next(self._frames, None)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        return (frame for frame in self._container.decode(self._stream) if frame.pts is not None)


def _as_runtime(frame: av.VideoFrame) -> Frame:
    """The same as the decoder would have given it, so that both are drawn alike: 4:2:0."""
    assert frame.pts is not None
    assert frame.time_base is not None
    deep = max(component.bits for component in frame.format.components) > 8
    picture = PictureFormat(frame.width, frame.height, 10 if deep else 8)
    color = ColorInfo(
        int(frame.color_primaries),
        int(frame.color_trc),
        int(frame.colorspace),
        full_range=frame.color_range == ColorRange.JPEG,
    )
    same = frame.reformat(format=PIXEL_FORMATS[picture.bit_depth])
    planes = view_planes(same, picture.bit_depth, frame.width, frame.height)
    return Frame(planes, picture, frame.pts, frame.time_base, color)


def _time(frame: av.VideoFrame) -> float:
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)
