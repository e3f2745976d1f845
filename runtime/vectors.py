"""Coding of a frame's motion vectors, one for each cell of 16 x 16 luma samples.

Motion is smooth in places, breaks at the edges of what moves, and goes on from frame to frame. So
cells are coded from a coarse grid to the cells between (`prior_positions`), each component against
the median of the cells around it and the same cell in the frame before, under a table that depends
on how much those differ. All of it is integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .prior_positions import Indices, Step, coding_steps
from .range_coder import RunDecoder, encode_runs
from .scale_tables import MAX_SYMBOL, load_scale_tables

COMPONENTS = 2
MAX_VECTOR = MAX_SYMBOL
# The most by which vectors differ in classes 0 to 2; class 3 has all others.
_SPREADS = (0, 2, 8)
_CLASSES = len(_SPREADS) + 1
ROOT_CONTEXT = _CLASSES * _CLASSES
_VALUES = 2 * MAX_VECTOR + 1
# Stands for neighbours that are not there: it is sorted behind all that are.
_MISSING = np.iinfo(np.int16).max

Vectors = NDArray[np.int16]
ContextTables = NDArray[np.intp]
"""By context, the table (0 to 63) of differences: of contexts 4 a + b, a is the class of how
neighbours differ from each other, b that of how what is foretold differs from them. Context 16 has
the roots."""
# Those that cost least on vectors of clips that are not among the validation's.
CONTINUED_TABLES: ContextTables = np.array(
    (3, 15, 23, 10, 17, 21, 25, 19, 19, 27, 31, 35, 16, 33, 39, 42, 18)
)
"""Of frames that continue another."""
BETWEEN_TABLES: ContextTables = np.array(
    (1, 7, 13, 6, 11, 16, 19, 15, 11, 23, 28, 33, 9, 30, 38, 44, 16)
)
"""Of frames between two others."""


def encode_vectors(vectors: Vectors, before: Vectors) -> bytes:
    """Vectors [2, h, w] int16 of a frame in bytes; `b''` if all are zero.

    Component 0 points down and 1 across, in half luma samples of -127 to 127. `before` [2, h, w]
    are those of the frame that it continues. Raises ValueError for vectors outside that, or of
    other shapes.
    """
    check_vectors(vectors, before)
    if not vectors.any():
        return b""
    return encode_runs(vector_runs(vectors, before, CONTINUED_TABLES))


def decode_vectors(data: bytes, before: Vectors) -> Vectors:
    """The vectors [2, h, w] int16 that `encode_vectors` wrote, with the same `before`.

    They are -127 to 127, whatever the bytes, and work and memory are bounded by the shape. There is
    no checksum: damaged bytes may give other vectors. Raises BitstreamError if they can be none.
    """
    if not data:
        return np.zeros_like(before)
    return read_vectors(RunDecoder(data, "vectors"), before, CONTINUED_TABLES)


def read_vectors(decoder: RunDecoder, before: Vectors, tables: ContextTables) -> Vectors:
    """The vectors [2, h, w] whose `vector_runs` come next. BitstreamError if they are damaged."""
    _, height, width = before.shape
    known = np.zeros((height * width, COMPONENTS), np.int16)
    for run in _predicted_runs(known, before):
        numbers = decoder.decode(int(tables[run.context]), run.predictions.size)
        known[run.cells] = _wrapped(run.predictions + numbers.reshape(-1, COMPONENTS))
    return np.ascontiguousarray(known.T).reshape(before.shape)


def vector_bits(vectors: Vectors, before: Vectors) -> float:
    """How many bits `encode_vectors` would need for vectors.

    Its bytes are at most a few words more. Raises ValueError like it.
    """
    check_vectors(vectors, before)
    if not vectors.any():
        return 0.0
    bits = load_scale_tables().bits
    return sum(
        float(bits[table, np.abs(numbers)].sum(dtype=np.float64))
        for table, numbers in vector_runs(vectors, before, CONTINUED_TABLES)
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """Cells that are coded one after the other under one table.

    `cells` [n] are flat positions in coding order, `predictions` [n, 2] int16 those of their
    vectors.
    """

    context: int
    cells: Indices
    predictions: Vectors


def _predicted_runs(known: Vectors, before: Vectors) -> Iterator[_Run]:
    """All runs of a frame in coding order.

    A reader must have put a run's vectors into `known` [h * w, 2] before it asks for the next.
    """
    was = before.reshape(COMPONENTS, -1).T
    for step in coding_steps(before.shape[1], before.shape[2]):
        contexts, predictions = _predicted(step, known, was)
        for context in np.unique(contexts):
            chosen = np.flatnonzero(contexts == context)
            yield _Run(int(context), step.cells[chosen], predictions[chosen])


def _predicted(step: Step, known: Vectors, was: Vectors) -> tuple[Indices, Vectors]:
    """The contexts [n] and predictions [n, 2] of a step's cells, which `was` says what they were
    before."""
    here = was[step.cells]
    if step.is_root:
        return np.full(step.cells.size, ROOT_CONTEXT), here
    return predicted(neighbours_of(step.neighbours, known), here)


def neighbours_of(places: Indices, known: Vectors) -> Vectors:
    """The vectors [4, n, 2] at flat positions [4, n] among `known` [h * w, 2]; what `predicted`
    takes as missing where there is none."""
    is_there = places < len(known)
    around = known[np.where(is_there, places, 0)]
    around[~is_there] = _MISSING
    return around


def predicted(around: Vectors, here: Vectors) -> tuple[Indices, Vectors]:
    """The contexts [n] and predictions [n, 2] of cells that are no roots, by their neighbours'
    vectors [4, n, 2] and what their own were in the frame before [n, 2]."""
    around = np.sort(around, axis=0)
    # Every cell but the roots has an even number of neighbours that are there, two at least.
    there = np.count_nonzero(around[..., 0] != _MISSING, axis=0)
    each = np.arange(len(here))
    low, high = around[there // 2 - 1, each], around[there // 2, each]
    spreads = (around[there - 1, each] - around[0]).max(axis=1)
    differences = np.abs(here - ((low + high) >> 1)).max(axis=1)
    spread_class, difference_class = (
        np.searchsorted(_SPREADS, sizes) for sizes in (spreads, differences)
    )
    # The one in the middle, of an odd count.
    return _CLASSES * spread_class + difference_class, np.clip(here, low, high)


def difference_bits(
    contexts: Indices, differences: Vectors, tables: ContextTables
) -> NDArray[np.float32]:
    """What vectors [..., 2] take that differ so from their predictions, in contexts [...]."""
    bits = load_scale_tables().bits
    made: NDArray[np.float32] = bits[
        tables[contexts][..., None], np.abs(_wrapped(differences))
    ].sum(-1)
    return made


def vector_runs(
    vectors: Vectors, before: Vectors, tables: ContextTables
) -> Iterator[tuple[int, Vectors]]:
    """What `encode_runs` takes of vectors [2, h, w]: the table of each run, and its numbers
    [n, 2]."""
    known = np.ascontiguousarray(vectors.reshape(COMPONENTS, -1).T)
    for run in _predicted_runs(known, before):
        yield int(tables[run.context]), _wrapped(known[run.cells] - run.predictions)


def _wrapped(numbers: Vectors) -> Vectors:
    """Modulo 255, as -127 to 127."""
    return (numbers + MAX_VECTOR) % _VALUES - MAX_VECTOR


def check_vectors(*fields: Vectors) -> None:
    """ValueError unless all are int16 [2, h, w] of one shape, -127 to 127."""
    for vectors in fields:
        if vectors.dtype != np.int16 or vectors.ndim != 3 or len(vectors) != COMPONENTS:
            raise ValueError(
                f"vectors {vectors.dtype} {vectors.shape}: int16 [{COMPONENTS}, h, w] is wanted"
            )
        if not vectors.size or vectors.shape != fields[0].shape:
            raise ValueError(
                f"vectors {vectors.shape}: at least one cell is wanted, and as many before"
            )
        if vectors.max() > MAX_VECTOR or vectors.min() < -MAX_VECTOR:
            raise ValueError(f"vectors are -{MAX_VECTOR} to {MAX_VECTOR}")
