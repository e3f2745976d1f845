"""The YUV4MPEG2 format (.y4m): uncompressed frames that most video tools read."""

from __future__ import annotations

from fractions import Fraction
from typing import BinaryIO

import numpy as np

from .frames import PictureFormat, Planes

_CHROMA_TAGS = {8: "C420jpeg", 10: "C420p10 XYSCSS=420P10"}


def write_y4m_header(
    file: BinaryIO,
    format: PictureFormat,
    frame_rate: Fraction,
    sample_aspect: Fraction,
    *,
    full_range: bool,
) -> None:
    """Writes the line that opens the file. Odd sizes are kept: chroma is rounded up."""
    levels = "FULL" if full_range else "LIMITED"
    file.write(
        f"YUV4MPEG2 W{format.width} H{format.height} "
        f"F{frame_rate.numerator}:{frame_rate.denominator} Ip "
        f"A{sample_aspect.numerator}:{sample_aspect.denominator} "
        f"{_CHROMA_TAGS[format.bit_depth]} XCOLORRANGE={levels}\n".encode("ascii")
    )


def write_y4m_frame(file: BinaryIO, planes: Planes) -> None:
    """Writes one frame: 10-bit samples take two bytes, the low one first."""
    file.write(b"FRAME\n")
    for samples in planes:
        file.write(raw_bytes(samples))


def raw_bytes(samples: np.typing.NDArray[np.uint8] | np.typing.NDArray[np.uint16]) -> memoryview:
    """A plane's samples row by row, as raw video has them; copied only if rows are padded."""
    dtype = np.dtype(np.uint8) if samples.dtype == np.uint8 else np.dtype("<u2")
    return np.ascontiguousarray(samples, dtype=dtype).data
