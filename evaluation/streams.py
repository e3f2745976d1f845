"""Our own streams, played by the real runtime: their frames, how fast they came, their size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..runtime import open as open_stream
from ..runtime.frames import Planes
from ..runtime.summary import summarise


@dataclass(frozen=True)
class PlayedStream:
    """Every frame of a stream in display order, in memory.

    `open_seconds` is what opening took; `decode_fps` how many frames a second came from there,
    entropy decoding, networks and copies included.
    """

    frames: tuple[Planes, ...]
    open_seconds: float
    decode_fps: float


@dataclass(frozen=True)
class StreamSpeed:
    """How fast a stream plays; see `PlayedStream`."""

    open_seconds: float
    decode_fps: float


def play_stream(path: Path, provider: str = "auto", threads: int = 0) -> PlayedStream:
    """Decode a whole `.ecv` stream to planes in memory.

    It is played twice, the first time to time it. Errors as for `edgecodec.runtime.open`.
    """
    speed = time_stream(path, provider, threads)
    frames = tuple(stream_frames(path, provider, threads))
    return PlayedStream(frames, speed.open_seconds, speed.decode_fps)


def time_stream(path: Path, provider: str = "auto", threads: int = 0) -> StreamSpeed:
    """Play a whole stream, dropping every frame for the next one, as a player does: to hold all
    of them would time the system's memory instead. Errors as for `edgecodec.runtime.open`."""
    start = time.perf_counter()
    with open_stream(path, provider=provider, threads=threads) as video:
        opened = time.perf_counter()
        count = sum(1 for _ in video)
        end = time.perf_counter()
    return StreamSpeed(opened - start, count / (end - opened))


def stream_frames(path: Path, provider: str = "auto", threads: int = 0) -> Iterator[Planes]:
    """The frames of a stream in display order, as they come. Errors as for
    `edgecodec.runtime.open`."""
    with open_stream(path, provider=provider, threads=threads) as video:
        for frame in video:
            yield frame.planes


def video_bytes(path: Path) -> int:
    """Bytes of a stream without the audio and subtitle data that travel in it.

    The header, the index and what packs those packets all count as video.
    """
    summary = summarise(path)
    return summary.file_bytes - sum(stream.data_bytes for stream in summary.streams)
