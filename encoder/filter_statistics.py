"""What filters are fitted to: how the values of their taps, and what a base lacks, go together.

Of a scene some frames and of each some strips of cells are looked at. For every class of cells
there remain the sums of products of tap values, and of these with what the base lacks: all that
least squares needs, whichever classes then share a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.filtering import CELL, TURNS, Around, classify, look, tap_values, turned
from ..runtime.frames import Plane, Planes
from ..runtime.sample_depth import RESIDUAL_ZERO
from ..runtime.scene_filter import CLASSES, taps_of
from .quality import PSNR_WEIGHTS, PlanePsnr

Reals = NDArray[np.float64]
Quarters = NDArray[np.int16]
"""In quarters of a grey level of 8 bits."""
Deep = Sequence[Quarters]

_MOST_FRAMES = 16
_MOST_SAMPLES = 1_500_000
_STRIP_CELLS = 2
_SEED = 0
_SHARES = tuple(weight / sum(PSNR_WEIGHTS) for weight in PSNR_WEIGHTS)
_PEAK = 1020.0
# Beyond 70 dB nothing is to be gained.
_LEAST_ERROR = 1e-7


@dataclass(frozen=True, eq=False)
class PlaneStatistics:
    """Of one plane, for each class: `products` [120, taps, taps] of tap values with each other,
    `lacking` [120, taps] of tap values with what the base lacks, both weighted so that the square
    of all that it lacks counts for the plane's share of 6:1:1; `samples` [120] is how many there
    were."""

    products: Reals
    lacking: Reals
    samples: Reals


def chosen_frames(count: int) -> tuple[int, ...]:
    """Which frames of so many are looked at, in their order; the same for the same number."""
    random = np.random.default_rng((_SEED, count))
    return tuple(sorted(random.permutation(count)[:_MOST_FRAMES].tolist()))


def gather(
    sources: Sequence[Planes],
    base: Iterator[Planes],
    scores: Sequence[PlanePsnr],
    lacking: Callable[[int, Planes], Deep],
) -> tuple[PlaneStatistics, ...]:
    """The statistics of Y, U and V.

    Args:
        sources: the scene's frames.
        base: all of the base's, uint16 of ten bits at the video's size.
        scores: what the base's frames score.
        lacking: what frame number i of the base, given with it, lacks, in quarters of a grey
            level of 8 bits.
    """
    wanted = frozenset(chosen_frames(len(sources)))
    height, width = sources[0][0].shape
    sums = [_Sums.empty(number) for number in range(len(_SHARES))]
    random = np.random.default_rng((_SEED, height, width))
    share = min(1.0, _MOST_SAMPLES / (len(wanted) * height * width))
    for index, planes, around in _between(base, wanted):
        cells = classify(around)
        groups = cells.classes * TURNS + cells.turns
        missing = lacking(index, planes)
        weights = _weights(scores[index])
        for strip in _strips(around.cur.cells[0], share, random):
            for number, total in enumerate(sums):
                total.add(number, around, strip, groups[strip], missing[number], weights[number])
    return tuple(each.finished(number) for number, each in enumerate(sums))


def quarters_lacking(source: Plane, base: Plane, added: Plane | None, bit_depth: int) -> Quarters:
    """What a plane of ten bits lacks of a source of `bit_depth` bits beyond what a network has
    `added` to it (uint8, 128 for nothing)."""
    wanted = source.astype(np.int16)
    if bit_depth == 8:
        wanted <<= 2
    wanted -= base.astype(np.int16)
    if added is not None:
        wanted -= added
        wanted += RESIDUAL_ZERO
    return wanted


def _between(
    base: Iterator[Planes], wanted: frozenset[int]
) -> Iterator[tuple[int, Planes, Around]]:
    """Those frames between their neighbours; the first and last stand in for what is beyond."""
    last: Planes | None = None
    before: Planes | None = None
    index = -1
    for index, planes in enumerate(base):
        if last is not None and index - 1 in wanted:
            looks = [look(each) for each in (before or last, last, planes)]
            yield index - 1, last, Around(*looks)
        before, last = last, planes
    if last is not None and index in wanted:
        looks = [look(each) for each in (before or last, last)]
        yield index, last, Around(looks[0], looks[1], looks[1])


def _strips(rows: int, share: float, random: np.random.Generator) -> list[slice]:
    """That share of a frame's strips of cells, but one at least."""
    starts = np.arange(0, rows, _STRIP_CELLS)
    count = max(1, round(share * len(starts)))
    chosen = np.sort(random.permutation(starts)[:count])
    return [slice(int(start), min(int(start) + _STRIP_CELLS, rows)) for start in chosen]


def _weights(score: PlanePsnr) -> list[float]:
    errors = [max(10 ** (-db / 10), _LEAST_ERROR) for db in (score.y, score.u, score.v)]
    return [share / (_PEAK * _PEAK * error) for error, share in zip(errors, _SHARES, strict=True)]


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over samples, one after the other."""

    products: Reals
    lacking: Reals
    samples: Reals

    @classmethod
    def empty(cls, number: int) -> _Sums:
        taps = taps_of(number)
        shapes = (CLASSES, taps, taps), (CLASSES, taps), (CLASSES,)
        products, lacking, samples = (np.zeros(shape) for shape in shapes)
        return cls(products, lacking, samples)

    def add(
        self,
        number: int,
        around: Around,
        strip: slice,
        groups: NDArray[np.int64],
        missing: Quarters,
        weight: float,
    ) -> None:
        """A strip of cells of `groups`, class * TURNS + turn."""
        side = CELL if number == 0 else CELL // 2
        height, width = missing.shape
        rows = slice(side * strip.start, min(side * strip.stop, height))
        wanted = (True,) * taps_of(number)
        inside = rows.stop - rows.start
        values = np.empty((len(wanted), inside * width), np.float32)
        for tap, taken in tap_values(number, around, strip, wanted):
            values[tap] = taken[:inside, :width].reshape(-1)
        of = groups.repeat(side, axis=0).repeat(side, axis=1)[:inside, :width].reshape(-1)
        gap = missing[rows].reshape(-1).astype(np.float32)
        order = np.argsort(of, kind="stable")
        values, gap, of = values[:, order], gap[order], of[order]
        starts = np.flatnonzero(np.diff(of, prepend=-1))
        ends = np.append(starts[1:], len(of))
        back = [np.argsort(each) for each in turned(number)]
        for start, end in zip(starts, ends, strict=True):
            which, turn = divmod(int(of[start]), TURNS)
            part = values[back[turn], start:end]
            self.products[which] += weight * (part @ part.T)
            self.lacking[which] += weight * (part @ gap[start:end])
            self.samples[which] += end - start

    def finished(self, number: int) -> PlaneStatistics:
        total = max(1.0, self.samples.sum())
        return PlaneStatistics(self.products / total, self.lacking / total, self.samples)
