"""`semantic_latent` and `i_frame_interpolation`: every frame made by networks from latents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..av_planes import frozen
from ..errors import BitstreamError, UnsupportedError
from ..frames import PictureFormat, Planes
from ..latents import dequantize
from ..packing import padded_size, unpack
from ..payloads import FrameKind, LatentBody
from ..prefetch import prefetched
from ..sessions import Network
from ..symbols import ScaleIndex, decode_latent
from ._context import SceneContext

LATENT_STRIDE = 16
_NETWORKS = {
    FrameKind.I: "iframe_decoder",
    FrameKind.P: "generator_p",
    FrameKind.B: "generator_b",
}
# Symbols of so many frames wait for the networks: half a megabyte each at 1080p.
_LATENTS_AHEAD = 4
_REFERENCE_PORTS = ("past", "future")
Feature = NDArray[np.uint8]


def latent_shape(picture: PictureFormat) -> tuple[int, int]:
    """(rows, columns) of the latents of a frame, which is padded to whole multiples of 16."""
    width, height = padded_size(picture.width, picture.height, LATENT_STRIDE)
    return height // LATENT_STRIDE, width // LATENT_STRIDE


def decode_latents(body: LatentBody, context: SceneContext, first: int = 0) -> Iterator[Planes]:
    """The scene's frames from `first` on in display order.

    A thread decodes symbols ahead of the networks. Raises BitstreamError for damaged latents,
    ModelError if a network is not there, and UnsupportedError for video of more than 8 bits.
    """
    if context.format.bit_depth != 8:
        raise UnsupportedError(
            f"scenes in latents have 8 bits a sample, this one {context.format.bit_depth}: "
            "update edgecodec"
        )
    networks = _networks(body, context)
    with prefetched(_decoded_latents(body, context), _LATENTS_AHEAD) as latents:
        yield from _made(body, latents, networks, context, first)


def _decoded_latents(body: LatentBody, context: SceneContext) -> Iterator[NDArray[np.uint8]]:
    """What the networks take for each packet."""
    shape = latent_shape(context.format)
    scales: dict[FrameKind, ScaleIndex] = {}
    for packet in body.packets:
        tables = body.difference_tables[packet.kind]
        previous = scales.get(packet.kind)
        latent = decode_latent(packet.data, shape, tables, previous, context.limits)
        scales[packet.kind] = latent.scale_index
        yield dequantize(latent.symbols, packet.quality)


def _made(
    body: LatentBody,
    latents: Iterator[NDArray[np.uint8]],
    networks: dict[FrameKind, Network],
    context: SceneContext,
    first: int,
) -> Iterator[Planes]:
    last_use = {
        reference: step
        for step, packet in enumerate(body.packets)
        for reference in packet.references
    }
    needed = _needed(body, first)
    features: dict[int, Feature] = {}
    waiting: dict[int, Planes] = {}
    shown = first
    for step, (packet, latent) in enumerate(zip(body.packets, latents, strict=True)):
        if packet.position not in needed:
            continue
        inputs = {"latent": latent}
        for port, reference in zip(_REFERENCE_PORTS, packet.references, strict=False):
            inputs[port] = features[reference]
        frame, feature = networks[packet.kind].run(inputs)
        if packet.position in last_use:
            features[packet.position] = feature
        if packet.position >= first:
            waiting[packet.position] = unpack(frame, context.format)
        held, most = max(len(waiting), len(features)), context.limits.max_frames_held
        if held > most:
            raise BitstreamError(f"{held} frames wait for frame {shown}, at most {most} may")
        for reference in [each for each in features if last_use[each] <= step]:
            del features[reference]
        while shown in waiting:
            yield frozen(waiting.pop(shown))
            shown += 1


def _needed(body: LatentBody, first: int) -> set[int]:
    """Positions of the frames from `first` on, and of what they refer to."""
    needed: set[int] = set()
    for packet in reversed(body.packets):
        if packet.position >= first or packet.position in needed:
            needed.update((packet.position, *packet.references))
    return needed


def _networks(body: LatentBody, context: SceneContext) -> dict[FrameKind, Network]:
    named = {network.entry.name: network for network in map(context.networks.network, body.models)}
    wanted = {kind: _NETWORKS[kind] for kind in {packet.kind for packet in body.packets}}
    missing = sorted(set(wanted.values()) - set(named))
    if missing:
        raise BitstreamError(f"the scene names no {', '.join(missing)}, which its frames need")
    return {kind: named[name] for kind, name in wanted.items()}
