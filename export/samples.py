"""Real inputs for the loss measurement: frames as a base codec leaves them, and their source."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from ..runtime.av_planes import PIXEL_FORMATS, to_video_frame, view_planes
from ..runtime.base_stream import BaseStream
from ..runtime.container import Codec
from ..runtime.errors import BitstreamError, UnsupportedError
from ..runtime.frames import PictureFormat, Planes
from ..runtime.packing import pack
from ..runtime.scenes import condition_planes, full_size, packed_frame
from ..runtime.upsample import Upsampling, half_size
from .loss import LossSample

SampleSource = Callable[[str], Sequence[LossSample]]
"""Gives the samples for a network by its name; none where it cannot make any."""

# What a network mends: bases of full size, or of half.
_BASES = {"enhancer": Upsampling.NONE, "generator_up": Upsampling.EIGHT_TAP}
_BLOCK = 4  # luma samples at full size; packed frames have a cell for each
_DEPTH = 10
_FRAMES = 9
# Neighbouring frames of a stream: (previous, current, next) needs one on each side.
_TRIPLET = 3
_RATE_FACTORS = (28, 38)
_RATE_FACTOR_MAX = 51
# As the encoder has it: no message with the settings, and bytes that no number of cores changes.
_X265 = "info=0:log-level=none:frame-threads=1:pools=2"
# x265 writes outside its memory for some pictures that are less wide (48x32, 40x40).
_LEAST_WIDTH = 64
_EVEN = 8  # luma samples; both sides are cropped to a multiple, which any encoder takes


def demo_clips() -> tuple[Path, ...]:
    """The clip that the repository carries, where the package runs from a checkout."""
    clip = Path(__file__).resolve().parents[1] / "examples" / "media" / "bbb_720p.mp4"
    return (clip,) if clip.is_file() else ()


def base_samples(network: str, clips: Sequence[Path], *, skip: int = 0) -> list[LossSample]:
    """Triplets of 10-bit H.265 frames at two qualities, from around the middle of every clip, for
    the enhancer or the generator that brings a half-size base to full size; none for the others.

    Nine frames of a clip give seven triplets for each quality; `skip` as in `read_frames`, and so
    is what is raised; `UnsupportedError` names a clip that cannot be coded, too.
    """
    if network not in _BASES:
        return []
    upsampling = _BASES[network]
    samples: list[LossSample] = []
    for clip in clips:
        source = read_frames(clip, _FRAMES, skip=skip)
        for rate_factor in _RATE_FACTORS:
            pictures = _base_source(source, upsampling)
            if pictures[0].width < _LEAST_WIDTH:
                raise UnsupportedError(
                    f"cannot make a base of {clip}: it would be {pictures[0].width} luma samples"
                    f" wide, at least {_LEAST_WIDTH} are needed"
                )
            try:
                decoded = _through_h265(pictures, rate_factor)
            except (OSError, ValueError) as error:
                raise UnsupportedError(f"cannot make a base of {clip}: {_reason(error)}") from error
            samples += _triplets(clip.stem, source, decoded, rate_factor, upsampling)
    return samples


def read_frames(clip: Path, count: int, *, skip: int = 0) -> list[Planes]:
    """`count` frames of `clip`, `skip` frames after the keyframe before its middle: 8-bit 4:2:0,
    sides cropped to multiples of 8.

    Its last ones where the clip ends before that, at least 3. Naming the clip, raises
    `BitstreamError` where it does not decode and `UnsupportedError` where it is too short or small.
    """
    try:
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            # Frame threads, left before the file's end, can hang on exit.
            stream.thread_type = "SLICE"
            if container.duration:
                container.seek(container.duration // 2)
            pictures = deque(islice(container.decode(stream), skip + count), maxlen=count)
            frames = [_planes(picture) for picture in pictures]
    except (OSError, IndexError, ValueError) as error:
        raise BitstreamError(f"cannot take samples from {clip}: {_reason(error)}") from error
    if len({frame[0].shape for frame in frames}) > 1:
        raise UnsupportedError(f"cannot take samples from {clip}: its frames change their size")
    if len(frames) < _TRIPLET or min(frames[0][0].shape) < _EVEN:
        raise UnsupportedError(
            f"cannot take samples from {clip}: {len(frames)} frames after its middle, at least"
            f" {_TRIPLET} of {_EVEN}x{_EVEN} pixels or more are needed"
        )
    return frames


def _reason(error: Exception) -> str:
    """What a clip's decoder says, without the number that FFmpeg gives its errors."""
    if isinstance(error, IndexError):
        return "it holds no video"
    known = error.strerror if isinstance(error, (OSError, av.error.FFmpegError)) else None
    return known or str(error)


