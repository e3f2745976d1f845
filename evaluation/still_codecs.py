"""JPEG, WebP and the intra pictures of video codecs, from planes to planes.

None of them goes through RGB: what is compared is what they code.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from PIL import Image

from ..encoder.codecs import BaseSettings, encoder_for
from ..runtime.av_planes import to_video_frame
from ..runtime.base import decode_base
from ..runtime.chunks import Codec
from ..runtime.errors import EdgecodecError
from ..runtime.frames import ColorInfo, PictureFormat, Planes
from .still_pictures import Still


@dataclass(frozen=True)
class CodedStill:
    """A picture coded and decoded.

    `container_bytes` of the `bytes` are around what codes it: nothing for the others, the file's
    header and index for edgecodec.
    """

    bytes: int
    container_bytes: int
    planes: Planes


class StillCodec(Protocol):
    """A way to code pictures whose quality one setting controls."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def settings(self) -> Sequence[float]:
        """From the smallest file to the best picture."""

    def code(self, still: Still, setting: float) -> CodedStill:
        """Code a picture and decode it. EdgecodecError if either fails."""


@dataclass(frozen=True)
class Jpeg:
    """libjpeg-turbo at a quality of 0 to 100: progressive, with Huffman tables of the picture's."""

    name: str = "JPEG"
    settings: Sequence[float] = (5, 10, 20, 35, 50, 70, 85, 93)

    def code(self, still: Still, setting: float) -> CodedStill:
        """See `StillCodec.code`."""
        y, *chroma = still.planes
        # Every sample of chroma four times: the mean of the four, which is coded, is the sample.
        whole = [Image.fromarray(plane.repeat(2, 0).repeat(2, 1)) for plane in chroma]
        file = io.BytesIO()
        Image.merge("YCbCr", [Image.fromarray(y), *whole]).save(
            file,
            "JPEG",
            quality=int(setting),
            subsampling="4:2:0",
            optimize=True,
            progressive=True,
        )
        data = file.getvalue()
        return CodedStill(len(data), 0, _decoded("mjpeg", data, still.format))


@dataclass(frozen=True)
class WebP:
    """libwebp, lossy, at its slowest method and a quality of 0 to 100."""

    name: str = "WebP"
    settings: Sequence[float] = (1, 10, 25, 50, 70, 82, 90, 96)

    def code(self, still: Still, setting: float) -> CodedStill:
        """See `StillCodec.code`."""
        context = av.CodecContext.create("libwebp", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = still.format.width, still.format.height
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, 25)
        context.options = {"quality": str(setting), "compression_level": "6"}
        frame = to_video_frame(still.planes, 8)
        frame.pts = 0
        data = b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)])
        return CodedStill(len(data), 0, _decoded("webp", data, still.format))


@dataclass(frozen=True)
class Intra:
    """A video codec's intra picture: the codec's header and one packet, in 8 bits."""

    name: str
    codec: Codec
    preset: str
    settings: Sequence[float]

    def code(self, still: Still, setting: float) -> CodedStill:
        """See `StillCodec.code`."""
        settings = BaseSettings(
            crf=setting,
            format=still.format,
            frame_rate=Fraction(25),
            color=ColorInfo(),
            bit_depth=8,
            preset=self.preset,
            threads=1,
        )
        stream = encoder_for(self.codec).encode([still.planes], settings)
        most = stream.width * stream.height
        (planes,) = decode_base(stream, still.format, frames=1, max_pixels=most)
        size = len(stream.extradata) + sum(len(packet.data) for packet in stream.packets)
        return CodedStill(size, 0, planes)


ANCHORS: Sequence[StillCodec] = (
    Jpeg(),
    WebP(),
    Intra("x265 medium intra", Codec.H265, "medium", (47, 42, 37, 32, 27, 22, 17, 12)),
    Intra("SVT-AV1 p6 intra", Codec.AV1, "6", (63, 57, 50, 42, 34, 25, 16, 8)),
)
"""What I-frames stand beside. No encoder has a tune but its own usual one."""


def _decoded(decoder: str, data: bytes, picture: PictureFormat) -> Planes:
    context = av.CodecContext.create(decoder, "r")
    assert isinstance(context, VideoCodecContext)
    frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    if len(frames) != 1 or not isinstance(frames[0], VideoFrame):
        raise EdgecodecError(f"{decoder} decoded {len(frames)} pictures of one")
    frame = frames[0]
    if (frame.width, frame.height) != (picture.width, picture.height):
        raise EdgecodecError(f"{decoder} decoded {frame.width}x{frame.height}")
    shapes = ((picture.height, picture.width), picture.chroma_shape, picture.chroma_shape)
    y, u, v = (
        np.frombuffer(bytes(plane), np.uint8)
        .reshape(-1, plane.line_size)[: shape[0], : shape[1]]
        .copy()
        for plane, shape in zip(frame.planes, shapes, strict=True)
    )
    return y, u, v
