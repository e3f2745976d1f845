"""Which candidate each scene gets, so that the whole video meets its target best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .strategies import Candidate
from .targets import BitrateTarget, PsnrTarget, Target

_PSNR_PER_OCTAVE_DB = 3.0
_BISECTIONS = 60
_KEPT = 512


def choose(
    scenes: Sequence[Sequence[Candidate]], target: Target, duration_s: float, other_bits: int
) -> list[Candidate]:
    """One candidate for each scene.

    For a bitrate: the best sum of frame PSNR whose bits, and the stream's `other_bits`, are
    within it, sought around one Lagrangian price of bits over all scenes (Shoham and Gersho,
    1988); the smallest streams where nothing fits. For a PSNR: the fewest bits that reach it,
    scene by scene, or else the highest PSNR. For a quality: the best trade of dB against rate.
    """
    if isinstance(target, BitrateTarget):
        return _within(scenes, target.bits_per_second * duration_s - other_bits)
    if isinstance(target, PsnrTarget):
        return [_reaching(candidates, target.db) for candidates in scenes]
    return [max(candidates, key=trade) for candidates in scenes]


def trade(made: Candidate) -> float:
    """PSNR in dB, less 3 dB for every doubling of the bits: compares candidates at like rates."""
    return made.psnr - _PSNR_PER_OCTAVE_DB * math.log2(made.bits)


def _reaching(candidates: Sequence[Candidate], db: float) -> Candidate:
    # A target met to a twentieth of a dB is met: settings are whole numbers.
    enough = [each for each in candidates if each.psnr >= db - 0.05]
    if enough:
        return min(enough, key=lambda each: each.bits)
    return max(candidates, key=lambda each: each.psnr)


@dataclass(frozen=True)
class _Options:
    """A scene's candidates by rising `bits` [n], and the sums of their frames' PSNR [n]."""

    candidates: Sequence[Candidate]
    bits: NDArray[np.int64]
    psnr: NDArray[np.float64]

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> _Options:
        ordered = sorted(candidates, key=lambda each: (each.bits, -each.psnr))
        bits = np.array([each.bits for each in ordered], np.int64)
        return cls(ordered, bits, np.array([sum(each.frame_psnr) for each in ordered]))

    def at_price(self, price: float) -> int:
        """The best candidate if a bit costs `price` dB, the smallest of equals."""
        return int(np.argmax(self.psnr - price * self.bits))


def _within(scenes: Sequence[Sequence[Candidate]], bits: float) -> list[Candidate]:
    every = [_Options.of(candidates) for candidates in scenes]

    def spent(price: float) -> int:
        return sum(int(each.bits[each.at_price(price)]) for each in every)

    if sum(int(each.bits[0]) for each in every) > bits:
        return [each.candidates[0] for each in every]
    if spent(0.0) <= bits:
        return [each.candidates[each.at_price(0.0)] for each in every]
    low, high = 0.0, 1.0
    while spent(high) > bits:
        high *= 4
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if spent(middle) <= bits:
            high = middle
        else:
            low = middle
    return _best_within(every, bits, high)


def _best_within(scenes: Sequence[_Options], bits: float, price: float) -> list[Candidate]:
    """The best choice of at most `bits`, by dynamic programming scene by scene.

    Partial choices that another one beats in bits and in PSNR are dropped. Of more than `_KEPT`,
    those go on that have the most PSNR less the `price` of their bits: what the scenes to come can
    add to that at most is the same for all.
    """
    least_to_come = sum(int(each.bits[0]) for each in scenes)
    bits_so_far, psnr_so_far = np.zeros(1, np.int64), np.zeros(1)
    steps: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    for scene in scenes:
        least_to_come -= int(scene.bits[0])
        spent = np.add.outer(bits_so_far, scene.bits).ravel()
        gained = np.add.outer(psnr_so_far, scene.psnr).ravel()
        kept = np.flatnonzero(spent + least_to_come <= bits)
        kept = kept[np.lexsort((-gained[kept], spent[kept]))]
        best_before = np.maximum.accumulate(gained[kept])[:-1]
        kept = kept[np.append(True, gained[kept][1:] > best_before)]
        if len(kept) > _KEPT:
            worth = gained[kept] - price * spent[kept]
            kept = kept[np.argpartition(-worth, _KEPT)[:_KEPT]]
        steps.append(np.divmod(kept, len(scene.bits)))
        bits_so_far, psnr_so_far = spent[kept], gained[kept]
    way = int(np.argmax(psnr_so_far))
    chosen: list[Candidate] = []
    for scene, (before, taken) in zip(reversed(scenes), reversed(steps), strict=True):
        chosen.append(scene.candidates[taken[way]])
        way = int(before[way])
    return chosen[::-1]
