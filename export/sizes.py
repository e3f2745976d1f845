"""Picture sizes that a network is exported for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..decoder.networks import PER_SCENE, NetworkSpec, PortSpec

_MAX_SIDE = 16384


@dataclass(frozen=True)
class Size:
    """Luma samples of the pictures that a fixed-shape network takes; any size from 1 x 1."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


_NAMED = {
    "360p": Size(640, 360),
    "720p": Size(1280, 720),
    "1080p": Size(1920, 1080),
    "4k": Size(3840, 2160),
}


def parse_size(text: str) -> Size | None:
    """`360p`, `720p`, `1080p`, `4k`, or `WxH` such as `1280x544`; None for `dynamic`.

    Raises `ValueError` that lists what is understood.
    """
    name = text.strip().lower()
    if name == "dynamic":
        return None
    if name in _NAMED:
        return _NAMED[name]
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", name)
    size = Size(int(match[1]), int(match[2])) if match else Size(0, 0)
    if not (0 < size.width <= _MAX_SIDE and 0 < size.height <= _MAX_SIDE):
        raise ValueError(
            f"{text!r} is not a size: write {', '.join(_NAMED)}, WIDTHxHEIGHT"
            f" (1 to {_MAX_SIDE} each) or dynamic"
        )
    return size


def alignment(spec: NetworkSpec) -> int:
    """Luma samples that both sides of a picture are padded to a multiple of for this network."""
    return max(port.stride for port in (*spec.inputs, *spec.outputs))


def port_shape(port: PortSpec, spec: NetworkSpec, size: Size) -> tuple[int, int, int, int]:
    """Shape [1, C, h, w] of `port` for pictures of `size`, padded to the network's alignment.

    [1, C, 1, 1] for what a scene has once, whatever its size.
    """
    if port.stride == PER_SCENE:
        return 1, port.channels, 1, 1
    step = alignment(spec)

    def cells(side: int) -> int:
        return -(-side // step) * step // port.stride

    return 1, port.channels, cells(size.height), cells(size.width)
