"""`procedural`: frames made of a few stills by a program of holds, fades, pans and zooms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from ..av_planes import frozen
from ..base import decode_base
from ..errors import BitstreamError
from ..frames import PictureFormat, Plane, Planes
from ..pan_zoom import FineWindow, WideStill, show, window_at
from ..procedural import FULL_WEIGHT, Fade, Hold, Layer, ProceduralBody, Segment, Solid, Still
from ._context import SceneContext


def decode_procedural(
    body: ProceduralBody, context: SceneContext, first: int = 0
) -> Iterator[Planes]:
    """The frames of the program from `first` on, in display order. Equal ones may be the same
    arrays.

    Raises BitstreamError for a still that does not decode or is too small to be held, and for a
    colour outside of the video's range; UnsupportedError if the decoder of a still is missing.
    """
    _check_colours(body, context.format.bit_depth)

    def decoded(number: int) -> Planes:
        return _decode_still(body.stills[number], context)

    return play(body.program, decoded, context.format, first)


def _check_colours(body: ProceduralBody, bit_depth: int) -> None:
    for segment in body.program:
        for layer in segment.layers:
            if isinstance(layer, Solid) and max(layer.y, layer.u, layer.v) >> bit_depth:
                raise BitstreamError(f"{layer} in a video of {bit_depth} bits a sample")


def play(
    program: Sequence[Segment],
    still: Callable[[int], Planes],
    picture: PictureFormat,
    first: int = 0,
) -> Iterator[Planes]:
    """The program's frames of that format from `first` on; `still` gives a still's planes, at its
    bit depth.

    Raises BitstreamError for a still that is smaller than the picture it is held as.
    """
    held: dict[int, _Held] = {}
    for segment in program:
        if first >= segment.frames:
            first -= segment.frames
            continue
        # At most two at a time, however many there are.
        held = {
            number: held.get(number) or _Held(still(number)) for number in sorted(segment.stills)
        }
        yield from _frames(segment, held, picture, first)
        first = 0


@dataclass(frozen=True)
class _Held:
    """A still's samples, at the video's bit depth."""

    planes: Planes

    @cached_property
    def wide(self) -> WideStill:
        """As pans and zooms take it."""
        return WideStill.of(self.planes)


def _decode_still(still: Still, context: SceneContext) -> Planes:
    size = PictureFormat(still.width, still.height, context.format.bit_depth)
    limit = context.limits.max_pixels
    (planes,) = decode_base(still.stream, size, frames=1, threads=context.threads, max_pixels=limit)
    return planes


def _frames(
    segment: Segment, stills: dict[int, _Held], picture: PictureFormat, first: int
) -> Iterator[Planes]:
    numbers = range(first, segment.frames)
    lower = _shown(segment.layer, segment.frames, stills, picture, first)
    if segment.fade is None:
        yield from map(frozen, lower)
        return
    upper = _shown(segment.fade.to, segment.frames, stills, picture, first)
    for number, one, other in zip(numbers, lower, upper, strict=True):
        yield frozen(mix(one, other, weight_at(segment.fade, number, segment.frames)))


def _shown(
    layer: Layer, frames: int, stills: dict[int, _Held], picture: PictureFormat, first: int
) -> Iterator[Planes]:
    """One layer in each frame from `first` on; what does not change is made once."""
    if isinstance(layer, Solid):
        yield from repeat(solid(layer, picture), frames - first)
        return
    still = stills[layer.still]
    if isinstance(layer, Hold):
        yield from repeat(_corner(still.planes, picture), frames - first)
        return
    last: FineWindow | None = None
    for number in range(first, frames):
        window = window_at(layer, number, frames)
        if window != last:
            planes, last = show(still.wide, window, picture), window
        yield planes


def weight_at(fade: Fade, number: int, frames: int) -> int:
    """The second layer's weight in frame `number` of a segment of so many `frames`."""
    steps = max(1, frames - 1)
    return (2 * (fade.start * (steps - number) + fade.end * number) + steps) // (2 * steps)


def solid(colour: Solid, picture: PictureFormat) -> Planes:
    """A picture of one colour."""

    def filled(level: int, shape: tuple[int, int]) -> Plane:
        if picture.bit_depth == 8:
            return np.full(shape, level, np.uint8)
        return np.full(shape, level, np.uint16)

    return (
        filled(colour.y, (picture.height, picture.width)),
        filled(colour.u, picture.chroma_shape),
        filled(colour.v, picture.chroma_shape),
    )


def _corner(planes: Planes, picture: PictureFormat) -> Planes:
    height, width = planes[0].shape
    if height < picture.height or width < picture.width:
        raise BitstreamError(
            f"a still of {width}x{height} is held in a video of {picture.width}x{picture.height}"
        )
    rows, columns = picture.chroma_shape
    y, u, v = planes
    return y[: picture.height, : picture.width], u[:rows, :columns], v[:rows, :columns]


def mix(first: Planes, second: Planes, weight: int) -> Planes:
    """first + (second - first) * weight / 4096, to the nearest, halves up."""
    if weight == 0:
        return first
    if weight == FULL_WEIGHT:
        return second

    def mixed(one: Plane, other: Plane) -> Plane:
        sums: NDArray[np.int32] = np.multiply(one, FULL_WEIGHT - weight, dtype=np.int32)
        sums += np.multiply(other, weight, dtype=np.int32)
        sums += FULL_WEIGHT // 2
        sums >>= FULL_WEIGHT.bit_length() - 1
        return sums.astype(np.uint8) if one.dtype == np.uint8 else sums.astype(np.uint16)

    y, u, v = (mixed(one, other) for one, other in zip(first, second, strict=True))
    return y, u, v
