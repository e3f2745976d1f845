"""The stream of an encode before its scenes are chosen: all the bytes that are not theirs."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from typing import Any, BinaryIO

from ..runtime.auxiliary import AuxPacket, AuxStream
from ..runtime.chunks import Chunk, StrategyId
from ..runtime.container import Header, Writer
from ..runtime.models import packaged_models, read_models
from ..runtime.title import TitleWeights
from .explore import Explored
from .media import SourceInfo
from .strategies import Candidate

_WITHOUT_NETWORKS = (StrategyId.CLASSICAL, StrategyId.PROCEDURAL)


@dataclass(frozen=True)
class Draft:
    """`scenes` of the video `info`, and the packets of other streams that travel with them.

    `tier` is the one whose networks scenes may use, `titles` are weights for them of the video's
    own.
    """

    info: SourceInfo
    scenes: Sequence[Explored]
    tier: str
    aux_streams: tuple[AuxStream, ...]
    aux_packets: Sequence[AuxPacket]
    titles: tuple[TitleWeights, ...] = ()

    @property
    def frames(self) -> int:
        """Frames of all scenes."""
        return sum(len(scene.pts) for scene in self.scenes)

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last, which lasts as long as the average."""
        first, last = self.scenes[0].pts[0], self.scenes[-1].pts[-1]
        return float((last - first) * self.info.time_base + 1 / self.info.frame_rate)

    @property
    def aux_bytes(self) -> int:
        """Bytes of the other streams' packets, without what frames them."""
        return sum(len(packet.data) for packet in self.aux_packets)

    def other_bits(self) -> int:
        """At most what the file needs beside its chunks and the other streams' packets."""
        largest = [max(scene.candidates, key=lambda each: each.bits) for scene in self.scenes]
        tally = _Tally()
        # Networks are named in the header: as if some scene used them.
        self._write(tally, largest, self._model_ids())
        return 8 * (tally.size - self.aux_bytes) - sum(each.bits for each in largest)

    def write(self, file: BinaryIO, chosen: Sequence[Candidate]) -> None:
        """Write the stream with one candidate for each scene."""
        neural = any(each.strategy not in _WITHOUT_NETWORKS for each in chosen)
        self._write(file, chosen, self._model_ids() if neural else ())

    def _write(
        self, file: BinaryIO, chosen: Sequence[Candidate], model_ids: tuple[str, ...]
    ) -> None:
        """The chunks, each after the other streams' packets of its time."""
        writer = Writer(file, self._header(model_ids), self.titles)
        clocks = {stream.index: stream.time_base for stream in self.aux_streams}
        waiting = deque(sorted(self.aux_packets, key=lambda each: each.dts * clocks[each.stream]))
        for number, (scene, made) in enumerate(zip(self.scenes, chosen, strict=True)):
            end = scene.pts[-1] * self.info.time_base
            due = []
            while waiting and waiting[0].dts * clocks[waiting[0].stream] <= end:
                due.append(waiting.popleft())
            if due:
                writer.write_aux(due)
            body = made.read_body()
            writer.write_chunk(Chunk(number, scene.start, made.strategy, scene.pts, body))
        if waiting:
            writer.write_aux(waiting)
        writer.finish()

    def _header(self, model_ids: tuple[str, ...]) -> Header:
        info = self.info
        return Header(
            format=info.format,
            time_base=info.time_base,
            frame_rate=info.frame_rate,
            color=info.color,
            rotation=info.rotation,
            sample_aspect=info.sample_aspect,
            tier=self.tier if model_ids else "",
            model_ids=model_ids,
            aux_streams=self.aux_streams,
            frame_count=self.frames,
            writer=f"edgecodec {version('edgecodec')}",
        )

    def _model_ids(self) -> tuple[str, ...]:
        strategies = {each.strategy for scene in self.scenes for each in scene.candidates}
        if strategies <= set(_WITHOUT_NETWORKS):
            return ()
        networks = read_models(packaged_models(self.tier)).networks
        return tuple(entry.model_id for entry in networks)


def until(
    end_s: Fraction, streams: Sequence[AuxStream], packets: Sequence[AuxPacket]
) -> list[AuxPacket]:
    """The packets that are due before that time."""
    clocks = {stream.index: stream.time_base for stream in streams}
    return [each for each in packets if each.pts * clocks[each.stream] < end_s]


class _Tally(io.BytesIO):
    """A file that only counts what is written."""

    size = 0

    def write(self, data: Any, /) -> int:
        written = memoryview(data).nbytes
        self.size += written
        return written
