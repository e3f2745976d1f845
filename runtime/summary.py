"""What a stream holds, told without decoding a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .container import (
    AuxStream,
    Chunk,
    Codec,
    Damage,
    Header,
    IndexEntry,
    Limits,
    Reader,
    StrategyId,
)
from .errors import EdgecodecError
from .payloads import ClassicalBody, HybridBody, LatentBody, ProceduralBody, parse_body
from .title import pack_title


@dataclass(frozen=True)
class SceneSummary:
    """One scene.

    `start` and `duration` are seconds, `bits` what the chunk takes in the file. `codec` is its
    base's, None where it has none; `enhanced_frames` counts those that a network mends, `models`
    are ids of the networks it names, `priors` those of what codes its latents and their detail.
    `has_code` says that the scene adapts its network by a code, `title` numbers the title weights
    that it asks for, `has_filter` says that what its base or its networks draw is filtered.
    `problem` says why a scene cannot be read, and then all that is known is its place.
    """

    start_frame: int
    start: float
    frames: int
    duration: float
    bits: int
    strategy: StrategyId | None = None
    codec: Codec | None = None
    enhanced_frames: int = 0
    models: tuple[str, ...] = ()
    has_code: bool = False
    title: int | None = None
    priors: tuple[str, ...] = ()
    has_filter: bool = False
    problem: str = ""


@dataclass(frozen=True)
class TitleSummary:
    """Title weights: their number, the network they change, and the bytes of their symbols."""

    number: int
    template: str
    data_bytes: int


@dataclass(frozen=True)
class StreamSummary:
    """Another stream that travels along: `packets` and `data_bytes` are what could be read."""

    stream: AuxStream
    packets: int
    data_bytes: int


@dataclass(frozen=True)
class Summary:
    """A whole file; `frames` counts what the index lists and `duration` is in seconds."""

    file_bytes: int
    header: Header
    frames: int
    duration: float
    scenes: tuple[SceneSummary, ...]
    titles: tuple[TitleSummary, ...]
    streams: tuple[StreamSummary, ...]
    damage: tuple[Damage, ...]

    @property
    def bits_per_second(self) -> float:
        """The file's size over its duration, without what other streams' packets hold."""
        return self._rate(self.file_bytes - self._other_bytes)

    @property
    def other_bits_per_second(self) -> float:
        """What other streams' packets hold, over the same duration."""
        return self._rate(self._other_bytes)

    @property
    def _other_bytes(self) -> int:
        return sum(stream.data_bytes for stream in self.streams)

    def _rate(self, size: int) -> float:
        return 8 * size / self.duration if self.duration else 0.0


def summarise(path: Path, limits: Limits | None = None) -> Summary:
    """Read every chunk and packet of a file, damaged or not.

    Raises BitstreamError if it is no `.ecv` stream or its header is damaged, UnsupportedError if
    it needs a later version, and OSError if it cannot be read.
    """
    with path.open("rb") as file:
        reader = Reader(file, limits)
        scenes = tuple(_scenes(reader, limits or Limits()))
        streams = tuple(_streams(reader))
        return Summary(
            file_bytes=path.stat().st_size,
            header=reader.header,
            frames=sum(scene.frames for scene in scenes),
            duration=sum(scene.duration for scene in scenes),
            scenes=scenes,
            titles=tuple(
                TitleSummary(number, title.template, len(pack_title(title)))
                for number, title in sorted(reader.titles.items())
            ),
            streams=streams,
            damage=tuple(reader.damage),
        )


def _scenes(reader: Reader, limits: Limits) -> Iterator[SceneSummary]:
    for entry in reader.index:
        try:
            chunk = reader.chunk(entry)
            yield _scene(reader.header, entry, chunk, limits)
        except EdgecodecError as error:
            time_base, rate = reader.header.time_base, reader.header.frame_rate
            yield SceneSummary(
                entry.start_frame,
                float(entry.start_pts * time_base),
                entry.frames,
                float(entry.frames / rate) if rate else 0.0,
                8 * entry.size,
                problem=str(error),
            )


def _scene(header: Header, entry: IndexEntry, chunk: Chunk, limits: Limits) -> SceneSummary:
    body = parse_body(chunk.strategy, chunk.body, len(chunk.pts), limits)
    codec: Codec | None = None
    enhanced = 0
    models: tuple[str, ...] = ()
    has_code, has_filter, title = False, False, None
    priors: tuple[str, ...] = ()
    if isinstance(body, ClassicalBody | HybridBody):
        codec, has_filter = body.base.codec, body.filter is not None
    if isinstance(body, HybridBody):
        enhanced, models = sum(body.enhanced), (body.enhancer,)
        has_code, title = body.scene_code is not None, body.title
    if isinstance(body, LatentBody):
        models, has_filter = body.models, body.filter is not None
        coded_by = (*body.priors, body.detail)
        priors = tuple(dict.fromkeys(each for each in coded_by if each is not None))
    if isinstance(body, ProceduralBody) and body.stills:
        codec = body.stills[0].stream.codec
    return SceneSummary(
        chunk.start_frame,
        float(chunk.pts[0] * header.time_base),
        len(chunk.pts),
        float(_span(chunk.pts, header)),
        8 * entry.size,
        chunk.strategy,
        codec,
        enhanced,
        models,
        has_code,
        title,
        priors,
        has_filter,
    )


def _span(pts: tuple[int, ...], header: Header) -> Fraction:
    """Seconds from the first frame to the end of the last, which lasts as long as nominal."""
    last = 1 / header.frame_rate if header.frame_rate else Fraction(0)
    return (pts[-1] - pts[0]) * header.time_base + last


def _streams(reader: Reader) -> Iterator[StreamSummary]:
    packets: Counter[int] = Counter()
    data_bytes: Counter[int] = Counter()
    for packet in reader.aux_packets():
        packets[packet.stream] += 1
        data_bytes[packet.stream] += len(packet.data)
    for stream in reader.header.aux_streams:
        yield StreamSummary(stream, packets[stream.index], data_bytes[stream.index])
