"""Real inputs for the loss measurement: frames as a base codec leaves them, and their source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext

from ..runtime.av_planes import to_video_frame, view_planes
from ..runtime.base_stream import BaseStream
from ..runtime.container import Codec
from ..runtime.errors import ExportError
from ..runtime.frames import Planes
from ..runtime.packing import pack
from ..runtime.scenes import condition_planes
from .loss import LossSample

SampleSource = Callable[[str], Sequence[LossSample]]
"""Gives the samples for a network by its name; none where it cannot make any."""

_BLOCK = 4
_FRAMES = 9
# Neighbouring frames of a stream: (previous, current, next) needs one on each side.
_TRIPLET = 3
_RATE_FACTORS = (28, 38)
_H264_RATE_FACTOR_MAX = 51
_EVEN = 8  # luma samples; both sides are cropped to a multiple, which any encoder takes


def demo_clips() -> tuple[Path, ...]:
    """The clip that the repository carries, where the package runs from a checkout."""
    clip = Path(__file__).resolve().parents[1] / "examples" / "media" / "bbb_720p.mp4"
    return (clip,) if clip.is_file() else ()


def enhancer_samples(clips: Sequence[Path]) -> list[LossSample]:
    """Triplets of H.264 frames at two qualities, from around the middle of every clip.

    Nine frames of a clip give seven triplets for each quality. Raises `ExportError` naming a clip
    that does not decode or is too short.
    """
    samples: list[LossSample] = []
    for clip in clips:
        source = read_frames(clip, _FRAMES)
        for rate_factor in _RATE_FACTORS:
            decoded = _through_h264(source, rate_factor, clip)
            samples += _triplets(clip.stem, source, decoded, rate_factor)
    return samples


def read_frames(clip: Path, count: int) -> list[Planes]:
    """`count` frames of `clip` from the keyframe before its middle: 8-bit 4:2:0, sides cropped to
    multiples of 8.

    Fewer where the clip ends before, at least 3. Raises `ExportError` naming the clip.
    """
    try:
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            # Frame threads, left before the file's end, can hang on exit.
            stream.thread_type = "SLICE"
            if container.duration:
                container.seek(container.duration // 2)
            frames = [_planes(f) for f in islice(container.decode(stream), count)]
    except (OSError, IndexError, ValueError) as error:
        raise ExportError(f"cannot take samples from {clip}: {error}") from error
    if len({frame[0].shape for frame in frames}) > 1:
        raise ExportError(f"cannot take samples from {clip}: its frames change their size")
    if len(frames) < _TRIPLET or min(frames[0][0].shape) < _EVEN:
        raise ExportError(
            f"cannot take samples from {clip}: {len(frames)} frames after its middle, at least"
            f" {_TRIPLET} of {_EVEN}x{_EVEN} pixels or more are needed"
        )
    return frames


def _triplets(
    clip: str, source: Sequence[Planes], decoded: Sequence[Planes], rate_factor: int
) -> Iterator[LossSample]:
    packed = [pack(planes, _BLOCK) for planes in decoded]
    height, width = decoded[0][0].shape
    quantizer = round(255 * rate_factor / _H264_RATE_FACTOR_MAX)
    base = BaseStream(Codec.H264, width, height, 8, quantizer, extradata=b"", packets=())
    condition = condition_planes(base, height // _BLOCK, width // _BLOCK)
    for index in range(1, len(packed) - 1):
        inputs = {
            "prev": packed[index - 1],
            "cur": packed[index],
            "next": packed[index + 1],
            "condition": condition,
        }
        yield LossSample(clip, inputs, pack(source[index], _BLOCK))


def _through_h264(frames: Sequence[Planes], rate_factor: int, clip: Path) -> list[Planes]:
    """`frames` encoded by libx264 at a constant rate factor (CRF) and decoded again."""
    height, width = frames[0][0].shape
    rate = Fraction(25)
    encoder = CodecContext.create("libx264", "w")
    decoder = CodecContext.create("h264", "r")
    assert isinstance(encoder, VideoCodecContext)
    assert isinstance(decoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = 1 / rate, rate
    encoder.options = {"crf": str(rate_factor), "preset": "medium"}
    packets = []
    for number, planes in enumerate(frames):
        picture = to_video_frame(planes, 8)
        picture.pts, picture.time_base = number, 1 / rate
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoded = [_planes(f) for packet in packets for f in decoder.decode(packet)]
    decoded += [_planes(f) for f in decoder.decode(None)]
    if len(decoded) != len(frames):
        raise ExportError(f"{clip}: {len(frames)} frames encoded, {len(decoded)} decoded")
    return decoded


def _planes(frame: av.VideoFrame) -> Planes:
    picture = frame if frame.format.name == "yuv420p" else frame.reformat(format="yuv420p")
    width, height = (side // _EVEN * _EVEN for side in (picture.width, picture.height))
    return view_planes(picture, 8, width, height)
