"""Coding of the motion of a frame between two others: which of them each cell is seen in, and its
vector.

Most cells are seen in both. Those that are not lie together, where something is covered or
uncovered: how many of a cell's neighbours (`prior_positions`) are seen in one tells how likely it
is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError
from .prior_positions import Indices, Step, coding_steps
from .range_coder import RunDecoder, encode_runs
from .vectors import BETWEEN_TABLES, Vectors, check_vectors, read_vectors, vector_runs

BOTH, PAST, FUTURE = range(3)
Sides = NDArray[np.uint8]
"""[h, w]: `BOTH`, or the one frame that a cell is seen in."""
SIDE_TABLES: Indices = np.array((8, 16, 21, 24, 27))
"""By how many neighbours are seen in one frame, the table of 0 for both, 1 for the past and -1 for
the future."""
_NUMBERS = np.array((0, 1, -1), np.int16)


def encode_motion(vectors: Vectors, sides: Sides, before: Vectors) -> bytes:
    """Vectors [2, h, w] int16 and sides [h, w] uint8 in bytes; `b""` if all are zero.

    `before` [2, h, w] are vectors that foretell them. Raises ValueError for sides other than
    `BOTH`, `PAST` and `FUTURE`, for vectors as `encode_vectors` does, and for other shapes.
    """
    check_vectors(vectors, before)
    if sides.dtype != np.uint8 or sides.shape != vectors.shape[1:] or sides.max() > FUTURE:
        raise ValueError(
            f"sides {sides.dtype} {sides.shape}: uint8 of 0 to {FUTURE} are wanted, one a vector"
        )
    if not vectors.any() and not sides.any():
        return b""
    return encode_runs(_all_runs(vectors, sides, before))


def decode_motion(data: bytes, before: Vectors) -> tuple[Vectors, Sides]:
    """The vectors [2, h, w] and sides [h, w] that `encode_motion` wrote, with the same `before`.

    Work and memory are bounded by the shape. There is no checksum: damaged bytes may give other
    motion. Raises BitstreamError if they can be none.
    """
    shape = before.shape[1:]
    if not data:
        return np.zeros_like(before), np.zeros(shape, np.uint8)
    decoder = RunDecoder(data, "motion")
    sides = np.zeros(before[0].size, np.uint8)
    for step in coding_steps(*shape):
        contexts = side_contexts(step, sides)
        for context in np.unique(contexts):
            cells = step.cells[contexts == context]
            numbers = decoder.decode(int(SIDE_TABLES[context]), len(cells))
            if np.abs(numbers).max() > 1:
                raise BitstreamError("motion is damaged: a cell is seen in none of two frames")
            sides[cells] = numbers % len(_NUMBERS)
    return read_vectors(decoder, before, BETWEEN_TABLES), sides.reshape(shape)


def side_contexts(step: Step, sides: Sides) -> Indices:
    """How many neighbours of a step's cells are seen in one frame [n], by `sides` [h * w]."""
    # The place after the last stands for neighbours that are not there, as all of a root's are.
    one = np.append(sides != BOTH, False)
    counts: Indices = np.count_nonzero(one[step.neighbours], axis=0)
    return counts


def _all_runs(
    vectors: Vectors, sides: Sides, before: Vectors
) -> Iterator[tuple[int, NDArray[np.int16]]]:
    flat = sides.ravel()
    for step in coding_steps(*sides.shape):
        contexts = side_contexts(step, flat)
        for context in np.unique(contexts):
            chosen = flat[step.cells[contexts == context]]
            yield int(SIDE_TABLES[context]), _NUMBERS[chosen]
    yield from vector_runs(vectors, before, BETWEEN_TABLES)
