"""What a stream is, and where its scenes are: known before any picture is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .auxiliary import AuxStream
from .chunks import IndexEntry
from .frames import ColorInfo, PictureFormat
from .header import Header


@dataclass(frozen=True)
class StreamInfo:
    """What a stream is.

    `time_base` is the unit of timestamps in seconds, `frame_rate` the nominal one in Hz,
    `duration` seconds, `frames` how many the index lists, `rotation` degrees clockwise to turn
    the picture for display. `provider` is what networks run on.

    Of a stream that is read front to back `frames` is what its header says and `duration` follows
    from it, both 0 where it does not say; `scenes` is 0.
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


@dataclass(frozen=True)
class SceneInfo:
    """A scene: `number` counts scenes from 0, `start_frame` frames of the stream from 0; `start` is
    the first frame's time in seconds."""

    number: int
    start_frame: int
    frames: int
    start: float


def indexed_info(
    header: Header, provider: str, index: Sequence[IndexEntry], last_pts: int
) -> StreamInfo:
    """Of a stream whose scenes are known; `last_pts` is when the last frame is shown, which lasts
    as long as the nominal frame rate says."""
    duration = Fraction(0)
    if index:
        duration = (last_pts - index[0].start_pts) * header.time_base + 1 / header.frame_rate
    frames = sum(entry.frames for entry in index)
    return _info(header, provider, frames, len(index), float(duration))


def arriving_info(header: Header, provider: str) -> StreamInfo:
    """Of a stream whose index is not there."""
    frames = header.frame_count or 0
    return _info(header, provider, frames, 0, float(frames / header.frame_rate))


def _info(header: Header, provider: str, frames: int, scenes: int, duration: float) -> StreamInfo:
    return StreamInfo(
        format=header.format,
        time_base=header.time_base,
        frame_rate=header.frame_rate,
        color=header.color,
        rotation=header.rotation,
        sample_aspect=header.sample_aspect,
        aux_streams=header.aux_streams,
        tier=header.tier,
        model_ids=header.model_ids,
        frames=frames,
        scenes=scenes,
        duration=duration,
        provider=provider,
    )
