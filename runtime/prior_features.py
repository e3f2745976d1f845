"""What a prior's networks see of a cell: its neighbours, the frame before, its own first channels.

Features are small integers: sizes of symbols, and sizes with signs, from a prior's `sizes`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .prior import Prior
from .prior_positions import Step

_REACH = 255
"""No symbol, and no difference of two brightnesses, is further from zero."""

Symbols = NDArray[np.int16]


class Seen:
    """The cells of one frame that are known so far, as features.

    `shape` is (h, w) in cells; `previous` [h * w, channels] are the symbols of the frame before
    in the prior's order, None if there is none.
    """

    def __init__(self, prior: Prior, shape: tuple[int, int], previous: Symbols | None) -> None:
        cells = shape[0] * shape[1]
        self._prior = prior
        self._magnitudes, self._signed_magnitudes = _look_ups(prior.sizes)
        # The row after the last stands for neighbours that are not there.
        self._sizes = np.zeros((cells + 1, prior.channels), np.uint8)
        self._signed = np.zeros((cells + 1, prior.signed), np.int8)
        self._whole = np.zeros(cells + 1, np.int32)
        self._previous = previous
        self._before = np.zeros((0, 0), np.int8)
        self._changes = np.zeros((0, 0), np.uint8)
        if prior.previous and previous is not None:
            self._before = self._features_before(previous)
            if prior.shape.is_gated:
                self._changes = np.zeros((cells + 1, prior.channels), np.uint8)

    def _features_before(self, previous: Symbols) -> NDArray[np.int8]:
        seen = previous.copy() if self._prior.whole else previous
        if self._prior.whole:
            seen[:, 0] = 0
        signed = self._signed_magnitudes[seen[:, : self._prior.signed] + _REACH]
        return np.concatenate([self._magnitudes[seen + _REACH].view(np.int8), signed], axis=1)

    def brightness(self, step: Step) -> NDArray[np.int32] | None:
        """What channel 0 of each cell is predicted as; None for priors without a whole brightness,
        and at the roots of those that are not gated, whose chain starts at 0."""
        if not self._prior.whole:
            return None
        if step.is_root:
            gated = self._prior.shape.is_gated
            return self.before(step, slice(0, 1))[:, 0].astype(np.int32) if gated else None
        around = self._whole[step.neighbours]
        there = step.neighbours < len(self._whole) - 1
        mean: NDArray[np.int32] = (around.sum(axis=0) // there.sum(axis=0)).astype(np.int32)
        return mean

    def features(self, step: Step, brightness: NDArray[np.int32] | None) -> NDArray[np.int8]:
        """What is known of a step's cells [n, features of the last group], own channels still 0."""
        shape, channels, signed = self._prior.shape, self._prior.channels, self._prior.signed
        features = np.zeros((len(step.cells), shape.features(len(shape.groups) - 1)), np.int8)
        if not step.is_root:
            _add_pairs(self._sizes, step, features[:, : 2 * channels])
            signs = features[:, 2 * channels : shape.changes_start]
            for at, neighbour in enumerate(step.neighbours):
                signs[:, at * signed : (at + 1) * signed] = self._signed[neighbour]
            if brightness is not None:
                self._see_brightness(features, step, brightness)
            if self._changes.size:
                _add_pairs(self._changes, step, features[:, shape.changes_start :])
        if self._before.size:
            features[:, shape.before_start : shape.own_start] = self._before[step.cells]
            if shape.is_gated and brightness is not None:
                self._see_brightness_before(features, step, brightness)
        return features

    def before(self, step: Step, channels: slice) -> Symbols:
        """Channels [n, channels] of a step's cells in the frame before, which must be there."""
        assert self._previous is not None
        return self._previous[step.cells, channels]

    def _see_brightness(
        self, features: NDArray[np.int8], step: Step, brightness: NDArray[np.int32]
    ) -> None:
        channels, signed = self._prior.channels, self._prior.signed
        differences = self._whole[step.neighbours] - brightness + _REACH
        differences[step.neighbours == len(self._whole) - 1] = _REACH
        sizes = self._magnitudes[differences].view(np.int8)
        features[:, 0] = sizes[0] + sizes[1]
        features[:, channels] = sizes[2] + sizes[3]
        if signed:
            signs = self._signed_magnitudes[differences]
            features[:, 2 * channels : self._prior.shape.changes_start : signed] = signs.T

    def _see_brightness_before(
        self, features: NDArray[np.int8], step: Step, brightness: NDArray[np.int32]
    ) -> None:
        start = self._prior.shape.before_start
        was = self.before(step, slice(0, 1))[:, 0].astype(np.int32)
        offsets = np.clip(was - brightness, -_REACH, _REACH) + _REACH
        features[:, start] = self._magnitudes[offsets]
        if self._prior.signed:
            features[:, start + self._prior.channels] = self._signed_magnitudes[offsets]

    def learn(
        self,
        step: Step,
        group: int,
        symbols: Symbols,
        brightness: NDArray[np.int32] | None,
        was: Symbols | None,
        features: NDArray[np.int8],
    ) -> None:
        """Take in the symbols [n, channels] of a group of a step's cells, also as `features`.

        `brightness` is what channel 0 was predicted as, where the group has a whole brightness;
        `was` are the same cells' channels in the frame before, if changes since then are seen.
        """
        first = sum(self._prior.groups[:group])
        after = first + symbols.shape[1]
        offsets = symbols + _REACH
        if brightness is not None:
            whole = symbols[:, 0].astype(np.int32)
            self._whole[step.cells] = whole
            # Only the first root is further than that from what it is predicted as, from 0.
            offsets[:, 0] = np.clip(whole - brightness, -_REACH, _REACH) + _REACH
        sizes = self._magnitudes[offsets]
        changes = None
        if was is not None:
            changes = self._changed(symbols, was, is_whole=brightness is not None)
            self._changes[step.cells, first:after] = changes
        if after < self._prior.channels:
            signs = self._signed_magnitudes[offsets]
            own = [signs, sizes] if changes is None else [signs, sizes, changes]
            start = self._prior.shape.features(group)
            for part in own:
                features[:, start : start + symbols.shape[1]] = part
                start += symbols.shape[1]
        else:
            signs = self._signed_magnitudes[offsets[:, : max(0, self._prior.signed - first)]]
        self._sizes[step.cells, first:after] = sizes
        if first < self._prior.signed:
            last = min(after, self._prior.signed)
            self._signed[step.cells, first:last] = signs[:, : last - first]

    def _changed(self, symbols: Symbols, was: Symbols, *, is_whole: bool) -> NDArray[np.uint8]:
        differences = symbols - was
        if is_whole:
            whole = symbols[:, 0].astype(np.int32) - was[:, 0]
            differences[:, 0] = np.clip(whole, -_REACH, _REACH)
        changed: NDArray[np.uint8] = self._magnitudes[differences + _REACH]
        return changed


def _add_pairs(sizes: NDArray[np.uint8], step: Step, features: NDArray[np.int8]) -> None:
    """Into features [n, >= 2 C]: `sizes` [cells + 1, C] of the first two neighbours together, and
    of the other two."""
    channels = sizes.shape[1]
    pairs = features.view(np.uint8)
    for at, (one, other) in enumerate((step.neighbours[:2], step.neighbours[2:])):
        np.add(sizes[one], sizes[other], out=pairs[:, at * channels : (at + 1) * channels])


def _look_ups(sizes: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Sizes of -255 to 255, and the same with signs, each at number + 255."""
    numbers = np.arange(-_REACH, _REACH + 1)
    magnitudes = sizes[np.minimum(np.abs(numbers), len(sizes) - 1)]
    return magnitudes, (np.sign(numbers) * magnitudes).astype(np.int8)
