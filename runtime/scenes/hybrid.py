"""`hybrid_semantic`: a standard codec's stream, and a network that mends the frames it helps.

The network sees the base rounded to 8 bits, and gives a residual in quarters of a grey level. That
is added to the base at full size in ten bits, whatever the depths of base and video, so that the
sum is rounded only once, to the video's depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..av_planes import frozen
from ..base import deep_base, round_to_8_bit
from ..container import Codec
from ..cores import available_cores
from ..errors import BitstreamError
from ..filter_taps import Around, look_at_residual
from ..filtering import filtered
from ..frames import PictureFormat, Planes
from ..network import FRAMES_AT_ONCE, Network
from ..packing import Packed, pack, unpack
from ..payloads import ALL_PLANES, BaseStream, ClassicalBody, HybridBody
from ..prefetch import prefetched
from ..sample_depth import RESIDUAL_ZERO, with_residual
from ..scene_code import SceneCode, identity_code
from ..scene_filter import SceneFilter
from ..upsample import Upsampling
from ..workers import Workers, in_order
from ._context import SceneContext
from ._full_size import at_depth, at_own_depth, full_size, unmended
from ._windows import Window, windows
from .classical import BASE_FRAMES_AHEAD, decode_classical

Residual = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
"""What a network adds to Y, U and V, in quarters of a grey level of 8 bits; 128 for nothing."""

_NETWORKS = {Upsampling.NONE: "enhancer", Upsampling.EIGHT_TAP: "generator_up"}
_BLOCKS = {Upsampling.NONE: 4, Upsampling.EIGHT_TAP: 2}
_CODEC_LEVELS = {Codec.AV1: 0, Codec.H265: 85, Codec.H264: 170, Codec.VVC: 255}


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
        plain = ClassicalBody(body.base, body.upsampling, body.filter)
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
    with prefetched(base, BASE_FRAMES_AHEAD) as ahead:
        yield from enhance(
            ahead,
            body.enhanced,
            body.base,
            context.format,
            network,
            upsampling=body.upsampling,
            code=body.scene_code,
            planes=body.planes,
            filter=body.filter,
            threads=context.threads,
            first=first,
            workers=context.workers,
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
    filter: SceneFilter | None = None,
    threads: int = 1,
    first: int = 0,
    workers: Workers | None = None,
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
        planes: those of Y, U and V that are mended; the others are as without the network.
        filter: what residuals are added to, and what other frames are, is the base so filtered;
            the filter sees them too.
        threads: how many frames are made at a time, 0 for one a core, but at most
            `network.FRAMES_AT_ONCE`. Samples do not depend on it.
        first: frames before this one are only neighbours: they are not given.
        workers: whose threads make frames; None for ones of its own.

    Yields:
        Read-only planes.

    Raises:
        BitstreamError: `code` is for another number of channels, or the base has more frames than
            there are flags.
    """
    run = partial(_residual, network, _adaptation(network, code), stream, picture)
    see = partial(
        packed_frame, stream=stream, upsampling=upsampling, channels_last=network.channels_last
    )
    at_once = min(threads or available_cores(), FRAMES_AT_ONCE)

    def made_of(window: Window) -> _AsCoded | _Filtering:
        if filter is None:
            return _AsCoded(window.cur.planes, stream, upsampling, picture, planes)
        full = partial(full_size, stream=stream, upsampling=upsampling, picture=picture)
        deep, around = window.cur.deep(full), window.around(full)
        return _Filtering(filter, deep, around, picture, planes)

    def mended(made: _AsCoded | _Filtering, shown: Mapping[str, Packed]) -> Planes:
        return made.mended(run(shown))

    def jobs() -> Iterator[Callable[[], Planes]]:
        for window in windows(base, len(enhanced), first):
            made = made_of(window)
            if enhanced[window.index]:
                yield partial(mended, made, _shown(window, see))
            else:
                yield made.plain

    pool = (workers or Workers("mend")).pool(at_once)
    yield from in_order(jobs(), pool, at_once)


def residuals(
    base: Iterator[Planes],
    wanted: Sequence[bool],
    stream: BaseStream,
    picture: PictureFormat,
    network: Network,
    *,
    upsampling: Upsampling = Upsampling.NONE,
    code: SceneCode | None = None,
) -> Iterator[tuple[int, Planes]]:
    """The number of each `wanted` frame of `base`, and what `network` adds to it: uint8 of
    `picture`'s size in quarters of a grey level, 128 for nothing. The rest is as for `enhance`."""
    run = partial(_residual, network, _adaptation(network, code), stream, picture)
    see = partial(
        packed_frame, stream=stream, upsampling=upsampling, channels_last=network.channels_last
    )
    for window in windows(base, len(wanted), 0):
        if wanted[window.index]:
            yield window.index, run(_shown(window, see))


