"""What the player shows: a stream's frames with all that belongs to each."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from edgecodec import runtime

from .original import Original
from .scene_facts import SceneFacts, SceneReader

LOOK_AHEAD = 1


@dataclass(frozen=True)
class AtTime:
    """Go to the frame that is on screen at that second."""

    seconds: float


@dataclass(frozen=True)
class AtFrame:
    """Go to the frame of that number."""

    number: int


@dataclass(frozen=True)
class Before:
    """Go to the last frame in front of that number that can be decoded."""

    number: int


Target = AtTime | AtFrame | Before


@dataclass(frozen=True)
class Shot:
    """A frame, the original's at the same time, and the scene that it is of."""

    frame: runtime.Frame
    original: runtime.Frame | None
    scene: SceneFacts | None

    @property
    def number(self) -> int:
        """Which frame of the stream, from 0."""
        assert self.frame.number is not None, "a stream's frames are numbered"
        return self.frame.number

    @property
    def time(self) -> float:
        """When it is shown, in seconds."""
        return self.frame.time


@dataclass(frozen=True)
class Options:
    """What to play and how: a path or a URL, and the file that it was made of."""

    stream: str
    original: Path | None = None
    provider: str = "auto"
    threads: int = 0
    models: Path | None = None


@dataclass
class Source:
    """A stream that is open. One thread iterates and seeks; any may close `video`.

    `problems` are what went wrong beside the stream itself: the original cannot be read, say.
    """

    video: runtime.Video
    scenes: tuple[runtime.SceneInfo, ...]
    reader: SceneReader | None
    original: Original | None
    resources: ExitStack
    problems: list[str] = field(default_factory=list)

    def next_shot(self) -> Shot:
        """Raises as `next(video)`."""
        return self._complete(next(self.video))

    def go_to(self, target: Target) -> Shot:
        """Seek, and give what is there. Raises as `video.seek` and `next(video)` do."""
        if isinstance(target, AtTime):
            self.video.seek(target.seconds)
        elif isinstance(target, AtFrame):
            self.video.seek_frame(target.number)
        else:
            return self._complete(self._frame_before(target.number))
        return self.next_shot()

    def close(self) -> None:
        """Let everything go."""
        self.resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _frame_before(self, number: int) -> runtime.Frame:
        """The first frame of the stream where there is none before `number`."""
        for scene in reversed(self.scenes):
            if scene.start_frame >= number:
                continue
            self.video.seek_frame(min(number, scene.start_frame + scene.frames) - 1)
            frame = next(self.video, None)
            # Where a frame is lost, what comes is a later one: then try the scene before.
            if frame is not None and frame.number is not None and frame.number < number:
                return frame
        self.video.seek(float("-inf"))
        return next(self.video)

    def _complete(self, frame: runtime.Frame) -> Shot:
        original = None
        if self.original is not None:
            try:
                original = self.original.at(frame.time)
            except av.error.FFmpegError as error:
                self.problems.append(f"the original: {error}")
                self.original = None
        assert frame.number is not None
        scene = None if self.reader is None else self.reader.of_frame(frame.number)
        return Shot(frame, original, scene)


def open_source(options: Options) -> Source:
    """Raises as `runtime.open`. What else cannot be opened is a problem of the source."""
    problems: list[str] = []
    with ExitStack() as resources:
        video = resources.enter_context(
            runtime.open(
                options.stream,
                provider=options.provider,
                threads=options.threads,
                models=options.models,
                on_damage="skip",
                look_ahead=LOOK_AHEAD,
            )
        )
        reader = None
        if video.seekable and Path(options.stream).is_file():
            reader = resources.enter_context(SceneReader(Path(options.stream)))
        original = None
        if options.original is not None:
            try:
                original = resources.enter_context(Original(options.original))
            except (av.error.FFmpegError, ValueError) as error:
                problems.append(f"the original: {error}")
        return Source(video, video.scenes, reader, original, resources.pop_all(), problems)
