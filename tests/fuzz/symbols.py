"""Latents: scale indices and symbols of one frame."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch
from zlib import crc32

import numpy as np
from edgecodec.runtime import symbols
from edgecodec.runtime.errors import BitstreamError, UnsupportedError
from edgecodec.runtime.latents import dequantize
from edgecodec.runtime.scale_tables import load_scale_tables
from edgecodec.runtime.symbols import Latent, decode_latent, encode_latent, index_shape

from ..runtime import reference_coder
from ..runtime.ecv_samples import encode_latents, sample_latent
from .harness import Harness

_HEAD = 20
_SMALL_CELLS = 2


def run(data: bytes) -> str:
    """Height, width, flags, quality, 16 tables, then a packet.

    Flag 1: a frame came before. Flag 2: the checksum is taken to be right, or hardly any input
    would get past it.
    """
    if len(data) < _HEAD:
        return "empty"
    shape = 1 + data[0] % 9, 1 + data[1] % 9
    flags, quality, packet = data[2], data[3] % 64, data[_HEAD:]
    tables = tuple(table % 64 for table in data[4:_HEAD])
    previous = None
    if flags & 1:
        random = np.random.default_rng(data[4])
        previous = random.integers(0, 64, index_shape(*shape)).astype(np.uint8)
    try:
        if flags & 2:
            wanted = int.from_bytes(packet[1:5], "little")
            with patch.object(symbols, "_checksum", lambda _: wanted):
                latent = decode_latent(packet, shape, tables, previous)
        else:
            latent = decode_latent(packet, shape, tables, previous)
    except BitstreamError:
        return "damaged"
    except UnsupportedError:
        return "unsupported"
    _check(latent, shape, tables, previous)
    if packet and shape[0] * shape[1] <= _SMALL_CELLS and crc32(packet) % 8 == 0:
        _compare(latent, packet, shape, tables, previous)
    assert dequantize(latent.symbols, quality).shape == (1, 64, *shape)
    return "decoded" if packet else "zero"


def _check(
    latent: Latent,
    shape: tuple[int, int],
    tables: tuple[int, ...],
    previous: np.ndarray | None,
) -> None:
    """What was decoded can be coded, and gives itself again."""
    assert latent.symbols.shape == (64, *shape)
    again = decode_latent(encode_latent(latent, tables, previous), shape, tables, previous)
    assert np.array_equal(again.symbols, latent.symbols)
    assert np.array_equal(again.scale_index, latent.scale_index)


def _compare(
    latent: Latent,
    packet: bytes,
    shape: tuple[int, int],
    tables: tuple[int, ...],
    previous: np.ndarray | None,
) -> None:
    """Another reader, made from the format page, finds the same."""
    checksum = crc32(latent.symbols.tobytes(), crc32(latent.scale_index.tobytes()))
    packet = packet[:1] + checksum.to_bytes(4, "little") + packet[5:]
    weights = load_scale_tables().weights.tolist()
    found = reference_coder.decode(packet, shape, tables, previous, weights)
    assert np.array_equal(found[0], latent.symbols)
    assert np.array_equal(found[1], latent.scale_index)


def seeds() -> Iterator[bytes]:
    """Packets that the encoder wrote."""
    random = np.random.default_rng(3)
    for height, width, activity in ((1, 1, 1.0), (2, 1, 0.5), (5, 6, 0.2), (9, 9, 0.0)):
        frames = [(0, n, (), sample_latent(random, (height, width), activity)) for n in range(2)]
        body = encode_latents([(0, *rest) for _, *rest in frames])  # type: ignore[misc]
        head = bytes((height - 1, width - 1))
        for packet in body.packets:
            yield head + bytes((3, 40, *body.difference_tables[0])) + packet.data[:1200]
            yield head + bytes((0, 40, *body.difference_tables[0])) + packet.data[:1200]


HARNESS = Harness(run, seeds, 1300)
