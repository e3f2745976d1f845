"""Going over a source's scenes, as often as it takes, with only a few of them at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from .media import open_source
from .scene import scenes_of
from .scene_file import SceneFile, write_scene

T = TypeVar("T")


class ScenePasses:
    """The scenes of `source` (of its first `frames` frames), written to `folder` one by one.

    At most `at_once` scenes are worked on at a time, and not many more lie in the folder: where
    the source has no more than that, they are decoded once, else again in every pass. `abandon`
    is called when a pass is cut off, to end what the scenes at work wait for.
    """

    def __init__(
        self,
        source: Path,
        folder: Path,
        at_once: int,
        frames: int | None,
        abandon: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._folder = folder
        self._at_once = at_once
        self._frames = frames
        self._abandon = abandon
        self._at_hand: dict[int, SceneFile] = {}
        self._scenes: int | None = None

    def each(
        self,
        work: Callable[[SceneFile], T],
        wanted: Callable[[int], bool],
        done: Callable[[SceneFile], None],
    ) -> dict[int, T]:
        """`work`'s results for the scenes whose numbers are `wanted`, several at once.

        `done` is called in this thread as each of them ends. Raises what decoding the source
        raises, and what `work` raises, once the scenes at work have ended.
        """
        results: dict[int, T] = {}
        running: dict[Future[T], SceneFile] = {}

        def collect(ended: set[Future[T]]) -> None:
            for future in ended:
                scene = running.pop(future)
                results[scene.index] = future.result()
                done(scene)
                self._forget_all_but(set(each.index for each in running.values()))

        with ThreadPoolExecutor(self._at_once, "scene") as threads:
            try:
                for scene in self._wanted_scenes(wanted):
                    running[threads.submit(work, scene)] = scene
                    if len(running) >= self._at_once:
                        collect(wait(running, return_when=FIRST_COMPLETED).done)
                while running:
                    collect(wait(running, return_when=FIRST_COMPLETED).done)
            except BaseException:
                # The threads are waited for.
                self._abandon()
                raise
        return results

    def _wanted_scenes(self, wanted: Callable[[int], bool]) -> Iterator[SceneFile]:
        if self._scenes is not None:
            numbers = [number for number in range(self._scenes) if wanted(number)]
            if all(number in self._at_hand for number in numbers):
                yield from [self._at_hand[number] for number in numbers]
                return
        count = 0
        with open_source(self._source) as video:
            for scene in scenes_of(video, self._frames):
                count += 1
                if not wanted(scene.index):
                    continue
                number = scene.index
                if number not in self._at_hand:
                    self._at_hand[number] = write_scene(scene, self._folder)
                del scene  # its frames are on disk now
                yield self._at_hand[number]
        self._scenes = count

    def _forget_all_but(self, at_work: set[int]) -> None:
        """Delete the frames of the oldest scenes that nobody works on, while there are many."""
        idle = [number for number in self._at_hand if number not in at_work]
        while len(self._at_hand) > self._at_once and idle:
            number = idle.pop(0)
            self._at_hand.pop(number).path.unlink(missing_ok=True)
