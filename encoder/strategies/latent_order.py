"""In which order the frames of a scene in latents are coded, and what each refers to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...runtime.payloads import FrameKind

INTERVAL = 8
"""Frames from an I-frame to the next with B-frames between them, where nobody says."""


@dataclass(frozen=True)
class PlannedFrame:
    """A frame's place in the decoding order, and the positions that it refers to.

    `moves` says that it is predicted from those by motion, `depth` how many B-frames it is below
    the frames that are none.
    """

    kind: FrameKind
    position: int
    references: tuple[int, ...] = ()
    moves: bool = False
    depth: int = 0

    @property
    def drawn_from(self) -> tuple[int, ...]:
        """The frames whose features it is made of."""
        return () if self.moves or self.kind is FrameKind.C else self.references


def known_frames(order: Sequence[PlannedFrame]) -> list[int | None]:
    """For each frame the position of the one whose symbols its prior may know."""
    latest: dict[FrameKind, int] = {}
    known = []
    for frame in order:
        continued = frame.kind is FrameKind.C
        known.append(frame.references[0] if continued else latest.get(frame.kind))
        latest[frame.kind] = frame.position
    return known


def predicted_order(count: int) -> list[PlannedFrame]:
    """An I-frame, then each frame from the one before."""
    first = [PlannedFrame(FrameKind.I, 0)]
    return first + [PlannedFrame(FrameKind.P, n, (n - 1,)) for n in range(1, count)]


def continued_order(count: int, interval: int | None = None) -> list[PlannedFrame]:
    """I-frames every `interval` frames, None for the first alone; all others are coded knowing the
    one before."""
    starts = range(0, count, interval or count)
    return [
        PlannedFrame(FrameKind.I, n) if n in starts else PlannedFrame(FrameKind.C, n, (n - 1,))
        for n in range(count)
    ]


def moved_order(count: int, interval: int | None = None, reach: int = 1) -> list[PlannedFrame]:
    """As `continued_order`, by motion: every `reach` frames one that continues the last such frame,
    or an I-frame, and between them a hierarchy of B."""
    starts = set(range(0, count, interval or count))
    order = [PlannedFrame(FrameKind.I, 0)]
    past = 0
    while past < count - 1:
        next_start = min((start for start in starts if start > past), default=count)
        future = min(past + reach, next_start, count - 1)
        if future in starts:
            order.append(PlannedFrame(FrameKind.I, future))
        else:
            order.append(PlannedFrame(FrameKind.C, future, (past,), moves=True))
        order += _between(past, future, moves=True)
        past = future
    return order


def interpolated_order(count: int, interval: int = INTERVAL) -> list[PlannedFrame]:
    """I-frames every `interval` frames and at the end; between two of them a hierarchy of B."""
    order = [PlannedFrame(FrameKind.I, 0)]
    past = 0
    while past < count - 1:
        future = min(past + interval, count - 1)
        order.append(PlannedFrame(FrameKind.I, future))
        order += _between(past, future)
        past = future
    return order


def _between(past: int, future: int, *, moves: bool = False, depth: int = 1) -> list[PlannedFrame]:
    if future - past < 2:
        return []
    middle = (past + future) // 2
    return [
        PlannedFrame(FrameKind.B, middle, (past, future), moves, depth),
        *_between(past, middle, moves=moves, depth=depth + 1),
        *_between(middle, future, moves=moves, depth=depth + 1),
    ]
