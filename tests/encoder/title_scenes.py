"""Scenes whose bases are wrong in a way that can be learnt, for tests of title weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from edgecodec.encoder.codecs import BaseSettings, encoder_for
from edgecodec.encoder.downscale import downscale, half_size
from edgecodec.encoder.scene import Scene
from edgecodec.runtime.container import Codec
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes
from edgecodec.runtime.payloads import BaseStream
from edgecodec.runtime.upsample import Upsampling

OFFSETS = (6, -4, 5)
"""What a base is too bright by in Y, U and V."""


def shifted(planes: Planes, offsets: Sequence[int] = OFFSETS) -> Planes:
    """A picture with something added to every sample."""
    y, u, v = (
        np.clip(plane.astype(np.int32) + offset, 0, 255).astype(plane.dtype)
        for plane, offset in zip(planes, offsets, strict=True)
    )
    return y, u, v


def textured(picture: PictureFormat, count: int, seed: int = 1) -> tuple[Planes, ...]:
    """Waves that move, far from black and white."""
    random = np.random.default_rng(seed)
    phases = random.uniform(0, 6, 3)

    def plane(rows: int, columns: int, frame: int, phase: float) -> np.ndarray:
        y, x = np.mgrid[0:rows, 0:columns]
        wave = np.sin(0.3 * x + 0.2 * y + 0.3 * frame + phase)
        return np.round(120 + 60 * wave).astype(np.uint8)

    chroma = picture.chroma_shape
    return tuple(
        (
            plane(picture.height, picture.width, n, phases[0]),
            plane(*chroma, n, phases[1]),
            plane(*chroma, n, phases[2]),
        )
        for n in range(count)
    )


def scene_of(frames: Sequence[Planes], picture: PictureFormat, index: int = 0) -> Scene:
    """These frames as a scene of 30 frames a second."""
    pts = tuple(range(len(frames)))
    return Scene(index, 0, tuple(frames), pts, picture, Fraction(30), ColorInfo())


def base_of(
    frames: Sequence[Planes],
    picture: PictureFormat,
    upsampling: Upsampling = Upsampling.NONE,
    *,
    crf: float = 12,
) -> BaseStream:
    """Those frames in H.264."""
    if upsampling is not Upsampling.NONE:
        frames = [downscale(planes, picture) for planes in frames]
        picture = half_size(picture)
    settings = BaseSettings(
        crf=crf,
        format=picture,
        frame_rate=Fraction(30),
        color=ColorInfo(),
        bit_depth=8,
        preset="ultrafast",
        threads=1,
    )
    return encoder_for(Codec.H264).encode(tuple(frames), settings)
