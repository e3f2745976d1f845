"""Reading videos: frames as 4:2:0 planes, and the packets of the streams beside them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ..runtime.av_planes import frozen, view_plane, view_planes
from ..runtime.container import AuxPacket, AuxStream
from ..runtime.errors import BitstreamError, UnsupportedError
from ..runtime.frames import ColorInfo, PictureFormat, Plane, Planes


@dataclass(frozen=True)
class _PixelLayout:
    """How a pixel format that we read lies in memory."""

    bit_depth: int
    interleaved_chroma: bool = False
    shift: int = 0  # p010le keeps its 10 bits at the top of 16
    full_range: bool = False


_LAYOUTS = {
    "yuv420p": _PixelLayout(8),
    "yuvj420p": _PixelLayout(8, full_range=True),
    "nv12": _PixelLayout(8, interleaved_chroma=True),
    "yuv420p10le": _PixelLayout(10),
    "p010le": _PixelLayout(10, interleaved_chroma=True, shift=6),
}


# Edit lists and estimates account for some missing frames, but hardly for one in ten.
_CUT_OFF = 0.9


@dataclass(frozen=True)
class SourceInfo:
    """What is known about a video before it is decoded.

    `time_base` is the unit of every pts in seconds. `frame_rate` is the average in frames a
    second. `rotation` is how far a player turns the picture clockwise: 0, 90, 180 or 270
    degrees. `sample_aspect` is the width of a sample over its height. `frame_count` and
    `duration_s` are what the file claims, None if it claims nothing.
    """

    path: Path
    format: PictureFormat
    time_base: Fraction
    frame_rate: Fraction
    color: ColorInfo
    rotation: int
    sample_aspect: Fraction
    frame_count: int | None
    duration_s: float | None


@dataclass(frozen=True)
class SourceFrame:
    """One frame: read-only planes (see `runtime.frames.Frame`), pts in `SourceInfo.time_base`."""

    planes: Planes
    pts: int


class SourceVideo:
    """A video file that was opened with `open_source`."""

    def __init__(self, info: SourceInfo, container: InputContainer, stream: VideoStream) -> None:
        self.info = info
        self._container = container
        self._stream = stream
        self._started = False

    def frames(self, from_pts: int | None = None) -> Iterator[SourceFrame]:
        """Yields every frame in display order, with strictly increasing pts; call it once.

        A missing pts is filled in from the frame rate, a repeated one moves one tick on, and
        after a jump back by more than a second the clock goes on from the frame before. With
        `from_pts` it begins at a key frame before that time, if the file can be sought in, and
        takes the timestamps as they are from there.

        Raises:
            BitstreamError: the file is damaged; the message says at which frame.
            UnsupportedError: the picture changes its size or its pixel format.
        """
        if self._started:
            raise RuntimeError("frames() was called before: open the source again to read it again")
        self._started = True
        info = self.info
        clock = _Clock(info.time_base, info.frame_rate)
        # Frame threads are quick, and safe as long as the decoder is drained: decode() does so,
        # but who begins in the middle is likely to end there.
        self._stream.thread_type = "AUTO" if from_pts is None else "SLICE"
        count = 0
        warned = False
        with _reading(info.path, lambda: f"at frame {count}"):
            if from_pts is not None:
                self._container.seek(from_pts, stream=self._stream)
            for frame in self._container.decode(self._stream):
                _check_unchanged(frame, info, count)
                if frame.is_corrupt:
                    raise BitstreamError(
                        f"{info.path}: frame {count} is damaged; to use what can be saved of it, "
                        f"repair the file: {_conversion(info.path, info.format.bit_depth)}"
                    )
                if frame.interlaced_frame and not warned:
                    warned = True
                    warnings.warn(
                        f"{info.path} is interlaced and is coded as if it were not; "
                        "deinterlace it first (ffmpeg -vf bwdif) for better quality",
                        stacklevel=2,
                    )
                yield SourceFrame(planes_of(frame), clock.tick(frame.pts))
                count += 1
        if (
            from_pts is None
            and info.frame_count is not None
            and count < _CUT_OFF * info.frame_count - 1
        ):
            warnings.warn(
                f"{info.path} claims about {info.frame_count} frames, but only {count} could be "
                "read: it may have been cut off",
                stacklevel=2,
            )


@contextmanager
def open_source(path: str | Path) -> Iterator[SourceVideo]:
    """Opens the first video stream of a file; the file is closed at the end of the `with`.

    Raises:
        FileNotFoundError: there is no such file.
        BitstreamError: the file is damaged or no video at all, or its video has no frame.
        UnsupportedError: it has no video stream, or the video is not 4:2:0 in 8 or 10 bit.
    """
    path = Path(path)
    info = _probe(path)
    with _open(path) as container:
        yield SourceVideo(info, container, _video_stream(path, container))


def read_aux(path: str | Path) -> tuple[tuple[AuxStream, ...], list[AuxPacket]]:
    """Copies the audio and subtitle packets of a file, in the file's order.

    `AuxPacket.stream` is the `index` of one of the returned streams. Streams of another kind
    (attachments, data, a second video) are left out, each with a warning.

    Raises:
        FileNotFoundError: there is no such file.
        BitstreamError: the file is damaged.
    """
    path = Path(path)
    with _open(path) as container:
        chosen: dict[int, AuxStream] = {}
        video = _first_video(container)
        for stream in container.streams:
            if (
                isinstance(stream, AudioStream | SubtitleStream)
                and stream.codec_context is not None
            ):
                chosen[stream.index] = _aux_stream(stream, len(chosen))
            elif stream is not video:
                warnings.warn(
                    f"{path}: stream {stream.index} ({stream.type}) is not copied: "
                    "only audio and subtitles in known codecs are",
                    stacklevel=2,
                )
        packets: list[AuxPacket] = []
        if not chosen:
            return (), packets
        next_dts: dict[int, int] = {}
        with _reading(path, lambda: f"after packet {len(packets)} beside the video"):
            for packet in container.demux([container.streams[index] for index in chosen]):
                if packet.size == 0:
                    continue
                stream_index = chosen[packet.stream_index].index
                duration = packet.duration or 0
                dts = packet.dts if packet.dts is not None else packet.pts
                if dts is None:
                    dts = next_dts.get(stream_index, 0)
                next_dts[stream_index] = dts + duration
                packets.append(
                    AuxPacket(
                        stream=stream_index,
                        pts=dts if packet.pts is None else packet.pts,
                        dts=dts,
                        duration=duration,
                        is_keyframe=packet.is_keyframe,
                        data=bytes(packet),
                    )
                )
        return tuple(chosen.values()), packets


class _Clock:
    """Makes the pts of successive frames strictly increasing."""

    def __init__(self, time_base: Fraction, frame_rate: Fraction) -> None:
        self._step = max(1, round(1 / (frame_rate * time_base)))
        self._second = max(1, round(1 / time_base))
        self._last: int | None = None
        self._offset = 0

    def tick(self, pts: int | None) -> int:
        """Returns the pts to use for a frame that came with this one."""
        last = self._last
        if last is None:
            now = pts if pts is not None else 0
        elif pts is None:
            now = last + self._step
        else:
            now = pts + self._offset
            if now < last - self._second:
                self._offset += last + self._step - now
                now = last + self._step
            elif now <= last:
                now = last + 1
        self._last = now
        return now


def _probe(path: Path) -> SourceInfo:
    """Reads the header and decodes one frame: rotation and true pixel format come with that."""
    with _open(path) as container:
        stream = _video_stream(path, container)
        # A decoder with frame threads must not be left in the middle: slices only.
        stream.thread_type = "SLICE"
        with _reading(path, lambda: "at frame 0"):
            first = next(container.decode(stream), None)
        if first is None:
            raise BitstreamError(f"{path}: the video stream holds no frame")
        layout = _layout_of(path, first.format.name)
        time_base = stream.time_base or Fraction(1, 90000)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        if stream.duration is not None:
            duration_s: float | None = float(stream.duration * time_base)
        elif container.duration is not None:
            duration_s = container.duration / av.time_base
        else:
            duration_s = None
        count = stream.frames or (None if duration_s is None else round(duration_s * rate))
        context = stream.codec_context
        return SourceInfo(
            path=path,
            format=PictureFormat(first.width, first.height, layout.bit_depth),
            time_base=time_base,
            frame_rate=rate,
            color=ColorInfo(
                primaries=context.color_primaries,
                transfer=context.color_trc,
                matrix=context.colorspace,
                full_range=layout.full_range or context.color_range == 2,
            ),
            # FFmpeg's angle is counterclockwise.
            rotation=round(-first.rotation / 90) % 4 * 90,
            sample_aspect=stream.sample_aspect_ratio or Fraction(1),
            frame_count=count,
            duration_s=duration_s,
        )


@contextmanager
def _open(path: Path) -> Iterator[InputContainer]:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if path.is_dir():
        raise UnsupportedError(f"{path} is a folder: name a video file in it")
    with _reading(path, lambda: "in its header"):
        # "file:" keeps FFmpeg from taking a name like "http:..." for a protocol.
        container = av.open(f"file:{path}", "r")
    with container:
        if container.format.name == "tty":  # FFmpeg plays text files, as terminals did
            raise BitstreamError(f"{path} is text, not a video: name a video file")
        yield container


@contextmanager
def _reading(path: Path, where: Callable[[], str]) -> Iterator[None]:
    """Turns FFmpeg's errors into ours, with the file and the place."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise BitstreamError(
            f"{path}: damaged, or not a video file: {error.strerror} ({where()}); "
            "check that it plays, and fetch it again if it does not"
        ) from error


