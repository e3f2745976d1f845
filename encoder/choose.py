"""Which candidate each scene gets, so that the whole video meets its target best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .strategies import Candidate

_BISECTIONS = 60
_KEPT = 512


def most_within(scenes: Sequence[Sequence[Candidate]], bits: float) -> list[Candidate]:
    """One candidate for each scene: the best sum of frame scores that `bits` suffice for.

    Sought around one Lagrangian price of bits over all scenes (Shoham and Gersho, 1988). The
    smallest candidates where nothing fits.
    """
    every = [_Options.of(candidates) for candidates in scenes]
    if _spent(every, np.inf) > bits:
        return [each.candidates[0] for each in every]
    price = _price(every, lambda dear: _spent(every, dear) > bits)
    front = _front(every, price, most_bits=bits)
    return front.way(every, int(np.argmax(front.score)))


def least_reaching(scenes: Sequence[Sequence[Candidate]], mean: float) -> list[Candidate]:
    """One candidate for each scene: the fewest bits whose mean frame score is `mean`.

    Sought as by `most_within`. The candidates of the highest scores where nothing reaches it.
    """
    every = [_Options.of(candidates) for candidates in scenes]
    frames = sum(len(candidates[0].scores) for candidates in scenes)
    needed = mean * frames
    if sum(float(each.score[-1]) for each in every) < needed:
        return [each.candidates[-1] for each in every]
    price = _price(every, lambda dear: _gained(every, dear) >= needed)
    # The last price that reaches it is just below: the way there is among those kept around it.
    front = _front(every, price, least_score=needed)
    return front.way(every, int(np.argmin(front.bits)))


def each_reaching(scenes: Sequence[Sequence[Candidate]], mean: float) -> list[Candidate]:
    """For each scene by itself the fewest bits whose mean frame score is `mean`, or else the
    highest score."""
    return [least_reaching([candidates], mean)[0] for candidates in scenes]


@dataclass(frozen=True)
class _Options:
    """A scene's candidates of which none beats another in both, by rising `bits` [n] and `score`
    [n], the sum over the scene's frames."""

    candidates: Sequence[Candidate]
    bits: NDArray[np.int64]
    score: NDArray[np.float64]

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> _Options:
        kept: list[Candidate] = []
        for each in sorted(candidates, key=lambda each: (each.bits, -each.score)):
            if not kept or each.score > kept[-1].score:
                kept.append(each)
        bits = np.array([each.bits for each in kept], np.int64)
        return cls(kept, bits, np.array([sum(each.scores) for each in kept]))

    def at_price(self, price: float) -> int:
        """The best candidate if a bit costs `price` of the score, the smallest of equals."""
        return 0 if np.isinf(price) else int(np.argmax(self.score - price * self.bits))


def _spent(every: Sequence[_Options], price: float) -> int:
    return sum(int(each.bits[each.at_price(price)]) for each in every)


def _gained(every: Sequence[_Options], price: float) -> float:
    return sum(float(each.score[each.at_price(price)]) for each in every)


def _price(every: Sequence[_Options], too_low: Callable[[float], bool]) -> float:
    """The lowest price of a bit that is not `too_low`, nearly."""
    if not too_low(0.0):
        return 0.0
    low, high = 0.0, 1e-9
    while too_low(high) and high < 1e12:
        high *= 4
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if too_low(middle):
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True)
class _Front:
    """Choices for all scenes of which none beats another: their `bits` [n] and `score` [n], and
    how each came about."""

    bits: NDArray[np.int64]
    score: NDArray[np.float64]
    steps: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]

    def way(self, every: Sequence[_Options], end: int) -> list[Candidate]:
        """Each scene's candidate in choice number `end`."""
        chosen: list[Candidate] = []
        for scene, (before, taken) in zip(reversed(every), reversed(self.steps), strict=True):
            chosen.append(scene.candidates[taken[end]])
            end = int(before[end])
        return chosen[::-1]


def _front(
    every: Sequence[_Options],
    price: float,
    most_bits: float = np.inf,
    least_score: float = -np.inf,
) -> _Front:
    """The choices within the two limits, by dynamic programming scene by scene.

    Partial choices that another one beats in both are dropped. Of more than `_KEPT`, those go on
    that have the most score less the `price` of their bits: what the scenes to come can add to
    that at most is the same for all.
    """
    bits_to_come = sum(int(each.bits[0]) for each in every)
    score_to_come = sum(float(each.score[-1]) for each in every)
    # Sums in another order differ in their last digits.
    margin = 1e-9 * abs(score_to_come)
    bits, score = np.zeros(1, np.int64), np.zeros(1)
    steps: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    for scene in every:
        bits_to_come -= int(scene.bits[0])
        score_to_come -= float(scene.score[-1])
        spent = np.add.outer(bits, scene.bits).ravel()
        gained = np.add.outer(score, scene.score).ravel()
        possible = (spent + bits_to_come <= most_bits) & (
            gained + score_to_come >= least_score - margin
        )
        kept = np.flatnonzero(possible)
        kept = kept[np.lexsort((-gained[kept], spent[kept]))]
        best_before = np.maximum.accumulate(gained[kept])[:-1]
        kept = kept[np.append(True, gained[kept][1:] > best_before)]
        if len(kept) > _KEPT:
            worth = gained[kept] - price * spent[kept]
            # Both ends stay, so that there is always a way to keep to the limits.
            ends = kept[[0, -1]]
            kept = np.union1d(kept[np.argpartition(-worth, _KEPT)[:_KEPT]], ends)
        steps.append(np.divmod(kept, len(scene.bits)))
        bits, score = spent[kept], gained[kept]
    return _Front(bits, score, steps)
