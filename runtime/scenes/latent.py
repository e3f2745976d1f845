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
from ..sessions import Network
from ..symbols import ScaleIndex, decode_latent
from ._context import SceneContext

LATENT_STRIDE = 16
_NETWORKS = {
    FrameKind.I: "iframe_decoder",
    FrameKind.P: "generator_p",
    FrameKind.B: "generator_b",
}
_REFERENCE_PORTS = ("past", "future")
Feature = NDArray[np.uint8]


def latent_shape(picture: PictureFormat) -> tuple[int, int]:
    """(rows, columns) of the latents of a frame, which is padded to whole multiples of 16."""
    width, height = padded_size(picture.width, picture.height, LATENT_STRIDE)
    return height // LATENT_STRIDE, width // LATENT_STRIDE


def decode_latents(body: LatentBody, context: SceneContext) -> Iterator[Planes]:
    """The scene's frames in display order.

    Raises BitstreamError for damaged latents, ModelError if a network is not there, and
    UnsupportedError for video of more than 8 bits.
    """
    if context.format.bit_depth != 8:
        raise UnsupportedError(
            f"scenes in latents have 8 bits a sample, this one {context.format.bit_depth}: "
            "update edgecodec"
        )
    networks = _networks(body, context)
    shape = latent_shape(context.format)
    last_use = {
        reference: step
        for step, packet in enumerate(body.packets)
        for reference in packet.references
    }
    features: dict[int, Feature] = {}
    scales: dict[FrameKind, ScaleIndex] = {}
    waiting: dict[int, Planes] = {}
    shown = 0
    for step, packet in enumerate(body.packets):
        latent = decode_latent(
            packet.data,
            shape,
            body.difference_tables[packet.kind],
            scales.get(packet.kind),
            context.limits,
        )
        scales[packet.kind] = latent.scale_index
        inputs = {"latent": dequantize(latent.symbols, packet.quality)}
        for port, reference in zip(_REFERENCE_PORTS, packet.references, strict=False):
            inputs[port] = features[reference]
        frame, feature = networks[packet.kind].run(inputs)
        if packet.position in last_use:
            features[packet.position] = feature
        waiting[packet.position] = unpack(frame, context.format)
        held, most = max(len(waiting), len(features)), context.limits.max_frames_held
        if held > most:
            raise BitstreamError(f"{held} frames wait for frame {shown}, at most {most} may")
        for reference in [each for each in features if last_use[each] <= step]:
            del features[reference]
        while shown in waiting:
            yield frozen(waiting.pop(shown))
            shown += 1


def _networks(body: LatentBody, context: SceneContext) -> dict[FrameKind, Network]:
    named = {network.entry.name: network for network in map(context.networks.network, body.models)}
    wanted = {kind: _NETWORKS[kind] for kind in {packet.kind for packet in body.packets}}
    missing = sorted(set(wanted.values()) - set(named))
    if missing:
        raise BitstreamError(f"the scene names no {', '.join(missing)}, which its frames need")
    return {kind: named[name] for kind, name in wanted.items()}