def _base_source(frames: Sequence[Planes], upsampling: Upsampling) -> list[av.VideoFrame]:
    """8-bit `frames` in 10 bits, at the size of the base."""
    height, width = frames[0][0].shape
    pictures = []
    for planes in frames:
        y, u, v = (np.left_shift(plane, 2, dtype=np.uint16) for plane in planes)
        pictures.append(to_video_frame((y, u, v), _DEPTH))
    if upsampling is Upsampling.NONE:
        return pictures
    half = half_size(PictureFormat(width, height, _DEPTH))
    return [
        picture.reformat(half.width, half.height, interpolation=Interpolation.LANCZOS)
        for picture in pictures
    ]


def _through_h265(frames: Sequence[av.VideoFrame], rate_factor: int) -> list[Planes]:
    """10-bit `frames` encoded by libx265 at a constant rate factor (CRF) and decoded again."""
    rate = Fraction(25)
    encoder = CodecContext.create("libx265", "w")
    decoder = CodecContext.create("hevc", "r")
    assert isinstance(encoder, VideoCodecContext)
    assert isinstance(decoder, VideoCodecContext)
    encoder.width, encoder.height = frames[0].width, frames[0].height
    encoder.pix_fmt = PIXEL_FORMATS[_DEPTH]
    encoder.time_base, encoder.framerate = 1 / rate, rate
    encoder.options = {"crf": str(rate_factor), "preset": "medium", "x265-params": _X265}
    packets = []
    for number, picture in enumerate(frames):
        picture.pts, picture.time_base = number, 1 / rate
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoded = [f for packet in packets for f in decoder.decode(packet)]
    decoded += decoder.decode(None)
    if len(decoded) != len(frames):
        raise ValueError(f"{len(frames)} frames encoded, {len(decoded)} decoded")
    return [view_planes(f, _DEPTH, f.width, f.height) for f in decoded]


def _triplets(
    clip: str,
    source: Sequence[Planes],
    decoded: Sequence[Planes],
    rate_factor: int,
    upsampling: Upsampling,
) -> Iterator[LossSample]:
    height, width = source[0][0].shape
    rows, columns = height // _BLOCK, width // _BLOCK
    base_height, base_width = decoded[0][0].shape
    quantizer = round(255 * rate_factor / _RATE_FACTOR_MAX)
    base = BaseStream(
        Codec.H265, base_width, base_height, _DEPTH, quantizer, extradata=b"", packets=()
    )
    condition = condition_planes(base, rows, columns)
    shown = [packed_frame(planes, base, upsampling) for planes in decoded]
    picture = PictureFormat(width, height, _DEPTH)
    for index in range(1, len(decoded) - 1):
        inputs = {
            "prev": shown[index - 1],
            "cur": shown[index],
            "next": shown[index + 1],
            "condition": condition,
        }
        full = full_size(decoded[index], base, upsampling, picture)
        yield LossSample(clip, inputs, pack(source[index], _BLOCK), _packed_quarters(full))


def _packed_quarters(planes: Planes) -> NDArray[np.uint16]:
    """10-bit `planes` packed by 4: [1, 24, h, w]. Their bytes are, for `pack` takes 8 bits."""
    low, high = (
        pack((y.astype(np.uint8), u.astype(np.uint8), v.astype(np.uint8)), _BLOCK)
        for y, u, v in (planes, tuple(plane >> 8 for plane in planes))
    )
    packed: NDArray[np.uint16] = np.left_shift(high, 8, dtype=np.uint16)
    packed |= low
    return packed


def _planes(frame: av.VideoFrame) -> Planes:
    picture = frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
    width, height = (side // _EVEN * _EVEN for side in (picture.width, picture.height))
    return view_planes(picture, 8, width, height)
