"""Motion tables: integer matrices by which a frame's levels are drawn, moved and seen again.

A file is an `.npz` of integer arrays (docs/format.md says which). Everything about it is checked
when it is read, above all that no sum in it can leave the integers that a float32 holds exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_file import read_arrays
from .errors import ModelError
from .frame_levels import LARGEST_BRIGHTNESS, LARGEST_LEVEL
from .prior import Arrays, identity
from .prior_weights import EXACT

MOTION_VERSION = 1
CELLS_SEEN = 9
CELL_SAMPLES = 384
"""16x16 of luma, 8x8 of each chroma plane."""
WINDOW_SAMPLES = 1536
"""32x32 of luma, 16x16 of each chroma plane."""
LARGEST_SAMPLE = 255
"""Samples are half grey levels from the middle grey: 256 below to 255 above."""
MOST_INTERPOLATED = 677
"""No sample between others is larger: the taps' absolute sum is 104 / 64 along each axis."""
_MOST_CHANNELS = 512
_MOST_SHIFT = 20
_PACKAGED = Path(__file__).parent / "motions"
_ARRAYS = ("config", "draw", "draw_bias", "see", "see_bias")

Reals = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MotionTables:
    """How frames of a tier's I-frame decoder are predicted from the one before.

    `motion_id` is the name in streams: 16 hexadecimal digits. `draw` [9 * channels, 384] makes the
    samples of a cell of the levels of 3x3 cells, `see` [1536, channels] the levels of a cell of the
    samples of a window of 2x2 cells around it; biases are added, and sums are divided by powers of
    two: all of that is in these reals, exactly.
    """

    motion_id: str
    channels: int
    draw: Reals
    draw_bias: Reals
    see: Reals
    see_bias: Reals

    @classmethod
    def from_arrays(cls, arrays: Arrays, what: str = "motion tables") -> MotionTables:
        """The tables that arrays of a file are. ModelError, naming `what`, if they are none."""
        try:
            return _checked(arrays)
        except ModelError as error:
            raise ModelError(f"{what}: {error}") from error


def read_motion(path: Path) -> MotionTables:
    """The tables of a file. ModelError if it cannot be read or breaks a rule of the format."""
    return MotionTables.from_arrays(read_arrays(path, "motion tables"), str(path))


@cache
def packaged_motion(folder: Path = _PACKAGED) -> Mapping[str, MotionTables]:
    """All motion tables that are installed with edgecodec, by tier."""
    return {path.stem: read_motion(path) for path in sorted(folder.glob("*.npz"))}


def find_motion(motion_id: str) -> MotionTables:
    """The installed tables that a stream names. ModelError if there are none."""
    for tables in packaged_motion().values():
        if tables.motion_id == motion_id:
            return tables
    raise ModelError(
        f"the stream needs motion tables {motion_id}, which are not installed: update edgecodec"
    )


def _checked(arrays: Arrays) -> MotionTables:
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise ModelError(f"no array {', '.join(missing)}")
    unknown = set(arrays) - set(_ARRAYS)
    if unknown:
        raise ModelError(f"arrays that no motion tables have: {', '.join(sorted(unknown)[:4])}")
    config = _array(arrays, "config", np.int32, (4,))
    version, channels, draw_shift, see_shift = map(int, config)
    if version != MOTION_VERSION:
        raise ModelError(f"version {version}, this edgecodec reads {MOTION_VERSION}: update it")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise ModelError(f"{channels} channels, 1 to {_MOST_CHANNELS} are wanted")
    if not all(1 <= shift <= _MOST_SHIFT for shift in (draw_shift, see_shift)):
        raise ModelError(f"shifts {draw_shift} and {see_shift}, 1 to {_MOST_SHIFT} are wanted")
    largest = np.full((CELLS_SEEN, channels), LARGEST_LEVEL, np.int64)
    largest[:, 0] = LARGEST_BRIGHTNESS
    draw, draw_bias = _layer(arrays, "draw", largest.ravel(), CELL_SAMPLES, draw_shift)
    seen = np.full(WINDOW_SAMPLES, MOST_INTERPOLATED, np.int64)
    see, see_bias = _layer(arrays, "see", seen, channels, see_shift)
    return MotionTables(identity(arrays), channels, draw, draw_bias, see, see_bias)


def _layer(
    arrays: Arrays, name: str, largest: NDArray[np.int64], outputs: int, shift: int
) -> tuple[Reals, Reals]:
    """Weights [inputs, outputs] and biases over 2**shift, a half added for rounding."""
    weights = _array(arrays, name, np.int16, (outputs, len(largest))).astype(np.int64)
    bias = _array(arrays, f"{name}_bias", np.int32, (outputs,)).astype(np.int64)
    bias = bias + (1 << shift - 1)
    sums = np.abs(weights) @ largest + np.abs(bias)
    if sums.max() >= EXACT:
        raise ModelError(f"{name}: sums of up to {sums.max()}, below {EXACT} is wanted")
    unit = float(1 << shift)
    return (
        np.ascontiguousarray(weights.T / unit, np.float32),
        np.ascontiguousarray(bias / unit, np.float32),
    )


def _array(
    arrays: Arrays, name: str, dtype: type, sides: tuple[int, ...]
) -> NDArray[np.integer[Any]]:
    array: NDArray[np.integer[Any]] = np.asarray(arrays[name])
    if array.dtype != np.dtype(dtype) or array.shape != sides:
        raise ModelError(f"{name} is {array.dtype} {array.shape}, {np.dtype(dtype)} {sides} wanted")
    return array
