"""`classical`: a standard codec's stream, as it is or at twice its size."""

from __future__ import annotations

from collections.abc import Iterator

from ..base import decode_base
from ..frames import Planes
from ..payloads import ClassicalBody
from ._context import SceneContext


def decode_classical(
    body: ClassicalBody, frames: int, context: SceneContext, first: int = 0
) -> Iterator[Planes]:
    """The base stream's frames from `first` on. Errors are those of `base.decode_base`."""
    return decode_base(
        body.base,
        context.format,
        frames=frames,
        threads=context.threads,
        max_pixels=context.limits.max_pixels,
        upsampling=body.upsampling,
        first=first,
    )
