"""`hybrid_semantic`: a standard codec's stream, and a network that mends the frames it helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..av_planes import frozen
from ..base import decode_base
from ..container import Codec
from ..errors import BitstreamError, UnsupportedError
from ..frames import PictureFormat, Planes
from ..packing import Packed, pack, unpack
from ..payloads import BaseStream, HybridBody
from ..prefetch import prefetched
from ..sessions import Network
from ._context import SceneContext

_BLOCK = 4
_BASE_FRAMES_AHEAD = 4
_CODEC_LEVELS = {Codec.AV1: 0, Codec.H265: 85, Codec.H264: 170, Codec.VVC: 255}


def decode_hybrid(body: HybridBody, frames: int, context: SceneContext) -> Iterator[Planes]:
    """The base stream's frames at full size, those that are flagged enhanced.

    Raises BitstreamError as `base.decode_base` does and for a network that is no enhancer,
    ModelError if the network is not there, UnsupportedError for video of more than 8 bits.
    """
    if context.format.bit_depth != 8:
        raise UnsupportedError(
            f"hybrid_semantic scenes have 8 bits a sample, this one {context.format.bit_depth}: "
            "update edgecodec"
        )
    base = decode_base(
        body.base,
        context.format,
        frames=frames,
        threads=context.threads,
        max_pixels=context.limits.max_pixels,
        upsampling=body.upsampling,
    )
    if not any(body.enhanced):
        yield from base
        return
    network = context.networks.network(body.enhancer)
    if network.entry.name != "enhancer":
        raise BitstreamError(
            f"the scene's enhancer {body.enhancer} is the network {network.entry.name}"
        )
    with prefetched(base, _BASE_FRAMES_AHEAD) as ahead:
        yield from enhance(ahead, body.enhanced, body.base, context.format, network)


def enhance(
    base: Iterator[Planes],
    enhanced: Sequence[bool],
    stream: BaseStream,
    picture: PictureFormat,
    network: Network,
) -> Iterator[Planes]:
    """`base`'s 8-bit frames in their order, each through the enhancer where `enhanced` says so.

    The first frame stands in for the one before it, the last for the one after. Every frame is
    packed at most once.
    """
    condition: NDArray[np.uint8] | None = None
    packed: dict[int, Packed] = {}
    window: dict[int, Planes] = {}

    def packed_frame(index: int) -> Packed:
        if index not in packed:
            packed[index] = pack(window[index], _BLOCK)
        return packed[index]

    def finished(index: int, last: int) -> Planes:
        nonlocal condition
        current = window[index]
        if enhanced[index]:
            cur = packed_frame(index)
            if condition is None:
                condition = condition_planes(stream, cur.shape[2], cur.shape[3])
            (frame,) = network.run(
                {
                    "prev": packed_frame(max(0, index - 1)),
                    "cur": cur,
                    "next": packed_frame(min(last, index + 1)),
                    "condition": condition,
                }
            )
            current = frozen(unpack(frame, picture))
        for old in [each for each in window if each < index]:
            del window[old]
            packed.pop(old, None)
        return current

    index = -1
    for index, planes in enumerate(base):
        if index >= len(enhanced):
            raise BitstreamError(f"the base has more frames than the scene's {len(enhanced)}")
        window[index] = planes
        if index > 0:
            yield finished(index - 1, index)
    if index >= 0:
        yield finished(index, index)


def condition_planes(stream: BaseStream, rows: int, columns: int) -> NDArray[np.uint8]:
    """What the enhancer is told of the base: [1, 2, rows, columns], quantiser and codec."""
    condition = np.empty((1, 2, rows, columns), np.uint8)
    condition[:, 0] = stream.quantizer
    condition[:, 1] = _CODEC_LEVELS[stream.codec]
    return condition
