"""Frame sizes: their names, and the tensors that graphs of a given stride take for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMED = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
# The container's own limit on a side; beyond it a size is a slip of the keyboard.
_MAX_SIDE = 8192


@dataclass(frozen=True)
class FrameSize:
    """A frame in luma pixels, as displayed (before any padding)."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Luma pixels of a frame."""
        return self.width * self.height

    def padded(self, multiple: int) -> FrameSize:
        """The smallest size that holds this one and divides by `multiple`."""
        return FrameSize(
            -(-self.width // multiple) * multiple, -(-self.height // multiple) * multiple
        )

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def parse_size(text: str) -> FrameSize:
    """`360p`, `720p`, `1080p`, `4k` or `WxH`; `ValueError` says what was wrong with `text`."""
    named = _NAMED.get(text.strip().lower())
    if named:
        return FrameSize(*named)
    match = re.fullmatch(r"\s*(\d{1,5})x(\d{1,5})\s*", text, re.IGNORECASE)
    if not match:
        raise ValueError(f"{text!r} is not a size: write {', '.join(_NAMED)} or WxH")
    width, height = int(match[1]), int(match[2])
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
        raise ValueError(f"size {text!r}: each side must lie in 1..{_MAX_SIDE}")
    return FrameSize(width, height)
