"""Decoding of one scene, strategy by strategy, behind one function."""

from __future__ import annotations

from collections.abc import Iterator

from ..base import deep_base
from ..container import Chunk
from ..errors import BitstreamError
from ..frames import Planes
from ..payloads import ClassicalBody, HybridBody, ProceduralBody, parse_body
from ._context import SceneContext
from ._filtered import filtered_frames
from ._full_size import full_size, in_quarters, unmended
from ._windows import windows
from .classical import decode_classical
from .hybrid import (
    add_residual,
    condition_planes,
    decode_hybrid,
    enhance,
    packed_frame,
    residuals,
)
from .latent import decode_latents, latent_shape
from .procedural import decode_procedural

__all__ = [
    "SceneContext",
    "add_residual",
    "condition_planes",
    "decode_procedural",
    "decode_scene",
    "deep_base",
    "enhance",
    "filtered_frames",
    "full_size",
    "in_quarters",
    "latent_shape",
    "packed_frame",
    "residuals",
    "unmended",
    "windows",
]


def decode_scene(chunk: Chunk, context: SceneContext, *, first: int = 0) -> Iterator[Planes]:
    """The frames of a chunk in display order, one for each of its timestamps from `first` on.

    Frames before `first` are decoded only as far as others need them.

    Raises BitstreamError if the chunk is damaged, ModelError if it needs a network that is not
    there, and UnsupportedError if it needs a later version.
    """
    frames = len(chunk.pts)
    body = parse_body(chunk.strategy, chunk.body, frames, context.limits)
    if isinstance(body, ClassicalBody):
        decoded = decode_classical(body, frames, context, first)
    elif isinstance(body, HybridBody):
        decoded = decode_hybrid(body, frames, context, first)
    elif isinstance(body, ProceduralBody):
        decoded = decode_procedural(body, context, first)
    else:
        decoded = decode_latents(body, context, first)
    count = first
    for planes in decoded:
        yield planes
        count += 1
    if count != frames:
        raise BitstreamError(f"scene {chunk.scene}: {count} frames decoded of {frames}")
