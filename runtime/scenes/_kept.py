"""Frames that later ones refer to, and no longer than they do."""

from __future__ import annotations

from typing import Generic, TypeVar

from ..errors import BitstreamError
from ..fields import Limits
from ..payloads import LatentBody, LatentPacket

_Frame = TypeVar("_Frame")


class Kept(Generic[_Frame]):
    """What frames decoded to, as long as a later one continues them."""

    def __init__(self, body: LatentBody, limits: Limits) -> None:
        self._most = limits.max_frames_held
        self._steps = {packet.position: step for step, packet in enumerate(body.packets)}
        self._last_use = {
            reference: step
            for step, packet in enumerate(body.packets)
            for reference in body.rests_on(packet)
        }
        self._frames: dict[int, _Frame] = {}

    def of(self, packet: LatentPacket) -> list[_Frame]:
        """What a frame refers to."""
        return [self._frames[reference] for reference in packet.references]

    def keep(self, packet: LatentPacket, decoded: _Frame) -> None:
        """Keep what a frame decoded to if a later one continues it, and no longer those frames
        that none does."""
        self._frames[packet.position] = decoded
        step = self._steps[packet.position]
        for position in [each for each in self._frames if self._last_use.get(each, -1) <= step]:
            del self._frames[position]
        if len(self._frames) > self._most:
            raise BitstreamError(
                f"{len(self._frames)} frames are yet to be continued, at most {self._most} may"
            )
