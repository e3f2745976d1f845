"""Frames of a scene through its filter, and through nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ..cores import available_cores
from ..filter_taps import Around
from ..filtering import filtered
from ..frames import PictureFormat, Planes
from ..network import FRAMES_AT_ONCE
from ..scene_filter import SceneFilter
from ..workers import Workers, in_order
from ._full_size import at_depth
from ._windows import windows


def filtered_frames(
    frames: Iterator[Planes],
    scene: SceneFilter,
    picture: PictureFormat,
    full_size: Callable[[Planes], Planes],
    *,
    count: int,
    threads: int = 1,
    first: int = 0,
    workers: Workers | None = None,
) -> Iterator[Planes]:
    """`frames` in their order, filtered: read-only, of `picture`.

    `full_size` brings a frame to the video's size and to ten bits; frames before `first` are only
    neighbours. `threads` frames are made at a time, 0 for one a core, by `workers`; samples do not
    depend on it. BitstreamError if there are more than `count`.
    """
    at_once = min(threads or available_cores(), FRAMES_AT_ONCE)

    def made(deep: Planes, around: Around) -> Planes:
        return at_depth(filtered(deep, scene, around), picture)

    def jobs() -> Iterator[Callable[[], Planes]]:
        for window in windows(frames, count, first):
            yield partial(made, window.cur.deep(full_size), window.around(full_size))

    pool = (workers or Workers("mend")).pool(at_once)
    yield from in_order(jobs(), pool, at_once)
