"""How many bits a scene will need, from one quick encode of it at a small size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from ..runtime.base import decode_base
from ..runtime.container import Codec
from ..runtime.frames import PictureFormat, Planes
from .codecs import BaseSettings, encoder_for
from .features import SceneFeatures, shrunk
from .quality import psnr
from .scene import Scene

_LONGEST_SIDE = 480
_CRF = 30
_PRESET = "superfast"

# Least squares over log2 of the bits a pixel of SVT-AV1 (preset 8, crf 45, 10 bits) on the clips
# of docs/choice.md, which has the errors; the demo clip as one scene needs 2 ** -5.25.
_PER_PILOT_OCTAVE = 0.721
_PER_SCALE_OCTAVE = -0.218
_PER_ACTIVITY_OCTAVE = 0.557
_LEAST_ACTIVITY = 0.1
_OFFSET = -2.405
_DEMO_CLIP = -5.25


@dataclass(frozen=True)
class Pilot:
    """A scene in H.264 (x264 superfast, crf 30, 8 bits), its longer side brought to 480 or less.

    `bits` are the stream's, `psnr` its mean (6 Y + U + V) / 8 in dB against the small scene.
    `pixels` counts the luma samples of all small frames, `scene_pixels` those of the scene itself.
    """

    bits: int
    psnr: float
    pixels: int
    scene_pixels: int


def pilot(scene: Scene) -> Pilot:
    """Encode a scene small. The same scene gives the same pilot; errors as for
    `BaseEncoder.encode`."""
    small = _small_format(scene.format)
    frames = [_shrunk(planes, small) for planes in scene.frames]
    settings = BaseSettings(
        crf=_CRF,
        format=small,
        frame_rate=scene.frame_rate,
        color=scene.color,
        bit_depth=small.bit_depth,
        preset=_PRESET,
        threads=1,  # pictures of this size gain nothing from more
    )
    stream = encoder_for(Codec.H264).encode(frames, settings)
    decoded = decode_base(
        stream,
        small,
        frames=len(frames),
        threads=1,
        max_pixels=stream.width * stream.height,
    )
    quality = fmean(psnr(*pair).weighted for pair in zip(frames, decoded, strict=True))
    size = len(stream.extradata) + sum(len(packet.data) for packet in stream.packets)
    return Pilot(
        bits=8 * size,
        psnr=quality,
        pixels=small.width * small.height * len(frames),
        scene_pixels=scene.format.width * scene.format.height * len(frames),
    )


def predicted_octaves(pilot: Pilot, features: SceneFeatures) -> float:
    """How many times the bits a pixel of the demo clip double to those of this scene, both coded
    at one quantiser.

    An estimate, wrong by 0.3 to 0.5 as a rule: a place to start a search from.
    """
    per_pixel = math.log2(pilot.bits / pilot.pixels)
    scale = math.log2(pilot.scene_pixels / pilot.pixels)
    activity = math.log2(features.activity + _LEAST_ACTIVITY)
    expected = (
        _OFFSET
        + _PER_PILOT_OCTAVE * per_pixel
        + _PER_SCALE_OCTAVE * scale
        + _PER_ACTIVITY_OCTAVE * activity
    )
    return expected - _DEMO_CLIP


def _small_format(format: PictureFormat) -> PictureFormat:
    longest = max(format.width, format.height)
    if longest <= _LONGEST_SIDE:
        return PictureFormat(format.width, format.height)
    width, height = (
        max(2, round(side * _LONGEST_SIDE / longest / 2) * 2)
        for side in (format.width, format.height)
    )
    return PictureFormat(width, height)


def _shrunk(planes: Planes, small: PictureFormat) -> Planes:
    """A picture at that size, in 8 bits."""
    rows, columns = small.chroma_shape
    y, u, v = planes
    return (
        shrunk(y, small.height, small.width),
        shrunk(u, rows, columns),
        shrunk(v, rows, columns),
    )
