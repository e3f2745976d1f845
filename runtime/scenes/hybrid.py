"""`hybrid_semantic`: a standard codec's stream, and a network that mends the frames it helps.

The network sees the base rounded to 8 bits, and gives a residual in quarters of a grey level. That
is added to the base at full size in ten bits, whatever the depths of base and video, so that the
sum is rounded only once, to the video's depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..av_planes import frozen
from ..base import deep_base, round_to_8_bit
from ..container import Codec
from ..errors import BitstreamError
from ..frames import PictureFormat, Plane, Planes
from ..packing import Packed, pack, unpack
from ..payloads import ALL_PLANES, BaseStream, ClassicalBody, HybridBody
from ..prefetch import prefetched
from ..scene_code import SceneCode, identity_code
from ..sessions import Network
from ..upsample import Upsampling, upsample, upsampling_pool
from ._context import SceneContext
from .classical import decode_classical

if TYPE_CHECKING:
    from concurrent.futures import Executor

_NETWORKS = {Upsampling.NONE: "enhancer", Upsampling.EIGHT_TAP: "generator_up"}
_BLOCKS = {Upsampling.NONE: 4, Upsampling.EIGHT_TAP: 2}
_BASE_FRAMES_AHEAD = 4
_CODEC_LEVELS = {Codec.AV1: 0, Codec.H265: 85, Codec.H264: 170, Codec.VVC: 255}
_RESIDUAL_ZERO = 128
_TEN_BIT_TOP = 1023


def decode_hybrid(
    body: HybridBody, frames: int, context: SceneContext, first: int = 0
) -> Iterator[Planes]:
    """The frames from `first` on that `classical` would give, those that are flagged mended by the
    network.

    Where the body's title weights are not in `context.titles`, the network runs as it is. Raises
    BitstreamError as `base.decode_base` does, for a network of the wrong kind and for a scene code
    or title weights that do not fit it, and ModelError if the network is not there.
    """
    if not any(body.enhanced[first:]):
        plain = ClassicalBody(body.base, body.upsampling)
        yield from decode_classical(plain, frames, context, first)
        return
    title = None if body.title is None else context.titles.get(body.title)
    network = context.networks.network(body.enhancer, title)
    if network.entry.name != _NETWORKS[body.upsampling]:
        raise BitstreamError(
            f"the scene's enhancer {body.enhancer} is the network {network.entry.name}, "
            f"{_NETWORKS[body.upsampling]} is wanted"
        )
    base = deep_base(
        body.base,
        context.format,
        body.upsampling,
        frames=frames,
        threads=context.threads,
        max_pixels=context.limits.max_pixels,
    )
    with prefetched(base, _BASE_FRAMES_AHEAD) as ahead:
        yield from enhance(
            ahead,
            body.enhanced,
            body.base,
            context.format,
            network,
            upsampling=body.upsampling,
            code=body.scene_code,
            planes=body.planes,
            threads=context.threads,
            first=first,
        )


def enhance(
    base: Iterator[Planes],
    enhanced: Sequence[bool],
    stream: BaseStream,
    picture: PictureFormat,
    network: Network,
    *,
    upsampling: Upsampling = Upsampling.NONE,
    code: SceneCode | None = None,
    planes: tuple[bool, bool, bool] = ALL_PLANES,
    threads: int = 1,
    first: int = 0,
) -> Iterator[Planes]:
    """`base`'s frames in their order, each through the network where `enhanced` says so.

    The first frame stands in for the one before it, the last for the one after. Every frame is
    packed at most once.

    Args:
        base: what `base.deep_base` gives: planes of the base's depth, half of `picture`'s size with
            `upsampling`.
        enhanced: a flag for each frame.
        stream: the base that the frames are from.
        picture: what is yielded.
        network: an `enhancer`; with `upsampling` a `generator_up`.
        upsampling: how frames get their full size.
        code: what the network is adapted by, None for the identity.
        planes: those of Y, U and V that are mended; the others are as `unmended` gives them.
        threads: how many upsample a frame, 0 for one a core. Samples do not depend on it.
        first: frames before this one are only neighbours: they are not given.

    Yields:
        Read-only planes.

    Raises:
        BitstreamError: `code` is for another number of channels, or the base has more frames than
            there are flags.
    """
    adaptation = _adaptation(network, code)
    condition: NDArray[np.uint8] | None = None
    packed: dict[int, Packed] = {}
    window: dict[int, Planes] = {}

    def packed_at(index: int) -> Packed:
        if index not in packed:
            packed[index] = packed_frame(window[index], stream, upsampling)
        return packed[index]

    def mended(index: int, last: int, pool: Executor | None) -> Planes:
        nonlocal condition
        cur = packed_at(index)
        if condition is None:
            condition = condition_planes(stream, cur.shape[2], cur.shape[3])
        frames = {
            "prev": packed_at(max(0, index - 1)),
            "cur": cur,
            "next": packed_at(min(last, index + 1)),
        }
        (residual,) = network.run(frames | {"condition": condition} | adaptation)
        full = full_size(window[index], stream, upsampling, picture, pool=pool)
        made = add_residual(full, residual, picture)
        if planes == ALL_PLANES:
            return made
        plain = unmended(window[index], stream, upsampling, picture, pool=pool)
        y, u, v = (
            each[0] if wanted else each[1]
            for *each, wanted in zip(made, plain, planes, strict=True)
        )
        return y, u, v

    def finished(index: int, last: int, pool: Executor | None) -> Planes:
        if enhanced[index]:
            made = mended(index, last, pool)
        else:
            made = unmended(window[index], stream, upsampling, picture, pool=pool)
        for old in [each for each in window if each < index]:
            del window[old]
            packed.pop(old, None)
        return made

    index = -1
    with nullcontext() if upsampling is Upsampling.NONE else upsampling_pool(threads) as pool:
        for index, frame in enumerate(base):
            if index >= len(enhanced):
                raise BitstreamError(f"the base has more frames than the scene's {len(enhanced)}")
            window[index] = frame
            if index > first:
                yield finished(index - 1, index, pool)
            else:
                window.pop(index - 2, None)
        if index >= first:
            yield finished(index, index, pool)


def packed_frame(planes: Planes, stream: BaseStream, upsampling: Upsampling) -> Packed:
    """What the network sees of a frame of `base.deep_base`: rounded to 8 bits and packed.

    [1, 24, h, w], with `upsampling` [1, 6, h, w]; h and w are a quarter of the video's sides,
    rounded up.
    """
    return pack(_eight_bit(planes, stream), _BLOCKS[upsampling])


def condition_planes(stream: BaseStream, rows: int, columns: int) -> NDArray[np.uint8]:
    """What the network is told of the base: [1, 2, rows, columns], quantiser and codec."""
    condition = np.empty((1, 2, rows, columns), np.uint8)
    condition[:, 0] = stream.quantizer
    condition[:, 1] = _CODEC_LEVELS[stream.codec]
    return condition


def full_size(
    planes: Planes,
    stream: BaseStream,
    upsampling: Upsampling,
    picture: PictureFormat,
    *,
    pool: Executor | None = None,
) -> Planes:
    """A frame of `base.deep_base` as what residuals are added to: uint16, 0 to 1023, of `picture`'s
    size. A base of 8 bits counts four times, after upsampling at its own depth."""
    if upsampling is not Upsampling.NONE:
        deep = PictureFormat(picture.width, picture.height, stream.bit_depth)
        planes = upsample(planes, upsampling, deep, pool)
    if stream.bit_depth == 10:
        return planes
    y, u, v = (np.left_shift(plane, 2, dtype=np.uint16) for plane in planes)
    return y, u, v


def add_residual(base: Planes, residual: NDArray[np.uint8], picture: PictureFormat) -> Planes:
    """The mended frame, read-only: clip(base + residual - 128) at the video's depth.

    `base` is `full_size`'s, `residual` [1, 24, h, w] in quarters of a grey level of 8 bits. Sums
    are clipped to 0 to 1023; for a video of 8 bits they become min(255, (sum + 2) >> 2).
    """
    y, u, v = (
        _summed(plane, change, picture.bit_depth)
        for plane, change in zip(base, unpack(residual, picture), strict=True)
    )
    return frozen((y, u, v))


def unmended(
    planes: Planes,
    stream: BaseStream,
    upsampling: Upsampling,
    picture: PictureFormat,
    *,
    pool: Executor | None = None,
) -> Planes:
    """A frame of `base.deep_base` as `classical` gives it."""
    if upsampling is not Upsampling.NONE:
        return upsample(planes, upsampling, picture, pool)
    return planes if picture.bit_depth == stream.bit_depth else round_to_8_bit(planes)


def _adaptation(network: Network, code: SceneCode | None) -> dict[str, NDArray[np.uint8]]:
    channels = network.entry.input("gain").shape[1]
    if channels is None:
        raise BitstreamError(f"network {network.entry.name} takes no scene code of a known size")
    code = code or identity_code(channels)
    if code.channels != channels:
        raise BitstreamError(
            f"a scene code of {code.channels} channels, network {network.entry.model_id} has "
            f"{channels}"
        )
    return code.ports()


def _eight_bit(planes: Planes, stream: BaseStream) -> Planes:
    return planes if stream.bit_depth == 8 else round_to_8_bit(planes)


def _summed(base: Plane, residual: Plane, bit_depth: int) -> Plane:
    # The zero stays in until the end, so that nothing goes below 0 in unsigned samples.
    raised: NDArray[np.uint16] = np.add(base, residual, dtype=np.uint16)
    np.clip(raised, _RESIDUAL_ZERO, _RESIDUAL_ZERO + _TEN_BIT_TOP, out=raised)
    if bit_depth == 10:
        raised -= np.uint16(_RESIDUAL_ZERO)
        return raised
    raised -= np.uint16(_RESIDUAL_ZERO - 2)
    raised >>= np.uint16(2)
    np.minimum(raised, 255, out=raised)
    return raised.astype(np.uint8)
