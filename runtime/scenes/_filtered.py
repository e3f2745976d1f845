"""A base's frames through the scene's filter, and through nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from ..filtering import Around, filtered
from ..frames import PictureFormat, Planes
from ..network import FRAMES_AT_ONCE
from ..payloads import BaseStream
from ..scene_filter import SceneFilter
from ..upsample import Upsampling
from ..workers import Workers, in_order
from ._full_size import at_depth, full_size
from ._windows import windows


def filtered_frames(
    base: Iterator[Planes],
    scene: SceneFilter,
    stream: BaseStream,
    picture: PictureFormat,
    *,
    frames: int,
    upsampling: Upsampling = Upsampling.NONE,
    threads: int = 1,
    first: int = 0,
    workers: Workers | None = None,
) -> Iterator[Planes]:
    """`base`'s frames in their order, filtered at full size: read-only, of `picture`.

    `base` is what `base.deep_base` gives of `stream`; frames before `first` are only neighbours.
    `threads` frames are made at a time, 0 for one a core, by `workers`; samples do not depend on
    it. BitstreamError if there are more than `frames`.
    """
    at_once = min(threads or os.cpu_count() or 1, FRAMES_AT_ONCE)
    full = partial(full_size, stream=stream, upsampling=upsampling, picture=picture)

    def made(deep: Planes, around: Around) -> Planes:
        return at_depth(filtered(deep, scene, around), picture)

    def jobs() -> Iterator[Callable[[], Planes]]:
        for window in windows(base, frames, first):
            yield partial(made, window.cur.deep(full), window.around(full))

    pool = (workers or Workers("mend")).pool(at_once)
    yield from in_order(jobs(), pool, at_once)
