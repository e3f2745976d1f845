"""YUV420 planes to and from the packed tensors that the networks take.

Space-to-depth on the host keeps the graphs free of shuffles at full resolution and of chroma
resampling. With block 4 a frame becomes 24 channels at 1/4 resolution (16 of Y, 4 of U, 4 of V),
with block 8 it becomes 96 channels at 1/8 (64, 16, 16). Channels run row by row through a block.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .av_planes import pad_planes
from .frames import PictureFormat, Planes

Packed = NDArray[np.uint8]


def padded_size(width: int, height: int, multiple: int) -> tuple[int, int]:
    """(width, height) rounded up to whole multiples of `multiple` luma samples."""
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple


def pack(planes: Planes, block: int, multiple: int | None = None) -> Packed:
    """8-bit `planes` as [1, 6 * block**2 // 4, H / block, W / block] uint8.

    The picture is first padded by its own edge to whole multiples of `multiple` (the block by
    default) luma samples.
    """
    height, width = planes[0].shape
    width, height = padded_size(width, height, multiple or block)
    y, u, v = pad_planes(planes, width, height)
    rows, columns, chroma = height // block, width // block, block // 2
    packed = np.empty((1, 6 * chroma * chroma, rows, columns), np.uint8)
    start = 0
    for plane, size in ((y, block), (u, chroma), (v, chroma)):
        blocks = plane.reshape(rows, size, columns, size)
        channels = packed[0, start : start + size * size].reshape(size, size, rows, columns)
        for dy in range(size):
            for dx in range(size):
                channels[dy, dx] = blocks[:, dy, :, dx]
        start += size * size
    return packed


def unpack(packed: Packed, picture: PictureFormat) -> Planes:
    """Planes of `picture`'s size from a tensor that `pack` made; inverts it and crops."""
    chroma = round((packed.shape[1] / 6) ** 0.5)
    block = 2 * chroma
    rows, columns = packed.shape[2:]
    y = _interleaved(packed[0, : block * block], block, rows, columns)
    start = block * block
    u = _interleaved(packed[0, start : start + chroma * chroma], chroma, rows, columns)
    v = _interleaved(packed[0, start + chroma * chroma :], chroma, rows, columns)
    chroma_rows, chroma_columns = picture.chroma_shape
    return (
        y[: picture.height, : picture.width],
        u[:chroma_rows, :chroma_columns],
        v[:chroma_rows, :chroma_columns],
    )


def _interleaved(channels: Packed, size: int, rows: int, columns: int) -> Packed:
    plane = np.empty((rows, size, columns, size), np.uint8)
    source = channels.reshape(size, size, rows, columns)
    for dy in range(size):
        for dx in range(size):
            plane[:, dy, :, dx] = source[dy, dx]
    return plane.reshape(rows * size, columns * size)
