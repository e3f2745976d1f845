"""What all standard-codec encoders share: their interface, padding, and PyAV's encode loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from ...runtime.av_planes import PIXEL_FORMATS, pad_planes, to_video_frame
from ...runtime.container import Codec
from ...runtime.errors import EdgecodecError, UnsupportedError
from ...runtime.frames import ColorInfo, PictureFormat, Plane, Planes
from ...runtime.payloads import BasePacket, BaseStream
from .scheduling import usual_scheduling

# Rates outside of this are refused by some encoders, and mean nothing to a constant quality.
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 1, 240

CRF_STEP = 0.25


@dataclass(frozen=True)
class BaseSettings:
    """How to code one scene.

    `crf` is in the encoder's own scale (`BaseEncoder.quantizer_range`), in steps of
    `CRF_STEP`. `format` is the frames' geometry, `bit_depth` (8 or 10, at least the format's)
    what is coded. `preset` is the encoder's own name of a speed, None for its usual one.
    `threads` bounds what an encoder runs at a time, 0 lets it choose; the bytes do not depend
    on it. `keyframe_interval` is the number of frames from one keyframe to the next; with 0
    only the scene's first packet is one.
    """

    crf: float
    format: PictureFormat
    frame_rate: Fraction
    color: ColorInfo
    bit_depth: int
    preset: str | None = None
    threads: int = 0
    keyframe_interval: int = 0


class BaseEncoder(Protocol):
    """Codes one scene so that it decodes without any other."""

    @property
    def codec(self) -> Codec:
        """What comes out."""

    @property
    def quantizer_range(self) -> tuple[int, int]:
        """Lowest and highest `BaseSettings.crf`; the highest gives the smallest stream."""

    def encode(self, frames: Sequence[Planes], settings: BaseSettings) -> BaseStream:
        """Codes the frames, one or more, in display order.

        The first packet is a keyframe, and packets carry frame numbers as pts. With a keyframe
        interval, the keyframes are the frames that it divides, of all encoders alike: cuts
        within the scene add none. The same frames and settings give the same bytes, on a
        machine of any number of cores and with any number of threads.

        Raises:
            ValueError: no frames, a crf out of range or between two steps, a keyframe interval
                below 0, or frames that are not of the format.
            UnsupportedError: the encoder is not installed, or cannot code this.
            EdgecodecError: the encoder failed; the message ends with what it said.
        """


@dataclass(frozen=True)
class CodedSize:
    """The smallest picture that an encoder takes, and what its sides are multiples of."""

    multiple: int
    minimum: int

    def of(self, format: PictureFormat) -> tuple[int, int]:
        """(width, height) that a picture of this format is padded to."""
        width, height = (
            -(-max(side, self.minimum) // self.multiple) * self.multiple
            for side in (format.width, format.height)
        )
        return width, height


def check_request(
    frames: Sequence[Planes], settings: BaseSettings, quantizer_range: tuple[int, int]
) -> None:
    """Raises ValueError for a request that no encoder can meet."""
    form = settings.format
    lowest, highest = quantizer_range
    if not lowest <= settings.crf <= highest:
        raise ValueError(f"crf {settings.crf} is outside of {lowest} to {highest}")
    if settings.crf % CRF_STEP:
        raise ValueError(f"crf {settings.crf} is not a multiple of {CRF_STEP}")
    if settings.keyframe_interval < 0:
        raise ValueError(f"a keyframe interval of {settings.keyframe_interval} frames")
    if settings.bit_depth not in PIXEL_FORMATS or settings.bit_depth < form.bit_depth:
        raise ValueError(
            f"a base of {settings.bit_depth} bits cannot hold a video of {form.bit_depth}"
        )
    if not frames:
        raise ValueError("a scene of no frames cannot be coded")
    shapes = ((form.height, form.width), form.chroma_shape, form.chroma_shape)
    dtype = np.uint8 if form.bit_depth == 8 else np.uint16
    for index, planes in enumerate(frames):
        if any(p.shape != s or p.dtype != dtype for p, s in zip(planes, shapes, strict=True)):
            raise ValueError(f"frame {index} is not {form.width}x{form.height}, {form.bit_depth}")


def coded_pictures(
    frames: Sequence[Planes], settings: BaseSettings, size: tuple[int, int], bit_depth: int
) -> Iterator[Planes]:
    """The frames, padded to `size` and brought to `bit_depth` without any loss."""
    shift = np.uint16(bit_depth - settings.format.bit_depth)

    def deepened(samples: Plane) -> Plane:
        raised: NDArray[np.uint16] = np.left_shift(samples.astype(np.uint16), shift)
        return raised

    for y, u, v in frames:
        planes = (deepened(y), deepened(u), deepened(v)) if shift else (y, u, v)
        yield pad_planes(planes, *size)


def nominal_rate(frame_rate: Fraction) -> Fraction:
    """A frame rate in Hz that every encoder takes."""
    bounded = min(max(frame_rate, Fraction(_LOWEST_RATE_HZ)), Fraction(_HIGHEST_RATE_HZ))
    return bounded.limit_denominator(1001)


def encode_with_pyav(
    encoder: str,
    options: dict[str, str],
    frames: Sequence[Planes],
    settings: BaseSettings,
    size: tuple[int, int],
    *,
    forced_keyframes: int = 0,
) -> tuple[bytes, list[BasePacket]]:
    """Runs one of PyAV's encoders; returns its global header and the packets in decode order.

    Every `forced_keyframes`th frame is asked for as a keyframe; with 0 the encoder places them.

    Raises:
        UnsupportedError: this build of PyAV lacks the encoder.
        EdgecodecError: the encoder failed.
    """
    try:
        context = av.CodecContext.create(av.Codec(encoder, "w"))
    except UnknownCodecError as error:
        raise UnsupportedError(
            f"PyAV has no encoder {encoder}: install PyAV's own wheel (pip install av)"
        ) from error
    assert isinstance(context, VideoCodecContext)
    context.width, context.height = size
    context.pix_fmt = PIXEL_FORMATS[settings.bit_depth]
    # Ticks of one frame: a pts is then a frame number, and the encoder sees the true rate.
    rate = nominal_rate(settings.frame_rate)
    context.framerate = rate
    context.time_base = 1 / rate
    context.thread_count = settings.threads
    context.flags |= Flags.global_header
    context.options = options
    color = settings.color
    context.color_primaries = color.primaries
    context.color_trc = color.transfer
    # Matrix 0 is RGB, which encoders refuse for 4:2:0.
    context.colorspace = color.matrix or 2
    context.color_range = 2 if color.full_range else 1
    coded: list[av.Packet[Stream]] = []
    try:
        with usual_scheduling():
            context.open()
        pictures = coded_pictures(frames, settings, size, settings.bit_depth)
        for index, planes in enumerate(pictures):
            picture = to_video_frame(planes, settings.bit_depth)
            picture.pts = index
            picture.time_base = context.time_base
            if forced_keyframes and index % forced_keyframes == 0:
                picture.pict_type = PictureType.I
            coded += context.encode(picture)
        coded += context.encode(None)
    except av.error.FFmpegError as error:
        raise EdgecodecError(
            f"{encoder} failed on {len(frames)} frames of {size[0]}x{size[1]} "
            f"with {options}: {error.strerror}"
        ) from error
    packets = [(p.pts, p.is_keyframe, bytes(p)) for p in coded if p.pts is not None]
    return context.extradata or b"", in_decode_order(encoder, len(frames), packets)


def in_decode_order(
    encoder: str, frames: int, packets: Sequence[tuple[int, bool, bytes]]
) -> list[BasePacket]:
    """Packets of (frame number, keyframe, data) with a dts each.

    The dts are one apart and as late as no pts precedes its dts: some encoders leave them
    undefined in scenes of one or two frames.

    Raises:
        EdgecodecError: there is not one packet for each frame.
    """
    if sorted(pts for pts, _, _ in packets) != list(range(frames)):
        raise EdgecodecError(f"{encoder} made {len(packets)} packets of {frames} frames")
    delay = max(index - pts for index, (pts, _, _) in enumerate(packets))
    return [
        BasePacket(pts=pts, dts=index - delay, is_keyframe=is_keyframe, data=data)
        for index, (pts, is_keyframe, data) in enumerate(packets)
    ]


def quantizer_of(crf: float, quantizer_range: tuple[int, int]) -> int:
    """The crf on the bitstream's scale of 0 to 255."""
    return round(255 * crf / quantizer_range[1])
