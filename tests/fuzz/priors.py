"""Latents with a prior: symbols of one frame."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from unittest.mock import patch
from zlib import crc32

import numpy as np
from edgecodec.runtime import prior_coding
from edgecodec.runtime.errors import BitstreamError
from edgecodec.runtime.prior import Prior
from edgecodec.runtime.prior_coding import (
    decode_with_prior,
    encode_with_prior,
    network_symbols,
    prior_bits,
)
from edgecodec.runtime.prior_shape import Previous
from edgecodec.runtime.scale_tables import load_scale_tables

from ..runtime import reference_prior
from ..runtime.prior_samples import DESIGNS, prior_arrays, prior_symbols
from .harness import Harness

_HEAD = 5
_MOST_CELLS = 24
_SMALL_CELLS = 4


@cache
def _prior(design: int) -> Prior:
    return Prior.from_arrays(prior_arrays(1, DESIGNS[design]))


def _previous(design: int, seed: int, shape: tuple[int, int], flags: int) -> np.ndarray | None:
    if flags & 1 or DESIGNS[design].previous == Previous.GATED:
        return prior_symbols(seed, DESIGNS[design], shape)
    return None


def run(data: bytes) -> str:
    """Height, width, quality, prior, flags, then a packet.

    Flag 1: a frame came before, as it always does with a gated prior. Flag 2: the checksum is
    taken to be right, or hardly any input would get past it.
    """
    if len(data) < _HEAD:
        return "empty"
    shape = 1 + data[0] % _MOST_CELLS, 1 + data[1] % _MOST_CELLS
    quality, design, flags = data[2] % 64, data[3] % len(DESIGNS), data[4]
    prior, packet = _prior(design), data[_HEAD:]
    previous = _previous(design, data[2], shape, flags)
    try:
        if flags & 2:
            wanted = int.from_bytes(packet[:4], "little")
            with patch.object(prior_coding, "_checksum", lambda _: wanted):
                symbols = decode_with_prior(packet, shape, quality, prior, previous)
        else:
            symbols = decode_with_prior(packet, shape, quality, prior, previous)
    except BitstreamError:
        return "damaged"
    assert symbols.shape == (prior.channels, *shape)
    again = encode_with_prior(symbols, quality, prior, previous)
    assert prior_bits(symbols, quality, prior, previous) <= 8 * len(again)
    found = decode_with_prior(again, shape, quality, prior, previous)
    assert np.array_equal(found, symbols)
    if packet and shape[0] * shape[1] <= _SMALL_CELLS:
        _compare(symbols, packet, shape, quality, design, previous)
    try:
        assert network_symbols(symbols, prior).shape == (len(symbols) + prior.whole, *shape)
    except BitstreamError:
        return "too bright"
    return "decoded" if packet else "zero"


def _compare(
    symbols: np.ndarray,
    packet: bytes,
    shape: tuple[int, int],
    quality: int,
    design: int,
    previous: np.ndarray | None,
) -> None:
    """Another reader, made from the format page, finds the same."""
    packet = crc32(symbols.astype("<i2").tobytes()).to_bytes(4, "little") + packet[4:]
    arrays, weights = prior_arrays(1, DESIGNS[design]), load_scale_tables().weights.tolist()
    found = reference_prior.decode(packet, shape, quality, arrays, previous, weights)
    assert np.array_equal(found, symbols)


def seeds() -> Iterator[bytes]:
    """Packets that the encoder wrote."""
    for number, design in enumerate(DESIGNS):
        for height, width, spread in ((1, 1, 3.0), (2, 1, 0.5), (9, 8, 1.0), (20, 24, 0.02)):
            symbols = prior_symbols(number, design, (height, width), spread)
            for flags in (0, 2, 3):
                previous = _previous(number, 30, (height, width), flags)
                packet = encode_with_prior(symbols, 30, _prior(number), previous)
                yield bytes((height - 1, width - 1, 30, number, flags)) + packet[:900]
    bright = np.full((DESIGNS[1].channels, 3, 3), 90, np.int16)
    bright[0] = 600
    yield bytes((2, 2, 30, 1, 0)) + encode_with_prior(bright, 30, _prior(1), None)
    yield bytes((3, 4, 0, 0, 0))


HARNESS = Harness(run, seeds, 1000)
