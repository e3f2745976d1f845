"""From scenes to frames, and what damage costs in time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from .chunks import IndexEntry
from .collect import PlacedChunk
from .errors import BitstreamError
from .frames import Frame
from .header import Header
from .records import Damage
from .scenes import SceneContext, decode_scene


class DamagedScene(BitstreamError):
    """A scene that does not decode to its end; `damage` says what that costs."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage.what)
        self.damage = damage


def scene_frames(
    placed: PlacedChunk, header: Header, context: SceneContext, first: int = 0
) -> Iterator[Frame]:
    """A scene's frames from its `first` on.

    Raises DamagedScene in place of `decode_scene`'s BitstreamError, and its other errors.
    """
    chunk = placed.chunk
    decoded = decode_scene(chunk, context, first=first)
    for number, pts in enumerate(chunk.pts[first:], chunk.start_frame + first):
        try:
            planes = next(decoded)
        except BitstreamError as error:
            entry, start = placed.entry, float(pts * header.time_base)
            raise DamagedScene(Damage(entry.offset, entry.size, str(error), start)) from error
        yield Frame(planes, header.format, pts, header.time_base, header.color, number)
    try:
        next(decoded, None)
    except BitstreamError as error:
        entry = placed.entry
        raise DamagedScene(Damage(entry.offset, entry.size, str(error))) from error


def with_times(
    damages: Iterable[Damage], index: Sequence[IndexEntry], header: Header
) -> tuple[Damage, ...]:
    """`damages` in file order, each with the time that it costs as far as `index` tells."""
    ordered = sorted(damages, key=lambda damage: damage.offset)
    return tuple(_with_time(damage, index, header) for damage in ordered)


def _with_time(damage: Damage, index: Sequence[IndexEntry], header: Header) -> Damage:
    place = bisect_left(index, damage.offset, key=lambda entry: entry.offset)
    own = place < len(index) and index[place].offset == damage.offset
    before = index[place - 1] if place else None
    after = index[place + own] if place + own < len(index) else None
    frame = 0 if before is None else before.start_frame + before.frames
    end_frame = header.frame_count if after is None else after.start_frame
    if not own and frame == end_frame:
        return damage
    start, end = damage.start, None
    if start is None and own:
        start = float(index[place].start_pts * header.time_base)
    elif start is None and before is not None:
        start = float(before.start_pts * header.time_base + before.frames / header.frame_rate)
    if after is not None:
        end = float(after.start_pts * header.time_base)
        if start is None:
            start = end - float((after.start_frame - frame) / header.frame_rate)
        # Frames before it may come faster than the nominal rate says.
        start = min(start, end)
    elif own:
        entry = index[place]
        end = float(entry.start_pts * header.time_base + entry.frames / header.frame_rate)
    elif start is not None and end_frame is not None and end_frame > frame:
        end = start + float((end_frame - frame) / header.frame_rate)
    return replace(damage, start=start, end=end)
