"""YUV420 planes to and from the packed tensors that the networks take.

Space-to-depth on the host keeps the graphs free of shuffles at full resolution and of chroma
resampling. With block 4 a frame becomes 24 channels at 1/4 resolution (16 of Y, 4 of U, 4 of V),
with block 8 it becomes 96 channels at 1/8 (64, 16, 16). Channels run row by row through a block.

A packed tensor always is [1, C, h, w]. In memory either a channel lies in one piece, as NumPy has
it by default, or all channels of a place do, "channels last": then a row of a block is moved as one
word, in half the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .av_planes import pad_planes
from .frames import PictureFormat, Plane, Planes

Packed = NDArray[np.uint8]
# Rows of blocks of 1, 2, 4 and 8 samples as one word each.
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def padded_size(width: int, height: int, multiple: int) -> tuple[int, int]:
    """(width, height) rounded up to whole multiples of `multiple` luma samples."""
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple


def pack(
    planes: Planes, block: int, multiple: int | None = None, *, channels_last: bool = False
) -> Packed:
    """8-bit `planes` as [1, 6 * block**2 // 4, H / block, W / block] uint8.

    The picture is first padded by its own edge to whole multiples of `multiple` (the block by
    default) luma samples. `channels_last` is about memory only.
    """
    height, width = planes[0].shape
    width, height = padded_size(width, height, multiple or block)
    y, u, v = pad_planes(planes, width, height)
    rows, columns, chroma = height // block, width // block, block // 2
    channels = 6 * chroma * chroma
    if channels_last:
        places = np.empty((rows, columns, channels), np.uint8)
        for plane, words in zip((y, u, v), _words(places, block), strict=True):
            size = plane.shape[0] // rows
            source = _in_words(plane, words.dtype).reshape(rows, size, columns)
            for dy in range(size):
                words[:, :, dy] = source[:, dy]
        return places[None].transpose(0, 3, 1, 2)
    packed = np.empty((1, channels, rows, columns), np.uint8)
    start = 0
    for plane, size in ((y, block), (u, chroma), (v, chroma)):
        blocks = plane.reshape(rows, size, columns, size)
        target = packed[0, start : start + size * size].reshape(size, size, rows, columns)
        for dy in range(size):
            for dx in range(size):
                target[dy, dx] = blocks[:, dy, :, dx]
        start += size * size
    return packed


def unpack(packed: Packed, picture: PictureFormat) -> tuple[Packed, Packed, Packed]:
    """Planes of `picture`'s size from a tensor that `pack` made; inverts it and crops."""
    chroma = round((packed.shape[1] / 6) ** 0.5)
    block = 2 * chroma
    rows, columns = packed.shape[2:]
    places = packed[0].transpose(1, 2, 0)
    if places.flags.c_contiguous:
        y, u, v = (_from_words(words) for words in _words(places, block))
    else:
        start = block * block
        y = _interleaved(packed[0, :start], block, rows, columns)
        u = _interleaved(packed[0, start : start + chroma * chroma], chroma, rows, columns)
        v = _interleaved(packed[0, start + chroma * chroma :], chroma, rows, columns)
    chroma_rows, chroma_columns = picture.chroma_shape
    return (
        y[: picture.height, : picture.width],
        u[:chroma_rows, :chroma_columns],
        v[:chroma_rows, :chroma_columns],
    )


def _words(places: Packed, block: int) -> Iterator[NDArray[Any]]:
    """Of Y, U and V: the rows of each block as words, [h, w, rows of a block]."""
    start = 0
    for size in (block, block // 2, block // 2):
        words = places.view(_WORDS[size])
        yield words[:, :, start // size : start // size + size]
        start += size * size


def _from_words(words: NDArray[Any]) -> Packed:
    rows, columns, size = words.shape
    plane = np.empty((rows, size, columns), words.dtype)
    for dy in range(size):
        plane[:, dy] = words[:, :, dy]
    return plane.reshape(rows * size, columns).view(np.uint8)


def _in_words(plane: Plane, words: np.dtype[Any]) -> NDArray[Any]:
    whole = plane if plane.strides[1] == plane.itemsize else np.ascontiguousarray(plane)
    return whole.view(words)


def _interleaved(channels: Packed, size: int, rows: int, columns: int) -> Packed:
    plane = np.empty((rows, size, columns, size), np.uint8)
    source = channels.reshape(size, size, rows, columns)
    for dy in range(size):
        for dx in range(size):
            plane[:, dy, :, dx] = source[dy, dx]
    return plane.reshape(rows * size, columns * size)
