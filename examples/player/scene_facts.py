"""How a scene is coded, for the overlay."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edgecodec.runtime import EdgecodecError
from edgecodec.runtime.container import Codec, Reader, StrategyId
from edgecodec.runtime.payloads import (
    ClassicalBody,
    HybridBody,
    LatentBody,
    ProceduralBody,
    parse_body,
)


@dataclass(frozen=True)
class SceneFacts:
    """One scene: the `number`th, from 0, of `scenes`; `codec` is its base's if it has one.

    `mended` says of each of its frames whether a network mends it, and is empty where none does;
    `drawn_by_networks` that they make the whole picture.
    """

    number: int
    scenes: int
    start_frame: int
    strategy: StrategyId
    codec: Codec | None
    bits_per_second: float
    mended: tuple[bool, ...]
    drawn_by_networks: bool

    def is_enhanced(self, frame: int) -> bool:
        """Whether networks had a part in that frame of the stream."""
        place = frame - self.start_frame
        return self.drawn_by_networks or (place < len(self.mended) and self.mended[place])


class SceneReader:
    """Reads scenes of a file for what they say about themselves, the latest one kept at hand.

    Raises as `container.Reader`, and OSError.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self._reader = Reader(self._file)
        except BaseException:
            self._file.close()
            raise
        self._latest: tuple[int, SceneFacts | None] = (-1, None)

    def of_frame(self, number: int) -> SceneFacts | None:
        """The scene of that frame; None if it is damaged."""
        place = bisect_right(self._reader.index, number, key=lambda each: each.start_frame) - 1
        if place < 0:
            return None
        if self._latest[0] != place:
            self._latest = place, self._read(place)
        return self._latest[1]

    @property
    def bits_per_second(self) -> float:
        """What the scenes take, over all their time."""
        index, rate = self._reader.index, self._reader.header.frame_rate
        frames = sum(entry.frames for entry in index)
        return float(8 * sum(entry.size for entry in index) * rate / frames) if frames else 0.0

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, place: int) -> SceneFacts | None:
        entry = self._reader.index[place]
        try:
            chunk = self._reader.chunk(entry)
            body = parse_body(chunk.strategy, chunk.body, entry.frames)
        except EdgecodecError:
            return None
        codec: Codec | None = None
        if isinstance(body, ClassicalBody | HybridBody):
            codec = body.base.codec
        elif isinstance(body, ProceduralBody) and body.stills:
            codec = body.stills[0].stream.codec
        return SceneFacts(
            number=place,
            scenes=len(self._reader.index),
            start_frame=entry.start_frame,
            strategy=chunk.strategy,
            codec=codec,
            bits_per_second=float(8 * entry.size * self._reader.header.frame_rate / entry.frames),
            mended=body.enhanced if isinstance(body, HybridBody) else (),
            drawn_by_networks=isinstance(body, LatentBody),
        )
