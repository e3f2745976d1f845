"""Frames between two others, seen in both: motion, and what is left of their levels.

    packet = length of the motion | motion | numbers under a prior

A cell has one vector. It points to what the cell looks like in the frame before; in the one after
that lies the other way, as far as the frames are apart. What is expected is the mean of the two,
or one of them alone: what is uncovered or covered between them is seen in one only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import Cursor, Limits, pack_unsigned
from .frame_levels import LARGEST_LEVEL, Levels, nearest_symbols
from .motion import Shows, Vectors, expected_levels
from .motion_tables import MotionTables
from .moved_frames import Shown, Symbols, left_added
from .prior import Prior
from .prior_coding import decode_with_prior, encode_with_prior
from .sides import BOTH, FUTURE, PAST, Sides, decode_motion, encode_motion
from .vectors import COMPONENTS, MAX_VECTOR


@dataclass(frozen=True, eq=False)
class Between:
    """The frame before and the frame after, `ahead` and `behind` frames away, 1 or more each."""

    past: Shown
    future: Shown
    ahead: int
    behind: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of cells."""
        _, rows, columns = self.past.levels.shape
        return rows, columns

    def vectors_before(self) -> Vectors:
        """What vectors [2, h, w] are foretold by: those of the frame after or, where it has none,
        of the frame before, as if all moved on evenly."""
        moved = self.future if self.future.vectors.any() else self.past
        return _stretched(moved.vectors, self.ahead, moved.span)

    def mirrored(self, vectors: Vectors) -> Vectors:
        """Where vectors [2, h, w] or [n, 2] that point to the frame before point to in the one
        after."""
        return _stretched(vectors, -self.behind, self.ahead)


@dataclass(frozen=True, eq=False)
class Sighted:
    """What the two frames say that levels [C, h, w] are, by a frame's vectors."""

    past: Levels
    future: Levels

    def expected(self, sides: Sides) -> Levels:
        """What is expected [C, h, w]: of both the mean, halves towards zero."""
        # Twice the largest level is far from what 16 bits hold.
        total = self.past + self.future
        total -= total >> 15
        made: Levels = total >> 1
        for side, one in ((PAST, self.past), (FUTURE, self.future)):
            np.copyto(made, one, where=sides == side)
        return made

    def seen(self, sides: Sides, quality: int) -> Symbols:
        """What a prior sees as the frame before [C, h, w]: the symbols nearest to what is expected
        and, for the brightness, which says nothing about what is left of it, how far the two
        frames are apart, in symbols and at most 127, less than 0 where one of them is used."""
        made = nearest_symbols(self.expected(sides), quality)
        apart = nearest_symbols(np.abs(self.past - self.future), quality)
        sums = apart.sum(axis=0, dtype=np.int32).clip(max=LARGEST_LEVEL)
        made[0] = np.where(sides == BOTH, sums, -sums)
        return made


def sighted(
    between: Between,
    vectors: Vectors,
    tables: MotionTables,
    frames: tuple[Shows, Shows] | None = None,
) -> Sighted:
    """What the two frames around one with vectors [2, h, w] say of it.

    `frames` show them, where they are not shown as players have them.
    """
    past, future = frames or (between.past.drawing(tables), between.future.drawing(tables))
    return Sighted(
        expected_levels(between.past.levels, vectors, tables, past),
        expected_levels(between.future.levels, between.mirrored(vectors), tables, future),
    )


def encode_between(
    vectors: Vectors,
    sides: Sides,
    symbols: Symbols,
    seen: Symbols,
    vectors_before: Vectors,
    quality: int,
    prior: Prior,
) -> bytes:
    """The packet of a frame: `b""` if it is the mean of two that do not move, and nothing is left.

    `vectors` [2, h, w] int16 and `sides` [h, w] uint8 are as `Sighted` takes them, `symbols`
    [C, h, w] int16, -127 to 127, the levels' difference to what is expected in quantiser's steps,
    `seen` what the prior sees. Raises ValueError for values outside that.
    """
    motion = encode_motion(vectors, sides, vectors_before)
    left = encode_with_prior(symbols, quality, prior, seen)
    if not motion and not left:
        return b""
    return pack_unsigned(len(motion)) + motion + left


def decode_between(
    data: bytes,
    between: Between,
    quality: int,
    prior: Prior,
    tables: MotionTables,
    limits: Limits | None = None,
) -> Shown:
    """A frame between two others.

    Work and memory are bounded by the shape. Raises BitstreamError for damaged bytes.
    """
    rows, columns = between.shape
    vectors = np.zeros((COMPONENTS, rows, columns), np.int16)
    sides = np.zeros((rows, columns), np.uint8)
    left = b""
    if data:
        cursor = Cursor(data, "a frame between two")
        motion = cursor.take(cursor.unsigned())
        vectors, sides = decode_motion(motion, between.vectors_before())
        left = cursor.take(cursor.remaining)
    seen_by = sighted(between, vectors, tables)
    seen = seen_by.seen(sides, quality)
    symbols = decode_with_prior(left, between.shape, quality, prior, seen, limits)
    return Shown(left_added(seen_by.expected(sides), symbols, quality), vectors, between.ahead)


def _stretched(vectors: Vectors, wanted: int, span: int) -> Vectors:
    """How far what moves by vectors in `span` frames moves in `wanted`: the nearest, halves away
    from zero, of -127 to 127."""
    distance = abs(span)
    sizes = (2 * np.abs(vectors.astype(np.int64)) * abs(wanted) + distance) // (2 * distance)
    turned = np.sign(vectors) * (1 if (wanted < 0) == (span < 0) else -1)
    made: Vectors = (turned * sizes.clip(max=MAX_VECTOR)).astype(np.int16)
    return made
