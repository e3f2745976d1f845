"""What filters are fitted to: how the values of their taps, and what a base lacks, go together.

Of a scene some frames and of each some cells are looked at. For every class of cells
there remain the sums of products of tap values, and of these with what the base lacks: all that
least squares needs, whichever classes then share a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.filter_taps import (
    CELL,
    TURNS,
    Around,
    look_at_residual,
    side_of,
    tap_values,
    turned,
)
from ..runtime.filtering import classify
from ..runtime.frames import Plane, Planes
from ..runtime.sample_depth import RESIDUAL_ZERO
from ..runtime.scene_filter import CLASSES, taps_of
from ..runtime.scenes import windows
from .quality import PSNR_WEIGHTS, PlanePsnr

Reals = NDArray[np.float64]
Quarters = NDArray[np.int16]
"""In quarters of a grey level of 8 bits."""

_MOST_FRAMES = 16
_MOST_SAMPLES = 8_000_000
_STRIP_CELLS = 16
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
    were. `risk` is what a coefficient is expected to do worse on all of the scene's samples than on
    these, in the same measure."""

    products: Reals
    lacking: Reals
    samples: Reals
    risk: float


def chosen_frames(count: int) -> tuple[int, ...]:
    """Which frames of so many are looked at, in their order; the same for the same number."""
    random = np.random.default_rng((_SEED, count))
    return tuple(sorted(random.permutation(count)[:_MOST_FRAMES].tolist()))


def gather(
    sources: Sequence[Planes],
    base: Iterator[Planes],
    scores: Sequence[PlanePsnr],
    bit_depth: int,
    full_size: Callable[[Planes], Planes],
    residuals: Mapping[int, Planes] | None = None,
) -> tuple[PlaneStatistics, ...]:
    """The statistics of Y, U and V.

    Args:
        sources: the scene's frames, of `bit_depth` bits.
        base: all of the base's.
        scores: what the base's frames score.
        bit_depth: the sources'.
        full_size: brings a frame of the base to the video's size and to ten bits, uint16.
        residuals: what a network adds to those of the `chosen_frames`, uint8, 128 for nothing;
            None for nothing.
    """
    wanted = frozenset(chosen_frames(len(sources)))
    height, width = sources[0][0].shape
    sums = [_Sums.empty(number) for number in range(len(_SHARES))]
    random = np.random.default_rng((_SEED, height, width))
    share = min(1.0, _MOST_SAMPLES / (len(wanted) * height * width))
    # Cells that the picture's edge cuts are left out.
    whole = height // CELL, width // CELL
    for window in windows(base, len(sources), 0):
        index = window.index
        if index not in wanted:
            continue
        planes, around = window.cur.deep(full_size), window.around(full_size)
        cells = classify(around)
        groups = (cells.classes * TURNS + cells.turns)[: whole[0], : whole[1]]
        added = None if residuals is None else residuals[index]
        if added is not None:
            around = replace(around, added=look_at_residual(added, around.cur.cells))
        missing = [
            quarters_lacking(*each, bit_depth)
            for each in zip(sources[index], planes, added or (None,) * 3, strict=True)
        ]
        weights = _weights(scores[index])
        for start in range(0, whole[0], _STRIP_CELLS):
            strip = slice(start, min(start + _STRIP_CELLS, whole[0]))
            chosen = _Chosen.of(groups[strip], share, random)
            for number, total in enumerate(sums):
                total.add(number, around, strip, chosen, missing[number], weights[number])
    everything = len(sources) * whole[0] * whole[1]
    return tuple(each.finished(number, everything) for number, each in enumerate(sums))


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Cells of a strip that are looked at, in the order of their `groups`, class * TURNS + turn:
    the `rows` and `columns` where they are, and the `runs` of those of one group."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    runs: tuple[tuple[int, slice], ...]

    @classmethod
    def of(cls, groups: NDArray[np.int64], share: float, random: np.random.Generator) -> _Chosen:
        """That share of the cells at random: neighbours tell little more than one of them."""
        rows, columns = np.nonzero(random.random(groups.shape) < share)
        order = np.argsort(groups[rows, columns], kind="stable")
        rows, columns = rows[order], columns[order]
        found = groups[rows, columns]
        starts = np.flatnonzero(np.diff(found, prepend=-1))
        ends = np.append(starts[1:], len(found))
        runs = (
            (int(found[start]), slice(int(start), int(end)))
            for start, end in zip(starts, ends, strict=True)
        )
        return cls(rows, columns, tuple(runs))

    def samples(self, plane: NDArray[Any], side: int) -> NDArray[Any]:
        """The samples [cells * side * side] of a strip [rows, columns] in those cells."""
        high, wide = plane.shape[0] // side, plane.shape[1] // side
        cells = plane[: high * side, : wide * side].reshape(high, side, wide, side)
        return cells[self.rows, :, self.columns].reshape(-1)


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
        chosen: _Chosen,
        missing: Quarters,
        weight: float,
    ) -> None:
        """The chosen cells of a strip."""
        side = side_of(number)
        gap = chosen.samples(missing[side * strip.start : side * strip.stop], side)
        gap = gap.astype(np.float32)
        values = np.zeros((taps_of(number), len(gap)), np.float32)
        for tap, taken in tap_values(number, around, strip, (True,) * len(values)):
            values[tap] = chosen.samples(taken, side)
        back = [np.argsort(each) for each in turned(number)]
        for group, cells in chosen.runs:
            which, turn = divmod(group, TURNS)
            run = slice(side * side * cells.start, side * side * cells.stop)
            part = values[back[turn], run]
            self.products[which] += weight * (part @ part.T)
            self.lacking[which] += weight * (part @ gap[run])
            self.samples[which] += part.shape[1]

    def finished(self, number: int, cells_of_scene: int) -> PlaneStatistics:
        """What is known of so many cells by those that were looked at.

        A coefficient that fits N independent values gains 1 / N of the error by chance, and loses
        as much on others (Akaike). What a cell's samples lack is much alike: a cell counts for one.
        """
        samples = max(1.0, self.samples.sum())
        side = side_of(number)
        cells = samples / side**2
        others = max(0.0, 1.0 - cells / max(1, cells_of_scene))
        return PlaneStatistics(
            self.products / samples,
            self.lacking / samples,
            self.samples,
            2.0 * others * _SHARES[number] / cells,
        )
