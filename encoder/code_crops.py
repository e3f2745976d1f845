"""Crops of a scene's base, as a network sees them and as they should become."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..runtime.frames import PictureFormat, Planes
from ..runtime.payloads import BaseStream
from ..runtime.scenes import condition_planes, full_size, packed_frame
from ..runtime.upsample import Upsampling
from .scene import Scene

CROPS = 64
"""How many crops of 128 samples a side teach a code nearly what the whole scene would."""
_CELLS = 32
_CELL = 4
_SEED = 0
_TEN_BIT_PEAK = 1023.0


@dataclass(frozen=True)
class Crop:
    """A crop of h x w cells of 4 x 4 luma samples, around it what its features depend on.

    `shown` [3, F, H, W] uint8: frames t-1, t, t+1 as the network sees them; `condition`
    [2, H, W] uint8; `inner` cuts the last two axes of what the network makes of them to h x w.
    `base` and `target` [24, h, w] uint16: frame t at full size and the source, in quarters of a
    grey level. `frame` is t.
    """

    frame: int
    shown: NDArray[np.uint8]
    condition: NDArray[np.uint8]
    inner: tuple[slice, slice]
    base: NDArray[np.uint16]
    target: NDArray[np.uint16]


@dataclass
class CropSampler:
    """Takes crops of the frames that pass, spread over the scene's time and at random places.

    `halo` is how many cells around it a feature depends on. The places depend on nothing but the
    scene's size.
    """

    scene: Scene
    stream: BaseStream
    upsampling: Upsampling
    halo: int
    crops: list[Crop] = field(default_factory=list)

    def watch(self, frames: Iterator[Planes]) -> Iterator[Planes]:
        """The base's frames, at its own size and depth, as they come."""
        places = self._places()
        window: deque[Planes] = deque(maxlen=3)
        index = -1
        for index, planes in enumerate(frames):
            window.append(planes)
            if index == 1:
                self._take(places[0], 0, [window[0], window[0], planes])
            elif index > 1:
                self._take(places[index - 1], index - 1, list(window))
            yield planes
        if index == 0:
            self._take(places[0], 0, [window[0]] * 3)
        elif index > 0:
            self._take(places[index], index, [window[-2], window[-1], window[-1]])

    def _places(self) -> list[list[tuple[int, int]]]:
        """For each frame the first cells, (row, column), of its windows."""
        count = len(self.scene.frames)
        random = np.random.default_rng(_SEED)
        (rows, high), (columns, wide) = self._sides()
        places: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        # More than cover every frame would only show the same again.
        crops = min(CROPS, count * math.ceil(rows * columns / (high * wide)))
        for number in range(crops):
            row, column = random.integers((rows - high + 1, columns - wide + 1))
            places[(2 * number + 1) * count // (2 * crops)].append((int(row), int(column)))
        return places

    def _sides(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(cells of the picture, cells of a window) down and across."""
        most = _CELLS + 2 * self.halo
        picture = self.scene.format
        down, across = -(-picture.height // _CELL), -(-picture.width // _CELL)
        return (down, min(down, most)), (across, min(across, most))

    def _take(self, places: list[tuple[int, int]], frame: int, around: list[Planes]) -> None:
        (rows, high), (columns, wide) = self._sides()
        inner = (_inner(rows, high, self.halo), _inner(columns, wide, self.halo))
        size = 1 if self.upsampling is Upsampling.NONE else 2
        picture = self.scene.format
        for row, column in places:
            cells = (slice(row, row + high), slice(column, column + wide))
            seen = [_cut(planes, cells, _CELL // size) for planes in around]
            source = _cut(self.scene.frames[frame], cells, _CELL)
            height, width = source[0].shape
            part = PictureFormat(width, height, picture.bit_depth)
            shown = [packed_frame(planes, self.stream, self.upsampling) for planes in seen]
            full = full_size(seen[1], self.stream, self.upsampling, part)
            self.crops.append(
                Crop(
                    frame,
                    np.concatenate(shown),
                    condition_planes(self.stream, high, wide)[0],
                    inner,
                    _packed_deep(full)[:, *inner],
                    _packed_deep(_in_quarters(source, picture.bit_depth))[:, *inner],
                )
            )


def _inner(side: int, window: int, halo: int) -> slice:
    """What of a window is exact: all where its ends are the picture's."""
    return slice(0, side) if window == side else slice(halo, window - halo)


def _cut(planes: Planes, cells: tuple[slice, slice], samples: int) -> Planes:
    """The cells of planes that have so many luma samples along each side of one."""
    y, u, v = planes
    luma = tuple(slice(each.start * samples, each.stop * samples) for each in cells)
    chroma = tuple(slice(each.start // 2, -(-each.stop // 2)) for each in luma)
    return y[luma], u[chroma], v[chroma]


def _in_quarters(planes: Planes, bit_depth: int) -> Planes:
    if bit_depth == 10:
        return planes
    y, u, v = (plane.astype(np.uint16) * np.uint16(4) for plane in planes)
    return y, u, v


def _packed_deep(planes: Planes) -> NDArray[np.uint16]:
    """[24, rows, columns] from planes of 10 bits, in the channels' order of `runtime.packing`."""
    parts = []
    for plane, size in zip(planes, (_CELL, _CELL // 2, _CELL // 2), strict=True):
        rows, columns = (-(-side // size) for side in plane.shape)
        missing = (rows * size - plane.shape[0], columns * size - plane.shape[1])
        whole = np.pad(plane, ((0, missing[0]), (0, missing[1])), mode="edge")
        blocks = whole.reshape(rows, size, columns, size).transpose(1, 3, 0, 2)
        parts.append(blocks.reshape(size * size, rows, columns))
    return np.concatenate(parts).astype(np.uint16, copy=False)
