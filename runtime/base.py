"""Decoding of the standard-codec layer of a scene: AV1, H.265, H.264 and VVC through FFmpeg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from fractions import Fraction

import av
from av.codec.codec import UnknownCodecError
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from .av_planes import PIXEL_FORMATS, frozen, view_planes
from .container import Codec
from .errors import BitstreamError, UnsupportedError
from .frames import PictureFormat, Planes
from .payloads import BasePacket, BaseStream
from .sample_depth import to_8_bit
from .upsample import Upsampling, half_size, upsampled

_DECODERS = {Codec.AV1: "libdav1d", Codec.H265: "hevc", Codec.H264: "h264", Codec.VVC: "vvc"}

# The largest block of the four codecs: a decoder rounds the picture up to whole ones.
_LARGEST_BLOCK = 128


def decode_base(
    stream: BaseStream,
    format: PictureFormat,
    *,
    frames: int,
    threads: int = 0,
    max_pixels: int,
    upsampling: Upsampling = Upsampling.NONE,
    first: int = 0,
) -> Iterator[Planes]:
    """Decodes a scene's base layer, in display order.

    Args:
        stream: the coded layer; its picture may be larger than the video's (padding at the
            right and at the bottom, which is cropped) and deeper (10 bit for a video of 8).
        format: geometry of the video, and of what is yielded.
        frames: how many frames the scene has.
        threads: decoder threads, 0 for one a core.
        max_pixels: luma samples of a coded picture beyond which nothing is decoded.
        upsampling: where it is not `NONE` the layer has half the video's width and height, rounded
            up, and this filter doubles them.
        first: frames before this one are decoded, but not given.

    Yields:
        Read-only planes of `format`. They stay valid when the next frame is decoded.

    Raises:
        BitstreamError: the layer is damaged, or is not the picture and the number of frames
            that its header promises.
        UnsupportedError: this build of PyAV lacks the decoder.
    """
    if upsampling is Upsampling.NONE:
        _check_promise(stream, format, max_pixels)
        yield from _decoded(stream, format, frames, threads, first)
        return
    half = deep_base(
        stream,
        format,
        upsampling,
        frames=frames,
        threads=threads,
        max_pixels=max_pixels,
        first=first,
    )
    yield from upsampled(half, upsampling, format, threads)


def deep_base(
    stream: BaseStream,
    format: PictureFormat,
    upsampling: Upsampling,
    *,
    frames: int,
    threads: int = 0,
    max_pixels: int,
    first: int = 0,
) -> Iterator[Planes]:
    """As `decode_base`, but at the base's own depth and, where there is upsampling, half size.

    What it yields is what networks mend: `scenes.hybrid`.
    """
    wanted = format if upsampling is Upsampling.NONE else half_size(format)
    _check_promise(stream, wanted, max_pixels)
    deep = replace(wanted, bit_depth=stream.bit_depth)
    yield from _decoded(stream, deep, frames, threads, first)


def _decoded(
    stream: BaseStream, format: PictureFormat, frames: int, threads: int, first: int
) -> Iterator[Planes]:
    context = _open_decoder(stream, threads)
    count = 0
    drained = False
    try:
        packets: list[BasePacket | None] = [*stream.packets, None]
        for index, packet in enumerate(packets):
            with _decoding(stream.codec, index, len(stream.packets), count):
                pictures = context.decode(None if packet is None else _to_av(packet))
            for picture in pictures:
                _check_picture(picture, stream, count, frames)
                count += 1
                if count <= first:
                    continue
                planes = view_planes(picture, stream.bit_depth, format.width, format.height)
                yield planes if stream.bit_depth == format.bit_depth else round_to_8_bit(planes)
        drained = True
    finally:
        if not drained:
            # Frame threads that still hold pictures may block the interpreter's exit.
            with suppress(av.error.FFmpegError):
                context.flush_buffers()
    if count != frames:
        raise BitstreamError(
            f"the {stream.codec.name} layer holds {count} frames, but its scene has {frames}"
        )


def _check_promise(stream: BaseStream, format: PictureFormat, max_pixels: int) -> None:
    size = f"{stream.width}x{stream.height}"
    if stream.width < format.width or stream.height < format.height:
        raise BitstreamError(
            f"the {stream.codec.name} layer is {size}, "
            f"smaller than the video needs: {format.width}x{format.height}"
        )
    if stream.width * stream.height > max_pixels:
        raise BitstreamError(
            f"the {stream.codec.name} layer is {size}: more than the limit of {max_pixels} samples"
        )
    if stream.bit_depth not in PIXEL_FORMATS or stream.bit_depth < format.bit_depth:
        raise BitstreamError(
            f"the {stream.codec.name} layer has {stream.bit_depth} bits a sample, "
            f"the video {format.bit_depth}"
        )


def _open_decoder(stream: BaseStream, threads: int) -> VideoCodecContext:
    name = _DECODERS[stream.codec]
    try:
        context = av.CodecContext.create(av.Codec(name, "r"))
    except UnknownCodecError as error:
        raise UnsupportedError(
            f"PyAV has no decoder {name} for {stream.codec.name}: install PyAV's own wheel"
        ) from error
    assert isinstance(context, VideoCodecContext)
    width, height = (
        -(-side // _LARGEST_BLOCK) * _LARGEST_BLOCK for side in (stream.width, stream.height)
    )
    # The codec's own header may name another size than ours: refuse it before it is allocated.
    context.options = {"max_pixels": str(width * height), "err_detect": "explode"}
    context.extradata = stream.extradata or None
    context.thread_type = "AUTO"
    # FFmpeg's VVC decoder reads samples before they are there when its threads share a picture
    # that is a single block wide.
    racy = stream.codec is Codec.VVC and stream.width <= _LARGEST_BLOCK
    context.thread_count = 1 if racy else threads
    with _decoding(stream.codec, 0, len(stream.packets), 0):
        context.open()
    return context


@contextmanager
def _decoding(codec: Codec, packet: int, packets: int, frame: int) -> Iterator[None]:
    try:
        yield
    except av.error.FFmpegError as error:
        raise BitstreamError(
            f"the {codec.name} layer does not decode at packet {packet} of {packets}, "
            f"after {frame} frames: {error.strerror}"
        ) from error


def _to_av(packet: BasePacket) -> av.Packet[Stream]:
    if not packet.data:
        # FFmpeg would read it as the end of the stream.
        raise BitstreamError(f"the packet of frame {packet.pts} is empty")
    # Not Packet(data): its buffer would be Python's, and a decoder thread that lets go of it
    # waits for the interpreter's lock, which whoever closes the decoder holds: a deadlock.
    coded: av.Packet[Stream] = av.Packet(len(packet.data))
    coded.update(packet.data)
    coded.pts = packet.pts
    coded.dts = packet.dts
    coded.time_base = Fraction(1)
    coded.is_keyframe = packet.is_keyframe
    return coded


def _check_picture(picture: av.VideoFrame, stream: BaseStream, index: int, frames: int) -> None:
    where = f"the {stream.codec.name} layer, frame {index}"
    if index >= frames:
        raise BitstreamError(f"{where}: its scene has only {frames} frames")
    if picture.is_corrupt:
        raise BitstreamError(f"{where}: damaged")
    if picture.pts != index:
        raise BitstreamError(f"{where}: frame {picture.pts} came in its place")
    if (picture.width, picture.height) != (stream.width, stream.height):
        raise BitstreamError(
            f"{where}: {picture.width}x{picture.height} instead of {stream.width}x{stream.height}"
        )
    # yuvj420p is what FFmpeg calls yuv420p whose samples use the full range.
    if picture.format.name.replace("yuvj", "yuv") != PIXEL_FORMATS[stream.bit_depth]:
        raise BitstreamError(
            f"{where}: pixel format {picture.format.name} "
            f"instead of {PIXEL_FORMATS[stream.bit_depth]}"
        )


def round_to_8_bit(planes: Planes) -> Planes:
    """10 bits to 8, to the nearest, halves up: read-only."""
    y, u, v = planes
    return frozen((to_8_bit(y), to_8_bit(u), to_8_bit(v)))
