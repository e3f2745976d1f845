"""Files to play: lossless video, with audio and subtitles exactly as they came."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from dataclasses import replace
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
_X264 = {"qp": "0", "preset": "veryfast", "bf": "0"}
_FFV1 = {"level": "3", "slicecrc": "1"}


class MuxSink(Sink):
    """An MP4 or MOV file with lossless H.264, or a Matroska file with FFV1.

    MP4 and MOV keep every pts exactly; Matroska rounds to milliseconds. H.264 has no odd sizes:
    those are padded by one column or row in MP4 and MOV, with a warning; Matroska keeps them.
    Streams that the container cannot hold are left out, each with a warning.
    """

    keeps_timestamps = True

    def __init__(self, path: Path, info: VideoInfo) -> None:
        name = CONTAINERS[path.suffix.lower()]
        self._size = info.format.width, info.format.height
        if name != "matroska" and (self._size[0] % 2 or self._size[1] % 2):
            self._size = self._size[0] + self._size[0] % 2, self._size[1] + self._size[1] % 2
            warnings.warn(
                f"{path}: H.264 cannot be {info.format.width}x{info.format.height}, so the "
                f"picture is padded to {self._size[0]}x{self._size[1]}; .mkv and .y4m keep it",
                stacklevel=3,
            )
        self._part = PartFile(path)
        # The default clock of MP4's edit list, 1 ms, would round the first pts.
        clock = {} if name == "matroska" else {"movie_timescale": str(info.time_base.denominator)}
        self._container: OutputContainer | None = None
        try:
            self._container = av.open(
                f"file:{self._part.path}", "w", format=name, container_options=clock
            )
            self._video = _add_video(self._container, name, self._size, info)
            self._aux = _add_aux_streams(self._container, path, info.aux_streams)
        except BaseException:
            self.abort()
            raise
        self._time_bases = {stream.index: stream.time_base for stream in info.aux_streams}

    def write(self, frame: Frame) -> None:
        """See `Sink.write`."""
        assert self._container is not None
        if self._size != (frame.format.width, frame.format.height):
            width, height = self._size
            frame = replace(
                frame,
                planes=pad_planes(frame.planes, width, height),
                format=PictureFormat(width, height, frame.format.bit_depth),
            )
        self._container.mux(self._video.encode(frame.to_av()))

    def write_aux(self, packet: AuxPacket) -> None:
        """See `Sink.write_aux`."""
        assert self._container is not None
        stream = self._aux.get(packet.stream)
        if stream is None:
            return
        copy = av.Packet(packet.data)
        copy.stream = stream
        copy.time_base = self._time_bases[packet.stream]
        copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
        copy.is_keyframe = packet.is_keyframe
        self._container.mux(copy)

    def close(self) -> None:
        """See `Sink.close`."""
        assert self._container is not None
        self._container.mux(self._video.encode(None))
        self._container.close()
        self._container = None
        self._part.commit()

    def abort(self) -> None:
        """See `Sink.abort`."""
        container, self._container = self._container, None
        if container is not None:
            # It would write the end of a file that is removed in a moment.
            with suppress(av.error.FFmpegError, ValueError):
                container.close()
        self._part.discard()

    @property
    def summary(self) -> str:
        """The file's path."""
        return str(self._part.target)


def _add_video(
    container: OutputContainer, container_name: str, size: tuple[int, int], info: VideoInfo
) -> VideoStream:
    if container_name == "matroska":
        stream = container.add_stream("ffv1", rate=info.frame_rate, options=dict(_FFV1))
    else:
        stream = container.add_stream("libx264", rate=info.frame_rate, options=dict(_X264))
    stream.width, stream.height = size
    stream.pix_fmt = PIXEL_FORMATS[info.format.bit_depth]
    stream.time_base = info.time_base
    context = stream.codec_context
    context.time_base = info.time_base
    context.sample_aspect_ratio = info.sample_aspect
    context.color_primaries = info.color.primaries
    context.color_trc = info.color.transfer
    context.colorspace = info.color.matrix
    context.color_range = 2 if info.color.full_range else 1
    context.thread_type = "AUTO"
    if info.rotation:
        # FFmpeg's angle is counterclockwise.
        stream.set_display_rotation(-info.rotation)
    return stream


def _add_aux_streams(
    container: OutputContainer, path: Path, streams: tuple[AuxStream, ...]
) -> dict[int, Stream]:
    added: dict[int, Stream] = {}
    for aux in streams:
        try:
            added[aux.index] = _add_aux_stream(container, aux)
        except (ValueError, EdgecodecError, av.error.FFmpegError) as error:
            warnings.warn(
                f"{path}: {aux.kind} stream {aux.index} ({aux.codec}) is left out: {error}; "
                ".mkv holds most codecs",
                stacklevel=4,
            )
    return added


def _add_aux_stream(container: OutputContainer, aux: AuxStream) -> Stream:
    """Adds a stream for packets that are already coded.

    PyAV makes such streams from another one as a template: an empty container in memory gives
    that, and what the codec needs is filled in from what was stored.
    """
    decoder = av.Codec(aux.codec, "r")
    if decoder.type != aux.kind:
        raise EdgecodecError(f"{aux.codec} is no codec for {aux.kind}")
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
