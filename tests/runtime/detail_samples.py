"""Detail as docs/format.md has it, in plain integers, and scenes whose frames have some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from edgecodec.runtime.detail import encode_detail, seen_before
from edgecodec.runtime.frame_levels import levels_of
from edgecodec.runtime.latents import STEPS_Q16, dequantize
from edgecodec.runtime.payloads import LatentBody
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import network_symbols
from numpy.typing import NDArray

from .motion_samples import Order, moving_scene
from .prior_samples import (
    DETAIL_DESIGN,
    WIDE_WHOLE,
    body_with_priors,
    nano_priors,
    prior_arrays,
    prior_symbols,
    slow_symbols,
)

CHANNELS = 96
LATENTS = 97
"""Channels that networks take whose frames are those of `detailed_scene`."""
# 64 sqrt(2) cos(k pi / 16) of H.265, k from 0 to 8; that of 0 is for frequency 0 alone.
_COSINES = (64, 89, 83, 75, 64, 50, 36, 18, 0)


def _cosine(sixteenths: int) -> int:
    at = sixteenths % 32
    at = min(at, 32 - at)
    return _COSINES[at] if at <= 8 else -_COSINES[16 - at]


def _planes() -> list[tuple[int, int]]:
    """(first channel, side of a block) of Y, U and V."""
    return [(0, 8), (64, 4), (80, 4)]


@cache
def weights() -> NDArray[np.int64]:
    """What a coefficient adds to samples, in parts of 1024: [96 coefficients, 96 samples]."""
    made = np.zeros((CHANNELS, CHANNELS), np.int64)
    for start, side in _planes():
        unit, shift = 8 // side, 5 if side == 8 else 4
        for i, j, y, x in np.ndindex(side, side, side, side):
            product = _cosine(unit * (2 * y + 1) * i) * _cosine(unit * (2 * x + 1) * j)
            rounded = (product + (1 << shift - 1)) >> shift
            made[start + side * i + j, start + side * y + x] = rounded
    return made


def slow_samples(symbols: NDArray[np.int16], quality: int) -> NDArray[np.int64]:
    """What `detail_samples` gives."""
    sizes = (np.abs(symbols.astype(np.int64)) * 2 * STEPS_Q16[quality] + (1 << 15)) >> 16
    coefficients = np.sign(symbols) * np.minimum(sizes, 2047)
    sums = np.einsum("cs,chw->shw", weights(), coefficients)
    return ((sums + 512) >> 10).clip(-255, 255)


def slowly_kept(
    levels: NDArray[np.int16],
    references: list[tuple[NDArray[np.int16], NDArray[np.int16]]],
) -> NDArray[np.int16]:
    """The samples that a frame keeps of (levels, samples), zeros where it keeps none."""
    rows, columns = levels.shape[1:]
    kept = np.zeros((CHANNELS, 2 * rows, 2 * columns), np.int16)
    for row, column in np.ndindex(rows, columns):
        blocks = np.s_[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        for others, samples in references:
            if levels[:, row, column].tolist() == others[:, row, column].tolist():
                kept[blocks] = samples[blocks]
                break
    return kept


@cache
def detail_prior(seed: int = 21) -> Prior:
    """Of random integers."""
    return Prior.from_arrays(prior_arrays(seed, DETAIL_DESIGN))


def some_latent(seed: int, cells: tuple[int, int], channels: int = LATENTS) -> NDArray[np.uint8]:
    """Any bytes [1, channels, h, w]."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (1, channels, *cells)).astype(np.uint8)


def detail_symbols(seed: int, cells: tuple[int, int], spread: float = 0.5) -> NDArray[np.int16]:
    """Symbols [96, 2 h, 2 w] of a frame of so many cells."""
    return prior_symbols(seed, DETAIL_DESIGN, (2 * cells[0], 2 * cells[1]), spread)


def some_samples(seed: int, cells: tuple[int, int]) -> NDArray[np.int16]:
    """Samples of a frame of so many cells that may be kept, anywhere in their range."""
    random = np.random.default_rng(seed)
    samples = random.integers(-255, 256, (CHANNELS, 2 * cells[0], 2 * cells[1]))
    return samples.astype(np.int16)


@dataclass(frozen=True)
class DetailedScene:
    """A body with detail; by position what networks take of each frame, and what is added then."""

    body: LatentBody
    latents: Mapping[int, NDArray[np.uint8]]
    samples: Mapping[int, NDArray[np.int64]]


# Whether a frame has symbols, and whether it keeps what it may, in turn.
_SENT = ((True, True), (False, True), (True, True), (True, False), (False, True), (False, False))
_QUALITIES = (40, 0, 63, 20)


def detailed_scene(
    order: Order,
    cells: tuple[int, int],
    models: tuple[str, ...],
    *,
    motion: bool = False,
    seed: int = 0,
    moves: float = 0.3,
) -> DetailedScene:
    """Frames (kind, position, references) in decoding order, of which others than I frames differ
    in a share of cells that `moves` from those that they refer to."""
    latents: Mapping[int, NDArray[np.uint8]]
    if motion:
        made = moving_scene(order, cells, models, seed, design=WIDE_WHOLE, moves=moves)
        body, latents = made.body, made.latents
    else:
        frames = slow_symbols(order, cells, WIDE_WHOLE, seed, moves)
        priors = nano_priors(WIDE_WHOLE)
        body = body_with_priors(frames, models, priors)
        latents = {
            at: dequantize(network_symbols(symbols, priors[kind]), 17)
            for kind, at, _, symbols in frames
        }
    prior = detail_prior()
    samples: dict[int, NDArray[np.int64]] = {}
    packets = []
    for number, packet in enumerate(body.packets):
        latent = latents[packet.position]
        symbols = detail_symbols(1000 * seed + number, cells)
        samples[packet.position] = np.zeros(symbols.shape, np.int64)
        if body.drawn_alone(packet.kind):
            has_any, keeps = _SENT[number % len(_SENT)]
            symbols, quality = symbols * has_any, _QUALITIES[number % len(_QUALITIES)]
            seen = seen_before(latent, packet.quality)
            data = encode_detail(symbols, quality, prior, seen, keeps=keeps)
            packet = replace(packet, detail=data)
            others = [
                (levels_of(latents[reference]), samples[reference])
                for reference in (packet.references if keeps else ())
            ]
            kept = slowly_kept(levels_of(latent), others)
            own = slow_samples(symbols, quality)
            samples[packet.position] = (own + kept).clip(-255, 255)
        packets.append(packet)
    body = replace(body, packets=tuple(packets), detail=prior.prior_id)
    return DetailedScene(body, latents, samples)
