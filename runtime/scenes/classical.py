"""`classical`: a standard codec's stream, as it is or at twice its size, and perhaps filtered."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..base import decode_base, deep_base
from ..frames import Planes
from ..payloads import ClassicalBody
from ..prefetch import prefetched
from ._context import SceneContext
from ._filtered import filtered_frames
from ._full_size import full_size

BASE_FRAMES_AHEAD = 2


def decode_classical(
    body: ClassicalBody, frames: int, context: SceneContext, first: int = 0
) -> Iterator[Planes]:
    """The base stream's frames from `first` on. Errors are those of `base.decode_base`."""
    if body.filter is None:
        yield from decode_base(
            body.base,
            context.format,
            frames=frames,
            threads=context.threads,
            max_pixels=context.limits.max_pixels,
            upsampling=body.upsampling,
            first=first,
        )
        return
    # A filter looks at the frame before the first one, too.
    base = deep_base(
        body.base,
        context.format,
        body.upsampling,
        frames=frames,
        threads=context.threads,
        max_pixels=context.limits.max_pixels,
    )
    full = partial(full_size, stream=body.base, upsampling=body.upsampling, picture=context.format)
    with prefetched(base, BASE_FRAMES_AHEAD) as ahead:
        yield from filtered_frames(
            ahead,
            body.filter,
            context.format,
            full,
            count=frames,
            threads=context.threads,
            first=first,
            workers=context.workers,
        )
