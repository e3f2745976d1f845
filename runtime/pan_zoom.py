"""The part of a still that a window shows, interpolated in integers: the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .frames import PictureFormat, Plane, Planes
from .procedural import SCALE_UNIT, WINDOW_UNIT, PanZoom

_PHASE_BITS = 6
_PHASES = 1 << _PHASE_BITS
_WEIGHT_BITS = 8
_TAPS = 4
_FINE_BITS = SCALE_UNIT.bit_length() - 1
_WINDOW_BITS = WINDOW_UNIT.bit_length() - 1
# So many output rows at a time stay in a processor's second-level cache.
_ROWS_AT_A_TIME = 64

Integers = NDArray[np.int32]


@dataclass(frozen=True)
class FineWindow:
    """A window in one frame: left and upper edge in 1/2**20 of a luma sample, and the scale."""

    x: int
    y: int
    scale: int


def window_at(layer: PanZoom, number: int, frames: int) -> FineWindow:
    """The window in frame `number` of a segment of so many `frames`, rounded down."""
    steps = max(1, frames - 1)

    def between(start: int, end: int, shift: int) -> int:
        return ((start * (steps - number) + end * number) << shift) // steps

    shift = _FINE_BITS - _WINDOW_BITS
    start, end = layer.start, layer.end
    return FineWindow(
        between(start.x, end.x, shift),
        between(start.y, end.y, shift),
        between(start.scale, end.scale, 0),
    )


@dataclass(frozen=True)
class WideStill:
    """A decoded still, its planes as int32: [height, width] and twice the chroma's."""

    planes: tuple[Integers, Integers, Integers]

    @classmethod
    def of(cls, planes: Planes) -> WideStill:
        """The same samples."""
        y, u, v = (plane.astype(np.int32) for plane in planes)
        return cls((y, u, v))


def show(still: WideStill, window: FineWindow, picture: PictureFormat) -> Planes:
    """What the window shows of the still, as a picture of that format."""
    top = (1 << picture.bit_depth) - 1
    dtype = np.uint8 if picture.bit_depth == 8 else np.uint16
    shapes = ((picture.height, picture.width), picture.chroma_shape, picture.chroma_shape)

    def shown(plane: Integers, shape: tuple[int, int], halvings: int) -> Plane:
        rows = _Taps.of(shape[0], plane.shape[0], window.y >> halvings, window.scale)
        columns = _Taps.of(shape[1], plane.shape[1], window.x >> halvings, window.scale)
        out = np.empty(shape, dtype)
        for start in range(0, shape[0], _ROWS_AT_A_TIME):
            stop = min(shape[0], start + _ROWS_AT_A_TIME)
            # Rows are gathered far faster than columns: the second pass runs on the transpose.
            tall = _mix_rows(plane, rows.part(start, stop))
            wide = _mix_rows(np.ascontiguousarray(tall.T), columns)
            wide += 1 << 2 * _WEIGHT_BITS - 1
            wide >>= 2 * _WEIGHT_BITS
            out[start:stop] = np.clip(wide, 0, top, out=wide).T
        return out

    y, u, v = still.planes
    return shown(y, shapes[0], 0), shown(u, shapes[1], 1), shown(v, shapes[2], 1)


@dataclass(frozen=True)
class _Taps:
    """Along one side: which samples make each output sample, and their weights in 1/256.

    Both are [4, output samples].
    """

    positions: NDArray[np.int64]
    weights: Integers

    @classmethod
    def of(cls, count: int, size: int, edge: int, scale: int) -> _Taps:
        """For `count` samples over a side of `size` samples, from `edge` (1/2**20) on."""
        twice_middle = 2 * np.arange(count, dtype=np.int64) + 1
        exact = edge + ((twice_middle * scale - SCALE_UNIT) >> 1)
        to_phase = _FINE_BITS - _PHASE_BITS
        nearest = (exact + (1 << to_phase - 1)) >> to_phase
        positions = (nearest >> _PHASE_BITS) + np.arange(-1, _TAPS - 1)[:, np.newaxis]
        weights = _WEIGHTS[nearest & _PHASES - 1].T
        return cls(positions.clip(0, size - 1), np.ascontiguousarray(weights))

    def part(self, start: int, stop: int) -> _Taps:
        return _Taps(self.positions[:, start:stop], self.weights[:, start:stop])


def _catmull_rom() -> Integers:
    """Weights [64, 4] of the cubic through four samples, in 1/256, for each 1/64 of the way.

    Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2.
    """
    p = np.arange(_PHASES)
    q = _PHASES - p
    before = -((p * q * q + 1024) >> 11)
    after = -((p * p * q + 1024) >> 11)
    right = (4096 * p + 256 * p * p - 3 * p * p * p + 1024) >> 11
    left = (1 << _WEIGHT_BITS) - before - right - after
    return np.stack([before, left, right, after], axis=1).astype(np.int32)


_WEIGHTS = _catmull_rom()


def _mix_rows(samples: Integers, taps: _Taps) -> Integers:
    """Each output row from four rows of `samples` [rows, columns].

    Of 10 bits a sample, two passes stay below 2**28.
    """
    mixed: Integers = samples[taps.positions[0]]
    mixed *= taps.weights[0][:, np.newaxis]
    for positions, weights in zip(taps.positions[1:], taps.weights[1:], strict=True):
        rows = samples[positions]
        rows *= weights[:, np.newaxis]
        mixed += rows
    return mixed