def _first_video(container: InputContainer) -> VideoStream | None:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    stream = _first_video(container)
    if stream is None:
        raise UnsupportedError(f"{path} has no video stream")
    if stream.codec_context is None:
        raise UnsupportedError(
            f"{path}: no decoder for its video; convert it: {_conversion(path, 8)}"
        )
    return stream


def _layout_of(path: Path, name: str) -> _PixelLayout:
    layout = _LAYOUTS.get(name)
    if layout is None:
        deep = any(depth in name for depth in ("10", "12", "14", "16", "48", "64"))
        raise UnsupportedError(
            f"{path}: pixel format {name} is not supported, only 4:2:0 in 8 or 10 bit; "
            f"convert it: {_conversion(path, 10 if deep else 8)}"
        )
    return layout


def _conversion(path: Path, bit_depth: int) -> str:
    pixel_format = "yuv420p" if bit_depth == 8 else "yuv420p10le"
    return f'ffmpeg -i "{path}" -pix_fmt {pixel_format} -c:v ffv1 -c:a copy converted.mkv'


def _check_unchanged(frame: VideoFrame, info: SourceInfo, index: int) -> None:
    size = (frame.width, frame.height)
    if size != (info.format.width, info.format.height):
        raise UnsupportedError(
            f"{info.path}: the picture changes from {info.format.width}x{info.format.height} to "
            f"{size[0]}x{size[1]} at frame {index}; split the file there, or scale it to one size"
        )
    if _layout_of(info.path, frame.format.name).bit_depth != info.format.bit_depth:
        raise UnsupportedError(
            f"{info.path}: the bit depth changes at frame {index}; "
            f"convert it: {_conversion(info.path, info.format.bit_depth)}"
        )


