"""Detail of a frame: what its network did not draw, as coefficients of a transform.

A network draws a cell of 384 samples from 160 numbers, so there is a quality that it cannot pass.
Beyond that a packet may bring *detail*: each block of 8x8 samples of luma and 4x4 of both chroma
planes as 96 coefficients of a DCT, quantised, and coded under a prior of its own, which also sees
the latents that the frame is drawn from. All is integers, and rests on no picture of a network's:
those are not the same to the last level on all devices.

    detail = quality, and whether nothing is kept | a rectangle of cells | numbers under a prior

What does not change keeps its detail: a cell whose levels are those that it has in a frame to which
its own refers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .errors import BitstreamError
from .fields import Cursor, Limits, pack_unsigned
from .frame_levels import Levels
from .latents import LATENT_ZERO, STEPS_Q16
from .packing import Packed
from .prior import Prior
from .prior_coding import decode_with_prior, encode_with_prior
from .prior_shape import Previous
from .scale_tables import MAX_SYMBOL

Symbols = NDArray[np.int16]
Latent = NDArray[np.uint8]
Samples = NDArray[np.int16]
Reals = NDArray[np.float32]

CHANNELS = 96
"""Coefficients of a block: 64 of luma, 16 of each chroma plane, row by row from the lowest."""
QUALITIES = len(STEPS_Q16)
DETAIL_BLOCK = 8
"""Samples of luma along each side of a block."""
BLOCKS_PER_CELL = 2
"""Blocks along each side of a latent's cell."""
_LUMA, _CHROMA = 64, 16
# The transforms of H.265, whose integers are nearly orthogonal: rows are frequencies.
_EIGHT = (
    (64, 64, 64, 64, 64, 64, 64, 64),
    (89, 75, 50, 18, -18, -50, -75, -89),
    (83, 36, -36, -83, -83, -36, 36, 83),
    (75, -18, -89, -50, 50, 89, 18, -75),
    (64, -64, -64, 64, 64, -64, -64, 64),
    (50, -89, 18, 75, -75, -18, 89, -50),
    (36, -83, 83, -36, -36, 83, -83, 36),
    (18, -50, 75, -89, 89, -75, 50, -18),
)
_FOUR = ((64, 64, 64, 64), (83, 36, -36, -83), (64, -64, -64, 64), (36, -83, 83, -36))
_ONE = 1 << 10
# No block of differences has a larger one; it keeps all sums below 2**24, exact in float32.
LARGEST_COEFFICIENT = 2047
LARGEST_SUM = 255
"""Of what is added to a sample, however often something is added to what is kept."""
# Of `STEPS_Q16`, to steps of 64 to 4 grey levels.
_DOUBLED = 2
_KEEPS_NOTHING = 1 << 6
_MOST_CELLS = 1 << 16


def step(quality: int) -> float:
    """Quantiser step of coefficients in grey levels, of an orthonormal transform: 64 at quality 0
    (coarsest) to 4 at 63."""
    return STEPS_Q16[quality] * _DOUBLED / (1 << 16)


@cache
def transform() -> Reals:
    """[96 coefficients, 96 samples]: the samples, packed by blocks of 8, that a coefficient of 1
    adds; multiples of 1 / 1024."""
    made = np.zeros((CHANNELS, CHANNELS), np.int64)
    # The integers are 2**7.5 times those of an orthonormal transform of 8 samples, 2**7 of 4.
    luma, chroma = (np.kron(rows, rows).astype(np.int64) for rows in (_EIGHT, _FOUR))
    made[:_LUMA, :_LUMA] = (luma + (1 << 4)) >> 5
    for start in (_LUMA, _LUMA + _CHROMA):
        made[start : start + _CHROMA, start : start + _CHROMA] = (chroma + (1 << 3)) >> 4
    return (made / _ONE).astype(np.float32)


def suits_detail(prior: Prior, latents: int) -> bool:
    """Whether a prior can code detail of frames whose network takes so many latents."""
    is_seen = prior.previous is Previous.SEEN
    return is_seen and not prior.whole and prior.channels == CHANNELS and latents > CHANNELS


def seen_before(latent: Latent, quality: int) -> Symbols:
    """What the prior sees as the frame before [96, h, w], in the place of coefficients 1 to 95:
    channels 2 to 96 of the latents [1, L, h / 2, w / 2], less 128 and at least -127; in that of 0
    the frame's `quality`, which says how much there is left to say."""
    around = latent[0, 1 : CHANNELS + 1].astype(np.int16) - LATENT_ZERO
    seen = around.clip(min=-MAX_SYMBOL).repeat(BLOCKS_PER_CELL, 1).repeat(BLOCKS_PER_CELL, 2)
    seen[0] = quality
    return seen


def detail_samples(symbols: Symbols, quality: int) -> Samples:
    """The samples [96, h, w] in grey levels that symbols [96, h, w] add to a packed frame.

    A coefficient is sign(s) * ((|s| * step + 2**15) >> 16), at most 2047 in size; a sample is the
    sum of coefficients times `transform`, rounded, halves up, -255 to 255.
    """
    sizes = (np.arange(MAX_SYMBOL + 1) * STEPS_Q16[quality] * _DOUBLED + (1 << 15)) >> 16
    sizes = sizes.clip(max=LARGEST_COEFFICIENT)
    table = np.concatenate([-sizes[:0:-1], sizes]).astype(np.float32)
    flat = symbols.reshape(CHANNELS, -1)
    coefficients = table[flat.T + MAX_SYMBOL]
    made = np.floor(coefficients @ transform() + np.float32(0.5))
    made = made.clip(-LARGEST_SUM, LARGEST_SUM).astype(np.int16)
    return np.ascontiguousarray(made.T).reshape(symbols.shape)


