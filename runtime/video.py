"""The public decoder: open a stream, iterate its frames, seek, close."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

from .auxiliary import AuxPacket, AuxStream
from .container import Damage, IndexEntry, Limits, Reader
from .errors import BitstreamError, EdgecodecError
from .frames import ColorInfo, Frame, PictureFormat
from .prefetch import prefetched
from .scenes import SceneContext, decode_scene
from .sessions import NetworkPool

_FRAMES_AHEAD = 4


@dataclass(frozen=True)
class StreamInfo:
    """What a stream is.

    `time_base` is the unit of timestamps in seconds, `frame_rate` the nominal one in Hz,
    `duration` seconds, `frames` how many the index lists, `rotation` degrees clockwise to turn
    the picture for display. `provider` is what networks run on.
    """

    format: PictureFormat
    time_base: Fraction
    frame_rate: Fraction
    color: ColorInfo
    rotation: int
    sample_aspect: Fraction
    aux_streams: tuple[AuxStream, ...]
    tier: str
    model_ids: tuple[str, ...]
    frames: int
    scenes: int
    duration: float
    provider: str


class Video:
    """An open stream: iterate it for `Frame`s in display order.

    Iterating goes on from where `seek` or the last iteration stopped; at the end it stops, and
    `seek(0)` starts again. Frames stay valid after the next one and after `close`. Use it as a
    context manager. Not for use by several threads at once.

    With `on_damage="skip"` a damaged scene ends where its damage begins, is listed in `damage`, and
    playing goes on with the next; with "raise" it raises BitstreamError.
    """

    def __init__(
        self,
        file: BinaryIO,
        networks: NetworkPool,
        threads: int,
        on_damage: Literal["raise", "skip"],
        limits: Limits,
    ) -> None:
        self._reader = Reader(file, limits)
        header = self._reader.header
        self._context = SceneContext(header.format, networks, threads, limits, self._reader.titles)
        self._on_damage = on_damage
        self._resources = ExitStack()
        self._playing = ExitStack()
        self._frames: Iterator[Frame] | None = None
        self._next_entry = 0
        self._from_pts: int | None = None
        self._damage: dict[int, Damage] = {}
        self._closed = False
        index = self._reader.index
        self.info = StreamInfo(
            format=header.format,
            time_base=header.time_base,
            frame_rate=header.frame_rate,
            color=header.color,
            rotation=header.rotation,
            sample_aspect=header.sample_aspect,
            aux_streams=header.aux_streams,
            tier=header.tier,
            model_ids=header.model_ids,
            frames=sum(entry.frames for entry in index),
            scenes=len(index),
            duration=self._duration(index),
            provider=networks.provider,
        )

    @property
    def damage(self) -> tuple[Damage, ...]:
        """What was found damaged so far, in file order."""
        found = {damage.offset: damage for damage in self._reader.damage} | self._damage
        return tuple(found[offset] for offset in sorted(found))

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._closed:
            raise ValueError("the video is closed")
        if self._frames is None:
            self._frames = self._playing.enter_context(prefetched(self._decoded(), _FRAMES_AHEAD))
        return next(self._frames)

    def seek(self, seconds: float) -> None:
        """Go to the frame that is on screen at `seconds`: the next one that iterating gives.

        Before the first frame that is the first one; after the last, the last. With
        `on_damage="skip"` and a damaged scene there, it is the next scene's first.
        """
        if self._closed:
            raise ValueError("the video is closed")
        self._stop()

        # Rounded as `Frame.time` is, so that a frame's own time leads to that frame.
        def shown(pts: int) -> bool:
            return float(pts * self.info.time_base) <= seconds

        index = self._reader.index
        before = [number for number, entry in enumerate(index) if shown(entry.start_pts)]
        self._next_entry = before[-1] if before else 0
        self._from_pts = None
        if before:
            try:
                pts = self._reader.chunk(index[self._next_entry]).pts
            except BitstreamError:
                if self._on_damage == "raise":
                    raise
                return
            self._from_pts = max(filter(shown, pts), default=pts[0])

    def aux_packets(self) -> Iterator[AuxPacket]:
        """Audio and subtitle packets as they were in the source, in file order."""
        return self._reader.aux_packets()

    def close(self) -> None:
        """Stop decoding and close the file if `open` opened it. Closing twice does nothing."""
        self._closed = True
        self._stop()
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _stop(self) -> None:
        self._playing.close()
        self._frames = None

    def _decoded(self) -> Iterator[Frame]:
        """Frames from `_next_entry` on, those before `_from_pts` left out."""
        info = self.info
        if self._on_damage == "raise" and self._reader.damage:
            raise BitstreamError(
                f"{self._reader.damage[0].what}; ask to skip damage to play the rest"
            )
        while self._next_entry < len(self._reader.index):
            entry = self._reader.index[self._next_entry]
            self._next_entry += 1
            from_pts, self._from_pts = self._from_pts, None
            try:
                chunk = self._reader.chunk(entry)
                scene = decode_scene(chunk, self._context)
                for pts, planes in zip(chunk.pts, scene, strict=True):
                    if from_pts is None or pts >= from_pts:
                        yield Frame(planes, info.format, pts, info.time_base, info.color)
            except BitstreamError as error:
                if self._on_damage == "raise":
                    raise
                self._damage[entry.offset] = Damage(entry.offset, entry.size, str(error))

    def _duration(self, index: tuple[IndexEntry, ...]) -> float:
        if not index:
            return 0.0
        try:
            last = self._reader.chunk(index[-1]).pts[-1]
        except EdgecodecError:
            last = index[-1].start_pts
        header = self._reader.header
        frame = 1 / header.frame_rate if header.frame_rate else Fraction(0)
        return float((last - index[0].start_pts) * header.time_base + frame)


def open(
    source: str | Path | BinaryIO,
    *,
    provider: str = "auto",
    threads: int = 0,
    models: str | Path | None = None,
    on_damage: Literal["raise", "skip"] = "raise",
    limits: Limits | None = None,
) -> Video:
    """Open an `.ecv` stream: a path, or a seekable binary file that stays the caller's.

    `provider` says what networks run on: "cpu", "cuda", "tensorrt", "openvino", or "auto", which
    is the CPU. `threads` is for each stage, 0 for one a core. `models` is a folder that
    `edgecodec export` wrote, searched before the installed networks. `limits` bound what the
    stream may ask for.

        with edgecodec.runtime.open("clip.ecv") as video:
            for frame in video:
                y, u, v = frame.planes

    Raises FileNotFoundError, BitstreamError (no stream, or its header is damaged),
    UnsupportedError (a later format) and ProviderError (the provider is not there).
    """
    networks = NetworkPool(provider, threads, None if models is None else Path(models))
    with ExitStack() as resources:
        file = source
        if isinstance(source, str | Path):
            file = resources.enter_context(Path(source).open("rb"))
        assert not isinstance(file, str | Path)
        video = Video(file, networks, threads, on_damage, limits or Limits())
        video._resources = resources.pop_all()
        return video