def planes_of(frame: VideoFrame) -> Planes:
    """Planar Y, U and V of a frame in one of the pixel formats that are read, read-only.

    They are views of the frame's own buffers where these are planar already.
    """
    layout = _LAYOUTS[frame.format.name]
    if not layout.interleaved_chroma:
        return view_planes(frame, layout.bit_depth, frame.width, frame.height)
    rows, columns = (frame.height + 1) // 2, (frame.width + 1) // 2
    luma, chroma = (view_plane(plane, layout.bit_depth) for plane in frame.planes)

    def aligned(samples: Plane) -> Plane:
        lowered: Plane = np.right_shift(samples, samples.dtype.type(layout.shift))
        return lowered

    return frozen(
        (
            aligned(luma[: frame.height, : frame.width]),
            aligned(chroma[:rows, 0 : 2 * columns : 2]),
            aligned(chroma[:rows, 1 : 2 * columns : 2]),
        )
    )


def _aux_stream(stream: AudioStream | SubtitleStream, index: int) -> AuxStream:
    context = stream.codec_context
    described = AuxStream(
        index=index,
        codec=context.codec.canonical_name,
        kind=stream.type,
        time_base=stream.time_base or Fraction(1, 1000),
        extradata=context.extradata or b"",
        language=stream.language or "",
        disposition=int(stream.disposition),
    )
    if isinstance(stream, SubtitleStream):
        return described
    return replace(
        described,
        sample_rate=stream.codec_context.sample_rate,
        channels=stream.codec_context.layout.nb_channels,
        layout=stream.codec_context.layout.name,
        frame_size=stream.codec_context.frame_size,
        bit_rate=stream.codec_context.bit_rate or 0,
    )
