"""Scenes that stand still, or fade from one still picture or colour to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...runtime.frames import PictureFormat, Planes
from ...runtime.procedural import FULL_WEIGHT, Fade, Hold, Layer, Segment, Solid
from ...runtime.scenes.procedural import weight_at
from .block_means import Means, block_means
from .polyline import straight_runs
from .program import Picture, Program, Real

_MOST_PICTURES = 8
_SHORTEST_RUN = 3
_NOISE_SAMPLES = 24
# Levels of 8 bits. Blocks that differ by less look alike; with noise, by less than so many times
# its deviation in a block's mean.
_ALIKE, _ALIKE_DEVIATIONS = 3.0, 7.0
_ALIKE_RMS, _ALIKE_RMS_DEVIATIONS = 0.15, 1.3
# More than this, in a block's mean, is no noise.
_MOST_NOISE = 1.5
_FLAT = 0.6
_WEIGHT_TOLERANCE = 0.004
# A part of a picture this small says too little of what it fades from.
_LEAST_WEIGHT = 0.02


@dataclass(frozen=True)
class _Alike:
    """How far the block means of equal pictures may be apart: the largest, and the RMS."""

    largest: float
    rms: float

    @classmethod
    def of_scene(cls, means: Means) -> _Alike:
        """From the noise in the means [n, 3, blocks] of its frames, 3 or more."""
        # Second differences are blind to whatever changes evenly, such as a fade.
        middles = np.unique(np.linspace(1, len(means) - 2, _NOISE_SAMPLES).astype(int))
        bends = (means[n - 1] - 2 * means[n] + means[n + 1] for n in middles)
        deviation = float(np.median([np.sqrt((bend * bend).mean() / 6) for bend in bends]))
        deviation = min(deviation, _MOST_NOISE)
        return cls(
            max(_ALIKE, _ALIKE_DEVIATIONS * deviation),
            max(_ALIKE_RMS, _ALIKE_RMS_DEVIATIONS * deviation),
        )

    def holds(self, difference: Means) -> bool:
        """Whether pictures that differ so much are the same."""
        return self.looks(difference) and float(np.sqrt(np.mean(difference**2))) <= self.rms

    def looks(self, difference: Means) -> bool:
        """Whether nothing that can be seen is different."""
        return float(np.abs(difference).max()) <= self.largest


@dataclass(frozen=True)
class _Anchor:
    """A picture that the scene rests at or fades from or to, at about frame `middle`."""

    middle: int
    means: Means

    @property
    def is_flat(self) -> bool:
        return bool((self.means.std(axis=1) < _FLAT).all())


def fit_still(frames: Sequence[Planes], picture: PictureFormat) -> Program | None:
    """The frames as holds and fades of up to eight pictures, or None if they are more than that."""
    means = np.stack([block_means(planes, picture) for planes in frames])
    alike = _Alike.of_scene(means)
    anchors = _anchors(means, alike)
    if anchors is None:
        return None
    weights = _weights(means, anchors, alike)
    if weights is None:
        return None
    layers, pictures = _layers(anchors, alike, picture.bit_depth)
    if pictures > _MOST_PICTURES:
        return None
    segments = _segments(layers, weights)
    return Program(_pictures(frames, segments, pictures), segments)


def _anchors(means: Means, alike: _Alike) -> list[_Anchor] | None:
    """Where the scene rests, and what it comes from before the first and goes to after the last."""
    rests = _rests(means, alike)
    if rests is None:
        return None
    if not rests:
        # A fade all through: the end with more in it is taken for a picture.
        contrasts = [float(means[end].var(axis=1).sum()) for end in (0, -1)]
        end = 0 if contrasts[0] > contrasts[1] else len(means) - 1
        rests = [(end, end + 1)]
    anchors = [_Anchor((a + b - 1) // 2, means[a:b].mean(axis=0)) for a, b in rests]
    if rests[0][0] > 0:
        anchors.insert(0, _Anchor(0, _origin(means[0], anchors[0].means)))
    if rests[-1][1] < len(means):
        anchors.append(_Anchor(len(means) - 1, _origin(means[-1], anchors[-1].means)))
    return anchors


def _rests(means: Means, alike: _Alike) -> list[tuple[int, int]] | None:
    """Stretches [start, stop) of equal frames; None if there are too many."""
    rests: list[tuple[int, int]] = []
    start = 0
    mean = means[0].copy()
    for number in range(1, len(means) + 1):
        if number < len(means):
            difference = means[number] - mean
            # The mean of few frames has noise of its own.
            if alike.holds(difference / np.sqrt(1 + 1 / (number - start))):
                mean += difference / (number + 1 - start)
                continue
        if number - start >= min(_SHORTEST_RUN, len(means)):
            rests.append((start, number))
        if len(rests) > 4 * _MOST_PICTURES:
            return None
        if number < len(means):
            start, mean = number, means[number].copy()
    return rests


def _origin(edge: Means, rest: Means) -> Means:
    """What a fade beyond the scene's first or last frame comes from: a colour, if it fits.

    `edge` is that frame, `rest` the picture at the fade's other end.
    """
    centred = rest - rest.mean(axis=1, keepdims=True)
    power = float((centred * centred).sum())
    share = float((centred * edge).sum()) / power if power else 1.0
    if share > 1 - _LEAST_WEIGHT:
        return edge
    colour = (edge.mean(axis=1) - share * rest.mean(axis=1)) / (1 - share)
    fitted = share * rest + (1 - share) * colour[:, np.newaxis]
    if float(np.abs(fitted - edge).max()) > _ALIKE or (colour < -1).any() or (colour > 256).any():
        return edge
    return np.broadcast_to(colour[:, np.newaxis], edge.shape).clip(0, 255)


def _weights(means: Means, anchors: list[_Anchor], alike: _Alike) -> list[list[float]] | None:
    """For each pair of anchors in turn, the second one's weight in each frame from the first's
    middle to its own; None if a frame is no mixture of the two."""
    if len(anchors) == 1:
        rest = anchors[0].means
        return [[0.0] * len(means)] if all(alike.looks(each - rest) for each in means) else None
    links: list[list[float]] = []
    for number, (a, b) in enumerate(pairwise(anchors)):
        step = b.means - a.means
        length = float((step * step).sum())
        start = 0 if number == 0 else a.middle
        stop = len(means) if number == len(anchors) - 2 else b.middle
        link = []
        for each in means[start:stop]:
            share = float((step * (each - a.means)).sum()) / length if length else 0.0
            share = min(1.0, max(0.0, share))
            if not alike.looks(each - a.means - share * step):
                return None
            link.append(share)
        links.append(link)
    return links


def _layers(anchors: list[_Anchor], alike: _Alike, bit_depth: int) -> tuple[list[Layer], int]:
    """What stands for each anchor, equal ones for the same, and how many pictures that takes."""
    scale = 1 << bit_depth - 8
    layers: list[Layer] = []
    held: list[_Anchor] = []
    for anchor in anchors:
        if anchor.is_flat:
            y, u, v = (round(float(level) * scale) for level in anchor.means.mean(axis=1))
            layers.append(Solid(y, u, v))
            continue
        same = [n for n, each in enumerate(held) if alike.holds(each.means - anchor.means)]
        layers.append(Hold(same[0] if same else len(held)))
        if not same:
            held.append(anchor)
    return layers, len(held)


def _segments(layers: list[Layer], links: list[list[float]]) -> tuple[Segment, ...]:
    if len(layers) == 1:
        return (Segment(len(links[0]), layers[0]),)
    segments: list[Segment] = []
    for (one, other), weights in zip(pairwise(layers), links, strict=True):
        values = np.array(weights)[:, np.newaxis]
        for run in straight_runs(values, np.array([_WEIGHT_TOLERANCE])):
            start, end = (_snapped(float(weight[0])) for weight in (run.first, run.last))
            frames = run.stop - run.start
            if start == end == 0 or start == end == FULL_WEIGHT:
                _hold(segments, one if start == 0 else other, frames)
            else:
                segments.append(Segment(frames, one, Fade(other, start, end)))
    return tuple(segments)


def _hold(segments: list[Segment], layer: Layer, frames: int) -> None:
    """Append a stretch that does not change, to the last segment where that is the same."""
    if segments and segments[-1].layers == (layer,):
        frames += segments.pop().frames
    segments.append(Segment(frames, layer))


def _snapped(weight: float) -> int:
    """In the format's unit; what is all but nothing or all is."""
    if weight < _WEIGHT_TOLERANCE:
        return 0
    if weight > 1 - _WEIGHT_TOLERANCE:
        return FULL_WEIGHT
    return round(weight * FULL_WEIGHT)


