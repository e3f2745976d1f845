"""Flicker: how much what a codec adds to a picture changes where the picture itself stands still.

Along the static areas of the source, any change of a decoded frame's error from one frame to the
next is seen as flicker. With S the source and D the decoded frames, e = D - S, and with A(t) the
samples of the blocks whose luma hardly moves,

    A(t) = { 8x8 luma blocks whose mean |S(t) - S(t-1)| < 1 grey level }
    flicker = sqrt( mean over all t >= 1 and A(t) of (e(t) - e(t-1))^2 )

in grey levels of 8 bits, for luma, and for both chroma planes together (4x4 samples of each belong
to a block). With other frames in the place of S in e, such as those of a base without its
enhancement, it is what the enhancement itself changes; the static areas are still the source's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from ..runtime.frames import Plane, Planes

BLOCK = 8
"""Sides of a block in luma samples; what is left of a plane beyond whole blocks does not count."""
STATIC_BELOW = 1.0
"""Mean absolute luma difference, in grey levels of 8 bits, below which a block is static."""


@dataclass(frozen=True)
class Flicker:
    """Sums over static blocks, so that scenes can be added up.

    `static` of `blocks` blocks, over all frames but the first, are static; `luma_squares` and
    `chroma_squares` are their squared changes of the error, in squared grey levels of 8 bits.
    """

    static: int = 0
    blocks: int = 0
    luma_squares: float = 0.0
    chroma_squares: float = 0.0

    def __add__(self, other: Flicker) -> Flicker:
        return Flicker(
            self.static + other.static,
            self.blocks + other.blocks,
            self.luma_squares + other.luma_squares,
            self.chroma_squares + other.chroma_squares,
        )

    @property
    def luma(self) -> float | None:
        """RMS change in grey levels of 8 bits; None where nothing is static."""
        return _rms(self.luma_squares, self.static * BLOCK**2)

    @property
    def chroma(self) -> float | None:
        """The same of U and V together."""
        return _rms(self.chroma_squares, self.static * 2 * (BLOCK // 2) ** 2)

    @property
    def static_share(self) -> float:
        """Share of the blocks that are static, 0 to 1."""
        return self.static / self.blocks if self.blocks else 0.0


def measure_flicker(
    source: Sequence[Planes],
    decoded: Iterable[Planes],
    against: Iterable[Planes] | None = None,
    bit_depth: int = 8,
) -> Flicker:
    """The flicker of the frames of one scene.

    Args:
        source: Y [H, W], U and V [ceil(H/2), ceil(W/2)] of each frame, uint8 or uint16.
        decoded: the same frames as they are shown.
        against: what the error is taken against, None for the source.
        bit_depth: of all of them.

    Raises:
        ValueError: the sequences differ in length, or two frames in shape.
    """
    return FlickerMeter(bit_depth).add_all(source, decoded, source if against is None else against)


class FlickerMeter:
    """Measures a scene frame by frame; two frames are held at a time."""

    def __init__(self, bit_depth: int = 8) -> None:
        self._unit = float(1 << (bit_depth - 8))
        self._before: tuple[Plane, tuple[NDArray[np.int32], ...]] | None = None
        self.flicker = Flicker()

    def add_all(
        self, source: Iterable[Planes], decoded: Iterable[Planes], against: Iterable[Planes]
    ) -> Flicker:
        """`add` for each frame; the flicker of all frames so far."""
        for frames in zip(source, decoded, against, strict=True):
            self.add(*frames)
        return self.flicker

    def add(self, source: Planes, decoded: Planes, against: Planes) -> None:
        """Count the scene's next frame; arguments and errors as for `measure_flicker`."""
        error = tuple(map(_difference, decoded, against))
        if self._before is not None:
            luma, last_error = self._before
            self.flicker += self._change(luma, source[0], last_error, error)
        self._before = source[0], error

    def _change(
        self,
        before: Plane,
        after: Plane,
        last_error: Sequence[NDArray[np.int32]],
        error: Sequence[NDArray[np.int32]],
    ) -> Flicker:
        rows, columns = (size // BLOCK for size in after.shape)
        moved = _block_sums(np.abs(_difference(after, before)), rows, columns, BLOCK)
        static = moved < STATIC_BELOW * self._unit * BLOCK**2
        sides = (BLOCK, BLOCK // 2, BLOCK // 2)
        changes = [np.square(new - old) for new, old in zip(error, last_error, strict=True)]
        sums = [
            float(_block_sums(change, rows, columns, side)[static].sum()) / self._unit**2
            for change, side in zip(changes, sides, strict=True)
        ]
        return Flicker(int(static.sum()), static.size, sums[0], sums[1] + sums[2])


def total(flickers: Iterable[Flicker]) -> Flicker:
    """All scenes together, each counted by its static blocks."""
    return reduce(add, flickers, Flicker())


def _rms(squares: float, samples: int) -> float | None:
    return math.sqrt(squares / samples) if samples else None


def _difference(plane: Plane, other: Plane) -> NDArray[np.int32]:
    if plane.shape != other.shape:
        raise ValueError(f"planes of {list(plane.shape)} and {list(other.shape)} samples")
    return np.subtract(plane, other, dtype=np.int32)


def _block_sums(values: NDArray[np.int32], rows: int, columns: int, side: int) -> NDArray[np.int64]:
    """[H, W] -> [rows, columns], of blocks of side x side."""
    whole = values[: rows * side, : columns * side].reshape(rows, side, columns, side)
    sums: NDArray[np.int64] = whole.sum(axis=(1, 3), dtype=np.int64)
    return sums
