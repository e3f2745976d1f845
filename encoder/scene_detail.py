"""Detail of a scene's frames: what stands still keeps it for as long as it does.

Nothing else of a frame rests on detail, so it is chosen when all frames of a scene are coded. By
then it is known how long each cell's detail would be seen, and so many times does it pay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..runtime.detail import (
    BLOCKS_PER_CELL,
    Detailed,
    added,
    keeping,
    kept_samples,
    seen_before,
    with_detail,
)
from ..runtime.frame_levels import Levels, levels_of
from ..runtime.packing import Packed
from ..runtime.prior import Prior
from .detail_coding import Detail, frame_detail
from .detail_quality import FINEST_QUALITY, FIRST_QUALITY
from .quality import PSNR_WEIGHTS
from .symbol_choice import Weights

Times = NDArray[np.float32]
Latent = NDArray[np.uint8]

# Detail is as fine as it pays for the cells that are seen longest, but for a tenth of all.
_SHARE_BELOW = 0.9
# A price of a bit of 1 / e is so many qualities finer: from 0 to 63 it falls by a factor of 200.
_QUALITIES_PER_E = 63 / math.log(200)
# Of Y, U and V in a packed frame.
_CHANNELS = (64, 16, 16)
_LEAST_ERROR = 1e-3


@dataclass(frozen=True, eq=False)
class LatentFrame:
    """A frame as it is sent without detail: its position and references in display order,
    its quality, and the latent [1, L, h, w] that the network takes."""

    position: int
    references: tuple[int, ...]
    quality: int
    latent: Latent


@dataclass(frozen=True, eq=False)
class FrameDetail:
    """What is sent of a frame's detail, and the packed frame [1, 96, 2 h, 2 w] that is shown."""

    sent: Detail
    shown: Packed


def scene_detail(
    frames: Sequence[LatentFrame],
    source: Callable[[int], Packed],
    drawn: Callable[[int], Packed],
    prior: Prior,
    quality: float,
) -> Iterator[tuple[int, FrameDetail]]:
    """The detail of those frames, given in decoding order, that have any, with their positions.

    `source` gives the frame at a position packed by blocks of 8, [1, 96, 2 h, 2 w], `drawn` what
    it is without detail, packed so too. `quality` is that by whose price of a bit detail
    pays that is seen once: at most `detail_quality.FINEST_QUALITY`.
    """
    levels = {frame.position: levels_of(frame.latent) for frame in frames}
    times = _times_seen(frames, levels)
    done: dict[int, Detailed] = {}
    for frame in frames:
        own = levels[frame.position]
        kept = kept_samples(own, [done[reference] for reference in frame.references])
        finest, weights = _worth(times[frame.position], quality)
        pays = finest >= 0
        done[frame.position] = Detailed(own, None)
        if kept is None and not pays:
            continue
        wanted, without = source(frame.position), drawn(frame.position)
        samples, shown = None, without
        if kept is not None:
            with_kept = with_detail(without, kept)
            if _error(wanted, with_kept) < _error(wanted, without):
                samples, shown = kept, with_kept
        keeps = samples is not None or kept is None
        seen = seen_before(frame.latent, frame.quality)
        sent = Detail(0, np.zeros_like(seen), seen)
        if pays:
            sent = frame_detail(wanted, shown, seen, finest, prior, weights)
            if sent.symbols.any():
                samples = added(sent.samples, samples)
                shown = with_detail(without, samples)
        done[frame.position] = Detailed(own, samples)
        yield frame.position, FrameDetail(replace(sent, keeps=keeps), shown)


def _worth(times: Times, quality: float) -> tuple[int, Weights]:
    """The quality of the detail of a frame whose cells are seen so many times [h, w], less than 0
    for none, and what errors count in its blocks [2 h, 2 w]."""
    most = float(np.quantile(times, _SHARE_BELOW))
    finest = min(quality + _QUALITIES_PER_E * math.log(most), FINEST_QUALITY)
    weights = (times / np.float32(most)).repeat(BLOCKS_PER_CELL, 0).repeat(BLOCKS_PER_CELL, 1)
    return round(finest) - FIRST_QUALITY, weights


def _times_seen(frames: Sequence[LatentFrame], levels: Mapping[int, Levels]) -> dict[int, Times]:
    """By position, how many frames each cell's detail would be seen in, its own among them."""
    times = {position: np.ones(each.shape[1:], np.float32) for position, each in levels.items()}
    for frame in reversed(frames):
        own = levels[frame.position]
        references = [levels[reference] for reference in frame.references]
        for reference, same in zip(frame.references, keeping(own, references), strict=True):
            times[reference] += same * times[frame.position]
    return times


def _error(wanted: Packed, shown: Packed) -> float:
    """6 Y + U + V of the logarithms of the planes' squared errors."""
    squares = np.square(wanted[0].astype(np.int32) - shown[0])
    planes = np.split(squares, np.cumsum(_CHANNELS)[:-1])
    logs = [math.log(float(plane.mean()) + _LEAST_ERROR) for plane in planes]
    return sum(weight * each for weight, each in zip(PSNR_WEIGHTS, logs, strict=True))