def _pictures(
    frames: Sequence[Planes], segments: Sequence[Segment], count: int
) -> tuple[Picture, ...]:
    """The pictures of which the segments make the frames with the least squared error.

    Every sample of a frame is the same known mixture of the pictures' samples there, so that one
    small system of equations solves all.
    """
    products = np.zeros((count, count))
    sums = [[np.zeros(plane.shape, np.float32) for plane in frames[0]] for _ in range(count)]
    number = 0
    for segment in segments:
        for within in range(segment.frames):
            shares, colour = _mixture(segment, within, count)
            products += np.outer(shares, shares)
            for picture in np.flatnonzero(shares):
                for plane, total, level in zip(frames[number], sums[picture], colour, strict=True):
                    total += np.float32(shares[picture]) * (plane - np.float32(level))
            number += 1
    solve = np.linalg.pinv(products)
    pictures = []
    for row in solve:
        y, u, v = (_combined(row, [each[plane] for each in sums]) for plane in range(3))
        pictures.append(Picture((y, u, v)))
    return tuple(pictures)


def _combined(weights: NDArray[np.float64], planes: Sequence[Real]) -> Real:
    total = np.zeros_like(planes[0])
    for weight, plane in zip(weights, planes, strict=True):
        total += np.float32(weight) * plane
    return total


def _mixture(
    segment: Segment, number: int, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each picture's share [count] in a frame of the segment, and the levels [3] of all colours."""
    weight = 0.0
    if segment.fade is not None:
        weight = weight_at(segment.fade, number, segment.frames) / FULL_WEIGHT
    shares, colour = np.zeros(count), np.zeros(3)
    for layer, share in zip(segment.layers, (1 - weight, weight), strict=False):
        if isinstance(layer, Solid):
            colour += share * np.array([layer.y, layer.u, layer.v])
        else:
            shares[layer.still] += share
    return shares, colour
