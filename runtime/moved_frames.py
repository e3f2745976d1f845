"""Frames that continue another by motion: vectors, and what is left of their levels.

    packet = length of the vectors | vectors | numbers under a prior

A prior that has *previous* 1 codes what is left, in quantiser's steps, and sees as the frame before
what was expected of this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .drawing import Drawing
from .fields import Cursor, Limits, pack_unsigned
from .frame_levels import LARGEST_LEVEL, Levels, clipped, nearest_symbols, symbol_levels
from .motion import Vectors, expected_levels
from .motion_tables import MotionTables
from .prior import Prior
from .prior_coding import decode_with_prior, encode_with_prior
from .prior_shape import Previous
from .vectors import COMPONENTS, decode_vectors, encode_vectors

Symbols = NDArray[np.int16]


def suits_motion(prior: Prior, tables: MotionTables) -> bool:
    """Whether a prior can code what is left of levels that tables predict."""
    is_seen = prior.previous is Previous.SEEN
    return is_seen and not prior.whole and prior.channels == tables.channels


def seen_before(expected: Levels, vectors: Vectors, quality: int) -> Symbols:
    """What a prior sees as the frame before [C, h, w], of `expected` levels: the nearest symbols,
    and for the brightness, which says nothing about what is left of it, how far cells have moved,
    |down| + |across|, at most 127."""
    seen = nearest_symbols(expected, quality)
    seen[0] = np.abs(vectors).sum(axis=0).clip(max=LARGEST_LEVEL)
    return seen


@dataclass(frozen=True, eq=False)
class Shown:
    """What frames after it need of a frame: its levels [C, h, w], and the vectors [2, h, w] by
    which it moved in `span` frames, less than 0 where they point to a later one."""

    levels: Levels
    vectors: Vectors
    span: int = 1
    _drawings: dict[str, Drawing] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def still(cls, levels: Levels) -> Shown:
        """A frame that has not moved: an I frame, for one."""
        return cls(levels, np.zeros((COMPONENTS, *levels.shape[1:]), np.int16))

    def drawing(self, tables: MotionTables) -> Drawing:
        """What `tables` draw of it, kept for all frames that look at it."""
        if tables.motion_id not in self._drawings:
            self._drawings[tables.motion_id] = Drawing(self.levels, tables)
        return self._drawings[tables.motion_id]


def encode_moved(
    vectors: Vectors,
    symbols: Symbols,
    expected: Levels,
    vectors_before: Vectors,
    quality: int,
    prior: Prior,
) -> bytes:
    """The packet of a frame: `b""` if nothing has moved and nothing is left.

    `vectors` [2, h, w] int16 are as `expected_levels` takes them, `expected` [C, h, w] what it
    gave, `symbols` [C, h, w] int16, -127 to 127, the levels' difference to that in quantiser's
    steps. Raises ValueError for values outside that.
    """
    moved = encode_vectors(vectors, vectors_before)
    left = encode_with_prior(symbols, quality, prior, seen_before(expected, vectors, quality))
    if not moved and not left:
        return b""
    return pack_unsigned(len(moved)) + moved + left


def decode_moved(
    data: bytes,
    before: Shown,
    quality: int,
    prior: Prior,
    tables: MotionTables,
    limits: Limits | None = None,
    *,
    span: int = 1,
) -> Shown:
    """A frame that continues the one `before`, which lies `span` frames before it.

    Work and memory are bounded by the shape. Raises BitstreamError for damaged bytes.
    """
    if not data:
        return Shown.still(before.levels)
    cursor = Cursor(data, "a continued frame")
    _, height, width = before.levels.shape
    vectors = decode_vectors(cursor.take(cursor.unsigned()), before.vectors)
    expected = expected_levels(before.levels, vectors, tables, before.drawing(tables))
    seen = seen_before(expected, vectors, quality)
    left = cursor.take(cursor.remaining)
    symbols = decode_with_prior(left, (height, width), quality, prior, seen, limits)
    return Shown(left_added(expected, symbols, quality), vectors, span)


def left_added(expected: Levels, symbols: Symbols, quality: int) -> Levels:
    """The levels of a frame of what was expected and what was left of it."""
    return clipped(expected + symbol_levels(symbols, quality))
