"""Files to play: lossless video, with audio and subtitles exactly as they came."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext
from av.container import OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from .auxiliary import AuxPacket, AuxStream
from .av_planes import PIXEL_FORMATS, pad_planes
from .errors import EdgecodecError
from .frames import Frame, PictureFormat
from .sink_base import PartFile, Sink, VideoInfo

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}

# B-frames gain little without loss, and without them decoding order is display order.
_OPTIONS = {
    "libx264": {"qp": "0", "preset": "veryfast", "bf": "0"},
    "ffv1": {"level": "3", "slicecrc": "1"},
}


class MuxSink(Sink):
    """An MP4, MOV or Matroska file with lossless H.264.

    MP4 and MOV keep every pts exactly. Matroska rounds to milliseconds and, where audio starts
    before zero, moves everything on until it does not. H.264 has no odd sizes: those are padded
    by one column or row in MP4 and MOV, with a warning; Matroska has them as FFV1, which cannot
    say what shape its samples are. Streams that the container cannot hold are left out, each with
    a warning.
    """

    keeps_timestamps = True

    def __init__(self, path: Path, info: VideoInfo) -> None:
        name = CONTAINERS[path.suffix.lower()]
        self._size = info.format.width, info.format.height
        odd = self._size[0] % 2 == 1 or self._size[1] % 2 == 1
        codec = "ffv1" if odd and name == "matroska" else "libx264"
        if odd and codec == "libx264":
            self._size = self._size[0] + self._size[0] % 2, self._size[1] + self._size[1] % 2
            warnings.warn(
                f"{path}: H.264 cannot be {info.format.width}x{info.format.height}, so the "
                f"picture is padded to {self._size[0]}x{self._size[1]}; .mkv and .y4m keep it",
                stacklevel=3,
            )
        self._part = PartFile(path)
        # The default clock of MP4's edit list, 1 ms, would round the first pts.
        clock = {} if name == "matroska" else {"movie_timescale": str(info.time_base.denominator)}
        with _writing(path):
            self._container = av.open(
                f"file:{self._part.path}", "w", format=name, container_options=clock
            )
        self._open = True
        try:
            with _writing(path):
                self._video = _add_video(self._container, codec, self._size, info)
                self._aux = add_aux_streams(self._container, path, info.aux_streams)
                self._container.start_encoding()
        except BaseException:
            self.abort()
            raise
        self._time_bases = {stream.index: stream.time_base for stream in info.aux_streams}

    def write(self, frame: Frame) -> None:
        """See `Sink.write`."""
        if self._size != (frame.format.width, frame.format.height):
            width, height = self._size
            frame = replace(
                frame,
                planes=pad_planes(frame.planes, width, height),
                format=PictureFormat(width, height, frame.format.bit_depth),
            )
        with _writing(self._part.target):
            self._container.mux(self._video.encode(frame.to_av()))

    def write_aux(self, packet: AuxPacket) -> None:
        """See `Sink.write_aux`."""
        stream = self._aux.get(packet.stream)
        if stream is None:
            return
        copy = muxable(packet, stream, self._time_bases[packet.stream])
        with _writing(self._part.target):
            self._container.mux(copy)

    def close(self) -> None:
        """See `Sink.close`."""
        with _writing(self._part.target):
            self._container.mux(self._video.encode(None))
            self._open = False
            self._container.close()
        self._part.commit()

    def abort(self) -> None:
        """See `Sink.abort`."""
        if self._open:
            self._open = False
            # It would write the end of a file that is removed in a moment.
            with suppress(av.error.FFmpegError, ValueError):
                self._container.close()
        self._part.discard()

    @property
    def summary(self) -> str:
        """The file's path."""
        return str(self._part.target)


def _add_video(
    container: OutputContainer, codec: str, size: tuple[int, int], info: VideoInfo
) -> VideoStream:
    stream = container.add_stream(codec, rate=info.frame_rate, options=dict(_OPTIONS[codec]))
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = PIXEL_FORMATS[info.format.bit_depth]
    stream.time_base = info.time_base
    context = stream.codec_context
    context.time_base = info.time_base
    context.sample_aspect_ratio = info.sample_aspect
    context.color_primaries = info.color.primaries
    context.color_trc = info.color.transfer
    # Matrix 0 is RGB, which is not what 4:2:0 holds.
    context.colorspace = info.color.matrix or 2
    context.color_range = 2 if info.color.full_range else 1
    if info.rotation:
        # FFmpeg's angle is counterclockwise.
        stream.set_display_rotation(-info.rotation)
    return stream


def add_aux_streams(
    container: OutputContainer, path: Path, streams: tuple[AuxStream, ...]
) -> dict[int, Stream]:
    """Adds what the container can hold, by `AuxStream.index`, and warns of what it cannot."""
    added: dict[int, Stream] = {}
    for aux in streams:
        try:
            # Whether a container takes a stream shows only when its header is written.
            with av.open(io.BytesIO(), "w", format=container.format.name) as trial:
                _add_aux_stream(trial, aux)
                trial.start_encoding()
        except (ValueError, av.error.FFmpegError) as error:
            warnings.warn(
                f"{path}: {aux.kind} stream {aux.index} ({aux.codec}) is left out, because the "
                f"file cannot hold it: {error}; .mkv holds most codecs",
                stacklevel=4,
            )
            continue
        added[aux.index] = _add_aux_stream(container, aux)
    return added


def muxable(packet: AuxPacket, stream: Stream, time_base: Fraction) -> av.Packet[Stream]:
    """A packet for `OutputContainer.mux`; `time_base` is what its own times count."""
    copy: av.Packet[Stream] = av.Packet(packet.data)
    copy.stream = stream
    copy.time_base = time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.is_keyframe = packet.is_keyframe
    return copy


def _add_aux_stream(container: OutputContainer, aux: AuxStream) -> Stream:
    """Adds a stream for packets that are already coded.

    PyAV makes such streams from another one as a template: an empty container in memory gives
    that, and what the codec needs is filled in from what was stored.

    Raises:
        ValueError: the codec is unknown, of another kind, or not for this container.
    """
    decoder = av.Codec(aux.codec, "r")
    if decoder.type != aux.kind:
        raise ValueError(f"{aux.codec} is no codec for {aux.kind}")
    with av.open(io.BytesIO(), "w", format=container.format.name) as scratch:
        template: Stream = scratch.add_data_stream(decoder.name)
        stream = container.add_stream_from_template(template, opaque=True)
    stream.time_base = aux.time_base
    context = stream.codec_context
    context.extradata = aux.extradata or None
    if isinstance(context, AudioCodecContext):
        context.sample_rate = aux.sample_rate
        if aux.layout:
            context.layout = aux.layout
        if aux.bit_rate:
            context.bit_rate = aux.bit_rate
    stream.disposition = Disposition(aux.disposition)
    if aux.language:
        stream.metadata["language"] = aux.language
    return stream


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except av.error.FFmpegError as error:
        raise EdgecodecError(f"{path} cannot be written: {error.strerror}") from error
