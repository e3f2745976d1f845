"""Pictures brought to twice their width and height, to the same samples on every device.

The filter is separable, has 8 taps in 64ths, and rounds once, after both passes. It runs as
products of small matrices in float32. Their sums are exact in whatever order a library takes them:
samples of 10 bits with the half to round by have 1 fractional bit and each pass adds 6, while no
sum of some of the terms reaches 2^11, since taps of one sign add up to 87/64 and those of the other
to 23/64: 1023.5 * (87^2 + 23^2) / 64^2 < 2024. That takes 24 bits, and a float32 has as many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .frames import PictureFormat, Plane, Planes
from .workers import Workers

if TYPE_CHECKING:
    from concurrent.futures import Executor

_Samples = NDArray[np.float32]


class Upsampling(IntEnum):
    """How a picture gets its full size: ids of the format.

    `EIGHT_TAP` is for pictures that were made smaller by a Lanczos filter of 3 lobes.
    """

    NONE = 0
    EIGHT_TAP = 1


TAPS = {Upsampling.EIGHT_TAP: (-1, 2, -4, 15, 62, -15, 8, -3)}
"""64ths that samples i - 4 to i + 3 have in sample 2i, and i + 4 down to i - 3 in sample 2i + 1."""

_REACH = 4
# Rows that are brought to full size together: few enough for what they become to stay in a cache.
_STRIP_ROWS = 64
# Sizes of the products, each below 2^18 multiplications: for larger ones OpenBLAS starts threads
# of its own, which then fight with the decoder's.
_COLUMNS, _ROWS, _TILE = 16, 8, 480


def half_size(format: PictureFormat, bit_depth: int | None = None) -> PictureFormat:
    """The picture that becomes one of `format`: half its sides, rounded up, and `bit_depth` bits
    (by default the same)."""
    width, height = (format.width + 1) // 2, (format.height + 1) // 2
    return PictureFormat(width, height, bit_depth or format.bit_depth)


def upsampled(
    frames: Iterable[Planes], filter: Upsampling, format: PictureFormat, threads: int = 0
) -> Iterator[Planes]:
    """Every frame at full size.

    Args:
        frames: pictures of `half_size(format)`'s size, of 8 bits (uint8) or 10 (uint16, 0 to 1023);
            of 10 where `format` has 10.
        filter: not `NONE`.
        format: what is yielded. 10 bits become 8 in the filter's one rounding.
        threads: how many work on a frame, 0 for one a core. Samples do not depend on it.

    Yields:
        Read-only planes.

    Raises:
        ValueError: a frame of another size or with too few bits, or no filter.
    """
    pool = Workers("upsample").pool(threads)
    for planes in frames:
        yield upsample(planes, filter, format, pool)


def upsample(
    planes: Planes, filter: Upsampling, format: PictureFormat, pool: Executor | None = None
) -> Planes:
    """One frame at full size, as by `upsampled`, in `pool` or else in the calling thread."""
    strips, full = _strips(planes, filter, format)
    for _ in map(_Strip.fill, strips) if pool is None else pool.map(_Strip.fill, strips):
        pass
    return _finished(full)


@dataclass(frozen=True)
class _Kernel:
    """A filter as banded matrices: `across` [_COLUMNS + 8, 2 * _COLUMNS] and `down`
    [2 * _ROWS, _ROWS + 8]. `offset` is what every source sample must be raised by for the results
    to be rounded by cutting them off, `top` the highest of them."""

    across: _Samples
    down: _Samples
    offset: float
    top: int


def _kernel(filter: Upsampling, source_bits: int, target_bits: int) -> _Kernel:
    if filter not in TAPS:
        raise ValueError(f"{filter.name} is no filter")
    levels = float(1 << source_bits - target_bits)
    across, down = _band(TAPS[filter], _COLUMNS), _band(TAPS[filter], _ROWS)
    return _Kernel(across.T, down / np.float32(levels), levels / 2, (1 << target_bits) - 1)


def _band(taps: tuple[int, ...], count: int) -> _Samples:
    """From `count` samples, with 4 before and after them, to 2 * `count`."""
    band = np.zeros((2 * count, count + 2 * _REACH), np.float32)
    for sample in range(count):
        band[2 * sample, sample : sample + len(taps)] = taps
        band[2 * sample + 1, sample + 1 : sample + 1 + len(taps)] = taps[::-1]
    return band / np.float32(64)


@dataclass(frozen=True)
class _Strip:
    """Rows `start` to `start` + `_STRIP_ROWS` of `source`, and the plane that they go to."""

    source: Plane
    start: int
    target: Plane
    kernel: _Kernel

    def fill(self) -> None:
        """Write twice as many rows of the target, from 2 * `start`."""
        target = self.target[2 * self.start : 2 * (self.start + _STRIP_ROWS)]
        wide = _widened(self._window(), self.kernel.across)
        tall = _heightened(wide, self.kernel.down)[: target.shape[0], : target.shape[1]]
        np.clip(tall, 0, self.kernel.top, out=tall)
        target[:] = tall

    def _window(self) -> _Samples:
        """The rows with their surroundings, edges repeated, in whole blocks."""
        rows, columns = self.source.shape
        wanted = -(-min(_STRIP_ROWS, rows - self.start) // _ROWS) * _ROWS + 2 * _REACH
        places = np.arange(self.start - _REACH, self.start - _REACH + wanted)
        across = -(-columns // _COLUMNS) * _COLUMNS + 2 * _REACH
        window = np.empty((wanted, across), np.float32)
        window[:, _REACH : _REACH + columns] = self.source[places.clip(0, rows - 1)]
        window[:, :_REACH] = window[:, _REACH : _REACH + 1]
        window[:, _REACH + columns :] = window[:, _REACH + columns - 1 : _REACH + columns]
        window += np.float32(self.kernel.offset)
        return window


def _widened(window: _Samples, across: _Samples) -> _Samples:
    """Twice the columns, less the surroundings."""
    rows, columns = window.shape
    blocks = (columns - 2 * _REACH) // _COLUMNS
    wide = np.empty((rows, blocks, 2 * _COLUMNS), np.float32)
    source = sliding_window_view(window, _COLUMNS + 2 * _REACH, axis=1)[:, ::_COLUMNS]
    np.matmul(source.swapaxes(0, 1), across, out=wide.swapaxes(0, 1))
    return wide.reshape(rows, -1)


def _heightened(wide: _Samples, down: _Samples) -> _Samples:
    """Twice the rows, less the surroundings."""
    rows, columns = wide.shape
    blocks = (rows - 2 * _REACH) // _ROWS
    tall = np.empty((blocks, 2 * _ROWS, columns), np.float32)
    source = sliding_window_view(wide, _ROWS + 2 * _REACH, axis=0)[::_ROWS].swapaxes(1, 2)
    for left in range(0, columns, _TILE):
        tile = slice(left, left + _TILE)
        np.matmul(down, source[..., tile], out=tall[..., tile])
    return tall.reshape(-1, columns)


def _strips(
    planes: Planes, filter: Upsampling, format: PictureFormat
) -> tuple[list[_Strip], Planes]:
    """What is to be done, and the planes that it will fill."""
    half = half_size(format)
    shapes = [(half.height, half.width), half.chroma_shape, half.chroma_shape]
    depth = 8 if planes[0].dtype == np.uint8 else 10
    same = all(plane.dtype == planes[0].dtype for plane in planes)
    if [plane.shape for plane in planes] != shapes or not same or depth < format.bit_depth:
        raise ValueError(
            f"planes {[f'{plane.dtype} {plane.shape}' for plane in planes]} do not become "
            f"{format.width}x{format.height} of {format.bit_depth} bits: {shapes} are wanted"
        )
    kernel = _kernel(filter, depth, format.bit_depth)
    dtype = np.uint8 if format.bit_depth == 8 else np.uint16
    luma, chroma = (format.height, format.width), format.chroma_shape
    full = (np.empty(luma, dtype), np.empty(chroma, dtype), np.empty(chroma, dtype))
    strips = [
        _Strip(source, start, target, kernel)
        for source, target in zip(planes, full, strict=True)
        for start in range(0, source.shape[0], _STRIP_ROWS)
    ]
    return strips, full


def _finished(planes: Planes) -> Planes:
    for plane in planes:
        plane.flags.writeable = False
    return planes
