"""Which candidate each scene gets, so that the whole video meets its target best."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .strategies import Candidate
from .targets import BitrateTarget, PsnrTarget, Target

_PSNR_PER_OCTAVE_DB = 3.0
_BISECTIONS = 60


def choose(
    scenes: Sequence[Sequence[Candidate]], target: Target, duration_s: float, other_bits: int
) -> list[Candidate]:
    """One candidate for each scene.

    For a bitrate: the best sum of frame PSNR whose bits, and the stream's `other_bits`, are
    within it, at one Lagrangian price of bits over all scenes (Shoham and Gersho, 1988); the
    smallest streams where nothing fits. For a PSNR: the fewest bits that reach it, scene by
    scene, or else the highest PSNR. For a quality: the best trade of dB against rate.
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


def _within(scenes: Sequence[Sequence[Candidate]], bits: float) -> list[Candidate]:
    def at_price(price: float) -> list[Candidate]:
        return [
            max(candidates, key=lambda each: (sum(each.frame_psnr) - price * each.bits, -each.bits))
            for candidates in scenes
        ]

    def spent(chosen: Sequence[Candidate]) -> int:
        return sum(each.bits for each in chosen)

    if spent(best := at_price(0.0)) <= bits:
        return best
    low, high = 0.0, 1.0
    while spent(at_price(high)) > bits and high < 1e12:
        high *= 4
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if spent(at_price(middle)) <= bits:
            high = middle
        else:
            low = middle
    chosen = at_price(high)
    return _spend_rest(scenes, chosen, bits)


def _spend_rest(
    scenes: Sequence[Sequence[Candidate]], chosen: list[Candidate], bits: float
) -> list[Candidate]:
    """`chosen` with what is left over put where it brings most: candidates inside the hull too."""
    left = bits - sum(each.bits for each in chosen)
    while True:
        upgrades = [
            (sum(other.frame_psnr) - sum(now.frame_psnr), number, other)
            for number, (now, candidates) in enumerate(zip(chosen, scenes, strict=True))
            for other in candidates
            if other.bits - now.bits <= left
        ]
        gain, number, other = max(
            upgrades,
            key=lambda each: (each[0], -each[2].bits, -each[1]),
            default=(0.0, 0, chosen[0]),
        )
        if gain <= 0:
            return chosen
        left -= other.bits - chosen[number].bits
        chosen[number] = other
