"""`semantic_latent` and `i_frame_interpolation`: every frame made by networks from latents."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..av_planes import frozen
from ..detail import DETAIL_BLOCK, with_detail
from ..errors import BitstreamError, UnsupportedError
from ..frames import PictureFormat, Planes
from ..packing import pack, padded_size, unpack
from ..payloads import FrameKind, LatentBody, LatentPacket
from ..prefetch import prefetched
from ..scene_filter import SceneFilter
from ..sessions import Network
from ._context import SceneContext
from ._detail import DetailDecoder
from ._filtered import filtered_frames
from ._full_size import in_quarters
from ._symbols import KindDecoder, KindDecoders, kind_decoders

LATENT_STRIDE = 16
# Symbols of so many frames wait for the networks: half a megabyte to one each at 1080p, and six
# with detail.
_LATENTS_AHEAD = 4
_LATENT_PORT = "latent"
_REFERENCE_PORTS = ("past", "future")
Feature = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class _Drawable:
    """What a frame is drawn from: what its network takes [1, C, h, w], and the samples of its
    detail [96, 2 h, 2 w] if it has any."""

    latent: NDArray[np.uint8]
    detail: NDArray[np.int16] | None


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A frame as networks and filters have it, and detail's samples [96, h, w] that are still to be
    added to it."""

    planes: Planes
    detail: NDArray[np.int16] | None = None

    def shown(self, picture: PictureFormat) -> Planes:
        """With its detail."""
        if self.detail is None:
            return self.planes
        packed = pack(self.planes, DETAIL_BLOCK, LATENT_STRIDE)
        return unpack(with_detail(packed, self.detail), picture)


def latent_shape(picture: PictureFormat) -> tuple[int, int]:
    """(rows, columns) of the latents of a frame, which is padded to whole multiples of 16."""
    width, height = padded_size(picture.width, picture.height, LATENT_STRIDE)
    return height // LATENT_STRIDE, width // LATENT_STRIDE


def decode_latents(body: LatentBody, context: SceneContext, first: int = 0) -> Iterator[Planes]:
    """The scene's frames from `first` on in display order.

    A thread decodes symbols ahead of the networks. What is neither shown nor needed for that is
    not drawn, and its symbols are left out where no others rest on them. Raises BitstreamError for
    damaged latents, ModelError if a network or a prior is not there, and UnsupportedError for
    video of more than 8 bits.
    """
    if context.format.bit_depth != 8:
        raise UnsupportedError(
            f"scenes in latents have 8 bits a sample, this one {context.format.bit_depth}: "
            "update edgecodec"
        )
    networks = _networks(body, context)
    decoders = kind_decoders(body, latent_shape(context.format), context)
    for kind, decoder in decoders.items():
        _check_channels(kind, decoder, networks[kind])
    detail = DetailDecoder(body, decoders, context)
    # A filter looks at the frame before, too.
    start = first if body.filter is None else max(0, first - 1)
    drawn = _drawn(body, start)
    with prefetched(_decoded_latents(body, decoders, detail, drawn), _LATENTS_AHEAD) as latents:
        packets = [packet for packet in body.packets if packet.position in drawn]
        made = _made(body, packets, latents, networks, context, start)
        if body.filter is not None:
            made = _filtered(made, body.filter, context, len(body.packets) - start, first - start)
        for frame in made:
            yield frozen(frame.shown(context.format))


def _check_channels(kind: FrameKind, decoder: KindDecoder, network: Network) -> None:
    for port in network.entry.inputs:
        if port.name == _LATENT_PORT and port.shape[1] != decoder.channels:
            raise BitstreamError(
                f"{kind.name} frames have latents of {decoder.channels} channels, and network "
                f"{network.entry.name} takes {port.shape[1]}"
            )


