"""Scenes in latents as a real stream, one chunk after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..runtime.chunks import Chunk, StrategyId
from ..runtime.container import Header, Writer
from ..runtime.payloads import LatentBody, pack_body
from .clips import Clip


def write_latents(
    path: Path, clip: Clip, tier: str, strategy: StrategyId, bodies: Sequence[LatentBody]
) -> int:
    """Write a clip whose frames are those of the bodies; returns how many of the file's bytes are
    the bodies. UnsupportedError for a chunk that is over the limits of the format."""
    header = Header(
        format=clip.format,
        time_base=1 / clip.frame_rate,
        frame_rate=clip.frame_rate,
        color=clip.color,
        tier=tier,
        model_ids=tuple(dict.fromkeys(model for body in bodies for model in body.models)),
        frame_count=len(clip.frames),
    )
    start, size = 0, 0
    with path.open("wb") as file:
        writer = Writer(file, header)
        for number, body in enumerate(bodies):
            packed = pack_body(body)
            pts = tuple(range(start, start + len(body.packets)))
            writer.write_chunk(Chunk(number, start, strategy, pts, packed))
            start, size = start + len(pts), size + len(packed)
        writer.finish()
    return size