def _shown(window: Window, see: Callable[[Planes], Packed]) -> dict[str, Packed]:
    """What the network's ports for frames take."""
    frames = {"prev": window.prev, "cur": window.cur, "next": window.next}
    return {name: frame.seen(see) for name, frame in frames.items()}


def _residual(
    network: Network,
    adaptation: Mapping[str, NDArray[np.uint8]],
    stream: BaseStream,
    picture: PictureFormat,
    shown: Mapping[str, Packed],
) -> Residual:
    """What the network adds to a frame."""
    condition = condition_planes(stream, *shown["cur"].shape[2:])
    (residual,) = network.run({**shown, "condition": condition, **adaptation})
    return unpack(residual, picture)


@dataclass(frozen=True, eq=False)
class _AsCoded:
    """A frame of a base that no filter goes over; of it only the `wanted` planes are mended."""

    base: Planes
    stream: BaseStream
    upsampling: Upsampling
    picture: PictureFormat
    wanted: tuple[bool, bool, bool]

    def plain(self) -> Planes:
        return unmended(self.base, self.stream, self.upsampling, self.picture)

    def mended(self, residual: Residual) -> Planes:
        own = at_own_depth(self.base, self.stream, self.upsampling, self.picture)
        with_it = _added(own, residual, self.picture)
        if self.wanted == ALL_PLANES:
            return with_it
        # Not with a residual of nothing: rounded twice, a plane may differ.
        pairs = zip(with_it, self.plain(), self.wanted, strict=True)
        y, u, v = (after if wanted else before for after, before, wanted in pairs)
        return y, u, v


@dataclass(frozen=True, eq=False)
class _Filtering:
    """A frame of ten bits on its way through a filter, which also sees what the network adds to the
    `wanted` planes."""

    filter: SceneFilter
    deep: Planes
    around: Around
    picture: PictureFormat
    wanted: tuple[bool, bool, bool]

    def plain(self) -> Planes:
        return at_depth(filtered(self.deep, self.filter, self.around), self.picture)

    def mended(self, residual: Residual) -> Planes:
        residual = _only(residual, self.wanted)
        added = look_at_residual(residual, self.around.cur.cells)
        around = replace(self.around, added=added)
        return _added(filtered(self.deep, self.filter, around), residual, self.picture)


def _only(residual: Residual, wanted: tuple[bool, bool, bool]) -> Residual:
    """The same with nothing for the other planes."""
    y, u, v = (
        plane if keep else np.full_like(plane, RESIDUAL_ZERO)
        for plane, keep in zip(residual, wanted, strict=True)
    )
    return y, u, v


def packed_frame(
    planes: Planes, stream: BaseStream, upsampling: Upsampling, *, channels_last: bool = False
) -> Packed:
    """What the network sees of a frame of `base.deep_base`: rounded to 8 bits and packed.

    [1, 24, h, w], with `upsampling` [1, 6, h, w]; h and w are a quarter of the video's sides,
    rounded up. `channels_last` is about memory only.
    """
    levels = _eight_bit(planes, stream)
    return pack(levels, _BLOCKS[upsampling], channels_last=channels_last)


def condition_planes(stream: BaseStream, rows: int, columns: int) -> NDArray[np.uint8]:
    """What the network is told of the base: [1, 2, rows, columns], quantiser and codec."""
    # Channels last in memory, as the CPU's graphs read it.
    condition = np.empty((1, rows, columns, 2), np.uint8)
    condition[..., 0] = stream.quantizer
    condition[..., 1] = _CODEC_LEVELS[stream.codec]
    return condition.transpose(0, 3, 1, 2)


def add_residual(base: Planes, residual: NDArray[np.uint8], picture: PictureFormat) -> Planes:
    """The mended frame, read-only: clip(base + residual - 128) at the video's depth.

    `base` is `full_size`'s, or of 8 bits, which count four times; `residual` [1, 24, h, w] is in
    quarters of a grey level of 8 bits. Sums are clipped to 0 to 1023; for a video of 8 bits they
    become min(255, (sum + 2) >> 2).
    """
    return _added(base, unpack(residual, picture), picture)


def _added(base: Planes, residual: Residual, picture: PictureFormat) -> Planes:
    y, u, v = (
        with_residual(plane, change, picture.bit_depth)
        for plane, change in zip(base, residual, strict=True)
    )
    return frozen((y, u, v))


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
