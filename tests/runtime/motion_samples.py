"""Motion tables of cosines, of random and of fixed integers, and scenes of frames that move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from edgecodec.runtime.between_frames import Between, encode_between, sighted
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.frame_levels import Levels, latent_of, levels_of
from edgecodec.runtime.latents import dequantize
from edgecodec.runtime.motion import expected_levels
from edgecodec.runtime.motion_tables import MotionTables
from edgecodec.runtime.moved_frames import Shown, encode_moved, left_added
from edgecodec.runtime.payloads import FrameKind, LatentBody, LatentPacket
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import encode_with_prior, network_symbols
from numpy.typing import NDArray

from .prior_samples import (
    NANO_DESIGN,
    NANO_WHOLE,
    Arrays,
    Design,
    Priors,
    from_digest,
    nano_priors,
    prior_arrays,
    prior_symbols,
)

EXACT = 2**24
SEEN, CELL, WINDOW = 9, 384, 1536


def largest_levels(channels: int) -> NDArray[np.int64]:
    """How large the levels [9 * channels] of 3x3 cells can be."""
    largest = np.full((SEEN, channels), 127, np.int64)
    largest[:, 0] = 508
    return largest.ravel()


def largest_samples() -> NDArray[np.int64]:
    """How large the samples [1536] of a window can be."""
    return np.full(WINDOW, 677, np.int64)


def cosine_arrays(channels: int = 8) -> Arrays:
    """A linear codec: levels of the brightness, both chroma planes, and cosines of luma; each cell
    is drawn from its own alone, and seen again as it is drawn."""
    basis = _cosines(channels)
    draw = np.zeros((CELL, SEEN, channels))
    draw[:, 4] = basis.T
    seen = basis / np.square(basis).sum(axis=1, keepdims=True)
    luma = np.zeros((channels, 32, 32))
    luma[:, 8:24, 8:24] = seen[:, :256].reshape(channels, 16, 16)
    chroma = np.zeros((channels, 2, 16, 16))
    chroma[:, :, 4:12, 4:12] = seen[:, 256:].reshape(channels, 2, 8, 8)
    see = np.concatenate([luma.reshape(channels, -1), chroma.reshape(channels, -1)], axis=1)
    draw_shift, drawn = _whole(draw.reshape(CELL, -1), largest_levels(channels))
    see_shift, seeing = _whole(see, largest_samples())
    return motion_arrays((draw_shift, see_shift), drawn, seeing)


def motion_arrays(
    shifts: tuple[int, int],
    draw: NDArray[np.integer],
    see: NDArray[np.integer],
    draw_bias: NDArray[np.integer] | None = None,
    see_bias: NDArray[np.integer] | None = None,
) -> Arrays:
    """The arrays of a file; biases are 0 where none are given."""
    return {
        "config": np.array((1, len(see), *shifts), np.int32),
        "draw": draw.astype(np.int16),
        "draw_bias": np.asarray(np.zeros(len(draw)) if draw_bias is None else draw_bias, np.int32),
        "see": see.astype(np.int16),
        "see_bias": np.asarray(np.zeros(len(see)) if see_bias is None else see_bias, np.int32),
    }


def _cosines(channels: int) -> NDArray[np.float64]:
    """What a level of 1 draws of a cell, [channels, 384]: all are orthogonal."""
    at = (2 * np.arange(16) + 1) * np.pi / 32
    places = sorted(np.ndindex(16, 16), key=sum)[1:]
    basis = np.zeros((max(channels, 3), CELL))
    basis[0, :256] = 0.5
    basis[1, 256:320] = basis[2, 320:] = 1
    for row, (down, across) in zip(basis[3:], places, strict=False):
        row[:256] = np.outer(np.cos(down * at), np.cos(across * at)).ravel()
    return basis[:channels]


def _whole(
    weights: NDArray[np.float64], largest: NDArray[np.int64]
) -> tuple[int, NDArray[np.int64]]:
    """A shift, and weights in parts of two to its power, as fine as exact sums allow."""
    for shift in range(14, 0, -1):
        whole = np.rint(weights * 2**shift).astype(np.int64)
        if (np.abs(whole) @ largest + 2**shift).max() < EXACT and np.abs(whole).max() < 2**15:
            return shift, whole
    raise AssertionError("weights that no shift makes exact")


def random_arrays(seed: int, channels: int) -> Arrays:
    """Random weights by which what is drawn and seen is mostly, but not always, in range."""
    random = np.random.default_rng(seed)
    most = EXACT // int(largest_levels(channels).sum())
    draw = random.integers(-most, most + 1, (CELL, SEEN * channels))
    see = random.integers(-9, 10, (channels, WINDOW))
    draw_bias = random.integers(-(2**21), 2**21, CELL)
    return motion_arrays((14, 8), draw, see, draw_bias, random.integers(-(2**14), 2**14, channels))


def fixed_arrays(channels: int) -> Arrays:
    """The same of integers that no version of a library can change."""
    draw = 8 * from_digest("draw", (CELL, SEEN * channels), 128)
    see = from_digest("see", (channels, WINDOW), 10)
    bias = 512 * from_digest("bias", (channels,), 100)
    return motion_arrays((13, 10), draw, see, None, bias)


@cache
def cosine_tables(channels: int = 8) -> MotionTables:
    """`cosine_arrays` as tables."""
    return MotionTables.from_arrays(cosine_arrays(channels))


def some_levels(seed: int, channels: int, cells: Sequence[int], most: int = 127) -> Levels:
    """Levels [channels, h, w] anywhere in their range, or smaller ones."""
    random = np.random.default_rng(seed)
    levels = random.integers(-most, most + 1, (channels, *cells))
    levels[0] = random.integers(-4 * most, 4 * most + 1, cells)
    return levels.astype(np.int16)


def some_vectors(
    seed: int, cells: Sequence[int], most: int = 127, moved: float = 0.6
) -> NDArray[np.int16]:
    """Vectors [2, h, w] of which a share is not zero."""
    random = np.random.default_rng(seed)
    vectors = random.integers(-most, most + 1, (2, *cells))
    return (vectors * (random.random(cells) < moved)).astype(np.int16)


def some_sides(seed: int, cells: Sequence[int], alone: float = 0.4) -> NDArray[np.uint8]:
    """Sides [h, w] of which a share is one frame alone."""
    random = np.random.default_rng(seed)
    sides = random.integers(1, 3, cells) * (random.random(cells) < alone)
    return sides.astype(np.uint8)


NANO_MOVED = replace(NANO_DESIGN, groups=(4, 59), previous=1)
"""Of the channels of `NANO_WHOLE`, what is left of frames that have moved."""
NANO_CHANNELS = NANO_MOVED.channels
Order = Sequence[tuple[int, int, tuple[int, ...]]]


def prior_of(design: Design, seed: int = 13) -> Prior:
    """A prior of random integers."""
    return Prior.from_arrays(prior_arrays(seed, design))


@cache
def moving_priors(design: Design = NANO_WHOLE) -> Priors:
    """For I, P, B and C frames of the installed networks, or of others whose I frames have such a
    `design`, where B and C frames move."""
    i, p, _, _ = nano_priors(design)
    moved = moved_design(design)
    return i, p, prior_of(moved, 14), prior_of(moved)


def moved_design(design: Design) -> Design:
    """Of a prior for what is left of frames that have moved, by that of I frames."""
    return replace(design, whole=0, previous=1)


def finder(tables: MotionTables) -> Callable[[str], MotionTables]:
    """Finds these motion tables and no others."""

    def find(motion_id: str) -> MotionTables:
        if motion_id != tables.motion_id:
            raise ModelError(f"no motion tables {motion_id}")
        return tables

    return find


@dataclass(frozen=True)
class MovingScene:
    """A body whose B and C frames move, and what networks take of each of its frames, by position.

    `shown` is what frames after them need of I, B and C frames.
    """

    body: LatentBody
    latents: Mapping[int, NDArray[np.uint8]]
    shown: Mapping[int, Shown]


def moving_scene(
    order: Order,
    cells: tuple[int, int],
    models: tuple[str, ...],
    seed: int = 0,
    qualities: Sequence[int] = (17,),
    brightness: int = 25,
    design: Design = NANO_WHOLE,
    moves: float = 1.0,
) -> MovingScene:
    """Frames (kind, position, references) in decoding order, of `qualities` in turn, for tier
    nano or other networks of such a `design`; I frames have a brightness of that many steps at
    most. In all cells of others but a share that `moves` there is neither motion nor anything
    left."""
    priors, tables = moving_priors(design), cosine_tables(design.channels)
    moved = moved_design(design)
    shown: dict[int, Shown] = {}
    latents: dict[int, NDArray[np.uint8]] = {}
    before: dict[FrameKind, NDArray[np.int16]] = {}
    packets = []
    for number, (kind, position, references) in enumerate(order):
        seeds, quality = 100 * seed + number, qualities[number % len(qualities)]
        prior = priors[kind]
        changed = np.random.default_rng(seeds).random(cells) < moves
        if kind == FrameKind.C:
            reference, vectors = shown[references[0]], some_vectors(seeds, cells, 40, 0.5) * changed
            left = prior_symbols(seeds, moved, cells, 0.3) * changed
            expected = expected_levels(reference.levels, vectors, tables)
            data = encode_moved(vectors, left, expected, reference.vectors, quality, prior)
            span = position - references[0]
            shown[position] = Shown(left_added(expected, left, quality), vectors, span)
            latents[position] = latent_of(shown[position].levels, quality)
        elif kind == FrameKind.B:
            past, future = references
            between = Between(shown[past], shown[future], position - past, future - position)
            vectors = some_vectors(seeds, cells, 40, 0.5) * changed
            sides = some_sides(seeds, cells) * changed
            left = prior_symbols(seeds, moved, cells, 0.3) * changed
            seen_by = sighted(between, vectors, tables)
            seen, foretold = seen_by.seen(sides, quality), between.vectors_before()
            data = encode_between(vectors, sides, left, seen, foretold, quality, prior)
            levels = left_added(seen_by.expected(sides), left, quality)
            shown[position] = Shown(levels, vectors, position - past)
            latents[position] = latent_of(levels, quality)
        else:
            symbols = prior_symbols(seeds, design, cells, 0.3)
            random = np.random.default_rng(seeds)
            symbols[0] = random.integers(-brightness, brightness + 1, cells)
            data = encode_with_prior(symbols, quality, prior, before.get(FrameKind(kind)))
            before[FrameKind(kind)] = symbols
            latents[position] = dequantize(network_symbols(symbols, prior), quality)
            shown[position] = Shown.still(levels_of(latents[position]))
        packets.append(LatentPacket(FrameKind(kind), position, references, quality, data))
    i, p, b, c = (prior.prior_id for prior in priors)
    body = LatentBody(models, ((0,) * 16,) * 3, tuple(packets), (i, p, b, c), tables.motion_id)
    return MovingScene(body, latents, shown)
