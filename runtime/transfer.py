"""From a video to a sink: every frame, and the packets of the other streams in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from time import perf_counter

from .auxiliary import AuxPacket
from .frames import Frame
from .sink_base import Sink, VideoInfo


@dataclass(frozen=True)
class Transfer:
    """What went through: frames, and the seconds that it took."""

    frames: int
    seconds: float

    @property
    def fps(self) -> float:
        """Frames in a second of work; 0 where nothing went through."""
        return self.frames / self.seconds if self.seconds else 0.0


def transfer(
    frames: Iterable[Frame],
    aux_packets: Iterable[AuxPacket],
    info: VideoInfo,
    sinks: Sequence[Sink],
    progress: Callable[[Frame, int], None],
) -> Transfer:
    """Write `frames` to every sink, and each packet before the first frame that is not earlier.

    `progress` is called with every frame and how many there were. Raises whatever the frames or
    the sinks raise; the sinks are neither closed nor aborted.
    """
    begin = perf_counter()
    clocks = {stream.index: stream.time_base for stream in info.aux_streams}
    waiting = iter(aux_packets)
    held = next(waiting, None)
    count = 0
    for frame in frames:
        while held is not None and _time(held, clocks) <= frame.pts * frame.time_base:
            _write_aux(sinks, held)
            held = next(waiting, None)
        for sink in sinks:
            sink.write(frame)
        count += 1
        progress(frame, count)
    for packet in chain([held] if held else [], waiting):
        _write_aux(sinks, packet)
    return Transfer(count, perf_counter() - begin)


def _write_aux(sinks: Sequence[Sink], packet: AuxPacket) -> None:
    for sink in sinks:
        sink.write_aux(packet)


def _time(packet: AuxPacket, clocks: dict[int, Fraction]) -> Fraction:
    return packet.dts * clocks[packet.stream]
