"""The bar at the bottom: where the film is, where its scenes begin, and what is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pygame
from edgecodec.runtime import Damage

_TRACK, _PLAYED, _SCENE, _DAMAGE = (70, 70, 76), (90, 160, 250), (150, 150, 158), (220, 60, 50)
_TRACK_HEIGHT = 6
_MARGIN = 12


@dataclass(frozen=True)
class Timeline:
    """`area` of the window for a film from second `start` on."""

    area: pygame.Rect
    start: float
    duration: float

    @property
    def track(self) -> pygame.Rect:
        """What is drawn of it."""
        width = max(self.area.width - 2 * _MARGIN, 1)
        top = self.area.centery - _TRACK_HEIGHT // 2
        return pygame.Rect(self.area.left + _MARGIN, top, width, _TRACK_HEIGHT)

    def time_at(self, x: int) -> float:
        """The second that a click at column `x` means, always one of the film."""
        part = min(max((x - self.track.left) / self.track.width, 0.0), 1.0)
        return self.start + part * self.duration

    def x_of(self, seconds: float) -> int:
        """The column of a second."""
        part = (seconds - self.start) / self.duration if self.duration else 0.0
        return self.track.left + round(min(max(part, 0.0), 1.0) * self.track.width)

    def draw(
        self,
        target: pygame.Surface,
        position: float,
        scenes: Sequence[float],
        damages: Sequence[Damage],
    ) -> None:
        """`scenes` are the seconds at which one begins."""
        track = self.track
        pygame.draw.rect(target, _TRACK, track)
        played = pygame.Rect(track.topleft, (self.x_of(position) - track.left, track.height))
        pygame.draw.rect(target, _PLAYED, played)
        for start in scenes:
            x = self.x_of(start)
            pygame.draw.line(target, _SCENE, (x, track.top - 3), (x, track.bottom + 2))
        for damage in damages:
            if damage.start is not None:
                end = self.start + self.duration if damage.end is None else damage.end
                left, right = self.x_of(damage.start), self.x_of(end)
                lost = pygame.Rect(left, track.top, max(right - left, 2), track.height)
                pygame.draw.rect(target, _DAMAGE, lost)
        pygame.draw.circle(target, (255, 255, 255), (self.x_of(position), track.centery), 7)
