"""Chroma as luma around it tells: the guided filter, whose guide is decoded luma (He, Sun, Tang,
"Guided Image Filtering", 2013).

In windows around each cell, chroma is taken for a line over luma, found by least squares with a
little ridge. What the line says at a sample, less the sample, is the value of a tap. Lines are
found in integers of 64 bits and followed in integers below 2**24, which float32 holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Reals = NDArray[np.float32]
Numbers = NDArray[np.int64]

REACHES = (1, 4)
"""Windows reach over so many cells on each side, the last of which count half."""
SIDE = 2
"""Samples of chroma along each side of a cell."""
# Slopes are in parts of 64, and at most 4 (of a sample of chroma for the sum of two of luma).
_UNIT, _MOST = 64, 256
# What luma is taken to vary beyond what it does: its least deviation, 8, squared.
_RIDGE = 64
_LIMIT = 2046


@dataclass(frozen=True, eq=False)
class Lines:
    """Chroma of each cell [h, w] over luma, in parts of 64: `slope` luma + `start`."""

    slope: Reals
    start: Reals


def lines(planes: Sequence[Samples], under: Samples) -> tuple[tuple[Lines, ...], ...]:
    """Of each of these planes of chroma its lines, for each of `REACHES`. Planes [2h, 2w] are of
    whole cells; `under` is the sum of the two samples of luma where each of chroma lies."""
    # Of a cell's four samples, even products sum to less than 2**24.
    luma = under.astype(np.float32)
    chroma = [plane.astype(np.float32) for plane in planes]
    guides, squares = _of_cells(luma), _of_cells(luma * luma)
    owns = [_of_cells(plane) for plane in chroma]
    products = [_of_cells(plane * luma) for plane in chroma]
    made: list[list[Lines]] = [[] for _ in planes]
    for reach in REACHES:
        count = SIDE * SIDE * (4 * reach) ** 2
        guide = _windows(guides, reach)
        spread = count * _windows(squares, reach) - guide * guide + _RIDGE * count * count
        for found, each, with_luma in zip(made, owns, products, strict=True):
            own, product = _windows(each, reach), _windows(with_luma, reach)
            slope = (_UNIT * (count * product - own * guide) + spread // 2) // spread
            slope = np.clip(slope, -_MOST, _MOST)
            start = (_UNIT * own - slope * guide + count // 2) // count
            found.append(Lines(slope.astype(np.float32), start.astype(np.float32)))
    return tuple(map(tuple, made))


def guided(chroma: Samples, under: Samples, found: Lines, strip: slice) -> Samples:
    """Twice what the lines of a strip of rows of cells say of its samples, less twice these."""
    slope, start = (
        each[strip].repeat(SIDE, axis=0).repeat(SIDE, axis=1) for each in (found.slope, found.start)
    )
    half = _UNIT // 2
    said = slope
    said *= under.astype(np.float32)
    said += start
    said += half // 2
    said /= half
    np.floor(said, out=said)
    said -= 2 * chroma
    return np.clip(said, -_LIMIT, _LIMIT, out=said).astype(np.int16)


def _of_cells(samples: Reals) -> Numbers:
    rows = samples[::2] + samples[1::2]
    return (rows[:, ::2] + rows[:, 1::2]).astype(np.int64)


def _windows(cells: Numbers, reach: int) -> Numbers:
    """Sums over windows, of cells outside the nearest inside."""
    return _down(_down(cells, reach).T, reach).T


def _down(cells: Numbers, reach: int) -> Numbers:
    total = np.pad(cells, ((reach, reach), (0, 0)), mode="edge")
    size = 1
    while size < 2 * reach:
        total = total[:-size] + total[size:]
        size *= 2
    return total[:-1] + total[1:]
