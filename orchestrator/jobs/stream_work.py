"""What a stream asks of its player: which layers to decode, which networks for how many frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...profiles.size import FrameSize
from ...runtime.chunks import Codec
from ...runtime.container import Limits, Reader
from ...runtime.payloads import (
    Body,
    ClassicalBody,
    HybridBody,
    LatentBody,
    parse_body,
)

# A still is decoded once, ahead of its scene.
_STILLS_FPS = 1.0


@dataclass(frozen=True)
class Layer:
    """Coded pictures of a standard codec, `fps` of them a second."""

    codec: Codec
    bit_depth: int
    size: FrameSize
    fps: float


@dataclass(frozen=True)
class StreamWork:
    """The work of playing a stream of `frames` frames of `size` at `fps`.

    `network_frames` counts frames by the network that makes or mends them, named as the tier's
    manifest names it; each frame runs at most one.
    """

    tier: str
    size: FrameSize
    fps: float
    frames: int
    network_frames: Mapping[str, int]
    layers: frozenset[Layer]


def stream_work(path: Path) -> StreamWork:
    """Read every scene of a stream, without decoding a picture.

    Raises BitstreamError if it is damaged, UnsupportedError if it needs a later version, and
    OSError if it cannot be read.
    """
    limits = Limits()
    networks: Counter[str] = Counter()
    layers: set[Layer] = set()
    frames = 0
    with path.open("rb") as file:
        reader = Reader(file, limits)
        header = reader.header
        fps = float(header.frame_rate)
        for entry in reader.index:
            chunk = reader.chunk(entry)
            body = parse_body(chunk.strategy, chunk.body, len(chunk.pts), limits)
            frames += len(chunk.pts)
            networks.update(_networks(body))
            layers.update(_layers(body, fps))
    size = FrameSize(header.format.width, header.format.height)
    return StreamWork(header.tier, size, fps, frames, dict(networks), frozenset(layers))


def _networks(body: Body) -> Iterator[str]:
    """The network of each frame that has one."""
    if isinstance(body, HybridBody):
        name = "generator_up" if body.upsampling else "enhancer"
        yield from (name for enhanced in body.enhanced if enhanced)
    elif isinstance(body, LatentBody):
        yield from (body.network_of(packet.kind) for packet in body.packets)


def _layers(body: Body, fps: float) -> Iterator[Layer]:
    if isinstance(body, LatentBody):
        return
    if isinstance(body, ClassicalBody | HybridBody):
        bases = [(body.base, fps)]
    else:
        bases = [(still.stream, _STILLS_FPS) for still in body.stills]
    for base, rate in bases:
        yield Layer(base.codec, base.bit_depth, FrameSize(base.width, base.height), rate)
