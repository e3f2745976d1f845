"""Frames of a base brought to the video's size, at the base's depth, in ten bits, or as shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..base import round_to_8_bit
from ..frames import PictureFormat, Planes
from ..payloads import BaseStream
from ..upsample import Upsampling, upsample


def full_size(
    planes: Planes, stream: BaseStream, upsampling: Upsampling, picture: PictureFormat
) -> Planes:
    """A frame of `base.deep_base` as what residuals are added to: uint16, 0 to 1023, of `picture`'s
    size. A base of 8 bits counts four times, after upsampling at its own depth."""
    planes = at_own_depth(planes, stream, upsampling, picture)
    return planes if stream.bit_depth == 10 else in_quarters(planes)


def in_quarters(planes: Planes) -> Planes:
    """Planes of 8 bits as ten."""
    y, u, v = (np.left_shift(plane, 2, dtype=np.uint16) for plane in planes)
    return y, u, v


def at_own_depth(
    planes: Planes, stream: BaseStream, upsampling: Upsampling, picture: PictureFormat
) -> Planes:
    """A frame of `base.deep_base` at `picture`'s size and the base's depth."""
    if upsampling is Upsampling.NONE:
        return planes
    return upsample(planes, upsampling, replace(picture, bit_depth=stream.bit_depth))


def unmended(
    planes: Planes, stream: BaseStream, upsampling: Upsampling, picture: PictureFormat
) -> Planes:
    """A frame of `base.deep_base` as `classical` gives it where nothing filters it."""
    if upsampling is not Upsampling.NONE:
        return upsample(planes, upsampling, picture)
    return planes if picture.bit_depth == stream.bit_depth else round_to_8_bit(planes)


def at_depth(deep: Planes, picture: PictureFormat) -> Planes:
    """Planes of ten bits at the video's depth."""
    return deep if picture.bit_depth == 10 else round_to_8_bit(deep)
