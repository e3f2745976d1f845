"""Pictures on a surface: alone, beside the original, or split with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np
import pygame
from av.video.reformatter import Colorspace, Interpolation
from edgecodec.runtime import Frame, StreamInfo

from .source import Shot

_LINE_COLOR = (255, 255, 255)
_UNSPECIFIED = 2  # A code point of ISO/IEC 23091-2, as all of `ColorInfo`.
# As `Frame.to_rgb`: FFmpeg's shortcuts are up to 4 levels off.
_EXACT = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND


class Layout(StrEnum):
    """Where the original is, if there is one."""

    ALONE = "alone"
    BESIDE = "side by side"
    SPLIT = "split"

    @property
    def next(self) -> Layout:
        """The one that a key press leads to."""
        layouts = list(Layout)
        return layouts[(layouts.index(self) + 1) % len(layouts)]


@dataclass(frozen=True)
class Shape:
    """How the picture is to be seen: width over height, and turned clockwise by `rotation`."""

    aspect: Fraction
    rotation: int = 0

    @classmethod
    def of(cls, info: StreamInfo) -> Shape:
        """Of a stream, with its samples' own shape taken into account."""
        aspect = Fraction(info.format.width, info.format.height) * (info.sample_aspect or 1)
        turned = info.rotation % 180 == 90
        return cls(1 / aspect if turned else aspect, info.rotation)

    def fitted(self, area: pygame.Rect) -> pygame.Rect:
        """The largest picture inside of `area`, in its middle."""
        width = max(min(area.width, int(area.height * self.aspect)), 1)
        height = max(min(area.height, round(width / self.aspect)), 1)
        fitted = pygame.Rect(0, 0, width, height)
        fitted.center = area.center
        return fitted


def surface_of(frame: Frame, size: tuple[int, int], rotation: int) -> pygame.Surface:
    """A copy in RGB of `size` after turning it: that of `Frame.to_rgb` where the size is its own.

    Raises FFmpegError for a colour matrix that FFmpeg cannot undo.
    """
    picture = frame.to_av()
    if frame.color.matrix == _UNSPECIFIED:
        picture.colorspace = Colorspace.ITU709
    width, height = size if rotation % 180 == 0 else size[::-1]
    rgb = picture.reformat(width, height, format="rgb24", interpolation=_EXACT).to_ndarray()
    samples = np.ascontiguousarray(rgb).data
    surface = pygame.image.frombuffer(samples, (width, height), "RGB")
    return pygame.transform.rotate(surface, -rotation) if rotation else surface


def draw_shot(
    target: pygame.Surface,
    area: pygame.Rect,
    shot: Shot,
    shape: Shape,
    layout: Layout,
    split: float,
) -> None:
    """Draws into `area`; `split` from 0 to 1 is how much of the width is the original's.

    The original is to the left, as it is in reading order what came first.
    """
    if shot.original is None or layout is Layout.ALONE:
        place = shape.fitted(area)
        target.blit(surface_of(shot.frame, place.size, shape.rotation), place)
    elif layout is Layout.BESIDE:
        left, right = _halves(area)
        for half, frame in ((left, shot.original), (right, shot.frame)):
            place = shape.fitted(half)
            target.blit(surface_of(frame, place.size, shape.rotation), place)
    else:
        place = shape.fitted(area)
        target.blit(surface_of(shot.frame, place.size, shape.rotation), place)
        seam = round(place.width * split)
        part = pygame.Rect(0, 0, seam, place.height)
        target.blit(surface_of(shot.original, place.size, shape.rotation), place, part)
        x = place.left + seam
        pygame.draw.line(target, _LINE_COLOR, (x, place.top), (x, place.bottom - 1))


def _halves(area: pygame.Rect) -> tuple[pygame.Rect, pygame.Rect]:
    left = pygame.Rect(area.left, area.top, area.width // 2, area.height)
    right = pygame.Rect(left.right, area.top, area.width - left.width, area.height)
    return left, right