def with_detail(frame: Packed, samples: Samples) -> Packed:
    """A packed frame [1, 96, h, w] uint8 and detail's samples [96, h, w] together."""
    together: Packed = (frame[0] + samples).clip(0, 255).astype(np.uint8)
    return together[None]


@dataclass(frozen=True, eq=False)
class Detailed:
    """What frames that refer to a frame need to keep of its detail: its levels [C, h / 2, w / 2],
    and the samples [96, h, w] that are added to it, None for none."""

    levels: Levels
    samples: Samples | None


def keeping(levels: Levels, references: Sequence[Levels]) -> list[NDArray[np.bool_]]:
    """For each frame that one with `levels` [C, h, w] refers to, the cells [h, w] that keep its
    detail: those with the same levels, which it keeps of the first that has them."""
    kept: list[NDArray[np.bool_]] = []
    changed = np.ones(levels.shape[1:], bool)
    for reference in references:
        same = changed & (levels == reference).all(axis=0)
        changed &= ~same
        kept.append(same)
    return kept


def kept_samples(levels: Levels, references: Sequence[Detailed]) -> Samples | None:
    """The samples that a frame with `levels` keeps of those that it refers to; None for none."""
    kept: Samples | None = None
    cells = keeping(levels, [reference.levels for reference in references])
    for reference, same in zip(references, cells, strict=True):
        if reference.samples is not None and same.any():
            blocks = same.repeat(BLOCKS_PER_CELL, 0).repeat(BLOCKS_PER_CELL, 1)
            part = reference.samples * blocks
            kept = part if kept is None else kept + part
    return kept


def added(made: Samples, kept: Samples | None) -> Samples:
    """What a frame's own numbers make, and what it keeps, together."""
    return made if kept is None else (made + kept).clip(-LARGEST_SUM, LARGEST_SUM)


def encode_detail(
    symbols: Symbols, quality: int, prior: Prior, seen: Symbols, *, keeps: bool = True
) -> bytes:
    """A frame's detail in bytes, `b""` if it has none but what it keeps.

    `symbols` [96, h, w] int16 are -127 to 127, `quality` 0 to 63 is that of the detail, `seen` as
    of `seen_before`; `keeps` says whether it keeps what it may.
    """
    first = bytes([quality | (0 if keeps else _KEEPS_NOTHING)])
    if not symbols.any():
        return b"" if keeps else first
    place = _rectangle(symbols)
    rows, columns = place.blocks
    numbers = encode_with_prior(symbols[:, rows, columns], quality, prior, seen[:, rows, columns])
    return first + pack_unsigned(place.top, place.left, place.height, place.width) + numbers


@dataclass(frozen=True)
class _Rectangle:
    """Of cells."""

    top: int
    left: int
    height: int
    width: int

    @property
    def blocks(self) -> tuple[slice, slice]:
        """Rows and columns of blocks."""
        return (
            slice(BLOCKS_PER_CELL * self.top, BLOCKS_PER_CELL * (self.top + self.height)),
            slice(BLOCKS_PER_CELL * self.left, BLOCKS_PER_CELL * (self.left + self.width)),
        )


def _rectangle(symbols: Symbols) -> _Rectangle:
    """The least that has all that is not 0."""
    busy = symbols != 0
    rows = np.flatnonzero(busy.any(axis=(0, 2))) // BLOCKS_PER_CELL
    columns = np.flatnonzero(busy.any(axis=(0, 1))) // BLOCKS_PER_CELL
    top, left = int(rows[0]), int(columns[0])
    return _Rectangle(top, left, int(rows[-1]) - top + 1, int(columns[-1]) - left + 1)


def decode_detail(
    data: bytes,
    latent: Latent,
    quality: int,
    prior: Prior,
    kept: Samples | None = None,
    limits: Limits | None = None,
) -> Samples | None:
    """The samples [96, h, w] that are added to what a network draws of a `latent` of that
    `quality`, None for none; `kept` as of `kept_samples`.

    Work and memory are bounded by the latent's shape. Raises BitstreamError for damaged bytes.
    """
    if not data:
        return kept
    detail_quality = data[0] & ~_KEEPS_NOTHING
    if detail_quality >= QUALITIES:
        raise BitstreamError(f"detail is damaged: it begins with {data[0]}")
    if data[0] & _KEEPS_NOTHING:
        kept = None
    if len(data) == 1:
        return kept
    cursor = Cursor(data[1:], "detail")
    place = _Rectangle(*(cursor.unsigned(_MOST_CELLS) for _ in range(4)))
    height, width = latent.shape[2:]
    if not (place.height and place.width):
        raise cursor.fail("no cell has any")
    if place.top + place.height > height or place.left + place.width > width:
        raise cursor.fail(
            f"{place.height}x{place.width} cells from row {place.top} and column {place.left} on, "
            f"of {height}x{width}"
        )
    numbers = cursor.take(cursor.remaining)
    rows, columns = place.blocks
    seen = seen_before(latent, quality)[:, rows, columns]
    symbols = decode_with_prior(numbers, seen.shape[1:], detail_quality, prior, seen, limits)
    if place == _Rectangle(0, 0, height, width):
        return added(detail_samples(symbols, detail_quality), kept)
    shape = CHANNELS, BLOCKS_PER_CELL * height, BLOCKS_PER_CELL * width
    samples: Samples = np.zeros(shape, np.int16) if kept is None else kept.copy()
    part = samples[:, rows, columns]
    samples[:, rows, columns] = added(detail_samples(symbols, detail_quality), part)
    return samples
