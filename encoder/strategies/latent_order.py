"""In which order the frames of a scene in latents are coded, and what each refers to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...runtime.payloads import FrameKind

INTERVAL = 8
"""Frames from an I-frame to the next with B-frames between them, where nobody says."""


@dataclass(frozen=True)
class PlannedFrame:
    """A frame's place in the decoding order, and the positions that it refers to."""

    kind: FrameKind
    position: int
    references: tuple[int, ...] = ()

    @property
    def drawn_from(self) -> tuple[int, ...]:
        """The frames whose features it is made of."""
        return () if self.kind is FrameKind.C else self.references


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


def _between(past: int, future: int) -> list[PlannedFrame]:
    if future - past < 2:
        return []
    middle = (past + future) // 2
    here = PlannedFrame(FrameKind.B, middle, (past, future))
    return [here, *_between(past, middle), *_between(middle, future)]
