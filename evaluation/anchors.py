"""The standard codecs that every result stands beside, as they come: one sequence, B-frames on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..encoder.codecs import BaseEncoder, BaseSettings, encoder_for
from ..encoder.vmaf import VmafMeter
from ..runtime.base import decode_base
from ..runtime.container import Codec
from ..runtime.frames import Planes
from ..runtime.payloads import BaseStream
from .clips import Clip
from .metrics import SequenceMetrics, measure_sequence


@dataclass(frozen=True)
class Anchor:
    """An encoder at a fixed preset.

    `usual_crf` is where a search starts, `crf_per_halving` how much crf about halves the bits:
    both only save trial encodes.
    """

    name: str
    codec: Codec
    preset: str
    bit_depth: int
    usual_crf: int
    crf_per_halving: float


X264_MEDIUM = Anchor("x264 medium", Codec.H264, "medium", 8, 27, 6.0)
X265_MEDIUM = Anchor("x265 medium", Codec.H265, "medium", 8, 28, 6.0)
SVTAV1_PRESET_6 = Anchor("SVT-AV1 preset 6", Codec.AV1, "6", 8, 40, 9.0)
SVTAV1_PRESET_4 = Anchor("SVT-AV1 preset 4 10-bit", Codec.AV1, "4", 10, 40, 9.0)
VVENC_FAST = Anchor("VVenC fast", Codec.VVC, "fast", 10, 37, 5.0)

ANCHOR_RECIPE = 1
"""To be raised with every change to what is asked of the anchors' encoders or to how an encode is
measured: figures that were kept under another recipe are measured again."""


@dataclass(frozen=True)
class AnchorEncode:
    """One encode of a whole clip.

    `bytes` are the codec's header and its packets, without any container: what a file adds is
    left out in the anchor's favour.
    """

    anchor: Anchor
    crf: int
    stream: BaseStream
    bytes: int
    bitrate_mbps: float
    encode_fps: float

    @property
    def settings(self) -> str:
        """What was asked of the encoder, in words."""
        keyframes = sum(packet.is_keyframe for packet in self.stream.packets)
        return (
            f"crf {self.crf}, {self.stream.bit_depth} bit, "
            f"{keyframes} keyframe{'s' if keyframes != 1 else ''}"
        )


@dataclass(frozen=True)
class AnchorResult:
    """An anchor's encode with the quality of its decoded frames; rates in Mb/s, speeds in
    frames a second on this machine."""

    name: str
    settings: str
    bytes: int
    bitrate_mbps: float
    quality: SequenceMetrics
    encode_fps: float
    decode_fps: float


@dataclass(frozen=True)
class AnchorSearch:
    """All encodes of a search by rising bitrate, and the one nearest to what was asked for."""

    encodes: tuple[AnchorEncode, ...]
    nearest: AnchorEncode


def encode_anchor(
    anchor: Anchor, clip: Clip, crf: int, threads: int = 0, keyframe_interval: int = 0
) -> AnchorEncode:
    """Encode the whole clip as one sequence.

    Every `keyframe_interval`th frame is a keyframe; with 0 only the first is, as within
    edgecodec's scenes, and encoders may use intra pictures that are none at cuts. `threads` 0 lets
    the encoder choose. Errors as for `BaseEncoder.encode`.
    """
    settings = BaseSettings(
        crf=crf,
        format=clip.format,
        frame_rate=clip.frame_rate,
        color=clip.color,
        bit_depth=max(anchor.bit_depth, clip.format.bit_depth),
        preset=anchor.preset,
        threads=threads,
        keyframe_interval=keyframe_interval,
    )
    start = time.perf_counter()
    stream = encoder_for(anchor.codec).encode(clip.frames, settings)
    seconds = time.perf_counter() - start
    size = len(stream.extradata) + sum(len(packet.data) for packet in stream.packets)
    return AnchorEncode(
        anchor, crf, stream, size, clip.bitrate_mbps(size), len(clip.frames) / seconds
    )


def decode_anchor(encode: AnchorEncode, clip: Clip, threads: int = 0) -> Iterator[Planes]:
    """The decoded frames in display order."""
    stream = encode.stream
    return decode_base(
        stream,
        clip.format,
        frames=len(clip.frames),
        threads=threads,
        max_pixels=stream.width * stream.height,
    )


def anchor_decode_fps(encode: AnchorEncode, clip: Clip, threads: int = 0) -> float:
    """Frames a second of a decode that drops every frame for the next one, as a player does."""
    start = time.perf_counter()
    count = sum(1 for _ in decode_anchor(encode, clip, threads))
    return count / (time.perf_counter() - start)


def measure_anchor(
    encode: AnchorEncode, clip: Clip, vmaf: VmafMeter | None = None, threads: int = 0
) -> AnchorResult:
    """Decode an encode and compare it with the clip; `vmaf` is a meter that holds the clip."""
    decode_fps = anchor_decode_fps(encode, clip, threads)
    decoded = decode_anchor(encode, clip, threads)
    return AnchorResult(
        name=encode.anchor.name,
        settings=encode.settings,
        bytes=encode.bytes,
        bitrate_mbps=encode.bitrate_mbps,
        quality=measure_sequence(clip.frames, decoded, clip.format.bit_depth, vmaf),
        encode_fps=encode.encode_fps,
        decode_fps=decode_fps,
    )


def search_bitrate(
    anchor: Anchor,
    clip: Clip,
    bitrate_mbps: float,
    max_encodes: int = 4,
    threads: int = 0,
    on_encode: Callable[[AnchorEncode], None] | None = None,
) -> AnchorSearch:
    """Look for the whole-number crf whose real bytes come nearest to a bitrate.

    Nearest is by ratio. Ends when the next crf to try was tried already, or after `max_encodes`
    (1 or more). A rate that no crf reaches gives the end of the codec's range.
    """
    if max_encodes < 1 or not bitrate_mbps > 0:
        raise ValueError(f"{max_encodes} encodes towards {bitrate_mbps} Mb/s: both must be above 0")
    encoder = encoder_for(anchor.codec)
    encodes: dict[int, AnchorEncode] = {}
    crf: int | None = _in_range(anchor.usual_crf, encoder)
    while crf is not None and crf not in encodes and len(encodes) < max_encodes:
        encodes[crf] = encode_anchor(anchor, clip, crf, threads)
        if on_encode is not None:
            on_encode(encodes[crf])
        distances = {
            tried: math.log2(encode.bitrate_mbps / bitrate_mbps)
            for tried, encode in encodes.items()
        }
        crf = next_crf(distances, anchor.crf_per_halving, encoder.quantizer_range)
    ordered = sorted(encodes.values(), key=lambda encode: encode.bitrate_mbps)
    nearest = min(ordered, key=lambda encode: abs(math.log2(encode.bitrate_mbps / bitrate_mbps)))
    return AnchorSearch(tuple(ordered), nearest)


def next_crf(
    distances: Mapping[int, float], crf_per_halving: float, quantizer_range: tuple[int, int]
) -> int | None:
    """The crf to try next, None when two neighbours enclose the target or one hits it.

    `distances` gives log2(rate / target) for each crf that was tried, one at least; rates fall as
    crf rises. The logarithm of the rate is taken as a straight line between the two tried values
    that enclose the target, or through the nearest two, or at the usual slope from a single one.
    """
    above = [crf for crf, distance in distances.items() if distance > 0]
    below = [crf for crf, distance in distances.items() if distance <= 0]
    nearest = sorted(distances, key=lambda crf: abs(distances[crf]))
    first, second = nearest[0], nearest[1] if len(nearest) > 1 else None
    if distances[first] == 0:
        return None
    if above and below:
        first, second = max(above), min(below)
        if second - first <= 1:
            return None
    slope = -1 / crf_per_halving
    if second is not None:
        measured = (distances[second] - distances[first]) / (second - first)
        # A flat or rising pair says nothing about where the target lies.
        slope = measured if measured < 0 else slope
    lowest, highest = quantizer_range
    proposed = min(max(round(first - distances[first] / slope), lowest), highest)
    if above and below:
        # Between the two, always: an end of the bracket was tried already.
        proposed = min(max(proposed, first + 1), second - 1 if second is not None else proposed)
    return proposed


def _in_range(crf: int, encoder: BaseEncoder) -> int:
    lowest, highest = encoder.quantizer_range
    return min(max(crf, lowest), highest)