def _decoded_latents(
    body: LatentBody,
    decoders: KindDecoders,
    detail: DetailDecoder,
    drawn: Container[int],
) -> Iterator[_Drawable]:
    """What each packet that is drawn is drawn from."""
    needed = _decoded(body, decoders, drawn)
    for packet in body.packets:
        if packet.position not in needed:
            continue
        decoder = decoders[packet.kind]
        decoded = decoder.decode(packet)
        is_drawn = packet.position in drawn
        if is_drawn or detail.is_there:
            latent = decoder.latent(decoded, packet.quality)
            # Later frames keep it, whether this one is shown or not.
            samples = detail.decode(packet, latent)
            if is_drawn:
                yield _Drawable(latent, samples)


def _made(
    body: LatentBody,
    packets: Sequence[LatentPacket],
    drawables: Iterator[_Drawable],
    networks: dict[FrameKind, Network],
    context: SceneContext,
    first: int,
) -> Iterator[_Drawn]:
    """The frames from `first` on in display order, without a filter."""
    last_use = {
        reference: step
        for step, packet in enumerate(packets)
        for reference in _features_of(packet, body)
    }
    features: dict[int, Feature] = {}
    waiting: dict[int, _Drawn] = {}
    shown = first
    for step, (packet, drawable) in enumerate(zip(packets, drawables, strict=True)):
        inputs = {_LATENT_PORT: drawable.latent}
        for port, reference in zip(_REFERENCE_PORTS, _features_of(packet, body), strict=False):
            inputs[port] = features[reference]
        frame, feature = networks[packet.kind].run(inputs)
        if packet.position in last_use:
            features[packet.position] = feature
        if packet.position >= first:
            detail = drawable.detail
            if detail is not None and body.filter is None:
                frame, detail = with_detail(frame, detail), None
            waiting[packet.position] = _Drawn(unpack(frame, context.format), detail)
        held, most = max(len(waiting), len(features)), context.limits.max_frames_held
        if held > most:
            raise BitstreamError(f"{held} frames wait for frame {shown}, at most {most} may")
        for reference in [each for each in features if last_use[each] <= step]:
            del features[reference]
        while shown in waiting:
            yield waiting.pop(shown)
            shown += 1


def _filtered(
    frames: Iterator[_Drawn], scene: SceneFilter, context: SceneContext, count: int, first: int
) -> Iterator[_Drawn]:
    """Those of `count` frames from `first` on, filtered; what is added to them stays."""
    waiting: deque[_Drawn] = deque()

    def planes() -> Iterator[Planes]:
        for number, frame in enumerate(frames):
            if number >= first:
                waiting.append(frame)
            yield frame.planes

    for shown in filtered_frames(
        planes(),
        scene,
        context.format,
        in_quarters,
        count=count,
        threads=context.threads,
        first=first,
        workers=context.workers,
    ):
        yield replace(waiting.popleft(), planes=shown)


def _features_of(packet: LatentPacket, body: LatentBody) -> tuple[int, ...]:
    """The frames whose features a frame is made from."""
    return () if body.drawn_alone(packet.kind) else packet.references


def _drawn(body: LatentBody, first: int) -> set[int]:
    """Positions of the frames from `first` on, and of those whose features they need."""
    drawn: set[int] = set()
    for packet in reversed(body.packets):
        if packet.position >= first or packet.position in drawn:
            drawn.update((packet.position, *_features_of(packet, body)))
    return drawn


def _decoded(body: LatentBody, decoders: KindDecoders, drawn: Container[int]) -> set[int]:
    """Positions of the frames whose symbols are needed for those that are `drawn`."""
    decoded: set[int] = set()
    for packet in reversed(body.packets):
        position = packet.position
        if position in drawn or position in decoded or decoders[packet.kind].needs_all:
            decoded.add(position)
            decoded.update(body.rests_on(packet))
    return decoded


def _networks(body: LatentBody, context: SceneContext) -> dict[FrameKind, Network]:
    named = {network.entry.name: network for network in map(context.networks.network, body.models)}
    wanted = {kind: body.network_of(kind) for kind in {packet.kind for packet in body.packets}}
    missing = sorted(set(wanted.values()) - set(named))
    if missing:
        raise BitstreamError(f"the scene names no {', '.join(missing)}, which its frames need")
    return {kind: named[name] for kind, name in wanted.items()}
