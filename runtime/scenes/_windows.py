"""Frames of a base between their neighbours, and what of them is made once and used three times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import BitstreamError
from ..filter_taps import Around, Looked, look
from ..frames import Planes
from ..packing import Packed


@dataclass
class BaseFrame:
    """A frame of the base, and what was made of it once it was asked for; not to be asked in two
    threads at once."""

    planes: Planes
    _packed: Packed | None = None
    _deep: Planes | None = None
    _looked: Looked | None = None

    def seen(self, pack_frame: Callable[[Planes], Packed]) -> Packed:
        """As a network sees it."""
        if self._packed is None:
            self._packed = pack_frame(self.planes)
        return self._packed

    def deep(self, full_size: Callable[[Planes], Planes]) -> Planes:
        """At the video's size, in ten bits."""
        if self._deep is None:
            self._deep = full_size(self.planes)
        return self._deep

    def looked(self, full_size: Callable[[Planes], Planes]) -> Looked:
        """As filters look at it."""
        if self._looked is None:
            self._looked = look(self.deep(full_size))
        return self._looked


@dataclass(frozen=True)
class Window:
    """A frame of the base between its neighbours."""

    index: int
    prev: BaseFrame
    cur: BaseFrame
    next: BaseFrame

    def around(self, full_size: Callable[[Planes], Planes]) -> Around:
        """As filters look at it."""
        prev, cur, after = (each.looked(full_size) for each in (self.prev, self.cur, self.next))
        return Around(prev, cur, after)


def windows(base: Iterator[Planes], frames: int, first: int) -> Iterator[Window]:
    """Every frame from `first` on; the first stands in for the one before it, the last for the one
    after. BitstreamError if the base has more than `frames`."""
    prev = cur = None
    for index, planes in enumerate(base):
        if index >= frames:
            raise BitstreamError(f"the base has more frames than the scene's {frames}")
        after = BaseFrame(planes)
        if cur is not None and index > first:
            yield Window(index - 1, prev or cur, cur, after)
        prev, cur = cur, after
    if cur is not None and index >= first:
        yield Window(index, prev or cur, cur, cur)
